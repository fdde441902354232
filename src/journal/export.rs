//! Sessions in a file of their own, to be looked at or replayed elsewhere.
//!
//! An export begins with the line `continuity journal export 1`; the number is the format's version. Then come parts,
//! each of two items of CBOR: a byte string, which is the part, and a number, which is its checksum: SipHash-1-3, under
//! a key of zeros, over the checksum before it (8 bytes, little endian; 0 at first) and the part's bytes. So what is
//! changed, missing or in another's place is noticed. A part is a map of one pair: `Session`, after which come as many
//! `Chunk`s as it says, with their entries byte by byte as they were in the journal; the last part is `End`. Readers
//! skip fields that they do not know, and refuse parts and versions that they do not know.
//!
//! Whom a session belongs to is not in an export, and secrets are in no journal.

use std::fmt;
use std::hash::Hasher;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::entry::Blob;
use super::store::{Change, Chunk, Fault, Head, State, Store, StoreError, Visitor};
use crate::chance;
use crate::error::Error;
use crate::limits::Limits;
use crate::mapper::reap::seconds;

/// What an export begins with, up to its version.
const MAGIC: &str = "continuity journal export ";
/// The newest version that is known, and the one that is written.
const VERSION: u32 = 1;

/// Sessions taken out of a journal: what `continuity journal export` writes to a file, and tests replay.
///
/// ```
/// use continuity::journal::{Export, Memory};
///
/// # fn look(journal: &Memory, session: u64) -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = Vec::new();
/// Export::of(journal, session)?.write(&mut file)?;
/// assert_eq!(Export::read(&file)?.sessions().count(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    sessions: Vec<(Head, Vec<Chunk>)>,
}

/// One part of the file.
#[derive(Serialize, Deserialize)]
enum Part {
    Session { number: u64, label: u64, flow: String, state: Life, at: i64, chunks: u64 },
    Chunk { first: u64, count: u64, at: i64, what: String, entries: Blob },
    End { sessions: u64 },
}

/// [`State`], as it is written.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Life {
    Live,
    Ended,
    Quarantined,
}

impl Export {
    /// Takes a session out of a journal. The journal stays as it is.
    pub fn of(store: &dyn Store, session: u64) -> Result<Export, StoreError> {
        let mut export = Export::default();
        export.add(store, session)?;
        Ok(export)
    }

    /// Takes one more session out of a journal.
    pub fn add(&mut self, store: &dyn Store, session: u64) -> Result<(), StoreError> {
        let missing = || StoreError::new(Fault::Failed, format!("there is no session {session:x}"));
        let Head { label, flow, state, .. } = store.head(session)?.ok_or_else(missing)?;
        let chunks = store.load(session)?;
        self.push(Head { state, ..Head::new(session, Visitor::default(), label, &flow) }, chunks);
        Ok(())
    }

    /// Adds a session; what is known of its chunks is counted.
    fn push(&mut self, mut head: Head, chunks: Vec<Chunk>) {
        head.entries = chunks.last().map_or(0, |chunk| chunk.first + chunk.count);
        head.bytes = chunks.iter().map(|chunk| chunk.entries.len() as u64).sum();
        head.at = chunks.last().map_or(head.at, |chunk| chunk.at);
        self.sessions.push((head, chunks));
    }

    /// The sessions, each with what happened in it. They belong to nobody: all visitors are zeros.
    pub fn sessions(&self) -> impl Iterator<Item = (&Head, &[Chunk])> {
        self.sessions.iter().map(|(head, chunks)| (head, &**chunks))
    }

    /// The session, if it is only one.
    #[cfg(feature = "test")]
    pub(crate) fn into_only(mut self) -> Option<(Head, Vec<Chunk>)> {
        self.sessions.pop().filter(|_| self.sessions.is_empty())
    }

    /// Writes the file.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        writeln!(to, "{MAGIC}{VERSION}")?;
        let mut pen = Pen { to, sum: 0 };
        for (head, chunks) in &self.sessions {
            pen.put(&head_part(head, chunks.len()))?;
            chunks.iter().try_for_each(|chunk| pen.put(&chunk_part(chunk)))?;
        }
        pen.put(&Part::End { sessions: self.sessions.len() as u64 })?;
        pen.to.flush()
    }

    /// Whether these are the first bytes of an export, of whatever version.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC.as_bytes())
    }

    /// Reads a file. Fails if it is none, if a newer version of this library wrote it, or if it is damaged.
    pub fn read(bytes: &[u8]) -> Result<Export, Error> {
        let parts = after_first_line(bytes)?;
        let mut reader = Reader { bytes: parts, cbor: minicbor_serde::Deserializer::new(parts), sum: 0 };
        let mut export = Export::default();
        loop {
            match reader.part()? {
                Part::Session { number, label, flow, state, at, chunks } => {
                    let chunks = (0..chunks).map(|_| reader.chunk(number)).collect::<Result<Vec<_>, _>>()?;
                    if chunks.windows(2).any(|pair| pair[0].first + pair[0].count != pair[1].first) {
                        return Err(damaged("chunks do not follow each other"));
                    }
                    let head = Head::new(number, Visitor::default(), label, &flow);
                    export.push(Head { state: state.into(), at, ..head }, chunks);
                }
                Part::End { sessions } if sessions == export.sessions.len() as u64 && reader.is_at_end() => {
                    return Ok(export);
                }
                Part::Chunk { .. } | Part::End { .. } => {
                    return Err(damaged("it has not the parts that it says"));
                }
            }
        }
    }

    /// Puts the sessions into a journal, each under a fresh number, which is returned. They belong to nobody, so nobody
    /// can go on with them, and no server runs them: those that had not ended are quarantined.
    ///
    /// The journal must not be in use by a server.
    pub fn import(&self, store: &dyn Store) -> Result<Vec<u64>, StoreError> {
        let mut nobody = Visitor::default();
        chance::system(&mut nobody);
        self.import_all(store, nobody, |state| match state {
            State::Ended => State::Ended,
            State::Live | State::Quarantined => State::Quarantined,
        })
    }

    /// The same for a visitor, who can go on with those that had not ended. They sleep no more, and their effects have
    /// other keys: what was in doubt where they come from is not known here.
    pub fn import_for(&self, store: &dyn Store, visitor: Visitor) -> Result<Vec<u64>, StoreError> {
        self.import_all(store, visitor, |state| state)
    }

    fn import_all(
        &self,
        store: &dyn Store,
        visitor: Visitor,
        life: impl Fn(State) -> State,
    ) -> Result<Vec<u64>, StoreError> {
        let clock = store.opened().clock;
        // No server is at work on the journal, and one that starts begins with a later second.
        let mut low = u32::MAX;
        let (mut numbers, mut changes) = (Vec::new(), Vec::new());
        for (head, chunks) in &self.sessions {
            let number = loop {
                let number = u64::from(clock) << 32 | u64::from(low);
                low = low.checked_sub(1).expect("no journal has as many sessions as 32 bits count");
                if store.head(number)?.is_none() {
                    break number;
                }
            };
            changes.extend(begin_with(&Head { session: number, visitor, ..head.clone() }, chunks));
            changes.push(rest(number, life(head.state), clock));
            numbers.push(number);
        }
        store.write(&changes)?;
        Ok(numbers)
    }
}

/// What has a session that is not in memory end, or go, some time after this second.
fn rest(session: u64, state: State, clock: u32) -> Change {
    let limits = Limits::default();
    match state {
        State::Live => Change::Park { session, due: clock.saturating_add(seconds(limits.idle_journaled)) },
        state => Change::End { session, state, due: clock.saturating_add(seconds(limits.ended)) },
    }
}

/// What makes a session that was trimmed or not, under the number in its head.
pub(crate) fn begin_with(head: &Head, chunks: &[Chunk]) -> Vec<Change> {
    let Head { session, visitor, label, ref flow, .. } = *head;
    let mut changes = vec![Change::Begin { session, visitor, label, flow: flow.clone() }];
    let first = chunks.first().filter(|chunk| chunk.first > 0);
    if let Some(first) = first {
        // In place of what was trimmed, so that entries keep their numbers.
        let (at, what) = (first.at, String::new());
        changes.push(Change::Append(Chunk {
            session,
            first: 0,
            count: first.first,
            at,
            what,
            entries: Vec::new(),
        }));
    }
    changes.extend(chunks.iter().map(|chunk| Change::Append(Chunk { session, ..chunk.clone() })));
    changes.extend(first.map(|first| Change::Trim { session, before: first.first }));
    changes
}

fn head_part(head: &Head, chunks: usize) -> Part {
    let Head { session: number, label, ref flow, state, at, .. } = *head;
    Part::Session { number, label, flow: flow.clone(), state: state.into(), at, chunks: chunks as u64 }
}

fn chunk_part(chunk: &Chunk) -> Part {
    let Chunk { first, count, at, what, entries, .. } = chunk.clone();
    Part::Chunk { first, count, at, what, entries: Blob(entries) }
}

/// Writes parts, each with its checksum.
struct Pen<W> {
    to: W,
    sum: u64,
}

impl<W: Write> Pen<W> {
    fn put(&mut self, part: &Part) -> io::Result<()> {
        let part = Blob::of(part).map_err(io::Error::other)?;
        self.sum = sum(self.sum, &part.0);
        for item in [Blob::of(&part), Blob::of(&self.sum)] {
            self.to.write_all(&item.map_err(io::Error::other)?.0)?;
        }
        Ok(())
    }
}

/// Reads parts, and checks that they are what was written.
struct Reader<'b> {
    bytes: &'b [u8],
    cbor: minicbor_serde::Deserializer<'b>,
    sum: u64,
}

impl Reader<'_> {
    fn part(&mut self) -> Result<Part, Error> {
        let part = Blob::deserialize(&mut self.cbor).map_err(|error| damaged(&error))?;
        let said = u64::deserialize(&mut self.cbor).map_err(|error| damaged(&error))?;
        self.sum = sum(self.sum, &part.0);
        if said != self.sum {
            return Err(damaged("a checksum does not fit"));
        }
        part.open().map_err(|error| damaged(&error))
    }

    fn chunk(&mut self, session: u64) -> Result<Chunk, Error> {
        match self.part()? {
            Part::Chunk { first, count, at, what, entries: Blob(entries) }
                if first.checked_add(count).is_some() =>
            {
                Ok(Chunk { session, first, count, at, what, entries })
            }
            _ => Err(damaged("it has not the parts that it says")),
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.cbor.decoder().position() == self.bytes.len()
    }
}

/// What comes after the first line, if that is one of ours.
fn after_first_line(bytes: &[u8]) -> Result<&[u8], Error> {
    let none = || Error::new("it is no export of a journal");
    let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or_else(none)?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(none)?;
    let version: u32 =
        str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse().ok()).ok_or_else(none)?;
    match version {
        VERSION => Ok(&rest[end + 1..]),
        newer if newer > VERSION => Err(Error::new(format!(
            "a newer version of continuity wrote it (its format is version {newer}, this program knows \
             {VERSION}): read it with that one"
        ))),
        odd => Err(Error::new(format!("it says version {odd} of its format, which there never was"))),
    }
}

fn damaged(why: impl fmt::Display) -> Error {
    Error::new(format!("the export is damaged: {why}"))
}

fn sum(before: u64, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(&before.to_le_bytes());
    hasher.write(bytes);
    hasher.finish()
}

impl From<State> for Life {
    fn from(state: State) -> Life {
        match state {
            State::Live => Life::Live,
            State::Ended => Life::Ended,
            State::Quarantined => Life::Quarantined,
        }
    }
}

impl From<Life> for State {
    fn from(life: Life) -> State {
        match life {
            Life::Live => State::Live,
            Life::Ended => State::Ended,
            Life::Quarantined => State::Quarantined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::super::entry::{Entry, Verb};
    use super::super::record::records;
    use super::*;

    /// A store with one session of two chunks, the first of which is trimmed if so wished.
    fn store(trimmed: bool) -> Memory {
        let store = Memory::new();
        let head = Head::new(1 << 32 | 7, [9; 16], 3, "/shop");
        let chunk = |first, text: &str| {
            let mut entries = Vec::new();
            let asked = Entry::Asked { verb: Verb::Next, of: "".into(), printed: 1, place: text.into() };
            asked.write(&mut entries);
            Chunk { session: head.session, first, count: 1, at: 5, what: "GET /".to_owned(), entries }
        };
        let mut changes = begin_with(&head, &[chunk(0, "a.rs:1:1"), chunk(1, "b.rs:2:2")]);
        changes.extend(trimmed.then_some(Change::Trim { session: head.session, before: 1 }));
        store.write(&changes).expect("memory takes all");
        store
    }

    fn file(trimmed: bool) -> Vec<u8> {
        let mut file = Vec::new();
        let export = Export::of(&store(trimmed), 1 << 32 | 7).expect("it is there");
        export.write(&mut file).expect("memory takes all bytes");
        file
    }

    #[test]
    fn what_is_written_is_read_and_imported() {
        for trimmed in [false, true] {
            let export = Export::read(&file(trimmed)).expect("it is whole");
            let (head, chunks) = export.sessions().next().expect("there is one");
            assert_eq!((head.visitor, head.entries, &*head.flow), ([0; 16], 2, "/shop"));
            assert_eq!(chunks, store(trimmed).load(head.session).expect("it is there"));
            let other = Memory::new();
            let numbers = export.import(&other).expect("it is imported");
            let imported = other.head(numbers[0]).expect("read").expect("it is there");
            assert_eq!((imported.state, imported.entries), (State::Quarantined, 2));
            assert!(imported.visitor != [9; 16] && imported.visitor != [0; 16] && imported.due.is_some());
            let again = other.load(numbers[0]).expect("it is there");
            let records: Vec<_> =
                again.iter().flat_map(|chunk| records(chunk).expect("it is readable")).collect();
            assert_eq!(records.last().and_then(|record| record.place()), Some("b.rs:2:2"));
            assert_eq!(records.last().map(|record| record.number()), Some(1));
            assert_eq!(again[0].first, u64::from(trimmed));
            let mine = export.import_for(&other, [4; 16]).expect("it is imported again");
            assert_ne!(mine, numbers);
            assert_eq!(
                other.find(&[4; 16], 3).expect("read").session.map(|head| head.session),
                Some(mine[0])
            );
        }
    }

    #[test]
    fn the_visitor_is_not_in_the_file() {
        assert!(!file(false).windows(16).any(|bytes| bytes == [9; 16]));
    }

    #[test]
    fn whatever_byte_is_changed_or_missing_is_noticed() {
        let file = file(false);
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            Export::read(&changed).expect_err("a byte was changed");
            Export::read(&file[..at]).expect_err("it breaks off");
        }
        Export::read(&[&file[..], b"\0"].concat()).expect_err("there is more");
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let text = |bytes: &[u8]| Export::read(bytes).expect_err("it is refused").to_string();
        assert!(text(b"continuity journal export 2\n").contains("a newer version of continuity wrote it"));
        assert!(text(b"continuity journal export 0\n").contains("there never was"));
        assert!(text(b"SQLite format 3\0").contains("no export"));
    }
}
