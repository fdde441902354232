//! What is forgotten or trimmed goes in pieces, and is nobody's from the first moment on.

use super::*;
use crate::journal::store::sqlite::removed::{ALONE, WITH_OTHERS};

/// Chunks of a long session.
const LONG: u64 = 3_000;

fn long_session(journal: &Sqlite, n: u64) {
    let chunks: Vec<_> = (0..LONG).map(|first| append(n, first)).collect();
    journal.write(&[&[begin(n)], &chunks[..]].concat()).expect("it is written");
}

fn forget(n: u64) -> Change {
    Change::Forget { session: number(n) }
}

/// Rows of `steps` that there are.
fn rows(path: &Path) -> u64 {
    let conn = Connection::open(path).expect("the file opens");
    conn.query_row("SELECT count(*) FROM steps", [], |row| row.get(0).map(i64::cast_unsigned)).expect("rows")
}

/// The session is not there, whoever asks.
fn is_gone(journal: &Sqlite, n: u64) {
    assert_eq!(entries(journal, n), None);
    assert_eq!(fault(journal.load(number(n))), Fault::Damaged);
    assert_eq!(journal.find(&[7; 16], n).expect("it is looked for").session, None);
    assert!(journal.list(number(n) - 1, 1).expect("listed").iter().all(|head| head.session != number(n)));
    assert_eq!(fault(journal.write(&[append(n, LONG)])), Fault::Failed, "it does not go on");
}

#[test]
fn forgetting_many_long_sessions_holds_up_no_write() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    (1..=4).for_each(|n| long_session(&journal, n));
    journal.write(&[begin(9)]).expect("it begins");
    let before = rows(&folder.journal());
    journal.write(&(1..=4).map(forget).collect::<Vec<_>>()).expect("they are forgotten");
    (1..=4).for_each(|n| is_gone(&journal, n));
    let mut left = rows(&folder.journal());
    assert_eq!(left, before - WITH_OTHERS as u64, "a transaction removes so many rows and no more");
    journal.write(&[append(9, 0)]).expect("others go on");
    assert_eq!(rows(&folder.journal()), left + 1 - WITH_OTHERS as u64, "each write removes some");
    left = rows(&folder.journal());
    while journal.rest() {
        let now = rows(&folder.journal());
        assert!(now < left && left - now <= ALONE as u64, "{left} {now}");
        left = now;
    }
    assert_eq!(rows(&folder.journal()), 1, "all that is left is of the other session");
    assert!(!journal.rest(), "and that is the end of it");
}

#[test]
fn what_was_to_go_when_the_process_died_goes_after_the_next_start() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    long_session(&journal, 1);
    long_session(&journal, 2);
    journal.write(&[forget(1), Change::Trim { session: number(2), before: LONG - 5 }]).expect("written");
    let trimmed = journal.load(number(2)).expect("it is loaded");
    assert_eq!((trimmed.len(), trimmed[0].first), (5, LONG - 5));
    let copy = crashed(&folder.journal(), "crashed");
    let report = Sqlite::check(&copy).expect("it can be checked");
    assert!(report.is_whole(), "{report}");
    assert_eq!((report.sessions, report.chunks), (1, 5), "what is to go is nobody's");
    let again = open(&copy);
    is_gone(&again, 1);
    assert_eq!(again.load(number(2)).expect("it is loaded"), trimmed);
    assert!(rows(&copy) > LONG);
    while again.rest() {}
    assert_eq!(rows(&copy), 5);
    again.write(&[append(2, LONG)]).expect("the session goes on");
    assert_eq!(again.load(number(2)).expect("it is loaded").len(), 6);
}

#[test]
fn a_session_that_begins_again_under_its_number_is_not_the_one_that_goes() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    long_session(&journal, 1);
    journal.write(&[forget(1)]).expect("it is forgotten");
    journal.write(&[begin(1), append(1, 0), append(1, 1)]).expect("another one begins");
    let copy = crashed(&folder.journal(), "crashed");
    assert!(Sqlite::check(&copy).expect("it can be checked").is_whole());
    for journal in [&journal, &open(&copy)] {
        assert_eq!(journal.load(number(1)).expect("it is loaded").len(), 2);
        assert_eq!(journal.load_prefix(number(1)).expect("it is loaded").len(), 2);
        while journal.rest() {}
        assert_eq!(journal.load(number(1)).expect("it is loaded").len(), 2);
    }
    assert_eq!(rows(&copy), 2);
}

#[test]
fn a_journal_from_before_there_were_pieces_is_read_as_it_is() {
    let folder = Folder::new();
    drop(open(&folder.journal()));
    let conn = Connection::open(folder.journal()).expect("the file opens");
    conn.execute_batch("DROP TABLE removed").expect("it was not there");
    drop(conn);
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
    assert!(Sqlite::open_to_read(folder.journal()).expect("it opens").list(0, 9).is_ok());
    long_session(&open(&folder.journal()), 1);
}
