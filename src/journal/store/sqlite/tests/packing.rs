//! Copies of what parked sessions are rebuilt from: right, or not used.

use super::*;

fn park(n: u64) -> Change {
    Change::Park { session: number(n), due: 9 }
}

fn pack(journal: &Sqlite) {
    while journal.rest() {}
}

/// Session 1 of two, parked and packed with 20 chunks.
fn packed(folder: &Folder) -> Sqlite {
    let journal = open(&folder.journal());
    fill(&journal, 2, 20);
    journal.write(&[park(1)]).expect("it is parked");
    pack(&journal);
    journal
}

/// What session 1 is rebuilt from, in how many chunks; all of it.
fn recalled(journal: &Sqlite) -> usize {
    let bytes = |chunks: &[Chunk]| chunks.iter().flat_map(|chunk| chunk.entries.clone()).collect::<Vec<_>>();
    let ends = |chunks: &[Chunk]| {
        let last = chunks.last().map(|chunk| chunk.first + chunk.count);
        (chunks.first().map(|chunk| chunk.first), last)
    };
    let recalled = journal.recall(number(1)).expect("it is recalled");
    let loaded = journal.load(number(1)).expect("it is loaded");
    assert_eq!((bytes(&recalled), ends(&recalled)), (bytes(&loaded), ends(&loaded)));
    recalled.len()
}

fn copies(path: &Path) -> i64 {
    let conn = Connection::open(path).expect("the file opens");
    conn.query_row("SELECT count(*) FROM packed", [], |row| row.get(0)).expect("they are counted")
}

#[test]
fn a_session_that_is_parked_is_packed_and_goes_on_from_there() {
    let folder = Folder::new();
    let journal = packed(&folder);
    assert_eq!(recalled(&journal), 1);
    assert_eq!(journal.recall(number(2)).expect("it is recalled").len(), 20, "it is in memory");
    journal.write(&[append(1, 20), append(1, 21)]).expect("it goes on");
    assert_eq!(recalled(&journal), 3);
    drop(journal);
    assert_eq!(recalled(&open(&folder.journal())), 3);
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
}

#[test]
fn a_copy_is_made_anew_when_a_quarter_of_it_has_come() {
    let folder = Folder::new();
    let journal = packed(&folder);
    let mut anew = Vec::new();
    for first in 20..100 {
        journal.write(&[append(1, first), park(1)]).expect("it goes on");
        pack(&journal);
        if recalled(&journal) == 1 {
            anew.push(first + 1);
        }
    }
    assert_eq!(anew, [36, 52, 68, 85], "and not for fewer than 16");
}

#[test]
fn a_copy_that_is_not_what_was_written_counts_for_nothing() {
    let folder = Folder::new();
    drop(packed(&folder));
    for change in [
        "first = first + 1",
        "next = next - 1",
        "last = last - 2",
        "chain = chain + 1",
        "sum = sum + 1",
        "entries = x'00'",
        "entries = 'text'",
        "session = 4294967298",
    ] {
        let copy = folder.0.join(change.replace(|c: char| !c.is_alphanumeric(), ""));
        for ending in ["", ".key"] {
            fs::copy(beside(&folder.journal(), ending), beside(&copy, ending)).expect("a copy");
        }
        tamper(&copy, &format!("UPDATE packed SET {change}"), []);
        let journal = open(&copy);
        assert_eq!(recalled(&journal), 20, "{change}");
        assert_eq!(journal.recall(number(2)).expect("it is recalled").len(), 20, "{change}");
        assert!(Sqlite::check(&copy).expect("it can be checked").is_whole(), "{change}");
    }
}

#[test]
fn a_good_copy_brings_a_session_back_whose_chain_is_damaged() {
    let folder = Folder::new();
    drop(packed(&folder));
    tamper(&folder.journal(), "UPDATE steps SET entries = x'00' WHERE id = 3", []);
    let journal = open(&folder.journal());
    assert_eq!(journal.recall(number(1)).expect("it is recalled").len(), 1);
    assert_eq!(fault(journal.load(number(1))), Fault::Damaged);
    let report = Sqlite::check(folder.journal()).expect("it can be checked");
    assert_eq!((report.damaged[0].session, report.damaged[0].chunks), (number(1), 1), "{report}");
    drop(journal);
    // What came after the copy is not in it.
    tamper(&folder.journal(), "UPDATE steps SET entries = ?1 WHERE id = 3", [vec![b'e'; 300]]);
    let journal = open(&folder.journal());
    journal.write(&[append(1, 20), append(1, 21)]).expect("it goes on");
    drop(journal);
    tamper(&folder.journal(), "UPDATE steps SET entries = x'00' WHERE first = 20", []);
    assert_eq!(fault(open(&folder.journal()).recall(number(1))), Fault::Damaged);
}

#[test]
fn what_is_trimmed_over_or_forgotten_has_no_copy() {
    let ends = [
        Change::Trim { session: number(1), before: 5 },
        Change::End { session: number(1), state: State::Ended, due: 5 },
        Change::Forget { session: number(1) },
    ];
    for end in ends {
        let folder = Folder::new();
        let journal = packed(&folder);
        assert_eq!(copies(&folder.journal()), 1);
        journal.write(std::slice::from_ref(&end)).expect("it is written");
        assert_eq!(copies(&folder.journal()), 0, "{end:?}");
        if let Change::Trim { .. } = end {
            assert_eq!(recalled(&journal), 15);
        }
    }
}

/// As it happens where the chunks of what is damaged are not found, and with programs of before.
#[test]
fn whoever_deletes_rows_deletes_the_copy() {
    for delete in ["DELETE FROM sessions WHERE id = 4294967297", "DELETE FROM steps WHERE id = 1"] {
        let folder = Folder::new();
        drop(packed(&folder));
        tamper(&folder.journal(), delete, []);
        assert_eq!(copies(&folder.journal()), 0, "{delete}");
    }
}

#[test]
fn a_journal_from_before_there_were_copies_is_read_and_gets_them() {
    let folder = Folder::new();
    drop(packed(&folder));
    let conn = Connection::open(folder.journal()).expect("the file opens");
    let before = "DROP TRIGGER packed_trimmed; DROP TRIGGER packed_forgotten; DROP TABLE packed;";
    conn.execute_batch(before).expect("it is as it was");
    drop(conn);
    assert_eq!(recalled(&Sqlite::open_to_read(folder.journal()).expect("it opens to be read")), 20);
    let journal = open(&folder.journal());
    assert_eq!(recalled(&journal), 20);
    journal.write(&[park(1)]).expect("it is parked");
    pack(&journal);
    drop(journal);
    assert_eq!(recalled(&open(&folder.journal())), 1);
}

#[test]
fn what_is_damaged_or_has_no_room_is_not_packed_and_hinders_nobody() {
    let folder = Folder::new();
    drop(packed(&folder));
    tamper(&folder.journal(), "DELETE FROM packed", []);
    tamper(&folder.journal(), "UPDATE steps SET entries = x'00' WHERE id = 4", []);
    let journal = open(&folder.journal());
    journal.write(&[park(2), park(1)]).expect("they are parked");
    pack(&journal);
    assert_eq!((recalled(&journal), copies(&folder.journal())), (1, 1));
    fill_one(&journal, 3);
    let small = journal.write(&[park(3)]);
    assert!(small.is_ok(), "{small:?}");
    pack(&journal);
    assert_eq!(journal.recall(number(3)).expect("it is recalled").len(), 20, "there was no room");
    journal.write(&[append(3, 20)]).expect("it is written");
}

/// A session whose copy needs more room than it does.
fn fill_one(journal: &Sqlite, n: u64) {
    leave_room(journal, 99);
    journal.write(&[begin(n)]).expect("it begins");
    for first in 0..20 {
        journal.write(&[Change::Append(chunk(n, first, 2_000))]).expect("a chunk is appended");
    }
    leave_room(journal, 3);
}
