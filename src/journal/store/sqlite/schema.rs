//! The file: its tables, what tells it from other files, and how connections to it are set up.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::fault::failed;
use super::removed::REMOVED;
use crate::error::Error;
use crate::journal::store::{Fault, StoreError};
use crate::mapper::key::{derive, random};

/// Tells a journal from what other programs keep in SQLite: "CTjl".
const APPLICATION: i32 = 0x4354_6a6c;

/// The version of the tables. A file with a higher one is refused.
const VERSION: i32 = 1;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, opened_at INTEGER NOT NULL, program TEXT NOT NULL);
CREATE TABLE steps (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL, prev INTEGER NOT NULL, first INTEGER NOT NULL,
    count INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL, entries BLOB NOT NULL, chain INTEGER NOT NULL
);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, visitor BLOB NOT NULL, label INTEGER NOT NULL, flow TEXT NOT NULL,
    state INTEGER NOT NULL, last INTEGER NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    trimmed INTEGER NOT NULL, floor INTEGER NOT NULL, base INTEGER NOT NULL, due INTEGER, wake INTEGER,
    deaths INTEGER NOT NULL, at INTEGER NOT NULL, chain INTEGER NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX sessions_visitor ON sessions (visitor, label);
CREATE INDEX sessions_due ON sessions (due) WHERE due IS NOT NULL;
CREATE INDEX sessions_wake ON sessions (wake) WHERE wake IS NOT NULL;
";

/// Copies of what sessions have on their tapes: see `packed.rs`. Journals that were made before lack them. Triggers remove what
/// is out of date, so that programs of before do so as well.
const PACKED: &str = "
CREATE TABLE IF NOT EXISTS packed (
    session INTEGER PRIMARY KEY, first INTEGER NOT NULL, next INTEGER NOT NULL, last INTEGER NOT NULL,
    chain INTEGER NOT NULL, sum INTEGER NOT NULL, entries BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS packed_trimmed AFTER DELETE ON steps
BEGIN DELETE FROM packed WHERE session = OLD.session; END;
CREATE TRIGGER IF NOT EXISTS packed_forgotten AFTER DELETE ON sessions
BEGIN DELETE FROM packed WHERE session = OLD.id; END;
";

/// How long one connection waits for another, or for a program that looks into the file.
const BUSY: Duration = Duration::from_secs(5);

/// Statements that stay prepared: more than any connection has.
const STATEMENTS: usize = 32;

/// What `meta` knows of the whole journal.
pub(super) struct Meta {
    pub(super) journal: [u8; 16],
    pub(super) epoch: u32,
    pub(super) clock: u32,
    /// The chunk up to which all rows of sessions are right.
    pub(super) indexed: i64,
    /// The highest chunk that was removed.
    pub(super) removed: i64,
}

/// The connection that writes, on a file that is made if it is not there.
pub(super) fn to_write(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let conn = connect(path, flags).map_err(|error| not_opened(path, error))?;
    let empty = recognize(&conn, path)?;
    let mode = prepare(&conn).map_err(|error| not_opened(path, error))?;
    if mode != "wal" {
        let name = path.display();
        return Err(Error::new(format!(
            "SQLite cannot share {name} between connections: put it on a local disk, not on a network's"
        )));
    }
    if empty {
        create(&conn).map_err(|error| not_opened(path, error))?;
    }
    for added in [PACKED, REMOVED] {
        conn.execute_batch(added).map_err(|error| not_opened(path, error))?;
    }
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn to_read(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Steps of a session lie apart, those of many sessions on each page.
    conn.execute_batch("PRAGMA cache_size = -32768;")?;
    Ok(conn)
}

/// The same, for a file that nobody has looked at yet.
pub(super) fn to_read_first(path: &Path) -> Result<Connection, Error> {
    let conn = to_read(path).map_err(|error| not_opened(path, error))?;
    if recognize(&conn, path)? {
        return Err(Error::new(format!("{} is empty: it is no journal", path.display())));
    }
    Ok(conn)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else statements that have a range in them are prepared anew for each value that is bound.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(conn)
}

/// Whether the file is empty. What is not a journal of a version that is known is refused, before it is changed.
fn recognize(conn: &Connection, path: &Path) -> Result<bool, Error> {
    let number = |what: &str| conn.query_row(what, [], |row| row.get::<_, i32>(0));
    let look = || {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        Ok((tables, number("PRAGMA application_id")?, number("PRAGMA user_version")?))
    };
    let name = path.display();
    match look().map_err(|error| not_opened(path, error))? {
        (0, 0, 0) => Ok(true),
        (_, APPLICATION, VERSION) => Ok(false),
        (_, APPLICATION, newer) if newer > VERSION => Err(Error::new(format!(
            "{name} was written by a newer version of continuity (its tables are version {newer}, this program \
             knows {VERSION}): start the newer program, or restore a backup from before"
        ))),
        (_, APPLICATION, odd) => {
            Err(Error::new(format!("{name} says version {odd} of its tables, which there never was")))
        }
        _ => Err(Error::new(format!(
            "{name} is another program's database, not a journal: give the journal a path of its own"
        ))),
    }
}

/// All data goes to the disk before a commit returns. What is deleted is overwritten: of what is forgotten nothing is left
/// in the file. What is returned is the way that SQLite logs by: it falls back where it cannot do what it was told.
fn prepare(conn: &Connection) -> rusqlite::Result<String> {
    let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; \
         PRAGMA cache_size = -32768; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON;",
    )?;
    Ok(mode)
}

fn create(conn: &Connection) -> rusqlite::Result<()> {
    let mut journal = [0; 16];
    random(&mut journal);
    conn.execute_batch("BEGIN IMMEDIATE")?;
    conn.execute_batch(TABLES)?;
    set(conn, "journal", journal)?;
    for name in ["epoch", "clock", "indexed", "removed"] {
        set(conn, name, 0)?;
    }
    conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"))?;
    conn.execute_batch("COMMIT")
}

/// What a caller is told when the file cannot be opened.
pub(super) fn not_opened(path: &Path, error: rusqlite::Error) -> Error {
    not_read(path, failed("open the journal", error))
}

/// The same, for what was noticed somewhat later.
pub(super) fn not_read(path: &Path, error: StoreError) -> Error {
    let name = path.display();
    let what = match error.fault() {
        Fault::Damaged => format!(
            "{name} is no journal or is damaged: `continuity journal check {name}` says what can be saved"
        ),
        Fault::Full => format!("no room to open the journal {name}: make some on its disk"),
        _ => format!("cannot open the journal {name}"),
    };
    Error::caused(what, error)
}

/// Reads what is known of the whole journal.
pub(super) fn meta(conn: &Connection) -> rusqlite::Result<Meta> {
    Ok(Meta {
        journal: get(conn, "journal")?,
        epoch: get(conn, "epoch")?,
        clock: get(conn, "clock")?,
        indexed: get(conn, "indexed")?,
        removed: get(conn, "removed")?,
    })
}

/// Counts one more time that the journal is opened, and notes when that was and at which second its life goes on.
pub(super) fn next_epoch(conn: &Connection, clock: u32) -> rusqlite::Result<u32> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let epoch = get::<u32>(conn, "epoch")?.saturating_add(1);
    set(conn, "epoch", epoch)?;
    set(conn, "clock", clock)?;
    conn.execute(
        "INSERT INTO epochs (epoch, opened_at, program) VALUES (?1, ?2, ?3)",
        (epoch, now, program),
    )?;
    conn.execute_batch("COMMIT")?;
    Ok(epoch)
}

/// Whether the secret is the journal's own: with another one nobody would be known, and all would begin anew silently.
pub(super) fn fits(conn: &Connection, secret: &[u8; 32]) -> rusqlite::Result<bool> {
    let sign = derive(secret, b"journal secret");
    let sql = "SELECT value FROM meta WHERE name = 'secret'";
    match conn.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).optional()? {
        Some(noted) => Ok(noted == sign),
        None => set(conn, "secret", sign).map(|()| true),
    }
}

fn get<T: FromSql>(conn: &Connection, name: &str) -> rusqlite::Result<T> {
    conn.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}

/// Sets a value of `meta`.
pub(super) fn set(conn: &Connection, name: &str, value: impl ToSql) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    conn.execute(sql, (name, value)).map(drop)
}

/// The highest number of a chunk, and of a session.
pub(super) fn highest(conn: &Connection) -> rusqlite::Result<(i64, u64)> {
    let step = conn.query_row("SELECT max(id) FROM steps", [], |row| row.get::<_, Option<i64>>(0))?;
    let mut session = 0;
    for (from, to) in RANGES {
        let sql = "SELECT id FROM sessions WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
        let highest = conn.query_row(sql, [from, to], |row| row.get(0)).optional()?;
        session = highest.map_or(session, i64::cast_unsigned);
    }
    Ok((step.unwrap_or(0), session))
}

/// Sessions' numbers in their order, as they lie in SQLite: the upper half of them is negative there.
pub(super) const RANGES: [(i64, i64); 2] = [(0, i64::MAX), (i64::MIN, -1)];

/// How much of the file there is, and how much of that is in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages {
    /// Bytes of one.
    pub(super) size: u64,
    pub(super) all: u64,
    /// Those that hold nothing, and are used for what is written next.
    pub(super) free: u64,
}

impl Pages {
    pub(super) fn of(conn: &Connection) -> Result<Pages, StoreError> {
        let number = |what| {
            let number = conn.prepare_cached(what)?.query_row([], |row| row.get::<_, i64>(0));
            number.map(i64::cast_unsigned)
        };
        let pages = || {
            let (all, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
            Ok(Pages { size: number("PRAGMA page_size")?, all, free })
        };
        pages().map_err(|error| failed("count the journal's bytes", error))
    }

    /// Bytes of those that are in use.
    pub(super) fn used(&self) -> u64 {
        self.all.saturating_sub(self.free).saturating_mul(self.size)
    }
}
