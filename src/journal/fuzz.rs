//! Entries, whatever comes.

use std::panic::Location;

use super::entry::{Entry, Verb, plain};
use super::store::Chunk;
use super::tape::{Met, Tape};

/// What is read is written and read again alike, can be shown, and plays to an end without a panic.
pub(crate) fn entries(bytes: &[u8]) {
    plain::check(bytes);
    let Ok(entries) = Entry::read(bytes).collect::<Result<Vec<_>, _>>() else { return };
    let mut again = Vec::new();
    for entry in &entries {
        entry.write(&mut again);
        assert!(!entry.to_string().is_empty());
    }
    let read: Result<Vec<_>, _> = Entry::read(&again).collect();
    let read = read.expect("what we write we can read");
    assert_eq!(read, entries);
    let chunk = Chunk {
        session: 1,
        first: 0,
        count: entries.len() as u64,
        at: 0,
        what: String::new(),
        entries: bytes.to_vec(),
    };
    if let Ok((tape, _)) = Tape::of(&[chunk], 1) {
        play(tape);
    }
}

/// Asks as a program would that takes whatever comes.
fn play(mut tape: Tape) {
    let place = Location::caller();
    for _ in 0..1_000 {
        if tape.ask(Verb::Next, "", place).is_err() || !tape.is_replaying() {
            break;
        }
        match tape.meet(place) {
            Ok(Met::Hit(_)) => {}
            Ok(Met::Present | Met::Told) | Err(_) => break,
        }
    }
    assert!(tape.next() >= 1, "there was an entry");
}
