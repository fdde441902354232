//! What SQLite's failures mean for the journal.
//!
//! A failed fsync is never tried again: the system may have dropped what it could not write and then say that all is
//! well. So the store stops, and what the disk really has is found out when it is opened the next time.

use rusqlite::Error;
use rusqlite::ffi;

use crate::journal::store::{Fault, StoreError};

/// Damage found in a session.
pub(super) fn damaged(session: u64, what: impl std::fmt::Display) -> StoreError {
    StoreError::new(Fault::Damaged, format!("session {session:x} is damaged: {what}"))
}

/// SQLite failed at this.
pub(super) fn failed(what: impl Into<String>, error: Error) -> StoreError {
    StoreError::caused(fault(&error), what, error)
}

/// SQLite failed to commit: what was written may be there or not, but for the two ways that are known to leave nothing.
pub(super) fn not_committed(error: Error) -> StoreError {
    match code(&error) {
        Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_WRITE) => failed("commit to the journal", error),
        _ => StoreError::caused(Fault::Stopped, "commit to the journal: what was written may be lost", error),
    }
}

fn fault(error: &Error) -> Fault {
    let Some(code) = code(error) else { return of_values(error) };
    match code {
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => return Fault::Stopped,
        ffi::SQLITE_IOERR_CORRUPTFS => return Fault::Damaged,
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_FULL => Fault::Full,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Fault::Damaged,
        // A table or column is not there.
        ffi::SQLITE_ERROR => Fault::Damaged,
        _ => Fault::Failed,
    }
}

/// A value that no version of this library writes.
fn of_values(error: &Error) -> Fault {
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows => Fault::Damaged,
        _ => Fault::Failed,
    }
}

fn code(error: &Error) -> Option<std::ffi::c_int> {
    match error {
        Error::SqliteFailure(error, _) | Error::SqlInputError { error, .. } => Some(error.extended_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: std::ffi::c_int) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn what_follows_from_a_failure_depends_on_its_kind() {
        for (code, fault) in [
            (ffi::SQLITE_FULL, Fault::Full),
            (ffi::SQLITE_IOERR_FSYNC, Fault::Stopped),
            (ffi::SQLITE_IOERR_DIR_FSYNC, Fault::Stopped),
            (ffi::SQLITE_IOERR_WRITE, Fault::Failed),
            (ffi::SQLITE_IOERR_READ, Fault::Failed),
            (ffi::SQLITE_BUSY, Fault::Failed),
            (ffi::SQLITE_CORRUPT, Fault::Damaged),
            (ffi::SQLITE_CORRUPT_INDEX, Fault::Damaged),
            (ffi::SQLITE_NOTADB, Fault::Damaged),
        ] {
            assert_eq!(failed("x", failure(code)).fault(), fault, "{code}");
        }
    }

    #[test]
    fn a_commit_that_may_have_happened_stops_the_store() {
        for (code, fault) in [
            (ffi::SQLITE_FULL, Fault::Full),
            (ffi::SQLITE_IOERR_WRITE, Fault::Failed),
            (ffi::SQLITE_IOERR_FSYNC, Fault::Stopped),
            (ffi::SQLITE_IOERR, Fault::Stopped),
            (ffi::SQLITE_NOMEM, Fault::Stopped),
        ] {
            assert_eq!(not_committed(failure(code)).fault(), fault, "{code}");
        }
    }
}
