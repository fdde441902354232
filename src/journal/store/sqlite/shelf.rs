//! A look at the steps that lasts: SQLite forgets the pages it has read as soon as somebody writes, and between two
//! sessions that come back somebody always does. Rows of `steps` are never changed, so an older look shows them as they
//! are; what is newer than the look asks for another one.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::schema;

/// For how long one look is used: what is deleted meanwhile takes its room in the file until then.
const LASTS: Duration = Duration::from_secs(1);

/// A connection with a look that it may have.
pub(super) struct Shelf {
    conn: Connection,
    /// Since when, and the newest step that it shows.
    look: Option<(Instant, i64)>,
}

impl Shelf {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Shelf> {
        Ok(Shelf { conn: schema::to_read(path)?, look: None })
    }

    /// The connection, with a look that shows this step.
    pub(super) fn showing(&mut self, step: i64) -> rusqlite::Result<&Connection> {
        self.put_away()?;
        if self.look.is_some_and(|(_, newest)| newest < step) {
            self.end()?;
        }
        if self.look.is_none() {
            self.conn.execute_batch("BEGIN")?;
            let newest = self.conn.query_row("SELECT ifnull(max(id), 0) FROM steps", [], |row| row.get(0))?;
            self.look = Some((Instant::now(), newest));
        }
        Ok(&self.conn)
    }

    /// Ends a look that has lasted long enough: the file can let go of what was deleted.
    pub(super) fn put_away(&mut self) -> rusqlite::Result<()> {
        match self.look {
            Some((since, _)) if since.elapsed() >= LASTS => self.end(),
            _ => Ok(()),
        }
    }

    /// Ends the look, if it has one.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        if self.look.take().is_none() {
            return Ok(());
        }
        self.conn.execute_batch("COMMIT")
    }
}
