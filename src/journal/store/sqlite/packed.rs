//! What a parked session is rebuilt from, in one piece: its rows in `steps` lie apart, those of many sessions on each page,
//! and to look for them costs more than all else of rebuilding it.
//!
//! It is a copy of its chunks up to one of them; what came after that is read from `steps`. A copy that is not what was
//! written, or not of the chain that the session's row tells of, counts for nothing: then the chain is read. It is made when
//! nobody waits for a write, and made anew when a quarter of it has come: all in all that writes a session five times.

use rusqlite::{Connection, OptionalExtension};

use super::batch::Batch;
use super::fault::failed;
use super::read::chain;
use super::row::{Row, Sums};
use crate::journal::store::{Chunk, Fault, State, StoreError};

/// Fewer entries are not worth a copy.
const FEW: u64 = 16;

const PACKED: &str = "SELECT first, next, last, chain, sum, entries FROM packed WHERE session = ?1";
const RANGE: &str = "SELECT first, next FROM packed WHERE session = ?1";
const PACK: &str = "INSERT OR REPLACE INTO packed (session, first, next, last, chain, sum, entries) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Entries of a session that lie together.
struct Packed {
    /// The numbers of the first entry, and of the one after the last.
    first: u64,
    next: u64,
    /// The row and the checksum of the newest chunk that is in it.
    last: i64,
    chain: u64,
    entries: Vec<u8>,
}

impl Packed {
    /// What is packed of a session, if it is as it was written.
    fn find(conn: &Connection, session: u64, sums: &Sums) -> rusqlite::Result<Option<Packed>> {
        let mut statement = conn.prepare_cached(PACKED)?;
        let read = statement.query_row([session.cast_signed()], |row| {
            let word = |column| row.get(column).map(i64::cast_unsigned);
            let entries = row.get_ref(5)?.as_blob()?.to_vec();
            let packed =
                Packed { first: word(0)?, next: word(1)?, last: row.get(2)?, chain: word(3)?, entries };
            Ok((packed, word(4)?))
        });
        let found = read.optional()?;
        Ok(found.filter(|(packed, sum)| packed.sum(session, sums) == *sum).map(|(packed, _)| packed))
    }

    fn sum(&self, session: u64, sums: &Sums) -> u64 {
        let place = sums.start().word(session).word(self.first).word(self.next).signed(self.last);
        place.word(self.chain).bytes(&self.entries).end()
    }

    /// All of a session, up to where its row says that it is.
    fn of(row: &Row, chunks: &[Chunk]) -> Packed {
        let entries: Vec<&[u8]> = chunks.iter().map(|chunk| &*chunk.entries).collect();
        Packed {
            first: row.trimmed,
            next: row.head.entries,
            last: row.last,
            chain: row.chain,
            entries: entries.concat(),
        }
    }

    fn write(&self, batch: &mut Batch<'_>, session: u64) -> Result<(), StoreError> {
        let numbers = [session, self.first, self.next, self.chain, self.sum(session, &batch.sums)];
        let [session, first, next, chain, sum] = numbers.map(u64::cast_signed);
        batch.pen.run(PACK, (session, first, next, self.last, chain, sum, &self.entries))
    }
}

/// The chunks of a session: what is packed, as one, and what came after it. `None` if that is not all of it.
pub(super) fn chunks(conn: &Connection, row: &Row, sums: &Sums) -> Option<Vec<Chunk>> {
    let session = row.head.session;
    let packed = Packed::find(conn, session, sums).ok()??;
    let Packed { first, next, last, chain: base, entries } = packed;
    if first != row.trimmed || last > row.last {
        return None;
    }
    let after = Row { trimmed: next, floor: last, base, ..row.clone() };
    let mut later = chain(conn, &after, sums).ok()?;
    let what = String::new();
    later
        .insert(0, Chunk { session, first, count: next.checked_sub(first)?, at: row.head.at, what, entries });
    Some(later)
}

impl Batch<'_> {
    /// Packs a session, if it is parked, and enough has come since it was packed.
    pub(super) fn pack(&mut self, session: u64) -> Result<(), StoreError> {
        match self.pack_whole(session) {
            // Who asks for it is told the same.
            Err(error) if error.fault() == Fault::Damaged => Ok(()),
            other => other,
        }
    }

    fn pack_whole(&mut self, session: u64) -> Result<(), StoreError> {
        let Some(row) = self.row(session)? else { return Ok(()) };
        let parked = row.head.state == State::Live && row.head.due.is_some();
        if !parked || !self.is_worth_it(&row)? {
            return Ok(());
        }
        let (conn, sums) = (self.pen.conn, self.sums);
        let chunks = match chunks(conn, &row, &sums) {
            Some(chunks) => chunks,
            None => chain(conn, &row, &sums)?,
        };
        Packed::of(&row, &chunks).write(self, session)
    }

    /// Whether enough has come since a session was packed.
    fn is_worth_it(&self, row: &Row) -> Result<bool, StoreError> {
        let session = row.head.session;
        let cannot = |error| failed(format!("look for what is packed of session {session:x}"), error);
        let mut statement = self.pen.conn.prepare_cached(RANGE).map_err(cannot)?;
        let range = statement.query_row([session.cast_signed()], |row| Ok([row.get(0)?, row.get(1)?]));
        let range = range.optional().map_err(cannot)?;
        let [first, next] = range.map_or([row.trimmed; 2], |range| range.map(i64::cast_unsigned));
        Ok(row.head.entries.saturating_sub(next) >= FEW.max(next.saturating_sub(first) / 4))
    }

    /// Removes what is packed of a session.
    pub(super) fn unpack(&mut self, session: u64) -> Result<(), StoreError> {
        self.pen.run("DELETE FROM packed WHERE session = ?1", [session.cast_signed()])
    }
}
