//! A journal in one file, by SQLite.
//!
//! Chunks are rows that are only ever added, at the end; each names the one before it in its session. Sessions have a
//! row each, which is brought up to date by and by. Why it is so, and what is in the tables, says
//! `docs/decisions/07-journal-store.md`.

mod backup;
mod batch;
mod beside;
mod check;
mod fault;
mod fold;
mod heads;
mod packed;
mod read;
mod removed;
mod room;
mod row;
mod save;
mod schema;
mod shelf;
#[cfg(test)]
mod tests;
mod wal;
mod write;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use rusqlite::Connection;

pub use check::{CheckReport, DamagedSession};
pub use room::Room;

use super::{Change, Chunk, Fault, Found, Head, Opened, Recalled, Share, Store, StoreError, Visitor};
use crate::error::Error;
use beside::Marks;
use heads::Heads;
use read::Reader;
use row::Sums;
use schema::{Meta, Pages};
use wal::Wal;
use write::Writer;

/// A journal in a file: what is written survives the process and the loss of power.
///
/// Beside it lie its secret (`.key`), the lock of the server that has it open (`.lock`), who is being rebuilt
/// (`.marks`), and what SQLite has not yet brought into it (`-wal`, `-shm`). To move a journal, stop the server and move
/// them all; to keep a copy, use [`backup`](Sqlite::backup).
///
/// ```no_run
/// # fn main() -> Result<(), continuity::Error> {
/// let journal = continuity::Sqlite::open("sessions.journal")?;
/// journal.backup("backup/sessions.journal")?;
/// # Ok(()) }
/// ```
pub struct Sqlite {
    path: PathBuf,
    opened: Opened,
    heads: Arc<RwLock<Heads>>,
    reader: Reader,
    access: Access,
    bytes: AtomicU64,
    /// A commit failed so that nobody knows what is on the disk: what is read may not be what is there at the next start.
    unsure: AtomicBool,
}

/// What it was opened for.
enum Access {
    /// The lock is the last to go.
    Write { writer: Box<Mutex<Writer>>, marks: Marks, _lock: File },
    /// Up to which chunk it is known how far sessions have come.
    Read { seen: Mutex<i64> },
}

impl Sqlite {
    /// Opens the journal at this path to be written, or makes one. Only one server at a time can.
    ///
    /// Fails if it is open in another server, is not a journal, was written by a newer version, is damaged so that it
    /// cannot be read at all, or has lost its secret or its file; the error says what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let lock = beside::lock(path)?;
        beside::not_lost(path)?;
        let secret = beside::secret(path)?;
        let made = beside::options().truncate(false).open(path);
        made.map_err(|error| Error::caused(format!("cannot open the journal {}", path.display()), error))?;
        let mut conn = schema::to_write(path)?;
        let mut found = Look::at(&conn, path)?;
        if !schema::fits(&conn, &secret).map_err(|error| schema::not_opened(path, error))? {
            return Err(beside::wrong_secret(path));
        }
        let epoch = schema::next_epoch(&conn, found.opened.clock);
        let epoch = epoch.map_err(|error| schema::not_opened(path, error))?;
        let (marks, marked) = Marks::open(path)?;
        (found.opened.epoch, found.opened.secret, found.opened.marked) = (epoch, Some(secret), marked);
        let Meta { journal, indexed, .. } = found.meta;
        let wal = Wal::open(&mut conn, path).map_err(|error| schema::not_read(path, error))?;
        let numbers = (found.newest + 1, indexed);
        let writer = Writer::new((conn, wal), found.heads.clone(), Sums(journal), numbers);
        let writer = writer.map_err(|error| schema::not_read(path, error))?;
        let access = |_| Access::Write { writer: Box::new(Mutex::new(writer)), marks, _lock: lock };
        Ok(Sqlite::new(path, found, access))
    }

    /// Opens the journal at this path to look into it, also while a server has it open. Nothing is changed:
    /// [`write`](Store::write) fails, and what [`opened`](Store::opened) says is as the server left it.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let conn = schema::to_read_first(path)?;
        let mut found = Look::at(&conn, path)?;
        found.opened.secret = beside::secret_if_there(path)?;
        Ok(Sqlite::new(path, found, |newest| Access::Read { seen: Mutex::new(newest) }))
    }

    fn new(path: &Path, found: Look, access: impl FnOnce(i64) -> Access) -> Self {
        let Look { meta, opened, heads, newest, bytes } = found;
        let reader = Reader::new(path.to_owned(), heads.clone(), Sums(meta.journal));
        let access = access(newest);
        let (bytes, unsure) = (bytes.into(), AtomicBool::new(false));
        Sqlite { path: path.to_owned(), opened, heads, reader, access, bytes, unsure }
    }

    /// Who reads; caught up with the server that writes, if that is another process.
    fn reader(&self) -> Result<&Reader, StoreError> {
        if self.unsure.load(Ordering::Relaxed) {
            let why = "what is in the journal is not known since a write of it failed: start again";
            return Err(StoreError::new(Fault::Stopped, why));
        }
        if let Access::Read { seen } = &self.access {
            let mut seen = seen.lock().expect("no code panics while it catches up");
            *seen = fold::fold(&*self.reader.connection()?, &self.heads, &self.reader.sums(), *seen)?;
        }
        Ok(&self.reader)
    }

    /// What follows from a transaction for those who do not write.
    fn count(&self, writer: &mut Writer) {
        writer.shorten_log(&self.reader, false);
        self.bytes.store(writer.bytes(), Ordering::Relaxed);
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        match &self.access {
            Access::Write { writer, .. } => Ok(writer.lock().unwrap_or_else(|panicked| {
                writer.clear_poison();
                let mut writer = panicked.into_inner();
                writer.recover();
                self.unsure.fetch_or(writer.has_stopped(), Ordering::Relaxed);
                writer
            })),
            Access::Read { .. } => Err(StoreError::new(Fault::Failed, "the journal was opened to be read")),
        }
    }

    /// Does something with who writes, and notes what that means for those who read.
    fn with_writer<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer()?;
        let done = work(&mut writer).inspect_err(|error| {
            self.unsure.fetch_or(error.fault() == Fault::Stopped, Ordering::Relaxed);
        })?;
        self.count(&mut writer);
        Ok(done)
    }
}

/// What is found when it is opened.
struct Look {
    meta: Meta,
    opened: Opened,
    heads: Arc<RwLock<Heads>>,
    newest: i64,
    bytes: u64,
}

impl Look {
    fn at(conn: &Connection, path: &Path) -> Result<Look, Error> {
        let cannot = |error| schema::not_opened(path, error);
        let meta = schema::meta(conn).map_err(cannot)?;
        let (highest, session) = schema::highest(conn).map_err(cannot)?;
        let made = u32::try_from(session >> 32).expect("32 bits are left");
        let opened = Opened::new(meta.journal, meta.epoch, meta.clock.max(made).saturating_add(1));
        let heads = Arc::default();
        let folded = fold::fold(conn, &heads, &Sums(meta.journal), meta.indexed);
        let newest = folded.map_err(|error| schema::not_read(path, error))?.max(highest).max(meta.removed);
        let bytes = Pages::of(conn).map_err(|error| schema::not_read(path, error))?.used();
        Ok(Look { meta, opened, heads, newest, bytes })
    }
}

impl Store for Sqlite {
    fn opened(&self) -> Opened {
        self.opened.clone()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.with_writer(|writer| writer.write(changes))
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.reader()?.find(visitor, label)
    }

    fn share(&self, visitor: &Visitor) -> Result<Share, StoreError> {
        self.reader()?.share(visitor)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.reader()?.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.reader()?.load(session)
    }

    fn recall(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.reader()?.recall(session)
    }

    fn find_to_play(
        &self,
        visitor: &Visitor,
        label: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(Found, Option<Recalled>), StoreError> {
        self.reader()?.find_to_play(visitor, label, wanted)
    }

    fn rest(&self) -> bool {
        self.with_writer(Writer::tidy).unwrap_or_else(|error| {
            tracing::warn!("the journal is not tidied: {error}");
            false
        })
    }

    fn make_room(&self) {
        let made = self.with_writer(|writer| {
            writer.shorten_log(&self.reader, true);
            writer.remove_some()
        });
        if let Err(error) = made {
            tracing::warn!("no room is made in the journal: {error}");
        }
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.reader()?.due(now, wall, limit)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.reader()?.list(after, limit)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        if let Access::Write { marks, .. } = &self.access {
            marks.set(slot, session);
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let Access::Write { writer, .. } = &mut self.access else { return };
        // Who panicked while writing has left a transaction that ends with the connection.
        let Ok(writer) = writer.get_mut() else { return };
        if let Err(error) = writer.write_all_back() {
            // Nothing is lost: what the rows lack is read off the chunks at the next start.
            tracing::warn!("the journal was not closed well: {error}");
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
