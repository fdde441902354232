//! What lies in one row: a session or a chunk, with the checksum that tells whether it is what was written.
//!
//! A chunk's checksum goes over the one before it in its session, so that a chunk that is missing, old or in another's
//! place is noticed as well as one that was changed. Numbers of 64 bits lie in SQLite's signed integers, bit for bit.

use std::hash::Hasher;

use rusqlite::types::ValueRef;
use rusqlite::{Row as SqlRow, ToSql};
use siphasher::sip::SipHasher13;

use super::fault::{damaged, failed};
use crate::journal::store::{Chunk, Head, State, StoreError};

/// The columns of a session, in the order that [`Row::read`] and [`Row::write`] go by.
macro_rules! session_columns {
    () => {
        "id, visitor, label, flow, state, last, entries, bytes, trimmed, floor, base, due, wake, deaths, at, chain, \
         sum"
    };
}

/// The columns of a chunk, in the order that [`Step::read`] goes by.
macro_rules! step_columns {
    () => {
        "id, session, prev, first, count, at, what, entries, chain"
    };
}

pub(super) use {session_columns, step_columns};

/// Makes the checksums of one journal: its number is the key, so that another journal's rows do not fit.
#[derive(Clone, Copy)]
pub(super) struct Sums(pub(super) [u8; 16]);

impl Sums {
    pub(super) fn start(&self) -> Sum {
        Sum(SipHasher13::new_with_key(&self.0))
    }
}

/// A checksum while it is made.
pub(super) struct Sum(SipHasher13);

impl Sum {
    pub(super) fn word(mut self, word: u64) -> Self {
        self.0.write(&word.to_le_bytes());
        self
    }

    pub(super) fn signed(self, word: i64) -> Self {
        self.word(word.cast_unsigned())
    }

    fn maybe(self, word: Option<i64>) -> Self {
        match word {
            Some(word) => self.word(1).signed(word),
            None => self.word(0),
        }
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.word(bytes.len() as u64);
        sum.0.write(bytes);
        sum
    }

    pub(super) fn end(self) -> u64 {
        self.0.finish()
    }
}

/// How far a session has come: what changes with every chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    /// The row of its newest chunk, or of what was its newest if all were trimmed; 0: there was none yet.
    pub(super) last: i64,
    /// The checksum of that chunk.
    pub(super) chain: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) at: i64,
}

/// A session as it lies in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) head: Head,
    pub(super) last: i64,
    pub(super) chain: u64,
    /// The number of the first entry that is kept.
    pub(super) trimmed: u64,
    /// The row of the newest chunk that was trimmed, 0 if none was.
    pub(super) floor: i64,
    /// The checksum of that chunk.
    pub(super) base: u64,
}

impl Row {
    /// A session that begins.
    pub(super) fn new(head: Head) -> Self {
        Row { head, last: 0, chain: 0, trimmed: 0, floor: 0, base: 0 }
    }

    pub(super) fn tip(&self) -> Tip {
        let Head { entries, bytes, at, .. } = self.head;
        Tip { last: self.last, chain: self.chain, entries, bytes, at }
    }

    /// Comes as far as this, unless it is further: rows of chunks are given in order, so the higher one is the newer.
    pub(super) fn follow(&mut self, tip: Option<&Tip>) {
        let Some(tip) = tip.filter(|tip| tip.last > self.last) else { return };
        (self.last, self.chain) = (tip.last, tip.chain);
        (self.head.entries, self.head.bytes, self.head.at) = (tip.entries, tip.bytes, tip.at);
    }

    /// Reads it and checks that it is what was written.
    pub(super) fn read(row: &SqlRow<'_>, sums: &Sums) -> Result<Self, StoreError> {
        let (read, sum) = Row::read_unchecked(row)?;
        if read.sum(sums) != sum {
            return Err(damaged(read.head.session, "its row in `sessions` is not what was written"));
        }
        Ok(read)
    }

    /// Reads it as it lies there, with its checksum.
    pub(super) fn read_unchecked(row: &SqlRow<'_>) -> Result<(Self, u64), StoreError> {
        let session = row.get(0).map(i64::cast_unsigned).map_err(|error| failed("read a session", error))?;
        let unreadable = |error| failed(format!("read the row of session {session:x}"), error);
        Row::columns(row, session).map_err(unreadable)
    }

    fn columns(row: &SqlRow<'_>, session: u64) -> rusqlite::Result<(Self, u64)> {
        let word = |column| row.get(column).map(i64::cast_unsigned);
        let mut head = Head::new(session, row.get(1)?, word(2)?, row.get_ref(3)?.as_str()?);
        head.state = match row.get::<_, i64>(4)? {
            0 => State::Live,
            1 => State::Ended,
            2 => State::Quarantined,
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(4, other)),
        };
        (head.entries, head.bytes) = (word(6)?, word(7)?);
        (head.due, head.wake, head.deaths, head.at) =
            (row.get(11)?, row.get(12)?, row.get(13)?, row.get(14)?);
        let read = Row {
            head,
            last: row.get(5)?,
            chain: word(15)?,
            trimmed: word(8)?,
            floor: row.get(9)?,
            base: word(10)?,
        };
        Ok((read, word(16)?))
    }

    /// Hands its columns on to a statement.
    pub(super) fn write<T>(&self, sums: &Sums, to: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        let head = &self.head;
        let signed = |word: u64| word.cast_signed();
        to(&[
            &signed(head.session),
            &head.visitor,
            &signed(head.label),
            &head.flow,
            &state_number(head.state),
            &self.last,
            &signed(head.entries),
            &signed(head.bytes),
            &signed(self.trimmed),
            &self.floor,
            &signed(self.base),
            &head.due,
            &head.wake,
            &head.deaths,
            &head.at,
            &signed(self.chain),
            &signed(self.sum(sums)),
        ])
    }

    fn sum(&self, sums: &Sums) -> u64 {
        let head = &self.head;
        let who = sums.start().word(head.session).bytes(&head.visitor).word(head.label);
        let life = who.bytes(head.flow.as_bytes()).signed(state_number(head.state)).signed(self.last);
        let kept =
            life.word(head.entries).word(head.bytes).word(self.trimmed).signed(self.floor).word(self.base);
        let clocks = kept.maybe(head.due.map(i64::from)).maybe(head.wake).word(u64::from(head.deaths));
        clocks.signed(head.at).word(self.chain).end()
    }
}

fn state_number(state: State) -> i64 {
    match state {
        State::Live => 0,
        State::Ended => 1,
        State::Quarantined => 2,
    }
}

/// A chunk as it lies in its row.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) id: i64,
    /// The row of the session's chunk before it.
    pub(super) prev: i64,
    pub(super) chunk: Chunk,
    pub(super) chain: u64,
}

impl Step {
    pub(super) fn read(row: &SqlRow<'_>) -> rusqlite::Result<Self> {
        let word = |column| row.get(column).map(i64::cast_unsigned);
        let chunk = Chunk {
            session: word(1)?,
            first: word(3)?,
            count: word(4)?,
            at: row.get(5)?,
            what: row.get_ref(6)?.as_str()?.to_owned(),
            entries: blob(row.get_ref(7)?)?.to_vec(),
        };
        Ok(Step { id: row.get(0)?, prev: row.get(2)?, chunk, chain: word(8)? })
    }

    /// The number that the session's next entry has after it.
    pub(super) fn next(&self) -> u64 {
        self.chunk.first.wrapping_add(self.chunk.count)
    }

    /// It is what was written after the chunk with this checksum.
    pub(super) fn follows(&self, before: u64, sums: &Sums) -> bool {
        chain(sums, before, self.id, self.prev, &self.chunk) == self.chain
    }
}

fn blob<'a>(value: ValueRef<'a>) -> rusqlite::Result<&'a [u8]> {
    Ok(value.as_blob()?)
}

/// The checksum of a chunk.
pub(super) fn chain(sums: &Sums, before: u64, id: i64, prev: i64, chunk: &Chunk) -> u64 {
    let place = sums.start().word(before).signed(id).word(chunk.session).signed(prev);
    let numbers = place.word(chunk.first).word(chunk.count).signed(chunk.at);
    numbers.bytes(chunk.what.as_bytes()).bytes(&chunk.entries).end()
}
