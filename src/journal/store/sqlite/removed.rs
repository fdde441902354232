//! Chunks that nobody needs any more: some rows at a time, so that one long session holds up no other.
//!
//! A session that is forgotten, or trimmed, is so at once: its row says nothing of them. Which chunks are still to go is
//! noted in `removed`, in the same transaction, as the rows from `last` back to `floor`. Each write removes some, and more
//! go while nothing is to be written. A process that dies leaves the note, and the next one goes on with it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::batch::Batch;
use super::fault::failed;
use crate::journal::store::StoreError;

/// Rows that are removed in one transaction that writes something else too: some milliseconds at most.
pub(super) const WITH_OTHERS: usize = 256;
/// Rows that are removed in one transaction while nothing is to be written.
pub(super) const ALONE: usize = 1_000;

/// The table, which journals that were made before lack.
pub(super) const REMOVED: &str = "
CREATE TABLE IF NOT EXISTS removed (last INTEGER PRIMARY KEY, session INTEGER NOT NULL, floor INTEGER NOT NULL);
";

const THERE: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'removed'";
const NOTED: &str = "SELECT session, max(last) FROM removed GROUP BY session";
const ANY: &str = "SELECT 1 FROM removed LIMIT 1";
const FIRST: &str = "SELECT last, session, floor FROM removed ORDER BY last LIMIT 1";
const NOTE: &str = "INSERT INTO removed (last, session, floor) VALUES (?1, ?2, ?3)";
const STRIKE: &str = "DELETE FROM removed WHERE last = ?1";
const HIGHEST: &str = "UPDATE meta SET value = ?1 WHERE name = 'removed' AND value < ?1";

/// Chunks of one session that are to go: from row `last` back to `floor`, which is none of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Removed {
    pub(super) session: u64,
    pub(super) last: i64,
    pub(super) floor: i64,
}

/// For each session that has chunks which are to go, the highest of their rows: up to there nothing is the session's.
pub(super) fn going(conn: &Connection) -> rusqlite::Result<HashMap<u64, i64>> {
    if conn.query_row(THERE, [], |_| Ok(())).optional()?.is_none() {
        return Ok(HashMap::new());
    }
    let mut noted = conn.prepare(NOTED)?;
    let rows = noted.query_map([], |row| Ok((row.get(0).map(i64::cast_unsigned)?, row.get(1)?)))?;
    rows.collect()
}

/// Whether something is still to go.
pub(super) fn is_anything(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare_cached(ANY)?.exists([])
}

impl Batch<'_> {
    /// These chunks are not needed any more. Their numbers are not given again, also where none is left that is higher.
    pub(super) fn let_go(&mut self, removed: Removed) -> Result<(), StoreError> {
        if removed.last == removed.floor {
            return Ok(());
        }
        self.pen.run(HIGHEST, [removed.last])?;
        self.remove(removed)
    }

    /// Goes on with what was noted before, as far as this transaction may.
    pub(super) fn remove_some(&mut self) -> Result<(), StoreError> {
        while self.rows > 0 {
            let Some(first) = self.first_removed()? else {
                self.leaves = false;
                return Ok(());
            };
            self.pen.run(STRIKE, [first.last])?;
            self.remove(first)?;
        }
        Ok(())
    }

    fn first_removed(&mut self) -> Result<Option<Removed>, StoreError> {
        let cannot = |error| failed("look for what is to be removed", error);
        let first = self.pen.get(FIRST).map_err(cannot)?;
        let read = first.query_row([], |row| {
            let session = row.get(1).map(i64::cast_unsigned)?;
            Ok(Removed { session, last: row.get(0)?, floor: row.get(2)? })
        });
        read.optional().map_err(cannot)
    }

    /// Removes rows, the newest first, and notes those that this transaction may not remove.
    fn remove(&mut self, mut removed: Removed) -> Result<(), StoreError> {
        let Removed { session, floor, .. } = removed;
        while removed.last != floor {
            if self.rows == 0 {
                self.leaves = true;
                return self.pen.run(NOTE, (removed.last, session.cast_signed(), floor));
            }
            let Some(link) = self.link(removed.last, session)? else {
                tracing::error!(
                    "session {session:x} is damaged: its chunks up to row {} are not needed, and cannot be removed",
                    removed.last
                );
                return Ok(());
            };
            self.pen.run("DELETE FROM steps WHERE id = ?1", [removed.last])?;
            removed.last = link.prev;
            self.rows -= 1;
        }
        Ok(())
    }
}
