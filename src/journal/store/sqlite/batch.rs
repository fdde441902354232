//! What changes do to the rows, within a transaction.
//!
//! What they make of sessions is collected and handed out: the heads in memory change when it is committed.

use std::sync::RwLock;

use rusqlite::{CachedStatement, Connection, Params};

use super::fault::{damaged, failed};
use super::heads::{Changed, Heads, Old};
use super::removed::{self, Removed};
use super::row::{Row, Sums, Tip, chain, session_columns};
use super::schema;
use crate::journal::store::{Change, Chunk, Fault, Head, State, StoreError, Visitor};

const APPEND: &str = "INSERT INTO steps (id, session, prev, first, count, at, what, entries, chain) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SESSION: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = ?1");
const SET_SESSION: &str = concat!(
    "INSERT OR REPLACE INTO sessions (",
    session_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
);
const LINK: &str = "SELECT session, prev, first, count, length(entries), chain FROM steps WHERE id = ?1";

/// `meta.indexed` is written when it has gone on by so many chunks.
const INDEXED: i64 = 1000;

/// One transaction.
pub(super) struct Batch<'a> {
    pub(super) pen: Pen<'a>,
    heads: &'a RwLock<Heads>,
    pub(super) sums: Sums,
    changed: Changed,
    /// The number that its first chunk gets.
    first: i64,
    next: i64,
    indexed: i64,
    /// Rows of `steps` that it may still remove.
    pub(super) rows: usize,
    /// There are rows to be removed that are left for later.
    pub(super) leaves: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(conn: &'a Connection, heads: &'a RwLock<Heads>, sums: Sums, from: Done) -> Self {
        let Done { changed, next, indexed, leaves } = from;
        Batch {
            pen: Pen { conn, ready: Vec::new() },
            heads,
            sums,
            changed,
            first: next,
            next,
            indexed,
            rows: removed::WITH_OTHERS,
            leaves,
        }
    }

    /// What came of it, to be taken over after the commit.
    pub(super) fn done(self) -> Done {
        let Batch { changed, next, indexed, leaves, .. } = self;
        Done { changed, next, indexed, leaves }
    }

    pub(super) fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Begin { session, visitor, label, flow } => {
                self.begin(Head::new(*session, *visitor, *label, flow))
            }
            Change::Append(chunk) => self.append(chunk),
            Change::Park { session, due } => self.change_live(*session, |row| row.head.due = Some(*due)),
            Change::Unpark { session } => self.change_live(*session, |row| row.head.due = None),
            Change::Sleep { session, wake } => self.change_live(*session, |row| row.head.wake = *wake),
            Change::End { session, state, due } => self.end(*session, *state, *due),
            Change::Rename { from, to } => self.rename(from, to),
            Change::Trim { session, before } => self.trim(*session, *before),
            Change::Deaths { session, count } => self.change(*session, |row| row.head.deaths = *count),
            Change::Forget { session } => self.forget(*session),
            Change::Clock(second) => self.clock(*second),
        }
    }

    fn begin(&mut self, head: Head) -> Result<(), StoreError> {
        let session = head.session;
        if self.row(session)?.is_some() {
            return Err(StoreError::new(Fault::Failed, format!("begin session {session:x}, which is there")));
        }
        self.write_row(&Row::new(head))
    }

    fn append(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        let session = chunk.session;
        let old = match self.old(session) {
            Some(old) => old,
            None => {
                let missing = || {
                    StoreError::new(
                        Fault::Failed,
                        format!("append to session {session:x}, which is not there"),
                    )
                };
                Old { tip: self.row(session)?.ok_or_else(missing)?.tip(), since: self.next }
            }
        };
        let Tip { last: prev, chain: before, entries, bytes, .. } = old.tip;
        if chunk.first != entries {
            let what =
                format!("append entry {} to session {session:x}, whose next is {entries}", chunk.first);
            return Err(StoreError::new(Fault::Failed, what));
        }
        let (id, chain) = (self.next, chain(&self.sums, before, self.next, prev, chunk));
        self.next += 1;
        self.insert(id, prev, chunk, chain)?;
        let (entries, bytes) =
            (entries.wrapping_add(chunk.count), bytes.wrapping_add(chunk.entries.len() as u64));
        let tip = Tip { last: id, chain, entries, bytes, at: chunk.at };
        self.changed.insert(session, Some(Old { tip, since: old.since }));
        Ok(())
    }

    fn insert(&mut self, id: i64, prev: i64, chunk: &Chunk, chain: u64) -> Result<(), StoreError> {
        let Chunk { session, first, count, at, what, entries } = chunk;
        let numbers = [*session, *first, *count, chain].map(u64::cast_signed);
        let [session, first, count, chain] = numbers;
        self.pen.run(APPEND, (id, session, prev, first, count, at, what, entries, chain))
    }

    /// How far a session has come, if its row does not say so.
    fn old(&self, session: u64) -> Option<Old> {
        match self.changed.get(&session) {
            Some(changed) => *changed,
            None => self.heads.read().expect("no code panics while it changes heads").get(session),
        }
    }

    /// A session as it is now.
    pub(super) fn row(&mut self, session: u64) -> Result<Option<Row>, StoreError> {
        let sums = self.sums;
        let mut row = self.stored(session, |row| Row::read(row, &sums))?;
        let old = self.old(session);
        if let Some(row) = &mut row {
            row.follow(old.as_ref().map(|old| &old.tip));
        }
        Ok(row)
    }

    fn stored<T>(
        &mut self,
        session: u64,
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let cannot = |error| failed(format!("read session {session:x}"), error);
        let statement = self.pen.get(SESSION).map_err(cannot)?;
        let mut rows = statement.query([session.cast_signed()]).map_err(cannot)?;
        rows.next().map_err(cannot)?.map(read).transpose()
    }

    fn change(&mut self, session: u64, change: impl FnOnce(&mut Row)) -> Result<(), StoreError> {
        let Some(mut row) = self.row(session)? else { return Ok(()) };
        change(&mut row);
        self.write_row(&row)
    }

    /// What is over has its end, and no other clock.
    fn change_live(&mut self, session: u64, change: impl FnOnce(&mut Row)) -> Result<(), StoreError> {
        let live = |row: &mut Row| {
            if row.head.state == State::Live {
                change(row);
            }
        };
        self.change(session, live)
    }

    fn end(&mut self, session: u64, state: State, due: u32) -> Result<(), StoreError> {
        self.unpack(session)?;
        let end = |row: &mut Row| {
            (row.head.state, row.head.due, row.head.wake) = (state, Some(due), None);
        };
        if state != State::Quarantined {
            return self.change(session, end);
        }
        // What is put aside because it is damaged is taken as it lies there.
        let Some((mut row, _)) = self.stored(session, Row::read_unchecked)? else { return Ok(()) };
        row.follow(self.old(session).as_ref().map(|old| &old.tip));
        end(&mut row);
        self.write_row(&row)
    }

    fn rename(&mut self, from: &Visitor, to: &Visitor) -> Result<(), StoreError> {
        let cannot = |error| failed("look for a visitor's sessions", error);
        let statement = self.pen.get("SELECT id FROM sessions WHERE visitor = ?1").map_err(cannot)?;
        let ids = statement.query_map([from], |row| row.get(0).map(i64::cast_unsigned)).map_err(cannot)?;
        let sessions: Vec<u64> = ids.collect::<rusqlite::Result<_>>().map_err(cannot)?;
        sessions.into_iter().try_for_each(|session| self.change(session, |row| row.head.visitor = *to))
    }

    /// What is kept is looked at, and what is not needed goes by and by.
    fn trim(&mut self, session: u64, before: u64) -> Result<(), StoreError> {
        let Some(mut row) = self.row(session)? else { return Ok(()) };
        let (mut id, mut bytes) = (row.last, 0);
        while id != row.floor {
            let broken = || damaged(session, format_args!("row {id} of `steps` is not the one it was"));
            let link = self.link(id, session)?.ok_or_else(broken)?;
            if link.next <= before {
                let floor = std::mem::replace(&mut row.floor, id);
                (row.trimmed, row.base, row.head.bytes) = (link.next, link.chain, bytes);
                self.unpack(session)?;
                self.let_go(Removed { session, last: id, floor })?;
                return self.write_row(&row);
            }
            (id, bytes) = (link.prev, bytes + link.bytes);
        }
        Ok(())
    }

    /// A chunk's place, if it is there, the session's, and after the one that it says it comes after.
    pub(super) fn link(&mut self, id: i64, session: u64) -> Result<Option<Link>, StoreError> {
        let cannot = |error| failed(format!("read row {id} of session {session:x}"), error);
        let statement = self.pen.get(LINK).map_err(cannot)?;
        let mut rows = statement.query([id]).map_err(cannot)?;
        let Some(row) = rows.next().map_err(cannot)? else { return Ok(None) };
        let word = |column| row.get(column).map(i64::cast_unsigned);
        let read = || Ok((word(0)?, row.get(1)?, word(2)?.wrapping_add(word(3)?), word(4)?, word(5)?));
        let (whose, prev, next, bytes, chain) = read().map_err(cannot)?;
        Ok((whose == session && prev < id).then_some(Link { prev, next, bytes, chain }))
    }

    /// What is damaged is forgotten as well: its chunks as far as they can be found.
    fn forget(&mut self, session: u64) -> Result<(), StoreError> {
        let Some((mut row, _)) = self.stored(session, Row::read_unchecked)? else { return Ok(()) };
        row.follow(self.old(session).as_ref().map(|old| &old.tip));
        self.let_go(Removed { session, last: row.last, floor: row.floor })?;
        self.changed.insert(session, None);
        // The second that its number tells of has been, also when the number is gone.
        self.clock(u32::try_from(session >> 32).expect("32 bits are left"))?;
        self.pen.run("DELETE FROM sessions WHERE id = ?1", [session.cast_signed()])
    }

    fn clock(&mut self, second: u32) -> Result<(), StoreError> {
        self.pen.run("UPDATE meta SET value = ?1 WHERE name = 'clock' AND value < ?1", [second])
    }

    /// Brings the rows of these sessions to where the sessions are.
    pub(super) fn write_back(&mut self, sessions: &[u64]) -> Result<(), StoreError> {
        for session in sessions {
            if self.old(*session).is_none() {
                continue;
            }
            match self.change(*session, |_| {}) {
                // Who asks for it is told the same; here it would come up with every write.
                Err(error) if error.fault() == Fault::Damaged => {
                    tracing::error!("{error}");
                    self.changed.insert(*session, None);
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Notes up to where all rows are right, if that is much further than what is noted.
    pub(super) fn note_indexed(&mut self) -> Result<(), StoreError> {
        let heads = self.heads.read().expect("no code panics while it changes heads");
        // What this transaction makes old comes after it; what it makes right counts the next time.
        let indexed = heads.indexed(self.first - 1);
        if indexed - self.indexed >= INDEXED {
            let noted = schema::set(self.pen.conn, "indexed", indexed);
            noted.map_err(|error| failed("note which rows are right", error))?;
            self.indexed = indexed;
        }
        Ok(())
    }

    fn write_row(&mut self, row: &Row) -> Result<(), StoreError> {
        let cannot = |error| failed(format!("write session {}", row.head.session), error);
        let statement = self.pen.get(SET_SESSION).map_err(cannot)?;
        row.write(&self.sums, |columns| statement.execute(columns)).map_err(cannot)?;
        self.changed.insert(row.head.session, None);
        Ok(())
    }
}

/// A chunk's place in its session.
pub(super) struct Link {
    pub(super) prev: i64,
    /// The number of the entry after it.
    next: u64,
    bytes: u64,
    chain: u64,
}

/// What came of a transaction, or where it begins.
pub(super) struct Done {
    pub(super) changed: Changed,
    pub(super) next: i64,
    pub(super) indexed: i64,
    pub(super) leaves: bool,
}

/// Statements that are prepared once, and at hand for a transaction.
pub(super) struct Pen<'a> {
    pub(super) conn: &'a Connection,
    ready: Vec<(&'static str, CachedStatement<'a>)>,
}

impl<'a> Pen<'a> {
    pub(super) fn get(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'a>> {
        let place = match self.ready.iter().position(|(ready, _)| *ready == sql) {
            Some(place) => place,
            None => {
                self.ready.push((sql, self.conn.prepare_cached(sql)?));
                self.ready.len() - 1
            }
        };
        Ok(&mut self.ready[place].1)
    }

    pub(super) fn run(&mut self, sql: &'static str, values: impl Params) -> Result<(), StoreError> {
        let done = self.get(sql).and_then(|statement| statement.execute(values));
        done.map(drop).map_err(|error| failed("write to the journal", error))
    }
}
