//! What a journal takes, and what it gives back.

use super::*;

#[test]
fn what_is_forgotten_counts_no_more_and_its_room_is_used_again() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    let fill = |n: u64| {
        let chunks = (0..20).map(|first| Change::Append(chunk(n, first, 100_000)));
        journal.write(&std::iter::once(begin(n)).chain(chunks).collect::<Vec<_>>()).expect("it is written");
    };
    let empty = journal.bytes();
    fill(1);
    journal.make_room();
    let full = journal.bytes();
    assert!(full > empty + 2_000_000, "{full}");
    journal.write(&[Change::Forget { session: number(1) }]).expect("it is forgotten");
    journal.make_room();
    assert!(journal.bytes() < empty + 200_000, "{} of {full} are in use", journal.bytes());
    let file = journal.room().expect("it is measured").file;
    fill(2);
    journal.make_room();
    assert_eq!(journal.room().expect("it is measured").file, file, "the file is as large as it was");
}

#[test]
fn the_log_counts_for_what_the_journal_takes_until_it_is_brought_into_the_file() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    journal.write(&[begin(1), Change::Append(chunk(1, 0, 1_000_000))]).expect("it is written");
    let (with, room) = (journal.bytes(), journal.room().expect("it is measured"));
    assert!(with > room.used + 1_000_000, "{with} {room:?}");
    journal.make_room();
    let room = journal.room().expect("it is measured");
    assert_eq!(journal.bytes(), room.used, "nothing is in the log");
}

#[test]
fn what_a_journal_does_not_use_is_given_back() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 10, 300);
    let forget: Vec<_> = (1..10).map(|n| Change::Forget { session: number(n) }).collect();
    journal.write(&forget).expect("they are forgotten");
    drop(journal);
    let before = fs::metadata(folder.journal()).expect("it is there").len();
    let room = Sqlite::compact(folder.journal()).expect("it is compacted");
    let after = fs::metadata(folder.journal()).expect("it is there").len();
    assert!(after < before / 3, "{before} {after}");
    assert_eq!((room.file, room.free), (after, 0));
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
    let journal = open(&folder.journal());
    assert_eq!(journal.load(number(10)).expect("it is loaded").len(), 300);
    assert!(
        Sqlite::compact(folder.journal()).expect_err("it is in use").to_string().contains("another server")
    );
}

#[test]
fn what_is_kept_of_a_visitor_is_told_also_where_rows_are_old() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 4);
    let end = Change::End { session: number(2), state: State::Ended, due: 9 };
    journal.write(&[end, begin_of_another(8), append(8, 0)]).expect("it is written");
    let share = journal.share(&[7; 16]).expect("it is told");
    assert_eq!((share.live, share.bytes), (vec![number(1), number(3)], 3 * 4 * 300));
    assert_eq!(journal.share(&[5; 16]).expect("it is told"), Default::default(), "a stranger");
}
