//! Writing: one transaction for all changes of a call, and only after its commit does anyone else see them.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::batch::{Batch, Done};
use super::fault::{failed, not_committed};
use super::heads::Heads;
use super::row::Sums;
use super::schema;
use super::wal::Wal;
use crate::journal::store::{Change, Fault, StoreError};

/// Sessions that are packed in one transaction.
const PACKED: usize = 8;
/// Sessions that wait to be packed; those above it are not.
const PARKED: usize = 100_000;

/// Who writes.
pub(super) struct Writer {
    conn: Connection,
    wal: Wal,
    /// Bytes of the file.
    bytes: u64,
    heads: Arc<RwLock<Heads>>,
    sums: Sums,
    /// The number that the next chunk gets.
    next: i64,
    /// What `meta.indexed` says.
    indexed: i64,
    /// Sessions that were parked, and may be packed.
    parked: VecDeque<u64>,
    stopped: bool,
}

impl Writer {
    pub(super) fn new(
        (conn, wal): (Connection, Wal),
        heads: Arc<RwLock<Heads>>,
        sums: Sums,
        next: i64,
        indexed: i64,
    ) -> Self {
        let (parked, stopped) = Default::default();
        Writer { conn, wal, bytes: 0, heads, sums, next, indexed, parked, stopped }
    }

    /// Bytes of the file after the last transaction.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// For tests that make it fail.
    #[cfg(test)]
    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// For tests: a write has failed so that nobody knows what is on the disk.
    #[cfg(test)]
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Writes all of this, or nothing.
    pub(super) fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let overdue = self.heads().overdue(2 * changes.len() + 64);
        self.transaction(|batch| {
            changes.iter().try_for_each(|change| batch.apply(change))?;
            batch.write_back(&overdue)
        })?;
        let parked = changes.iter().filter_map(|change| match change {
            Change::Park { session, .. } => Some(*session),
            _ => None,
        });
        self.parked.extend(parked.take(PARKED.saturating_sub(self.parked.len())));
        Ok(())
    }

    /// Packs some of the sessions that were parked; whether there are more.
    pub(super) fn pack(&mut self) -> Result<bool, StoreError> {
        let some: Vec<u64> = self.parked.drain(..self.parked.len().min(PACKED)).collect();
        if !some.is_empty() {
            let packed = self.transaction(|batch| some.iter().try_for_each(|session| batch.pack(*session)));
            packed.inspect_err(|_| self.parked.clear())?;
        }
        self.make_room()?;
        Ok(!self.parked.is_empty())
    }

    /// Makes room in the log while nobody waits.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if !self.wal.runs_short() {
            return Ok(());
        }
        self.unless_stopped(|writer| {
            // As long as this lasts nobody else writes.
            let cannot = |error| failed("make room in the log of the journal", error);
            writer.run("BEGIN IMMEDIATE").map_err(cannot)?;
            let made = writer.wal.make_room_ahead();
            writer.run("ROLLBACK").map_err(cannot).and(made)
        })
    }

    /// Brings all rows to where their sessions are.
    pub(super) fn write_all_back(&mut self) -> Result<(), StoreError> {
        let all = self.heads().all();
        self.transaction(|batch| batch.write_back(&all))?;
        let newest = self.next - 1;
        schema::set(&self.conn, "indexed", newest).map_err(|error| failed("close the journal", error))?;
        self.indexed = newest;
        Ok(())
    }

    fn heads(&self) -> std::sync::RwLockReadGuard<'_, Heads> {
        self.heads.read().expect("no code panics while it changes heads")
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.unless_stopped(|writer| writer.attempt(work))
    }

    fn unless_stopped(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.stopped {
            let why =
                "the journal takes nothing more since a write of it failed: see the log, and start again";
            return Err(StoreError::new(Fault::Stopped, why));
        }
        let done = work(self);
        if let Err(error) = &done
            && error.fault() == Fault::Stopped
        {
            self.stopped = true;
            // What is on the disk is for the next start to see.
            let kept = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            kept.map_err(|error| failed("leave the journal as it is", error))?;
        }
        done
    }

    fn attempt(
        &mut self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE").map_err(|error| failed("begin to write to the journal", error))?;
        self.wal.make_room();
        let mut batch = Batch::new(&self.conn, &self.heads, self.sums, self.next, self.indexed);
        let worked = work(&mut batch).and_then(|()| batch.note_indexed());
        let Done { changed, next, indexed } = batch.done();
        let done = worked.and_then(|()| schema::bytes(&self.conn)).and_then(|bytes| {
            self.run("COMMIT").map_err(not_committed)?;
            self.wal.sync().map(|()| bytes)
        });
        // A number is never given twice while the journal is open, also if nothing came of it.
        self.next = next;
        self.bytes = done.map_err(|error| self.roll_back(error))?;
        self.indexed = indexed;
        self.heads.write().expect("no code panics while it changes heads").apply(changed);
        self.wal.fold(&self.conn);
        Ok(())
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(statement)?.execute([]).map(drop)
    }

    /// Leaves nothing of the transaction. SQLite may have done so by itself.
    fn roll_back(&self, error: StoreError) -> StoreError {
        if self.conn.is_autocommit() {
            return error;
        }
        match self.conn.execute_batch("ROLLBACK") {
            Ok(()) => error,
            Err(_) if self.conn.is_autocommit() => error,
            Err(also) => StoreError::caused(Fault::Stopped, format!("{error}; and cannot be undone"), also),
        }
    }
}
