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

/// Reads a session again and again, so that a look at some moment is always open.
fn keep_looking(journal: &Sqlite, over: &std::sync::atomic::AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        assert_eq!(journal.load(number(1)).expect("it is loaded").len(), 1);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Writes so many MiB while two look, and says how long the log was at most.
fn longest_log(mib: u64) -> u64 {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    journal.write(&[begin(1), append(1, 0), begin(2)]).expect("they begin");
    let (over, mut longest) = (std::sync::atomic::AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let looking = [(); 2].map(|()| scope.spawn(|| keep_looking(&journal, &over)));
        for first in 0..2 * mib {
            journal.write(&[Change::Append(chunk(2, first, 1 << 19))]).expect("it is written");
            let log = fs::metadata(beside(&folder.journal(), "-wal")).expect("it is there").len();
            longest = longest.max(log);
        }
        over.store(true, Ordering::Relaxed);
        looking.into_iter().for_each(|looking| looking.join().expect("all is read"));
    });
    journal.make_room();
    assert_eq!(journal.bytes(), journal.room().expect("it is measured").used, "nothing is left in the log");
    longest
}

#[test]
fn the_log_stays_within_its_bound_while_somebody_always_reads() {
    let longest = longest_log(120);
    assert!(longest < 48 << 20, "120 MiB were written, and the log had {longest} bytes");
}

#[test]
fn a_log_that_another_program_keeps_long_counts_and_is_short_again_when_it_is_done() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    journal.write(&[begin(1), append(1, 0)]).expect("it begins");
    let other = Connection::open(folder.journal()).expect("the file opens");
    other.execute_batch("BEGIN; SELECT count(*) FROM steps").expect("it looks, and goes on looking");
    for first in 1..80 {
        journal.write(&[Change::Append(chunk(1, first, 1 << 20))]).expect("nobody waits for it");
    }
    let used = journal.room().expect("it is measured").used;
    assert!(journal.bytes() > used + (78 << 20), "{} {used}", journal.bytes());
    drop(other);
    journal.make_room();
    assert_eq!(journal.bytes(), journal.room().expect("it is measured").used);
    journal.write(&[append(1, 80)]).expect("it goes on");
    let log = fs::metadata(beside(&folder.journal(), "-wal")).expect("it is there").len();
    assert!(log <= 64 << 20, "{log}: it is cut off");
}
