//! How what waits is written where there is little room.

use super::*;
use crate::journal::store::{Chunk, Memory, State};

fn append(session: u64, first: u64, bytes: usize) -> Change {
    let (at, what) = (0, String::new());
    Change::Append(Chunk { session, first, count: 1, at, what, entries: vec![b'e'; bytes] })
}

fn begin(session: u64) -> Change {
    Change::Begin { session, visitor: [7; 16], label: session, flow: String::new() }
}

fn end(session: u64) -> Change {
    Change::End { session, state: State::Ended, due: 9 }
}

fn of(changes: Vec<Change>) -> Submission {
    Submission { changes, ..Submission::default() }
}

fn scribe(store: &Memory, bytes: u64) -> Scribe {
    Scribe::new(Arc::new(store.clone()), bytes, Arc::default())
}

/// Writes changes together, each as one submission; what became of each.
fn write(scribe: &mut Scribe, group: Vec<Vec<Change>>) -> Vec<Result<(), Fault>> {
    let mut told = Vec::new();
    let group = group.into_iter().map(|changes| {
        let (then, written) = Then::wake();
        told.push(written);
        Submission { then, ..of(changes) }
    });
    scribe.write(group.collect());
    told.into_iter().map(|mut told| told.try_recv().expect("each is told")).collect()
}

#[test]
fn what_there_is_no_room_for_holds_up_nothing_else() {
    let store = Memory::new();
    let mut scribe = scribe(&store, 1_600);
    assert_eq!(write(&mut scribe, vec![vec![begin(1), append(1, 0, 1_000)], vec![begin(2)]]), [Ok(()); 2]);
    let group = vec![
        vec![append(1, 1, 499)],
        vec![append(2, 0, 50)],
        vec![append(2, 1, 50), end(2)],
        vec![Change::Park { session: 1, due: 5 }],
        vec![begin(3), append(3, 0, 50)],
    ];
    let told = write(&mut scribe, group);
    assert_eq!(told[0], Ok(()), "there is room");
    assert_eq!(told[1], Ok(()), "for this too, though not for all of it");
    assert_eq!(told[2], Ok(()), "what ends goes on");
    assert_eq!((told[3], told[4]), (Ok(()), Err(Fault::Full)));
    assert_eq!(store.head(3).expect("memory is read"), None, "nothing of that is there");
    assert_eq!(store.bytes(), 1_599);
}

#[test]
fn what_nobody_waits_for_ends_however_full_it_is() {
    let store = Memory::new();
    let mut scribe = scribe(&store, 1_000);
    assert_eq!(scribe.write_one(&mut of(vec![begin(1), append(1, 0, 1_000)])), Ok(()));
    let (then, _told) = Then::wake();
    let mut awaited = Submission { then, ..of(vec![append(1, 1, 10), end(1)]) };
    assert_eq!(
        scribe.write_one(&mut awaited),
        Err(Fault::Full),
        "its answer would tell of what is not there"
    );
    assert_eq!(scribe.write_one(&mut of(vec![append(1, 1, 10), end(1)])), Ok(()));
    let head = store.head(1).expect("memory is read").expect("it is there");
    assert_eq!((head.state, head.entries), (State::Ended, 1));
    assert_eq!(scribe.write_one(&mut of(vec![Change::Forget { session: 1 }])), Ok(()));
    assert_eq!(scribe.write_one(&mut of(vec![begin(2), append(2, 0, 10)])), Ok(()), "there is room again");
}

#[test]
fn one_that_fails_spoils_nothing_for_those_beside_it() {
    let store = Memory::new();
    let mut scribe = scribe(&store, 1_000_000);
    write(&mut scribe, vec![vec![begin(1)]]);
    let told = write(&mut scribe, vec![vec![append(1, 7, 10)], vec![append(1, 0, 10)]]);
    assert_eq!(told, [Err(Fault::Failed), Ok(())]);
}

#[cfg(feature = "sqlite")]
#[test]
fn one_that_is_damaged_spoils_nothing_for_those_beside_it() {
    let name = format!("continuity-scribe-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).expect("a folder for the test");
    let path = folder.join("journal");
    let store = Arc::new(crate::journal::Sqlite::open(&path).expect("it opens"));
    let mut scribe = Scribe::new(store, u64::MAX, Arc::default());
    write(&mut scribe, vec![vec![begin(1)], vec![begin(2)]]);
    let file = rusqlite::Connection::open(&path).expect("the file opens");
    file.execute("UPDATE sessions SET deaths = 9 WHERE label = 1", []).expect("a row is changed");
    let told = write(&mut scribe, vec![vec![append(1, 0, 10)], vec![append(2, 0, 10)]]);
    assert_eq!(told, [Err(Fault::Damaged), Ok(())]);
    drop((scribe, file));
    std::fs::remove_dir_all(&folder).expect("it is there");
}
