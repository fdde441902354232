//! Reads all of a journal and says what of it is not what was written, and what can be saved.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use rusqlite::Connection;

use super::Sqlite;
use super::fault::failed;
use super::removed;
use super::row::{Row, Step, Sums, session_columns, step_columns};
use super::save::Saving;
use super::schema::{self, Meta};
use crate::error::Error;
use crate::journal::store::{Chunk, Fault, Store, StoreError};

const SESSIONS: &str = concat!("SELECT ", session_columns!(), " FROM sessions");
const SESSION: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = ?1");
const STEPS: &str = concat!("SELECT ", step_columns!(), " FROM steps WHERE id > ?1 ORDER BY id");
const STEPS_OF: &str =
    concat!("SELECT ", step_columns!(), " FROM steps WHERE session = ?1 AND id > ?2 ORDER BY id");

/// What was found in a journal: `Display` says it in some lines.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many sessions there are.
    pub sessions: u64,
    /// How many chunks.
    pub chunks: u64,
    /// Those that are not as they were written.
    pub damaged: Vec<DamagedSession>,
    /// What SQLite says of its file, and what belongs to no session.
    pub faults: Vec<String>,
}

/// A session that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedSession {
    /// Which.
    pub session: u64,
    /// What is wrong.
    pub why: String,
    /// How many chunks [`Sqlite::load_prefix`] can save.
    pub chunks: u64,
    /// The number of the first entry that is lost.
    pub entries: u64,
}

impl CheckReport {
    /// Nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.faults.is_empty()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CheckReport { sessions, chunks, damaged, faults } = self;
        writeln!(f, "{sessions} sessions, {chunks} chunks, {} sessions damaged", damaged.len())?;
        for fault in faults {
            writeln!(f, "file: {fault}")?;
        }
        for DamagedSession { session, why, chunks, entries } in damaged {
            writeln!(f, "session {session:x}: {why}; {chunks} chunks, up to entry {entries}, can be saved")?;
        }
        f.write_str(if self.is_whole() { "all is as it was written" } else { "not all is as it was written" })
    }
}

impl Sqlite {
    /// Reads all of the journal at this path and checks that it is what was written; also while a server has it open.
    ///
    /// Fails if it cannot be read at all. What is damaged in it is in the report.
    pub fn check(path: impl AsRef<Path>) -> Result<CheckReport, Error> {
        Sqlite::look_through(path.as_ref(), |_| Ok(None))
    }

    /// Checks, and has what is whole saved on the way.
    pub(super) fn look_through(
        path: &Path,
        saving: impl FnOnce(&Meta) -> Result<Option<Saving>, Error>,
    ) -> Result<CheckReport, Error> {
        let unreadable = |error: Error| {
            let name = path.display();
            Error::caused(format!("{name} cannot be read as a journal: restore it from a backup"), error)
        };
        let conn = schema::to_read_first(path).map_err(unreadable)?;
        let look = || {
            let snapshot = conn.unchecked_transaction()?;
            let meta = schema::meta(&snapshot)?;
            Ok((snapshot, meta))
        };
        let (snapshot, meta) = look().map_err(|error| unreadable(schema::not_opened(path, error)))?;
        let going = removed::going(&snapshot).map_err(|error| unreadable(schema::not_opened(path, error)))?;
        let (walks, report) = Default::default();
        let mut check = Check { sums: Sums(meta.journal), going, walks, report, saving: saving(&meta)? };
        check.file(&snapshot);
        check.sessions(&snapshot);
        check.steps(&snapshot);
        let saving = check.saving.take();
        let report = check.end(&meta);
        saving.map_or(Ok(()), |saving| saving.end(&report))?;
        Ok(report)
    }

    /// The first chunks of a session up to the one that is damaged; all, if none is.
    ///
    /// Looks through the whole journal where the session is damaged.
    pub fn load_prefix(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        match self.load(session) {
            Err(error) if error.fault() == Fault::Damaged => {}
            other => return other,
        }
        let conn = self.reader.connection()?;
        let cannot = |error| failed(format!("read session {session:x}"), error);
        let mut statement = conn.prepare(SESSION).map_err(cannot)?;
        let mut rows = statement.query([session.cast_signed()]).map_err(cannot)?;
        let row = rows.next().map_err(cannot)?.map(Row::read_unchecked);
        let mut walk = Walk::new(row.and_then(Result::ok).map(|(row, _)| row).as_ref());
        let (mut chunks, sums) = (Vec::new(), self.reader.sums());
        let gone = removed::going(&conn).map_err(cannot)?.get(&session).copied().unwrap_or(0);
        let mut statement = conn.prepare(STEPS_OF).map_err(cannot)?;
        let after = walk.last.max(gone);
        let steps = statement.query_map([session.cast_signed(), after], Step::read).map_err(cannot)?;
        // What cannot be read ends what can be saved.
        for step in steps.map_while(Result::ok) {
            if !walk.take(&step, &sums) {
                break;
            }
            chunks.push(step.chunk);
        }
        Ok(chunks)
    }
}

/// How far a session is clean, from its first chunk on.
struct Walk {
    last: i64,
    chain: u64,
    next: u64,
    chunks: u64,
    /// Where its row says that it ends.
    end: Option<(i64, u64, u64)>,
    why: Option<String>,
}

impl Walk {
    fn new(row: Option<&Row>) -> Self {
        let (last, chain, next) = row.map_or((0, 0, 0), |row| (row.floor, row.base, row.trimmed));
        let end = row.map(|row| (row.last, row.chain, row.head.entries));
        Walk { last, chain, next, chunks: 0, end, why: None }
    }

    /// Goes on by a chunk, if it is the next one and nothing was wrong before it.
    fn take(&mut self, step: &Step, sums: &Sums) -> bool {
        let follows =
            step.prev == self.last && step.chunk.first == self.next && step.follows(self.chain, sums);
        if !follows {
            self.why.get_or_insert_with(|| format!("row {} of `steps` is not what was written", step.id));
        }
        if self.why.is_some() {
            return false;
        }
        (self.last, self.chain, self.next) = (step.id, step.chain, step.next());
        self.chunks += 1;
        true
    }

    /// What is wrong with the session, if all rows up to `indexed` are right.
    fn wrong(&self, indexed: i64) -> Option<String> {
        if let Some(why) = &self.why {
            return Some(why.clone());
        }
        let (last, chain, entries) = self.end?;
        match self.last.cmp(&last) {
            std::cmp::Ordering::Less => Some(format!("row {last} of `steps` is missing")),
            std::cmp::Ordering::Greater if self.last > indexed => None,
            std::cmp::Ordering::Greater => Some("its row in `sessions` is older than its chunks".to_owned()),
            std::cmp::Ordering::Equal if (chain, entries) == (self.chain, self.next) => None,
            std::cmp::Ordering::Equal => Some("its row in `sessions` tells of other chunks".to_owned()),
        }
    }
}

struct Check {
    sums: Sums,
    /// Up to which row nothing is a session's any more.
    going: HashMap<u64, i64>,
    walks: BTreeMap<u64, Walk>,
    report: CheckReport,
    saving: Option<Saving>,
}

impl Check {
    fn file(&mut self, conn: &Connection) {
        let look = || {
            let mut statement = conn.prepare("PRAGMA integrity_check(20)")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.collect::<rusqlite::Result<Vec<_>>>()
        };
        match look() {
            Ok(lines) => self.report.faults.extend(lines.into_iter().filter(|line| line != "ok")),
            Err(error) => self.report.faults.push(format!("cannot be checked: {error}")),
        }
    }

    fn sessions(&mut self, conn: &Connection) {
        if let Err(error) = self.each_session(conn) {
            self.report.faults.push(format!("`sessions` cannot be read to its end: {error}"));
        }
    }

    fn each_session(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut statement = conn.prepare(SESSIONS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let session = row.get(0).map(i64::cast_unsigned)?;
            let there = Row::read_unchecked(row).ok().map(|(row, _)| row);
            let mut walk = Walk::new(there.as_ref());
            let read = Row::read(row, &self.sums);
            if let (Some(saving), Some(there)) = (&mut self.saving, there) {
                saving.session(there, read.is_ok());
            }
            if let Err(error) = read {
                walk = Walk { end: None, ..walk };
                self.report.damaged.push(DamagedSession {
                    session,
                    why: error.to_string(),
                    chunks: 0,
                    entries: 0,
                });
            }
            self.walks.insert(session, walk);
        }
        Ok(())
    }

    /// Goes through all chunks. Behind what cannot be read it tries further on, in longer and longer leaps.
    fn steps(&mut self, conn: &Connection) {
        let (mut after, mut leap) = (0_i64, 1_i64);
        let highest = schema::highest(conn).map_or(i64::MAX, |(step, _)| step);
        while after < highest {
            let from = after;
            let Err(error) = self.each_step(conn, &mut after) else { return };
            if after > from {
                leap = 1;
                self.report.faults.push(format!("`steps` cannot be read after row {after}: {error}"));
            }
            (after, leap) = (after.saturating_add(leap), leap.saturating_mul(2));
        }
    }

    fn each_step(&mut self, conn: &Connection, after: &mut i64) -> rusqlite::Result<()> {
        let mut statement = conn.prepare(STEPS)?;
        let mut rows = statement.query([*after])?;
        while let Some(row) = rows.next()? {
            *after = row.get(0)?;
            let session = row.get(1).map(i64::cast_unsigned).unwrap_or_default();
            if self.going.get(&session).is_some_and(|gone| *after <= *gone) {
                continue;
            }
            self.report.chunks += 1;
            let Some(walk) = self.walks.get_mut(&session) else {
                let fault = format!("row {after} of `steps` is of session {session:x}, which is not there");
                self.report.faults.push(fault);
                continue;
            };
            match Step::read(row) {
                Ok(step) => {
                    if walk.take(&step, &self.sums)
                        && let Some(saving) = &mut self.saving
                    {
                        saving.chunk(step.chunk);
                    }
                }
                Err(_) => drop(walk.why.get_or_insert(format!("row {after} of `steps` cannot be read"))),
            }
        }
        Ok(())
    }

    fn end(self, meta: &Meta) -> CheckReport {
        let Check { walks, mut report, .. } = self;
        report.sessions = walks.len() as u64;
        for damaged in &mut report.damaged {
            let walk = &walks[&damaged.session];
            (damaged.chunks, damaged.entries) = (walk.chunks, walk.next);
        }
        for (session, walk) in &walks {
            let known = || report.damaged.iter().any(|damaged| damaged.session == *session);
            if let Some(why) = walk.wrong(meta.indexed)
                && !known()
            {
                let (chunks, entries) = (walk.chunks, walk.next);
                report.damaged.push(DamagedSession { session: *session, why, chunks, entries });
            }
        }
        report.damaged.sort_by_key(|damaged| damaged.session);
        report
    }
}
