//! Writing: one transaction for all changes of a call, and only after its commit does anyone else see them.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::batch::{Batch, Done};
use super::fault::{failed, not_committed};
use super::heads::{Changed, Heads};
use super::read::Reader;
use super::removed;
use super::row::Sums;
use super::schema::{self, Pages};
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
    /// Bytes of the file that are in use.
    bytes: u64,
    heads: Arc<RwLock<Heads>>,
    sums: Sums,
    /// The number that the next chunk gets.
    next: i64,
    /// What `meta.indexed` says.
    indexed: i64,
    /// Sessions that were parked, and may be packed.
    parked: VecDeque<u64>,
    /// Rows are noted that are still to be removed.
    removes: bool,
    /// A commit is under way: whether it has happened is not known before it returns.
    commits: bool,
    stopped: bool,
}

impl Writer {
    pub(super) fn new(
        (conn, wal): (Connection, Wal),
        heads: Arc<RwLock<Heads>>,
        sums: Sums,
        (next, indexed): (i64, i64),
    ) -> Result<Self, StoreError> {
        let (bytes, removes) = (Pages::of(&conn)?.used(), removed::is_anything(&conn));
        let removes = removes.map_err(|error| failed("look for what is to be removed", error))?;
        let (parked, commits, stopped) = Default::default();
        Ok(Writer { conn, wal, bytes, heads, sums, next, indexed, parked, removes, commits, stopped })
    }

    /// Bytes that are in use after the last transaction: of the file, and of the log that is not brought into it.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + self.wal.bytes()
    }

    /// The connection, for what is done with the whole file.
    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// For tests: a write has failed so that nobody knows what is on the disk.
    #[cfg(test)]
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// For tests: a commit is under way.
    #[cfg(test)]
    pub(super) fn begins_to_commit(&mut self) {
        self.commits = true;
    }

    /// Writes all of this, or nothing.
    pub(super) fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let overdue = self.heads().overdue(2 * changes.len() + 64);
        self.transaction(|batch| {
            changes.iter().try_for_each(|change| batch.apply(change))?;
            batch.write_back(&overdue)?;
            if batch.leaves { batch.remove_some() } else { Ok(()) }
        })?;
        let parked = changes.iter().filter_map(|change| match change {
            Change::Park { session, .. } => Some(*session),
            _ => None,
        });
        self.parked.extend(parked.take(PARKED.saturating_sub(self.parked.len())));
        Ok(())
    }

    /// What can wait: packs some of the sessions that were parked, and removes some of what is not needed any more. Whether
    /// something is left.
    pub(super) fn tidy(&mut self) -> Result<bool, StoreError> {
        let some: Vec<u64> = self.parked.drain(..self.parked.len().min(PACKED)).collect();
        if !some.is_empty() {
            let packed = self.transaction(|batch| some.iter().try_for_each(|session| batch.pack(*session)));
            packed.inspect_err(|_| self.parked.clear())?;
        }
        self.remove_some()?;
        self.make_room()?;
        Ok(self.removes || !self.parked.is_empty())
    }

    /// Removes some of what is not needed any more, if there is any.
    pub(super) fn remove_some(&mut self) -> Result<(), StoreError> {
        if !self.removes {
            return Ok(());
        }
        self.transaction(|batch| {
            batch.rows = removed::ALONE;
            batch.remove_some()
        })
    }

    /// Has the log begin anew if it has become long, or `now`: for that those who read are held for a moment.
    pub(super) fn shorten_log(&mut self, reader: &Reader, now: bool) {
        if !self.stopped && (self.wal.is_long() || now) {
            self.wal.shorten(&self.conn, reader.hold());
        }
    }

    /// Who wrote before has panicked, and left things as they were at that moment.
    pub(super) fn recover(&mut self) {
        if !self.conn.is_autocommit() {
            self.stopped |= self.conn.execute_batch("ROLLBACK").is_err();
        }
        self.stopped |= std::mem::take(&mut self.commits);
        if self.stopped {
            self.leave_as_it_is();
        }
    }

    /// Whether it takes nothing more until the journal is opened again.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// What is on the disk is for the next start to see.
    fn leave_as_it_is(&self) {
        if let Err(error) = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            tracing::error!("the log of the journal may be brought into its file when it is closed: {error}");
        }
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
            self.leave_as_it_is();
        }
        done
    }

    fn attempt(
        &mut self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE").map_err(|error| failed("begin to write to the journal", error))?;
        self.wal.make_room();
        let (next, indexed, leaves) = (self.next, self.indexed, self.removes);
        let from = Done { changed: Changed::new(), next, indexed, leaves };
        let mut batch = Batch::new(&self.conn, &self.heads, self.sums, from);
        let worked = work(&mut batch).and_then(|()| batch.note_indexed());
        let Done { changed, next, indexed, leaves } = batch.done();
        let done = worked.and_then(|()| Pages::of(&self.conn)).and_then(|pages| {
            self.commits = true;
            self.run("COMMIT").map_err(not_committed)?;
            self.wal.sync().map(|()| pages.used())
        });
        // A number is never given twice while the journal is open, also if nothing came of it.
        self.next = next;
        self.bytes = done.map_err(|error| self.roll_back(error)).inspect_err(|_| self.commits = false)?;
        (self.indexed, self.removes) = (indexed, leaves);
        self.heads.write().expect("no code panics while it changes heads").apply(changed);
        self.commits = false;
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
