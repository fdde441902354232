//! Whoever writes may panic: what was not committed did not happen, and the next one goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

#[test]
fn a_write_that_panics_did_not_happen_and_the_next_one_does() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 2, 2);
    let before = journal.list(0, 9).expect("sessions are listed");
    let Access::Write { writer, .. } = &journal.access else { panic!("it was opened to be written") };
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let writer = writer.lock().expect("nobody panics");
        writer.conn().execute_batch("BEGIN IMMEDIATE; DELETE FROM sessions").expect("half of something");
        panic!("in the middle of a write: this is a test");
    }));
    assert!(panicked.is_err());
    journal.write(&[append(1, 2)]).expect("the next one goes on");
    assert_eq!(entries(&journal, 1), Some(3));
    assert_eq!(journal.head(number(2)).expect("it is read").as_ref(), Some(&before[1]));
    drop(journal);
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
}

#[test]
fn after_a_panic_in_a_commit_nothing_is_taken_until_the_next_start() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 1, 2);
    let Access::Write { writer, .. } = &journal.access else { panic!("it was opened to be written") };
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut writer = writer.lock().expect("nobody panics");
        writer.begins_to_commit();
        panic!("in a commit: this is a test");
    }));
    assert!(panicked.is_err());
    assert_eq!(fault(journal.write(&[append(1, 2)])), Fault::Stopped);
    assert_eq!(fault(journal.load(number(1))), Fault::Stopped, "what is there is not known");
    drop(journal);
    open(&folder.journal()).write(&[append(1, 2)]).expect("it goes on");
}
