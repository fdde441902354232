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
use super::read::Held;
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
/// The log is long: those who read have kept it from beginning anew, one after the other, and are held for a moment.
const LONG: u32 = 2 * PAGES;
/// It is so long that it is said, since who reads cannot be held.
const TOO_LONG: u32 = 8 * PAGES;
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
    /// Pages at which those who read are held.
    long: u32,
    /// It was said that it is too long.
    said_long: bool,
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
        let page = page.map_err(cannot)?;
        Ok(Wal { file, said, page, room: 0, full: PAGES, long: LONG, said_long: false })
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

    /// Bytes of it that are in use.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.said.pages.load(Ordering::Relaxed)) * (self.page + FRAME)
    }

    /// Brings what is in the log into the file, if that is much, so that the log begins anew.
    pub(super) fn fold(&mut self, conn: &Connection) {
        let pages = self.said.pages.load(Ordering::Relaxed);
        if pages < PAGES {
            (self.full, self.long, self.said_long) = (PAGES, LONG, false);
        }
        if pages < self.full {
            return;
        }
        // Who reads may keep it from beginning anew: then it is tried again by and by.
        self.full = pages.saturating_add(PAGES / 16);
        checkpoint(conn);
    }

    /// Whether those who read have kept it from beginning anew for so long that they are to be held.
    pub(super) fn is_long(&self) -> bool {
        self.said.pages.load(Ordering::Relaxed) >= self.long
    }

    /// Brings all of it into the file while nobody reads, if that could be had: the next commit begins it anew.
    pub(super) fn shorten(&mut self, conn: &Connection, held: Option<Held<'_>>) {
        let pages = self.said.pages.load(Ordering::Relaxed);
        self.long = pages.max(LONG).saturating_add(PAGES / 4);
        if checkpoint(conn) && held.is_some() {
            self.said.pages.store(0, Ordering::Relaxed);
        } else if pages >= TOO_LONG && !std::mem::replace(&mut self.said_long, true) {
            let mib = self.bytes() >> 20;
            tracing::warn!(
                "the log of the journal has {mib} MiB and counts for `Limits::journal_bytes`: it cannot begin anew while \
                 a backup, `continuity journal` or another program reads the journal"
            );
        }
    }
}

/// Brings of the log into the file what nobody who reads needs any more; whether that is all.
fn checkpoint(conn: &Connection) -> bool {
    let folded = conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)").and_then(|mut fold| {
        fold.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
    });
    match folded {
        Ok((busy, pages, done)) => busy == 0 && pages == done,
        Err(error) => {
            // All is in the log, and stays there.
            tracing::warn!("the log of the journal is not brought into its file: {error}");
            false
        }
    }
}

/// All, or nothing: what is left of a small disk is for others.
fn fill(file: &File, end: u64, more: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    let filled = (0..more).step_by(PIECE).try_for_each(|at| write_at(file, end + at, &zeros));
    filled.inspect_err(|_| drop(file.set_len(end)))
}
