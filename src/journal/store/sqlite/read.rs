//! Reading: by several connections at once, while one writes.
//!
//! A row may be old; how far its session has come is then known in memory. Who reads rows that it does not know the
//! numbers of holds the heads meanwhile, so that none is taken from there because a newer row was written, after an
//! older one was read.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::time::Duration;

use rusqlite::{Connection, ToSql};

use super::fault::{damaged, failed};
use super::heads::Heads;
use super::packed;
use super::row::{Row, Step, Sums, session_columns, step_columns};
use super::schema::{self, RANGES};
use super::shelf::Shelf;
use crate::journal::store::{Chunk, Fault, Found, Head, Recalled, Share, State, StoreError, Visitor};

/// Connections to read, at most: more than there are cores would only have each read the same pages.
fn connections() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

/// For how long the one who writes waits for those who read. Most are through in less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(50);

const SESSION: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = ?1");
// The upper half of all numbers is negative there.
const NEWEST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM sessions WHERE id = ifnull(",
    "(SELECT max(id) FROM sessions WHERE visitor = ?1 AND label = ?2 AND id < 0), ",
    "(SELECT max(id) FROM sessions WHERE visitor = ?1 AND label = ?2))"
);
const OF_VISITOR: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE visitor = ?1");
const LIVE: &str =
    concat!("SELECT ", session_columns!(), " FROM sessions WHERE visitor = ?1 AND state = 0 LIMIT 1");
const LIST: &str =
    concat!("SELECT ", session_columns!(), " FROM sessions WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3");
const DUE: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE due <= ?1 ORDER BY due, id");
const WAKE: &str =
    concat!("SELECT ", session_columns!(), " FROM sessions WHERE wake <= ?1 ORDER BY wake, id");
const STEP: &str = concat!("SELECT ", step_columns!(), " FROM steps WHERE id = ?1");

/// Reads the chunks of the session that this row is of.
type Look = fn(&Connection, &Row, &Sums) -> Result<Vec<Chunk>, StoreError>;

/// Who reads.
pub(super) struct Reader {
    path: PathBuf,
    /// Connections that are lent at once.
    most: usize,
    pool: Mutex<Pool>,
    given_back: Condvar,
    heads: Arc<RwLock<Heads>>,
    sums: Sums,
    /// Damaged sessions that were skipped, and said so.
    skipped: Mutex<HashSet<u64>>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    /// As many as are lent at once, at most: who has a connection may take one.
    shelves: Vec<Shelf>,
    lent: usize,
    /// Nobody is lent one at the moment.
    held: bool,
}

impl Reader {
    pub(super) fn new(path: PathBuf, heads: Arc<RwLock<Heads>>, sums: Sums) -> Self {
        let (pool, skipped) = Default::default();
        Reader { path, most: connections(), pool, given_back: Condvar::new(), heads, sums, skipped }
    }

    /// What is kept of a visitor.
    pub(super) fn share(&self, visitor: &Visitor) -> Result<Share, StoreError> {
        let conn = self.connection()?;
        let heads = self.heads();
        let mut share = Share::default();
        for row in self.rows(&conn, OF_VISITOR, &[visitor])? {
            match row {
                Ok(row) => share.add(&followed(row, &heads)),
                // It was logged.
                Err(error) if error.fault() == Fault::Damaged => {}
                Err(error) => return Err(error),
            }
        }
        Ok(share)
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    pub(super) fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        Ok(self.find_row(&*self.connection()?, visitor, label)?.0)
    }

    /// What is known of a visitor, and what their session is played again from, if it is live and wanted.
    pub(super) fn find_to_play(
        &self,
        visitor: &Visitor,
        label: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(Found, Option<Recalled>), StoreError> {
        let conn = self.connection()?;
        let (found, row) = self.find_row(&conn, visitor, label)?;
        let wanted = row.filter(|row| row.head.state == State::Live && wanted(row.head.session));
        let recalled = wanted.map(|row| match self.read(&row, packed_or_chain) {
            // Perhaps it was trimmed meanwhile.
            Err(error) if error.fault() == Fault::Damaged => {
                self.look_from(&conn, row.head.session, packed_or_chain)
            }
            read => read,
        });
        Ok((found, recalled))
    }

    /// What is known of a visitor, and the row of the session.
    fn find_row(
        &self,
        conn: &Connection,
        visitor: &Visitor,
        label: u64,
    ) -> Result<(Found, Option<Row>), StoreError> {
        let heads = self.heads();
        let row = self.rows(conn, NEWEST, &[visitor, &label.cast_signed()])?.pop().transpose()?;
        let mut row = row.map(|row| theirs(row, visitor, label)).transpose()?;
        if let Some(row) = &mut row {
            row.follow(heads.tip(row.head.session));
        }
        let session = row.as_ref().map(|row| row.head.clone());
        let mut known = session.as_ref().is_some_and(|head| head.state == State::Live);
        if !known {
            let live = self.rows(conn, LIVE, &[visitor])?.pop();
            known = live.transpose()?.is_some();
        }
        Ok((Found { session, known }, row))
    }

    pub(super) fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        let conn = self.connection()?;
        Ok(self.row(&conn, session)?.map(|row| row.head))
    }

    pub(super) fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.look_twice(session, chain)
    }

    /// What is packed of a session and what came after that, or all of its chunks.
    pub(super) fn recall(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.look_twice(session, packed_or_chain)
    }

    fn look_twice(&self, session: u64, read: Look) -> Result<Vec<Chunk>, StoreError> {
        let loaded = self.look(session, read);
        // Perhaps it was trimmed between the look at its row and the look at its steps.
        if loaded.as_ref().is_err_and(|error| error.fault() == Fault::Damaged) {
            return self.look(session, read);
        }
        loaded
    }

    fn look(&self, session: u64, read: Look) -> Result<Vec<Chunk>, StoreError> {
        self.look_from(&*self.connection()?, session, read)
    }

    fn look_from(&self, conn: &Connection, session: u64, read: Look) -> Result<Vec<Chunk>, StoreError> {
        let row = self.row(conn, session)?.ok_or_else(|| damaged(session, "it is not there"))?;
        self.read(&row, read)
    }

    /// Reads what is in `steps`; who does has a connection.
    fn read(&self, row: &Row, read: Look) -> Result<Vec<Chunk>, StoreError> {
        let cannot = |error| failed(format!("read session {:x}", row.head.session), error);
        let mut shelf = self.shelf().map_err(cannot)?;
        let chunks = read(shelf.showing(row.last).map_err(cannot)?, row, &self.sums)?;
        self.pool().shelves.push(shelf);
        Ok(chunks)
    }

    /// Connections that look at steps for too long are not used again.
    fn put_away(&self) {
        self.pool().shelves.retain_mut(|shelf| shelf.put_away().is_ok());
    }

    fn shelf(&self) -> rusqlite::Result<Shelf> {
        let shelf = self.pool().shelves.pop();
        shelf.map_or_else(|| Shelf::open(&self.path), Ok)
    }

    pub(super) fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.put_away();
        let conn = self.connection()?;
        let heads = self.heads();
        let mut due = self.first(&conn, DUE, &now, limit)?;
        due.extend(self.first(&conn, WAKE, &wall, limit)?);
        let mut due: Vec<Head> = due.into_iter().map(|row| followed(row, &heads)).collect();
        // Two clocks: whoever is late for longest by either.
        due.sort_by_cached_key(|head| (std::cmp::Reverse(late(head, now, wall)), head.session));
        due.dedup_by_key(|head| head.session);
        due.truncate(limit);
        Ok(due)
    }

    /// The first rows up to a time. One that is damaged holds no other up: it is said once and skipped.
    fn first(
        &self,
        conn: &Connection,
        sql: &str,
        until: &dyn ToSql,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let cannot = |error| failed("look for what is due", error);
        let mut statement = conn.prepare_cached(sql).map_err(cannot)?;
        let mut rows = statement.query([until]).map_err(cannot)?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next().map_err(cannot)?
        {
            match Row::read(row, &self.sums) {
                Ok(row) => found.push(row),
                Err(error) => self.skip(row.get(0).map(i64::cast_unsigned).unwrap_or_default(), &error),
            }
        }
        Ok(found)
    }

    fn skip(&self, session: u64, error: &StoreError) {
        if self.skipped.lock().expect("no code panics while it skips").insert(session) {
            tracing::error!("{error}: what is due of it is left out");
        }
    }

    pub(super) fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        let conn = self.connection()?;
        let heads = self.heads();
        let mut list = Vec::new();
        let Some(first) = after.checked_add(1).map(u64::cast_signed) else { return Ok(list) };
        for (from, to) in RANGES.into_iter().filter(|(_, to)| first >= 0 || *to < 0) {
            let from = if (first < 0) == (from < 0) { first } else { from };
            let left = i64::try_from(limit - list.len()).unwrap_or(i64::MAX);
            for row in self.rows(&conn, LIST, &[&from, &to, &left])? {
                list.push(followed(row?, &heads));
            }
        }
        Ok(list)
    }

    /// A session as it is now.
    fn row(&self, conn: &Connection, session: u64) -> Result<Option<Row>, StoreError> {
        let tip = self.heads().tip(session).copied();
        let mut row = self.rows(conn, SESSION, &[&session.cast_signed()])?.pop().transpose()?;
        if let Some(row) = &mut row {
            row.follow(tip.as_ref());
        }
        Ok(row)
    }

    /// All rows of a question: each read, or what is wrong with it, which is logged.
    fn rows(
        &self,
        conn: &Connection,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<Result<Row, StoreError>>, StoreError> {
        let cannot = |error| failed("look for sessions", error);
        let mut statement = conn.prepare_cached(sql).map_err(cannot)?;
        let mut rows = statement.query(values).map_err(cannot)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(cannot)? {
            found.push(Row::read(row, &self.sums).inspect_err(|error| tracing::error!("{error}")));
        }
        Ok(found)
    }

    fn heads(&self) -> RwLockReadGuard<'_, Heads> {
        self.heads.read().expect("no code panics while it changes heads")
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().expect("no code panics while it takes a connection")
    }

    /// Waits until nobody reads, and ends all looks that last. `None`: somebody reads for longer than that is worth.
    pub(super) fn hold(&self) -> Option<Held<'_>> {
        let mut pool = self.pool();
        pool.held = true;
        let held = Held(self);
        let reads = |pool: &mut Pool| pool.lent > 0;
        let waited = self.given_back.wait_timeout_while(pool, PATIENCE, reads);
        let (mut pool, _) = waited.expect("no code panics while it waits");
        let quiet = pool.lent == 0;
        if quiet {
            // One that cannot be ended is closed.
            pool.shelves.retain_mut(|shelf| shelf.end().is_ok());
        }
        drop(pool);
        quiet.then_some(held)
    }

    /// A connection, when one is free.
    pub(super) fn connection(&self) -> Result<Lent<'_>, StoreError> {
        let pool = self.pool();
        let full = |pool: &mut Pool| pool.held || pool.lent >= self.most;
        let mut pool = self.given_back.wait_while(pool, full).expect("no code panics while it waits");
        pool.lent += 1;
        let idle = pool.idle.pop();
        drop(pool);
        let mut lent = Lent { of: self, conn: idle };
        if lent.conn.is_none() {
            let opened = schema::to_read(&self.path);
            lent.conn = Some(opened.map_err(|error| failed("open the journal to read", error))?);
        }
        Ok(lent)
    }
}

/// That nobody reads, until it is dropped.
pub(super) struct Held<'a>(&'a Reader);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.pool().held = false;
        self.0.given_back.notify_all();
    }
}

/// A connection that goes back when it is dropped.
pub(super) struct Lent<'a> {
    of: &'a Reader,
    conn: Option<Connection>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn.as_ref().expect("it is lent with a connection")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.of.pool();
        pool.lent -= 1;
        // One that has an open transaction since the program panicked is not used again.
        pool.idle.extend(self.conn.take().filter(Connection::is_autocommit));
        // Whoever writes may wait among those who read.
        match pool.held {
            true => self.of.given_back.notify_all(),
            false => self.of.given_back.notify_one(),
        }
    }
}

/// The row that the index leads to, if it is that of whom was asked for. An index has no checksum, and another's session is
/// what must not be given to anybody.
fn theirs(row: Row, visitor: &Visitor, label: u64) -> Result<Row, StoreError> {
    if row.head.visitor == *visitor && row.head.label == label {
        return Ok(row);
    }
    Err(damaged(row.head.session, "the index `sessions_visitor` gives it to somebody else"))
}

fn followed(mut row: Row, heads: &Heads) -> Head {
    row.follow(heads.tip(row.head.session));
    row.head
}

/// For how many seconds a session has been due, by the clock by which it is longer.
fn late(head: &Head, now: u32, wall: i64) -> i64 {
    let due = head.due.map(|due| i64::from(now) - i64::from(due));
    let wake = head.wake.map(|wake| wall.saturating_sub(wake));
    due.max(wake).unwrap_or(i64::MIN)
}

fn packed_or_chain(conn: &Connection, row: &Row, sums: &Sums) -> Result<Vec<Chunk>, StoreError> {
    packed::chunks(conn, row, sums).map_or_else(|| chain(conn, row, sums), Ok)
}

/// The chunks of a session that are kept.
pub(super) fn chain(conn: &Connection, row: &Row, sums: &Sums) -> Result<Vec<Chunk>, StoreError> {
    verified(row, steps(conn, row)?, sums)
}

/// The same, the newest first.
fn steps(conn: &Connection, row: &Row) -> Result<Vec<Step>, StoreError> {
    let session = row.head.session;
    let mut statement =
        conn.prepare_cached(STEP).map_err(|error| failed(format!("read session {session:x}"), error))?;
    let (mut id, mut next) = (row.last, row.head.entries);
    let mut steps = Vec::new();
    while id != row.floor {
        let read = statement.query_row([id], Step::read);
        let step =
            read.map_err(|error| match failed(format!("read row {id} of session {session:x}"), error) {
                error if error.fault() == Fault::Damaged => {
                    damaged(session, format_args!("row {id} of `steps` is missing or cannot be read"))
                }
                error => error,
            })?;
        if step.chunk.session != session || step.next() != next || step.prev >= id {
            return Err(damaged(session, format_args!("row {id} of `steps` is not its next chunk")));
        }
        (id, next) = (step.prev, step.chunk.first);
        steps.push(step);
    }
    Ok(steps)
}

/// They are what was written, from the oldest on.
fn verified(row: &Row, steps: Vec<Step>, sums: &Sums) -> Result<Vec<Chunk>, StoreError> {
    let session = row.head.session;
    let mut chain = row.base;
    let mut chunks = Vec::with_capacity(steps.len());
    for step in steps.into_iter().rev() {
        if !step.follows(chain, sums) {
            let what = format!("row {} of `steps` is not what was written", step.id);
            return Err(damaged(session, what));
        }
        chain = step.chain;
        chunks.push(step.chunk);
    }
    if chain != row.chain || chunks.first().is_some_and(|chunk| chunk.first != row.trimmed) {
        return Err(damaged(session, "its chunks are not those that its row tells of"));
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// Preparing costs more than finding.
    #[test]
    fn a_statement_is_prepared_once_for_all_visitors() {
        let path = std::env::temp_dir().join(format!("continuity-read-{}", std::process::id()));
        drop(schema::to_write(&path).expect("a journal is made"));
        let conn = schema::to_read(&path).expect("it opens");
        let mut statement = conn.prepare(NEWEST).expect("it is a statement");
        for visitor in 0..3_u8 {
            let mut rows = statement.query(([visitor; 16], 0)).expect("it is asked");
            assert!(rows.next().expect("it is answered").is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        std::fs::remove_file(&path).expect("it is there");
    }
}
