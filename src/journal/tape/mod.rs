//! A session's tape: records what comes in while the session lives, and plays it again when it is rebuilt.
//!
//! Pure: it knows entries and nothing of stores, hits on their way or threads. While there is a past to replay, each
//! verb meets what it met then; when the past is used up, the tape records on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hasher;
use std::panic::Location;

use siphasher::sip::SipHasher13;

mod outside;
pub(crate) mod tree;

pub(crate) use outside::Standing;

use super::entry::{Blob, Effect, Ending, Entry, FORMAT, Outcome, Taken, Verb};
use super::headers::{Fields, Played};
use super::store::{Change, Chunk};
use crate::mapper::key::VisitorId;

/// Where in the program's code a verb stands.
type Place = &'static Location<'static>;

/// Steps that are replayed in a row.
const TURN: u32 = 200;

/// What is recorded of a session, and what is left to replay.
#[derive(Default)]
pub(crate) struct Tape {
    /// What is still to be replayed, each with its number.
    pub(super) past: VecDeque<(u64, Entry)>,
    /// Hits among it.
    hits: usize,
    /// What was recorded and not handed out yet.
    fresh: Vec<u8>,
    /// Bytes that are in the store since the last checkpoint, and whether it was said that they are many.
    written: usize,
    said: bool,
    count: u64,
    /// The number of the first entry that was not handed out.
    first: u64,
    /// The hit in hand, with its place in `fresh`; what is in the hit itself is filled in when it is written.
    taken: Option<(usize, Box<Taken>)>,
    /// The number of the entry after the last complete step.
    good: u64,
    /// The header fields of the last hit that was written, and of the last that was replayed.
    fields: Fields,
    played: Played,
    printed: Option<SipHasher13>,
    /// When the last input came, in microseconds since 1970.
    now: i64,
    /// Effects that were done in steps that are no part of the past.
    done: HashMap<Effect, Outcome>,
    /// Effects that are to be tried once, and were tried in such steps with an end that nobody knows.
    doubtful: HashSet<Effect>,
    /// Effects on the way here, since the last checkpoint.
    tried: HashMap<Effect, u32>,
    /// Which checkpoint that was; 0: there was none.
    since: u64,
    /// Checkpoints whose entries are needed, each with its step.
    checkpoints: VecDeque<(u64, u32)>,
    /// What `restore_or` gives back.
    restored: Option<Blob>,
    /// Answers that were given before to the page where the session is, on other branches.
    pub(crate) answered: Vec<u64>,
    /// The steps at the ends of other branches that somebody may go on from.
    pub(crate) ends: Vec<u32>,
    /// The highest number of a step, on all branches.
    pub(crate) top: u32,
    /// The session was brought to this page by an answer to it: what that means, if it is taken.
    pub(crate) turned: Option<Turn>,
    /// What is shared by all branches, as it was left.
    pub(crate) latest: Vec<(String, Vec<u8>)>,
    /// A hash of each shared value as this branch knows it.
    known: Vec<(String, u64)>,
    /// Times that the session was sent back a page in this rebuild, and whether it is now.
    pub(crate) tries: u32,
    sent_back: bool,
    /// Effects that were recorded since the session came into memory, on all branches.
    pub(crate) effects: u32,
    /// Values of secrets that the program has read in this step.
    pub(crate) secrets: Vec<String>,
    /// Which program wrote what is replayed, and which one runs.
    build_then: u64,
    build: u64,
    /// What is printed is compared even with that of another program.
    pub(crate) strict: bool,
    /// What is printed is not compared at all.
    pub(crate) lenient: bool,
    /// It has had its second hit or its first effect: it is to be in the store.
    pub(crate) grown: bool,
    /// It is in the store.
    pub(crate) begun: bool,
    /// Changes that go with what is handed out next.
    pub(crate) changes: Vec<Change>,
    /// The id that its visitor had before what is not written yet.
    pub(crate) renamed: Option<VisitorId>,
    /// Parts of it that are on their way to the store.
    pub(crate) unwritten: u32,
    /// Something of it could not be written: the session is to be rebuilt.
    pub(crate) broken: bool,
    /// The session leaves memory, and stays in the journal.
    pub(crate) stays: bool,
    /// It is replayed to see whether it can be, beside the session itself.
    pub(crate) rehearses: bool,
    /// The number of the session that it is replayed beside.
    pub(crate) stands_for: Option<u64>,
    /// A verb is waiting: what the session waits for is known.
    pub(crate) at_verb: bool,
    /// It waited for something else: it cannot be rebuilt as it is now.
    pub(crate) strayed: bool,
    /// The page that is shown was printed: nothing draws it again.
    pub(crate) prints: bool,
    /// It was told to end.
    pub(crate) told: bool,
    /// Why it cannot be replayed.
    pub(crate) diverged: Option<String>,
    /// The last steps could not be replayed, and this is the number of the step that comes in place of theirs.
    pub(crate) resume: Option<u32>,
    /// Hits that were replayed since others had their turn.
    turn: u32,
    /// A verb was polled since the session started: too late for `restore_or`.
    under_way: bool,
    what: String,
}

/// What it means that an answer to an earlier page is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The session goes on from the page of this step; the branch that it was on stays.
    Branch(u32),
    /// What came after the page is no part of the past.
    Rewind,
}

/// What a verb that asks for a hit meets.
pub(crate) enum Met {
    /// Nothing of the past: it waits for the next hit.
    Present,
    /// The hit that it took then.
    Hit(Box<Taken>),
    /// It was told to end.
    Told,
}

/// What a verb meets is not what was recorded; the report is on the tape.
#[derive(Debug)]
pub(crate) struct Diverged;

impl Tape {
    /// The tape of a session that begins.
    pub(crate) fn blank(build: u64) -> Tape {
        let mut tape = Tape { build, build_then: build, ..Tape::default() };
        tape.push(&Entry::Program { format: FORMAT, build });
        tape
    }

    /// The tape of a session that is in the store; the number of its next entry.
    fn begun(next: u64, build: u64) -> Tape {
        Tape { build, build_then: build, begun: true, first: next, ..Tape::default() }
    }

    /// Whether what happens now has happened before.
    pub(crate) fn is_replaying(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether what is printed now will not be seen by anybody: there are later steps to replay.
    pub(crate) fn is_hushed(&self) -> bool {
        self.hits > 0
    }

    /// Whether the session can leave memory as it stands and come back.
    pub(crate) fn rests(&self) -> bool {
        self.begun
            && !self.is_replaying()
            && self.count == 0
            && self.changes.is_empty()
            && self.unwritten == 0
            && !(self.strayed || self.told || self.broken || self.stays)
    }

    /// Whether an answer to the page where the session is was given before.
    pub(crate) fn was_answered(&self, answer: u64) -> bool {
        self.answered.contains(&answer)
    }

    /// The number of the next step.
    pub(crate) fn next_step(&self) -> u32 {
        self.top + 1
    }

    /// Whether the session can be brought from here to another page.
    pub(crate) fn turns(&self) -> bool {
        let leaves = self.told || self.stays || self.broken || self.diverged.is_some();
        self.begun && !self.is_replaying() && !self.strayed && !self.rehearses && !leaves
    }

    /// Another branch has recorded what is before this entry.
    pub(crate) fn goes_on_at(&mut self, next: u64, top: u32) {
        debug_assert_eq!(self.count, 0, "what rests is written");
        (self.first, self.top) = (next, top);
    }

    /// Nobody goes back behind this: there are no other branches from here on. `false`: that was so before.
    pub(crate) fn commit(&mut self) -> bool {
        if self.is_replaying() {
            return false;
        }
        self.push(&Entry::Commit);
        self.ends.clear();
        true
    }

    /// Whether what is replayed ends here as programs do.
    pub(crate) fn has_come_to_its_end(&self) -> bool {
        matches!(self.past.front(), Some((_, Entry::End { how: Ending::Returned })))
    }

    /// When the last input came.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// Whether there is a complete step to go back to.
    pub(crate) fn has_past(&self) -> bool {
        self.good > 0
    }

    /// The number that the next entry will have.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.count
    }

    /// Records an entry.
    pub(crate) fn push(&mut self, entry: &Entry) {
        if self.build_then != self.build && !self.is_replaying() {
            self.build_then = self.build;
            self.push(&Entry::Program { format: FORMAT, build: self.build });
        }
        self.settle_turn();
        entry.write(&mut self.fresh);
        self.count += 1;
    }

    /// A hit was taken: the next step begins.
    pub(crate) fn take(&mut self, taken: Box<Taken>) {
        self.settle_turn();
        self.answered.clear();
        self.top = self.top.max(taken.step);
        self.now = taken.at;
        self.begin_step();
        self.taken = Some((self.fresh.len(), taken));
        self.count += 1;
    }

    /// The session goes on from where it was brought: what comes now happens here.
    fn settle_turn(&mut self) {
        match self.turned.take() {
            Some(Turn::Branch(to)) => self.push(&Entry::Turned { to }),
            Some(Turn::Rewind) => {
                self.push(&Entry::Cut { to: self.good, why: "the visitor went back".to_owned() });
            }
            None => {}
        }
    }

    /// A hit was taken once more.
    pub(crate) fn retake(&mut self, at: i64) {
        self.now = at;
        self.begin_step();
    }

    fn begin_step(&mut self) {
        self.printed = None;
        self.secrets.clear();
        self.what.clear();
    }

    /// Writes the hit in hand, if it is not written yet; `fill` puts in what is in the hit itself.
    pub(crate) fn seal(&mut self, fill: impl FnOnce(&mut Taken, &[String], &mut Fields)) {
        let Some((place, mut taken)) = self.taken.take() else { return };
        fill(&mut taken, &self.secrets, &mut self.fields);
        let hit = format!("{} {}", taken.method, taken.path);
        self.what = if self.what.is_empty() { hit } else { [&hit, ", ", &self.what].concat() };
        let after = self.fresh.split_off(place);
        Entry::Hit(taken).write(&mut self.fresh);
        self.fresh.extend_from_slice(&after);
    }

    /// Says, for people, what the chunk is about.
    fn note(&mut self, what: &str) {
        if !self.what.is_empty() {
            self.what.push_str(", ");
        }
        self.what.push_str(what);
    }

    /// Whether the hit in hand is written already.
    pub(crate) fn is_sealed(&self) -> bool {
        !self.is_replaying() && self.taken.is_none()
    }

    /// Something was printed.
    pub(crate) fn print(&mut self, text: &str) {
        self.printed.get_or_insert_with(SipHasher13::new).write(text.as_bytes());
    }

    /// What was printed is replaced.
    pub(crate) fn unprint(&mut self) {
        self.printed = None;
    }

    /// A verb asks for a hit: the step is complete.
    pub(crate) fn ask(&mut self, verb: Verb, of: &str, place: Place) -> Result<(), Diverged> {
        let printed = self.printed.map_or(0, |printed| printed.finish().max(1));
        (self.under_way, self.prints) = (true, verb == Verb::Next);
        if !self.is_replaying() {
            let (of, place) = (of.into(), place.to_string().into());
            self.push(&Entry::Asked { verb, of, printed, place });
            self.good = self.next();
            return Ok(());
        }
        let Some((number, entry)) = self.pop() else { return self.ask(verb, of, place) };
        match entry {
            Entry::Asked { verb: v, of: o, .. } if v != verb || *o != *of => {
                self.diverge(place, &format!("asks by {verb:?} for {of:?}"), &format!("{v:?} for {o:?}"))
            }
            Entry::Asked { printed: then, .. } if then != printed && self.compares_output() => {
                self.diverge(place, "printed something else before it asks", "other text")
            }
            Entry::Asked { .. } => {
                self.good = number + 1;
                Ok(())
            }
            other => self.diverge(place, &format!("asks by {verb:?}"), &other.to_string()),
        }
    }

    fn compares_output(&self) -> bool {
        !self.lenient && (self.strict || self.build_then == self.build)
    }

    /// Whether, after many steps in a row, others should have their turn.
    pub(crate) fn takes_a_break(&mut self) -> bool {
        let tired = self.turn >= TURN;
        self.turn = if tired { 0 } else { self.turn + u32::from(self.is_replaying()) };
        tired
    }

    /// What the verb that asks meets.
    pub(crate) fn meet(&mut self, place: Place) -> Result<Met, Diverged> {
        match self.pop() {
            None => Ok(Met::Present),
            Some((_, Entry::Hit(taken))) => {
                self.hits -= 1;
                self.played.apply(&taken.headers);
                if self.past.is_empty() || self.hits == 0 {
                    self.fields = Fields::of(&self.played);
                }
                self.retake(taken.at);
                Ok(Met::Hit(taken))
            }
            Some((_, Entry::Told)) => {
                self.told = true;
                Ok(Met::Told)
            }
            Some((_, other)) => self.diverge(place, "asks for a hit", &other.to_string()),
        }
    }

    /// The step failed, or something of it cannot be replayed: the past ends before it.
    pub(crate) fn cut(&mut self, why: &str) {
        self.note("failed");
        self.push(&Entry::Cut { to: self.good, why: why.to_owned() });
    }

    /// The past ends at the last page that was replayed, because the program does not come to the next one. `false`: there
    /// is no such page.
    pub(crate) fn truncate(&mut self, why: &str) -> bool {
        self.sent_back = self.good > 0;
        if self.sent_back {
            (self.hits, self.diverged) = (0, None);
            self.past.clear();
            self.taken = None;
            self.cut(why);
        }
        self.sent_back
    }

    /// Whether it is to be rebuilt up to an earlier page.
    pub(crate) fn is_sent_back(&self) -> bool {
        self.sent_back
    }

    /// What is recorded and not handed out, where the last step is complete.
    #[cfg(feature = "test")]
    pub(crate) fn peek(&self, session: u64) -> Option<Option<Chunk>> {
        let complete =
            !self.is_replaying() && self.good == self.next() && !self.strayed && self.unwritten == 0;
        complete.then(|| {
            let (first, count, entries) = (self.first, self.count, self.fresh.clone());
            (count > 0).then(|| Chunk { session, first, count, at: 0, what: String::new(), entries })
        })
    }

    /// Whether the session takes more than `limit` bytes; with `true` where that should be said for the first time that it
    /// comes near.
    pub(crate) fn grows_beyond(&mut self, limit: usize) -> (bool, bool) {
        let bytes = self.written + self.fresh.len();
        let near = bytes > limit / 4 && !std::mem::replace(&mut self.said, bytes > limit / 4);
        (bytes > limit, near)
    }

    /// What was recorded since the last time, to be written.
    pub(crate) fn hand_out(&mut self, session: u64, at: i64) -> Option<Chunk> {
        debug_assert!(self.taken.is_none(), "the hit in hand is sealed before its entries are handed out");
        if self.count == 0 {
            return None;
        }
        let (first, count) = (self.first, std::mem::take(&mut self.count));
        self.first += count;
        self.written += self.fresh.len();
        Some(Chunk {
            session,
            first,
            count,
            at,
            what: std::mem::take(&mut self.what),
            entries: std::mem::take(&mut self.fresh),
        })
    }

    fn pop(&mut self) -> Option<(u64, Entry)> {
        loop {
            match self.past.pop_front()? {
                (_, Entry::Program { build, .. }) => self.build_then = build,
                (_, Entry::Commit | Entry::Patched { .. }) => {}
                next => return Some(next),
            }
        }
    }

    fn diverge<T>(&mut self, place: Place, now: &str, then: &str) -> Result<T, Diverged> {
        self.diverged = Some(format!("the program {now} at {place}; what was recorded: {then}"));
        Err(Diverged)
    }
}
