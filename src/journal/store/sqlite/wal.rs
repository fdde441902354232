//! The log that SQLite writes ahead (`-wal`): brings what is committed to the disk, in room that was made before, and has
//! it brought into the file.
//!
//! SQLite would see to that by itself. But it makes the log longer with each commit and has its times written down too, and
//! so the file system writes its own journal, and waits for what others have in that. Zeros that are there already and are
//! overwritten wait for nobody: the slowest hundredth of commits is ten times as fast on a disk that others use.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rusqlite::Connection;

use super::beside::{self, beside, write_at};
use super::fault::failed;
use crate::journal::store::{Fault, StoreError};

/// Bytes of room that are made at once: at first for some ten commits of one hit, then for some hundred.
const FIRST: u64 = 1 << 19;
const STEP: u64 = 1 << 22;
const PIECE: usize = 1 << 19;
/// More room is made between commits where there is less than this, and less than half; where there was no time for that,
/// within a commit.
const LOW: u64 = 1 << 20;
const LEAST: u64 = 1 << 17;
/// Pages of the log that are brought into the file at once.
const PAGES: u32 = 4_000;
/// What SQLite puts before the first page and before each.
const HEADER: u64 = 32;
const FRAME: u64 = 24;

/// The log of the connection that writes.
pub(super) struct Wal {
    file: File,
    said: Arc<Said>,
    /// Bytes of a page.
    page: u64,
    /// Bytes that the file is known to have.
    room: u64,
    /// Pages at which it is brought into the file.
    full: u32,
}

/// What SQLite says after a commit.
#[derive(Default)]
struct Said {
    /// Pages that are in use.
    pages: AtomicU32,
    /// There is something that is not on the disk yet.
    fresh: AtomicBool,
}

impl Wal {
    /// From here on commits of this connection are on the disk only after [`sync`](Wal::sync).
    pub(super) fn open(conn: &mut Connection, path: &Path) -> Result<Wal, StoreError> {
        let cannot = |error| failed("set up the log of the journal", error);
        let page = conn.query_row("PRAGMA page_size", [], |row| row.get(0)).map(i64::cast_unsigned);
        let file = beside::options().create(false).open(beside(path, "-wal"));
        let file =
            file.map_err(|error| StoreError::caused(Fault::Failed, "open the log of the journal", error))?;
        let said = Arc::<Said>::default();
        let heard = said.clone();
        let listen = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            heard.pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            heard.fresh.store(true, Ordering::Relaxed);
            Ok(())
        };
        conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;").map_err(cannot)?;
        conn.wal_hook(Some(listen)).map_err(cannot)?;
        Ok(Wal { file, said, page: page.map_err(cannot)?, room: 0, full: PAGES })
    }

    /// Brings what is committed to the disk. If that fails nobody knows what is there.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        if !self.said.fresh.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let synced = self.file.sync_data();
        let what = "bring a commit to the disk: what was written may be lost";
        synced.map_err(|error| StoreError::caused(Fault::Stopped, what, error))
    }

    /// Makes room for what is written next if there is little; called where nobody else can write. If it cannot be
    /// made, whether there is enough is found out by who needs it.
    pub(super) fn make_room(&mut self) {
        if self.is_short_of(LEAST) {
            self.fill();
        }
    }

    /// Whether it is time to make room, while nobody waits.
    pub(super) fn runs_short(&mut self) -> bool {
        self.is_short_of(LOW.min(self.room.max(FIRST) / 2))
    }

    /// Makes room, and brings it to the disk: who commits next finds it there.
    pub(super) fn make_room_ahead(&mut self) -> Result<(), StoreError> {
        self.fill();
        self.said.fresh.store(true, Ordering::Relaxed);
        self.sync()
    }

    fn is_short_of(&mut self, bytes: u64) -> bool {
        let pages = u64::from(self.said.pages.load(Ordering::Relaxed));
        let needed = HEADER + pages * (self.page + FRAME) + bytes;
        if needed > self.room {
            // SQLite may have added to it, or cut it off.
            self.room = self.file.metadata().map_or(0, |found| found.len());
        }
        needed > self.room
    }

    /// Adds zeros at the end. What is before that may be in use.
    fn fill(&mut self) {
        let more = if self.room < FIRST { FIRST } else { STEP };
        let filled = self.file.metadata().and_then(|found| fill(&self.file, found.len(), more));
        if let Err(error) = filled {
            tracing::debug!("no room is made in the log of the journal: {error}");
        }
        // Where it failed it is tried again when as much has come.
        self.room += more;
    }

    /// Brings what is in the log into the file, if that is much, so that the log begins anew.
    pub(super) fn fold(&mut self, conn: &Connection) {
        let pages = self.said.pages.load(Ordering::Relaxed);
        if pages < PAGES {
            self.full = PAGES;
        }
        if pages < self.full {
            return;
        }
        // Who reads may keep it from beginning anew: then it is tried again by and by.
        self.full = pages.saturating_add(PAGES / 16);
        let folded = conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err(error) = folded.and_then(|mut fold| fold.query_row([], |_| Ok(()))) {
            // All is in the log, and stays there.
            tracing::warn!("the log of the journal is not brought into its file: {error}");
        }
    }
}

/// All, or nothing: what is left of a small disk is for others.
fn fill(file: &File, end: u64, more: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    let filled = (0..more).step_by(PIECE).try_for_each(|at| write_at(file, end + at, &zeros));
    filled.inspect_err(|_| drop(file.set_len(end)))
}
