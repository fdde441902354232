//! Catching up: reads off the newest chunks how far their sessions have come, where the rows do not say so.

use std::collections::{HashMap, HashSet};
use std::sync::RwLock;

use rusqlite::{Connection, Row as SqlRow, Statement};

use super::fault::failed;
use super::heads::{Changed, Heads, Old};
use super::removed;
use super::row::{Row, Sums, Tip, session_columns};
use crate::journal::store::{Fault, StoreError};

const SESSION: &str = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = ?1");
const NEWER: &str =
    "SELECT id, session, first, count, at, length(entries), chain FROM steps WHERE id > ?1 ORDER BY id";

/// Reads the chunks above `after`; the newest of all is returned. Whether they are what was written is not looked at
/// here: who loads a session finds out.
pub(super) fn fold(
    conn: &Connection,
    heads: &RwLock<Heads>,
    sums: &Sums,
    after: i64,
) -> Result<i64, StoreError> {
    let cannot = |error| failed("read the newest chunks", error);
    let snapshot = conn.unchecked_transaction().map_err(cannot)?;
    let mut newer = snapshot.prepare(NEWER).map_err(cannot)?;
    let session = snapshot.prepare(SESSION).map_err(cannot)?;
    let going = removed::going(&snapshot).map_err(cannot)?;
    let (changed, odd) = Default::default();
    let mut folding = Folding { session, heads, sums, going, changed, odd };
    let mut newest = after;
    let mut steps = newer.query([after]).map_err(cannot)?;
    while let Some(step) = steps.next().map_err(cannot)? {
        let (session, tip) = read(step).map_err(cannot)?;
        newest = tip.last;
        folding.add(session, tip)?;
    }
    let changed = std::mem::take(&mut folding.changed);
    heads.write().expect("no code panics while it changes heads").apply(changed);
    Ok(newest)
}

/// What a chunk says of its session; its bytes are its own alone.
fn read(step: &SqlRow<'_>) -> rusqlite::Result<(u64, Tip)> {
    let word = |column| step.get(column).map(i64::cast_unsigned);
    let entries = word(2)?.wrapping_add(word(3)?);
    let tip = Tip { last: step.get(0)?, chain: word(6)?, entries, bytes: word(5)?, at: step.get(4)? };
    Ok((word(1)?, tip))
}

struct Folding<'a> {
    session: Statement<'a>,
    heads: &'a RwLock<Heads>,
    sums: &'a Sums,
    /// Up to which row nothing is a session's any more.
    going: HashMap<u64, i64>,
    changed: Changed,
    /// Sessions of which it was said that they are not right.
    odd: HashSet<u64>,
}

impl Folding<'_> {
    fn add(&mut self, session: u64, tip: Tip) -> Result<(), StoreError> {
        if self.going.get(&session).is_some_and(|gone| tip.last <= *gone) {
            return Ok(());
        }
        let Some(mut row) = self.row(session)? else { return Ok(()) };
        let old = match self.changed.get(&session) {
            Some(old) => *old,
            None => self.heads.read().expect("no code panics while it changes heads").get(session),
        };
        row.follow(old.as_ref().map(|old| &old.tip));
        if row.last < tip.last {
            let since = old.map_or(tip.last, |old| old.since);
            let tip = Tip { bytes: row.head.bytes.wrapping_add(tip.bytes), ..tip };
            self.changed.insert(session, Some(Old { tip, since }));
        }
        Ok(())
    }

    /// The session's row, if there is one that is right.
    fn row(&mut self, session: u64) -> Result<Option<Row>, StoreError> {
        let cannot = |error| failed(format!("read session {session:x}"), error);
        let mut rows = self.session.query([session.cast_signed()]).map_err(cannot)?;
        match rows.next().map_err(cannot)?.map(|row| Row::read(row, self.sums)) {
            Some(Ok(row)) => return Ok(Some(row)),
            Some(Err(error)) if error.fault() != Fault::Damaged => return Err(error),
            Some(Err(error)) if self.odd.insert(session) => tracing::error!("{error}"),
            None if self.odd.insert(session) => tracing::error!("session {session:x} has chunks and no row"),
            _ => {}
        }
        Ok(None)
    }
}
