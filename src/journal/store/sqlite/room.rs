//! How much a journal takes on its disk, how much of that is in use, and giving the rest back.

use std::fs;
use std::path::Path;

use super::Sqlite;
use super::beside::beside;
use super::fault::failed;
use super::schema::Pages;
use crate::error::Error;
use crate::journal::store::{Store, StoreError};

/// What a journal takes on its disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The file.
    pub file: u64,
    /// What of it is in use.
    pub used: u64,
    /// What of it is free: it is used for what is written next, and [`Sqlite::compact`] gives it back.
    pub free: u64,
    /// The log beside the file (`-wal`), whether it is in use or not.
    pub log: u64,
}

impl Sqlite {
    /// What the journal takes on its disk; also while a server has it open.
    pub fn room(&self) -> Result<Room, StoreError> {
        let Pages { size, all, free } = Pages::of(&*self.reader.connection()?)?;
        let log = fs::metadata(beside(&self.path, "-wal")).map_or(0, |found| found.len());
        Ok(Room { file: all * size, used: (all - free) * size, free: free * size, log })
    }

    /// Gives back what the journal at this path does not use. No server may have it open; and it takes as much room again
    /// while it works.
    pub fn compact(path: impl AsRef<Path>) -> Result<Room, Error> {
        let path = path.as_ref();
        let cannot = |error| Error::caused(format!("cannot compact {}", path.display()), error);
        let journal = Sqlite::open(path)?;
        while journal.rest() {}
        let writer = journal.writer().map_err(cannot)?;
        let compacted = writer.conn().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        compacted.map_err(|error| cannot(failed("give back what is free", error)))?;
        drop(writer);
        journal.room().map_err(cannot)
    }
}
