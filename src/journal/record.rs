//! What is in a journal, as people read it.

use std::fmt;

use super::entry::{Entry, Moment};
use super::store::{Chunk, Head, StoreError};
use crate::log::Line;

/// One entry of a session: `Display` says it on one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    number: u64,
    entry: Entry,
}

/// What is written in a chunk, in order. Fails with [`Fault::Damaged`](super::Fault::Damaged) if it cannot be read.
pub fn records(chunk: &Chunk) -> Result<Vec<Record>, StoreError> {
    let entries = Entry::read_all(chunk)?.into_iter().zip(chunk.first..);
    Ok(entries.map(|(entry, number)| Record { number, entry }).collect())
}

impl Record {
    /// Its number in the session; the first is 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where in the program the session waits from here on, if it does.
    pub fn place(&self) -> Option<&str> {
        match &self.entry {
            Entry::Asked { place, .. } => Some(place),
            _ => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Line(&self.entry).fmt(f)
    }
}

impl Head {
    /// When its last entry was written, as people write it, in UTC.
    pub fn when(&self) -> impl fmt::Display + use<> {
        Moment(self.at.saturating_mul(1_000))
    }
}

impl Chunk {
    /// When it was written, as people write it, in UTC.
    pub fn when(&self) -> impl fmt::Display + use<> {
        Moment(self.at.saturating_mul(1_000))
    }
}
