//! `list`, `show` and `room`: what is in a journal, for people and for scripts.

use std::io::Write;
use std::path::Path;

use continuity::journal::{Chunk, Head, State, records};
use serde_json::json;

use crate::Found;
use crate::open::{Failure, Number, Session, Source, chain, each, flow, state, to_read};

/// One line for each session.
pub(crate) fn list(path: &Path, long: bool, json: bool, out: &mut dyn Write) -> Result<Found, Failure> {
    let source = Source::open(path)?;
    let (mut found, mut count) = (Found::Whole, 0_u64);
    if !json {
        writeln!(
            out,
            "{}",
            line(["session", "state", "entries", "bytes", "last used", "flow"], long, "waits")
        )?;
    }
    source.each(path, &mut |head| {
        let waits = if long { waits(&source, path, &head)? } else { Ok(None) };
        if waits.is_err() {
            found = Found::Damage;
        }
        if json {
            write!(out, "{}", if count == 0 { "[\n" } else { ",\n" })?;
            write!(out, "  {}", object(&head, long.then_some(&waits)))?;
        } else {
            let (number, entries, bytes) =
                (Number(head.session).to_string(), head.entries.to_string(), head.bytes.to_string());
            let (when, flow) = (head.when().to_string(), flow(&head));
            let columns = [&*number, state(head.state), &*entries, &*bytes, &*when, &*flow];
            let waits = match &waits {
                Ok(place) => place.as_deref().unwrap_or("-"),
                Err(why) => why,
            };
            writeln!(out, "{}", line(columns, long, waits))?;
        }
        count += 1;
        Ok(())
    })?;
    if json {
        writeln!(out, "{}", if count == 0 { "[]" } else { "\n]" })?;
    }
    Ok(found)
}

fn line([session, state, entries, bytes, used, flow]: [&str; 6], long: bool, waits: &str) -> String {
    let short = format!("{session:<16} {state:<11} {entries:>7} {bytes:>9}  {used:<24}  ");
    if long { format!("{short}{flow:<12}  {waits}") } else { format!("{short}{flow}") }
}

fn object(head: &Head, waits: Option<&Result<Option<String>, String>>) -> serde_json::Value {
    let mut object = json!({
        "session": Number(head.session).to_string(),
        "flow": if head.flow.is_empty() { "/" } else { &head.flow },
        "state": state(head.state),
        "entries": head.entries,
        "bytes": head.bytes,
        "last_used": head.when().to_string(),
    });
    match waits {
        Some(Ok(place)) => object["waits"] = json!(place),
        Some(Err(why)) => object["damage"] = json!(why),
        None => {}
    }
    object
}

/// Where in the program a session waits; or what is wrong with it.
fn waits(source: &Source, path: &Path, head: &Head) -> Result<Result<Option<String>, String>, Failure> {
    let Session { chunks, damage, .. } = source.session(path, Number(head.session))?;
    if let Some(damage) = damage {
        return Ok(Err(damage));
    }
    for chunk in chunks.iter().rev() {
        match records(chunk) {
            Ok(records) => {
                if let Some(place) = records.iter().rev().find_map(|record| record.place()) {
                    return Ok(Ok(Some(place.escape_debug().to_string())));
                }
            }
            Err(error) => return Ok(Err(chain(&error))),
        }
    }
    Ok(Ok(None))
}

/// What a journal takes, and how it can be made to take less.
pub(crate) fn room(path: &Path, out: &mut dyn Write) -> Result<Found, Failure> {
    let journal = to_read(path)?;
    let room = journal.room().map_err(|error| Failure::at(path, &error))?;
    let mut lives = [(State::Live, 0_u64, 0_u64), (State::Ended, 0, 0), (State::Quarantined, 0, 0)];
    each(&journal, path, &mut |head| {
        for (_, sessions, bytes) in lives.iter_mut().filter(|(life, ..)| *life == head.state) {
            (*sessions, *bytes) = (*sessions + 1, *bytes + head.bytes);
        }
        Ok(())
    })?;
    writeln!(out, "the file has {} bytes: {} are in use, {} are free", room.file, room.used, room.free)?;
    writeln!(out, "the log beside it has {} bytes", room.log)?;
    for (life, sessions, bytes) in lives {
        writeln!(out, "{sessions} sessions {}: {bytes} bytes of entries", state(life))?;
    }
    writeln!(
        out,
        "`prune` forgets what is not live; the free part is used for what is written next, and `compact` gives it back"
    )?;
    Ok(Found::Whole)
}

/// All that is written of a session.
pub(crate) fn show(path: &Path, number: Number, out: &mut dyn Write) -> Result<Found, Failure> {
    let Session { head, chunks, damage } = Source::open(path)?.session(path, number)?;
    let (life, flow) = (state(head.state), flow(&head));
    writeln!(out, "session {number} of {flow}, {life}: {} entries, {} bytes", head.entries, head.bytes)?;
    let first = chunks.first().map_or(0, |chunk| chunk.first);
    if first > 0 {
        writeln!(out, "what came before entry {first} is not kept: there is a checkpoint")?;
    }
    let mut damage = damage;
    for chunk in &chunks {
        if let Err(why) = show_chunk(chunk, out)? {
            damage.get_or_insert(why);
        }
    }
    let Some(why) = damage else { return Ok(Found::Whole) };
    writeln!(out, "not all can be shown: {why}")?;
    Ok(Found::Damage)
}

fn show_chunk(chunk: &Chunk, out: &mut dyn Write) -> Result<Result<(), String>, Failure> {
    match records(chunk) {
        Ok(records) => {
            for record in records {
                writeln!(out, "{}  {:>5}  {record}", chunk.when(), record.number())?;
            }
            Ok(Ok(()))
        }
        Err(error) => {
            let (from, to) = (chunk.first, chunk.first + chunk.count);
            writeln!(out, "{}  {from:>5}  (up to {to}: cannot be read)", chunk.when())?;
            Ok(Err(chain(&error)))
        }
    }
}
