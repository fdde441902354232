//! What is whole of a damaged journal, in a new one: same visitors, same numbers, same secret.
//!
//! Chunks go over while they are checked. A session of which the end is lost goes back to the last page that it waited
//! at; one that comes to no page, or whose row cannot be read, is lost.

use std::path::Path;

use super::Sqlite;
use super::beside::{beside, secret_if_there, write_whole};
use super::check::CheckReport;
use super::row::Row;
use super::schema::{self, Meta};
use crate::error::Error;
use crate::journal::entry::Entry;
use crate::journal::export::begin_with;
use crate::journal::store::{Change, Chunk, Head, State, Store, StoreError};

/// Changes that are written at once.
const TOGETHER: usize = 1_000;

impl Sqlite {
    /// [`check`](Sqlite::check)s the journal at this path, and puts all that is as it was written into a new one, with
    /// the secret. Visitors of sessions that are damaged go on from the last page that is whole. Nothing is overwritten.
    pub fn save(path: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<CheckReport, Error> {
        let (path, to) = (path.as_ref(), to.as_ref());
        let cannot = |error: std::io::Error| Error::caused(format!("cannot write {}", to.display()), error);
        let key = beside(to, ".key");
        for path in [to, &key] {
            if path.try_exists().map_err(cannot)? {
                return Err(Error::new(format!(
                    "{} is there already, and nothing is overwritten",
                    path.display()
                )));
            }
        }
        let missing = || {
            let name = path.display();
            Error::new(format!("the secret {name}.key is not there: restore it from the backup first"))
        };
        let secret = secret_if_there(path)?.ok_or_else(missing)?;
        Sqlite::look_through(path, |meta| {
            write_whole(&key, format!("{}\n", const_hex::encode(secret)).as_bytes()).map_err(cannot)?;
            Saving::begin(to, meta).map(Some)
        })
    }
}

/// A journal that is being made of what is whole in another.
pub(super) struct Saving {
    to: Sqlite,
    /// Sessions, and whether their rows are as they were written.
    rows: Vec<(Row, bool)>,
    changes: Vec<Change>,
    /// Why it cannot go on.
    failed: Option<StoreError>,
}

impl Saving {
    fn begin(to: &Path, meta: &Meta) -> Result<Saving, Error> {
        let cannot = |error| schema::not_opened(to, error);
        let conn = schema::to_write(to)?;
        schema::set(&conn, "journal", meta.journal).map_err(cannot)?;
        schema::set(&conn, "clock", meta.clock).map_err(cannot)?;
        schema::set(&conn, "epoch", meta.epoch).map_err(cannot)?;
        drop(conn);
        Ok(Saving { to: Sqlite::open(to)?, rows: Vec::new(), changes: Vec::new(), failed: None })
    }

    /// A session, before its chunks.
    pub(super) fn session(&mut self, row: Row, is_whole: bool) {
        let Row { ref head, trimmed, .. } = row;
        // Stands where the first chunk that is kept will be added.
        let (session, at, what) = (head.session, head.at, String::new());
        let first = Chunk { session, first: trimmed, count: 0, at, what, entries: Vec::new() };
        let begin = begin_with(head, &[first]);
        self.changes.extend(begin.into_iter().filter(|change| match change {
            Change::Append(chunk) => chunk.count > 0,
            _ => true,
        }));
        self.rows.push((row, is_whole));
        self.write(TOGETHER);
    }

    /// The next chunk of a session that is as it was written.
    pub(super) fn chunk(&mut self, chunk: Chunk) {
        self.changes.push(Change::Append(chunk));
        self.write(TOGETHER);
    }

    fn write(&mut self, most: usize) {
        if self.changes.len() < most || self.failed.is_some() {
            return;
        }
        self.failed = self.to.write(&std::mem::take(&mut self.changes)).err();
    }

    /// All chunks are there: the sessions get what else is known of them.
    pub(super) fn end(mut self, report: &CheckReport) -> Result<(), Error> {
        self.write(0);
        for (row, is_whole) in std::mem::take(&mut self.rows) {
            let session = row.head.session;
            let damaged = report.damaged.iter().any(|damaged| damaged.session == session);
            let end = if damaged { self.mended(session) } else { Ok(Some(Vec::new())) };
            match end {
                Ok(Some(end)) => {
                    self.changes.extend(end);
                    self.changes.extend(life(&row.head, is_whole));
                }
                Ok(None) => self.changes.push(Change::Forget { session }),
                Err(error) => self.failed = self.failed.or(Some(error)),
            }
            self.write(TOGETHER);
        }
        self.write(0);
        match self.failed {
            None => Ok(()),
            Some(error) => {
                Err(Error::caused(format!("cannot write the journal {}", self.to.path.display()), error))
            }
        }
    }

    /// What brings a session of which the end is lost back to a page; `None`: there is none.
    fn mended(&mut self, session: u64) -> Result<Option<Vec<Change>>, StoreError> {
        self.write(0);
        let chunks = self.to.load(session)?;
        let (mut waits, mut next, mut at) = (None, 0, 0);
        for chunk in &chunks {
            // What this version cannot read is whole all the same, and stays as it is.
            let Ok(entries) = Entry::read_all(chunk) else { return Ok(Some(Vec::new())) };
            for (entry, number) in entries.into_iter().zip(chunk.first..) {
                if matches!(entry, Entry::Asked { .. }) {
                    waits = Some(number);
                }
            }
            (next, at) = (chunk.first + chunk.count, chunk.at);
        }
        let Some(waits) = waits else { return Ok(None) };
        if waits + 1 == next {
            return Ok(Some(Vec::new()));
        }
        let mut entries = Vec::new();
        Entry::Cut { to: waits + 1, why: "what came next was damaged".to_owned() }.write(&mut entries);
        let what = "saved".to_owned();
        Ok(Some(vec![Change::Append(Chunk { session, first: next, count: 1, at, what, entries })]))
    }
}

/// What is known of a session beside its chunks. One whose row is not what was written is put aside.
fn life(head: &Head, is_whole: bool) -> Vec<Change> {
    let session = head.session;
    let mut changes = Vec::new();
    match (head.state, head.due) {
        (State::Live, due) if is_whole => {
            changes.extend(due.map(|due| Change::Park { session, due }));
            changes.push(Change::Sleep { session, wake: head.wake });
            changes.push(Change::Deaths { session, count: head.deaths });
        }
        (State::Ended, due) if is_whole => {
            changes.push(Change::End { session, state: State::Ended, due: due.unwrap_or_default() });
        }
        (_, due) => {
            let due = due.filter(|_| is_whole).unwrap_or(u32::MAX);
            changes.push(Change::End { session, state: State::Quarantined, due });
        }
    }
    changes
}
