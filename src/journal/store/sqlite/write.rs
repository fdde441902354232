//! Writing: one transaction for all changes of a call, and only after its commit does anyone else see them.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use rusqlite::Connection;

use super::batch::{Batch, Done};
use super::fault::{failed, not_committed};
use super::heads::Heads;
use super::row::Sums;
use super::schema;
use crate::journal::store::{Change, Fault, StoreError};

/// Sessions that are packed in one transaction.
const PACKED: usize = 8;
/// Sessions that wait to be packed; those above it are not.
const PARKED: usize = 100_000;

/// Who writes.
pub(super) struct Writer {
    conn: Connection,
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
        conn: Connection,
        heads: Arc<RwLock<Heads>>,
        sums: Sums,
        next: i64,
        indexed: i64,
    ) -> Self {
        Writer { conn, heads, sums, next, indexed, parked: VecDeque::new(), stopped: false }
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        schema::bytes(&self.conn)
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
        Ok(!self.parked.is_empty())
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
        if self.stopped {
            let why =
                "the journal takes nothing more since a write of it failed: see the log, and start again";
            return Err(StoreError::new(Fault::Stopped, why));
        }
        let done = self.attempt(work);
        if let Err(error) = &done
            && error.fault() == Fault::Stopped
        {
            self.stopped = true;
        }
        done
    }

    fn attempt(
        &mut self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let begun = self.conn.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| failed("begin to write to the journal", error))?;
        let mut batch = Batch::new(&self.conn, &self.heads, self.sums, self.next, self.indexed);
        let worked = work(&mut batch).and_then(|()| batch.note_indexed());
        let Done { changed, next, indexed } = batch.done();
        let done = worked.and_then(|()| self.conn.execute_batch("COMMIT").map_err(not_committed));
        // A number is never given twice while the journal is open, also if nothing came of it.
        self.next = next;
        if let Err(error) = done {
            return Err(self.roll_back(error));
        }
        self.indexed = indexed;
        self.heads.write().expect("no code panics while it changes heads").apply(changed);
        Ok(())
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
