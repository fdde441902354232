//! The log: room in it, and what is brought out of it.

use super::*;

#[test]
fn the_log_has_room_before_it_is_needed_and_what_is_behind_it_is_nothing() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    let log = || fs::metadata(beside(&folder.journal(), "-wal")).expect("it is there").len();
    assert!(log() < 1 << 17, "who only opens it takes no room");
    assert!(!journal.rest(), "it is made while nothing is to be written");
    let made = log();
    assert!(made >= 1 << 19, "{made}");
    fill(&journal, 3, 20);
    assert!(!journal.rest());
    assert_eq!(log(), made, "there is enough");
    (20..120).for_each(|first| journal.write(&[append(1, first)]).expect("it is written"));
    assert!(log() > 1 << 22, "{}: more comes to those who write more", log());
    let heads = journal.list(0, 9).expect("sessions are listed");
    let again = open(&crashed(&folder.journal(), "crashed"));
    assert_eq!(again.list(0, 9).expect("sessions are listed"), heads);
}

#[test]
fn the_log_is_brought_into_the_file_again_and_again() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    journal.write(&[begin(1)]).expect("it begins");
    for first in 0..200 {
        journal.write(&[Change::Append(chunk(1, first, 400_000))]).expect("it is written");
    }
    let log = fs::metadata(beside(&folder.journal(), "-wal")).expect("it is there").len();
    assert!(log < 32 << 20, "80 MB were written, and {log} bytes are in the log");
    assert_eq!(journal.load(number(1)).expect("it is loaded").len(), 200);
}
