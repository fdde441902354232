//! `forget`, `prune`, `compact`, `backup` and `check`: keeping a journal in order.

use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use continuity::Sqlite;
use continuity::journal::{Change, CheckReport, State, Store, records};

use crate::Found;
use crate::open::{Failure, Number, chain, each, flow, state, to_read, to_write};

/// Sessions that are forgotten in one go.
const TOGETHER: usize = 500;
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Forgets a session, if whoever asked is sure.
pub(crate) fn forget(path: &Path, number: Number, yes: bool, out: &mut dyn Write) -> Result<Found, Failure> {
    if !yes && !is_sure(path, number)? {
        return Err(Failure::new("nothing was forgotten"));
    }
    let journal = to_write(path)?;
    // Also one whose row is damaged.
    if let Ok(None) = journal.head(number.0) {
        return Err(Failure::new(format!("there is no session {number} in {}", path.display())));
    }
    let forget = [Change::Forget { session: number.0 }];
    journal.write(&forget).map_err(|error| Failure::at(path, &error))?;
    // Nothing of it stays behind.
    while journal.rest() {}
    writeln!(out, "session {number} is forgotten")?;
    Ok(Found::Whole)
}

fn is_sure(path: &Path, number: Number) -> Result<bool, Failure> {
    let what = match to_read(path)?.head(number.0) {
        Ok(Some(head)) => {
            let (flow, life) = (flow(&head), state(head.state));
            format!("of {flow}, {life}, {} entries, last used {}", head.entries, head.when())
        }
        Ok(None) => {
            return Err(Failure::new(format!("there is no session {number} in {}", path.display())));
        }
        Err(error) => chain(&error),
    };
    eprint!("Forget session {number} ({what})? This cannot be undone. [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::new(format!("cannot ask: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Forgets sessions that are over since some days.
pub(crate) fn prune(path: &Path, days: u32, out: &mut dyn Write) -> Result<Found, Failure> {
    let journal = to_write(path)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let newest = now - i64::from(days) * DAY;
    let mut over = Vec::new();
    each(&journal, path, &mut |head| {
        if head.state != State::Live && head.at <= newest {
            over.push(Change::Forget { session: head.session });
        }
        Ok(())
    })?;
    for some in over.chunks(TOGETHER) {
        journal.write(some).map_err(|error| Failure::at(path, &error))?;
    }
    while journal.rest() {}
    writeln!(out, "sessions forgotten: {}", over.len())?;
    Ok(Found::Whole)
}

/// Gives back what is free.
pub(crate) fn compact(path: &Path, out: &mut dyn Write) -> Result<Found, Failure> {
    let before = to_read(path)?.room().map_err(|error| Failure::at(path, &error))?;
    let after = Sqlite::compact(path)?;
    writeln!(out, "the file had {} bytes, and has {}", before.file, after.file)?;
    Ok(Found::Whole)
}

/// Copies a journal.
pub(crate) fn backup(path: &Path, to: &Path, out: &mut dyn Write) -> Result<Found, Failure> {
    to_read(path)?.backup(to)?;
    let to = to.display();
    writeln!(out, "copied to {to}, and its secret to {to}.key")?;
    Ok(Found::Whole)
}

/// Says what of a journal is not as it was written; saves the rest.
pub(crate) fn check(path: &Path, save: Option<&Path>, out: &mut dyn Write) -> Result<Found, Failure> {
    if !path.exists() {
        return Err(Failure::new(format!("there is no journal at {}", path.display())));
    }
    let report = match save {
        Some(to) => Sqlite::save(path, to)?,
        None => Sqlite::check(path)?,
    };
    let unread = unreadable(path, &report);
    let CheckReport { sessions, chunks, ref damaged, ref faults, .. } = report;
    writeln!(out, "{sessions} sessions, {chunks} chunks")?;
    for fault in faults {
        writeln!(out, "file: {fault}")?;
    }
    for damaged in damaged {
        let (number, kept) = (Number(damaged.session), damaged.entries);
        writeln!(out, "session {number}: {}", damaged.why)?;
        writeln!(out, "  its first {} chunks can be saved, all before entry {kept}", damaged.chunks)?;
    }
    for line in &unread {
        writeln!(out, "{line}")?;
    }
    if let Some(to) = save {
        let to = to.display();
        writeln!(out, "what is whole is in {to}, and the secret in {to}.key")?;
    }
    let whole = report.is_whole() && unread.is_empty();
    writeln!(out, "{}", if whole { "all is as it was written" } else { "not all is as it was written" })?;
    Ok(if whole { Found::Whole } else { Found::Damage })
}

/// Sessions that are as they were written, with entries that this version cannot read.
fn unreadable(path: &Path, report: &CheckReport) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(journal) = Sqlite::open_to_read(path) else { return lines };
    let read = each(&journal, path, &mut |head| {
        let damaged = report.damaged.iter().any(|damaged| damaged.session == head.session);
        if let (false, Ok(chunks)) = (damaged, journal.load(head.session)) {
            lines.extend(chunks.iter().find_map(|chunk| records(chunk).err()).map(|error| chain(&error)));
        }
        Ok(())
    });
    match read {
        Err(failure) if report.is_whole() => vec![failure.to_string()],
        _ => lines,
    }
}
