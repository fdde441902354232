//! What only SQLite's journal can meet: damage, full disks, crashes, files beside it.

mod misled;
mod packing;
mod panics;
mod removing;
mod room;
mod wal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, Params};

use super::beside::beside;
use super::{Access, Sqlite};
use crate::journal::Export;
use crate::journal::store::{Change, Chunk, Fault, Head, State, Store, StoreError};

/// A folder of one test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("continuity-sqlite-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn open(path: &Path) -> Sqlite {
    Sqlite::open(path).expect("the journal opens")
}

/// What it says when it refuses to open.
fn refused(path: &Path) -> String {
    Sqlite::open(path).expect_err("it does not open").to_string()
}

fn number(n: u64) -> u64 {
    1 << 32 | n
}

fn begin(n: u64) -> Change {
    Change::Begin { session: number(n), visitor: [7; 16], label: n, flow: String::new() }
}

fn chunk(n: u64, first: u64, bytes: usize) -> Chunk {
    let (at, what) = (1_700_000_000_000, "GET /".to_owned());
    Chunk { session: number(n), first, count: 1, at, what, entries: vec![b'e'; bytes] }
}

fn append(n: u64, first: u64) -> Change {
    Change::Append(chunk(n, first, 300))
}

/// Sessions 1 to `sessions`, each with so many chunks of one entry.
fn fill(journal: &Sqlite, sessions: u64, chunks: u64) {
    journal.write(&(1..=sessions).map(begin).collect::<Vec<_>>()).expect("sessions begin");
    for first in 0..chunks {
        let changes: Vec<_> = (1..=sessions).map(|n| append(n, first)).collect();
        journal.write(&changes).expect("chunks are appended");
    }
}

/// Copies what is on the disk now: what a crash leaves.
fn crashed(from: &Path, name: &str) -> PathBuf {
    let to = from.with_file_name(name);
    for ending in ["", ".key", ".marks", "-wal"] {
        fs::copy(beside(from, ending), beside(&to, ending)).expect("a copy of the file");
    }
    to
}

/// Changes the file as nobody should.
fn tamper(path: &Path, sql: &str, values: impl Params) {
    let conn = Connection::open(path).expect("the file opens");
    assert!(conn.execute(sql, values).expect("the file is changed") > 0, "{sql}");
}

fn entries(journal: &Sqlite, n: u64) -> Option<u64> {
    journal.head(number(n)).expect("the journal is read").map(|head| head.entries)
}

fn fault<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Fault {
    result.expect_err("it fails").fault()
}

#[test]
fn after_a_crash_all_sessions_are_as_far_as_they_were() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 5);
    journal.write(&[Change::Park { session: number(2), due: 9 }, append(2, 5)]).expect("it is written");
    let heads = journal.list(0, 9).expect("sessions are listed");
    let rows = "SELECT sum(entries) FROM sessions";
    let conn = Connection::open(folder.journal()).expect("the file opens");
    let rows: i64 = conn.query_row(rows, [], |row| row.get(0)).expect("rows are there");
    assert_eq!(rows, 5, "only who was parked has a row that is up to date");
    let again = open(&crashed(&folder.journal(), "crashed"));
    assert_eq!(again.list(0, 9).expect("sessions are listed"), heads);
    again.write(&[append(1, 5), append(2, 6)]).expect("sessions go on");
    assert_eq!(again.load(number(2)).expect("it is loaded").len(), 7);
}

#[test]
fn a_journal_that_is_dropped_has_all_its_rows_right() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 5);
    drop(journal);
    assert!(!beside(&folder.journal(), "-wal").exists(), "all is in one file");
    let conn = Connection::open(folder.journal()).expect("the file opens");
    let sql = "SELECT sum(entries), (SELECT value FROM meta WHERE name = 'indexed') FROM sessions";
    let found: (i64, i64) = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    assert_eq!(found, (15, 15));
}

#[test]
fn rows_follow_by_and_by() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 300, 5);
    let before = journal.list(0, 999).expect("sessions are listed");
    let old = || journal.heads.read().expect("nobody panics").all().len();
    assert_eq!(old(), 300);
    journal.heads.write().expect("nobody panics").age();
    journal.write(&[append(1, 5)]).expect("it is written");
    assert_eq!(old(), 300 - 66, "some with each write: the oldest");
    (0..4).for_each(|_| journal.write(&[]).expect("it is written"));
    assert_eq!(old(), 0);
    assert_eq!(journal.list(0, 999).expect("sessions are listed")[1..], before[1..]);
    fill_more(&journal);
    let again = open(&crashed(&folder.journal(), "crashed"));
    let all = journal.list(0, 999).expect("sessions are listed");
    assert_eq!(again.list(0, 999).expect("sessions are listed"), all);
    let noted = "SELECT value FROM meta WHERE name = 'indexed'";
    let conn = Connection::open(folder.journal()).expect("the file opens");
    let noted: i64 = conn.query_row(noted, [], |row| row.get(0)).expect("a number");
    assert_eq!(noted, 1501, "what is read at the next start begins behind it");
}

/// Two sessions of 300 go on.
fn fill_more(journal: &Sqlite) {
    journal.write(&[append(2, 5), append(300, 5)]).expect("it is written");
    journal.write(&[append(2, 6)]).expect("it is written");
}

#[test]
fn a_second_server_is_refused_and_a_reader_is_not() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 2, 1);
    assert!(refused(&folder.journal()).contains("is open in another server: stop that one first"));
    let reader = Sqlite::open_to_read(folder.journal()).expect("it opens to be read");
    assert_eq!(reader.opened().epoch, 1, "who reads counts no opening");
    for first in 1..4 {
        journal.write(&[append(1, first)]).expect("it is written");
        assert_eq!(entries(&reader, 1), Some(first + 1), "who reads keeps up");
    }
    assert_eq!(reader.load(number(1)).ok(), journal.load(number(1)).ok());
    journal.write(&[Change::Forget { session: number(2) }]).expect("it is written");
    assert_eq!(entries(&reader, 2), None);
    assert_eq!(fault(reader.write(&[append(1, 4)])), Fault::Failed);
    drop((journal, reader));
    assert_eq!(open(&folder.journal()).opened().epoch, 2);
}

#[test]
fn the_secret_is_made_once_and_its_loss_is_noticed() {
    let folder = Folder::new();
    let key = beside(&folder.journal(), ".key");
    let secret = open(&folder.journal()).opened().secret.expect("a secret");
    let text = fs::read_to_string(&key).expect("the file is there");
    assert_eq!(text, format!("{}\n", const_hex::encode(secret)));
    assert_eq!(open(&folder.journal()).opened().secret, Some(secret));
    fs::write(&key, "no secret").expect("the file is changed");
    assert!(refused(&folder.journal()).contains("is not 64 hexadecimal digits"));
    fs::remove_file(&key).expect("the file goes");
    assert!(refused(&folder.journal()).contains("restore it from the backup"));
    assert!(!key.exists(), "no other secret is made in its place");
}

#[cfg(unix)]
#[test]
fn the_secret_and_the_journal_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    drop(open(&folder.journal()));
    for ending in ["", ".key", ".lock", ".marks"] {
        let found = fs::metadata(beside(&folder.journal(), ending)).expect("the file is there");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{ending}");
    }
    let key = beside(&folder.journal(), ".key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("the mode is changed");
    assert!(refused(&folder.journal()).contains(&format!("chmod 600 {}", key.display())));
}

#[test]
fn what_is_no_journal_of_ours_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.journal();
    drop(open(&path));
    let set =
        |what: &str| Connection::open(&path).and_then(|conn| conn.execute_batch(what)).expect("it is set");
    set("PRAGMA user_version = 2");
    assert!(refused(&path).contains("a newer version of continuity"));
    set("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert!(refused(&path).contains("another program's database"));
    set("PRAGMA application_id = 1129605740");
    assert_eq!(open(&path).opened().epoch, 2, "it was not changed when it was refused");
    let text = "no database at all ".repeat(99);
    fs::write(&path, &text).expect("the file is changed");
    assert!(refused(&path).contains("continuity journal check"));
    assert_eq!(fs::read_to_string(&path).expect("the file is there"), text);
    assert!(Sqlite::check(&path).expect_err("no journal").to_string().contains("restore it from a backup"));
    assert!(Sqlite::open_to_read(folder.0.join("nothing")).is_err());
}

#[test]
fn a_flipped_byte_damages_its_session_alone() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 4);
    drop(journal);
    let flip =
        "UPDATE steps SET entries = CAST(substr(entries, 1, 99) || 'x' || substr(entries, 101) AS BLOB)";
    tamper(&folder.journal(), &format!("{flip} WHERE session = ?1 AND first = 2"), [number(2).cast_signed()]);
    let journal = open(&folder.journal());
    assert_eq!(fault(journal.load(number(2))), Fault::Damaged);
    assert_eq!(journal.load_prefix(number(2)).expect("it is read").len(), 2);
    for n in [1, 3] {
        assert_eq!(journal.load(number(n)).expect("it is loaded").len(), 4);
        assert_eq!(journal.load_prefix(number(n)).expect("it is loaded").len(), 4);
    }
    let report = Sqlite::check(folder.journal()).expect("it can be checked");
    let [damaged] = &report.damaged[..] else { panic!("one is damaged: {report}") };
    assert_eq!((damaged.session, damaged.chunks, damaged.entries), (number(2), 2, 2));
    assert_eq!((report.sessions, report.chunks, report.faults.len()), (3, 12, 0), "{report}");
    assert!(report.to_string().contains("2 chunks, up to entry 2, can be saved"));
    journal
        .write(&[Change::End { session: number(2), state: State::Quarantined, due: 5 }])
        .expect("put aside");
    journal.write(&[Change::Forget { session: number(2) }]).expect("it is forgotten");
    drop(journal);
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
}

/// Ways to change the first chunks of session 1 in a journal of two sessions with three chunks each.
const CHANGES: [&str; 13] = [
    "UPDATE steps SET at = at + 1 WHERE id = 3",
    "UPDATE steps SET what = 'GET /x' WHERE id = 3",
    "UPDATE steps SET what = CAST(x'ff' AS TEXT) WHERE id = 3",
    "UPDATE steps SET entries = 5 WHERE id = 3",
    "UPDATE steps SET chain = chain + 1 WHERE id = 5",
    "UPDATE steps SET count = 2, first = 0 WHERE id = 3",
    "UPDATE steps SET prev = 0 WHERE id = 3",
    "UPDATE steps SET prev = 2 WHERE id = 3",
    "UPDATE steps SET prev = 5 WHERE id = 3",
    "UPDATE steps SET session = session + 1 WHERE id = 3",
    "UPDATE steps SET id = 99 WHERE id = 3",
    "DELETE FROM steps WHERE id = 1",
    "DELETE FROM steps WHERE id = 5",
];

#[test]
fn whatever_is_changed_in_a_chunk_is_noticed() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 2, 3);
    drop(journal);
    for (number_of, change) in CHANGES.into_iter().enumerate() {
        let copy = folder.0.join(format!("copy{number_of}"));
        for ending in ["", ".key"] {
            fs::copy(beside(&folder.journal(), ending), beside(&copy, ending)).expect("a copy");
        }
        tamper(&copy, change, []);
        let journal = open(&copy);
        assert_eq!(fault(journal.load(number(1))), Fault::Damaged, "{change}");
        let report = Sqlite::check(&copy).expect("it can be checked");
        assert!(report.damaged.iter().any(|damaged| damaged.session == number(1)), "{change}: {report}");
        assert!(journal.load(number(2)).is_ok(), "{change}");
    }
}

#[test]
fn a_changed_row_of_a_session_is_damage_and_hides_no_other() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 2);
    let park = |n| Change::Park { session: number(n), due: 1 };
    journal.write(&[park(1), park(2), park(3)]).expect("they are parked");
    drop(journal);
    tamper(&folder.journal(), "UPDATE sessions SET deaths = 9 WHERE id = ?1", [number(2).cast_signed()]);
    let journal = open(&folder.journal());
    assert_eq!(fault(journal.find(&[7; 16], 2)), Fault::Damaged);
    assert_eq!(fault(journal.head(number(2))), Fault::Damaged);
    assert_eq!(fault(journal.list(0, 9)), Fault::Damaged);
    assert_eq!(fault(journal.write(&[append(2, 2)])), Fault::Damaged);
    let due = journal.due(1, 0, 9).expect("what is due is found");
    assert_eq!(due.iter().map(|head| head.session).collect::<Vec<_>>(), [number(1), number(3)]);
    assert!(journal.find(&[7; 16], 1).expect("it is found").known);
    assert_eq!(journal.load_prefix(number(2)).expect("it is read").len(), 2);
    let report = Sqlite::check(folder.journal()).expect("it can be checked");
    assert_eq!((report.damaged[0].session, report.damaged[0].chunks), (number(2), 2), "{report}");
    journal
        .write(&[Change::End { session: number(2), state: State::Quarantined, due: 7 }])
        .expect("put aside");
    let head = journal.head(number(2)).expect("it is read").expect("it is there");
    assert_eq!((head.state, head.entries), (State::Quarantined, 2));
}

/// Leaves room for so many pages more.
fn leave_room(journal: &Sqlite, pages: i64) {
    let Access::Write { writer, .. } = &journal.access else { panic!("it was opened to be written") };
    let writer = writer.lock().expect("nobody panics");
    let count: i64 = writer.conn().query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
    let most = count + pages;
    let set = format!("PRAGMA max_page_count = {most}");
    let set: i64 = writer.conn().query_row(&set, [], |row| row.get(0)).expect("it is set");
    assert_eq!(set, most);
}

#[test]
fn a_full_disk_leaves_nothing_half_done_and_passes() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 2, 2);
    leave_room(&journal, 5);
    let before = journal.list(0, 9).expect("sessions are listed");
    let large = [append(1, 2), begin(3), Change::Append(chunk(2, 2, 100_000))];
    assert_eq!(fault(journal.write(&large)), Fault::Full);
    assert_eq!(journal.list(0, 9).expect("sessions are listed"), before);
    journal.write(&[append(1, 2)]).expect("what is small enough is written");
    assert_eq!(entries(&journal, 1), Some(3));
    leave_room(&journal, 99);
    journal.write(&large[1..]).expect("there is room again");
    drop(journal);
    assert!(Sqlite::check(folder.journal()).expect("it can be checked").is_whole());
}

#[test]
fn a_store_that_stopped_takes_nothing_more_until_it_is_opened_again() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 1, 2);
    let Access::Write { writer, .. } = &journal.access else { panic!("it was opened to be written") };
    writer.lock().expect("nobody panics").stop();
    assert_eq!(fault(journal.write(&[append(1, 2)])), Fault::Stopped);
    assert_eq!(fault(journal.load(number(1))), Fault::Stopped, "what is there is not known");
    drop(journal);
    open(&folder.journal()).write(&[append(1, 2)]).expect("it goes on");
}

#[test]
fn a_backup_is_a_journal_of_its_own() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 3, 4);
    journal.write(&[Change::Trim { session: number(1), before: 2 }]).expect("it is trimmed");
    let to = folder.0.join("copy");
    journal.backup(&to).expect("it is copied");
    let overwrites = journal.backup(&to).expect_err("nothing is overwritten").to_string();
    assert!(overwrites.contains("is there already"), "{overwrites}");
    let heads: Vec<Head> = journal.list(0, 9).expect("sessions are listed");
    let copy = open(&to);
    assert_eq!(copy.list(0, 9).expect("sessions are listed"), heads);
    let (ours, theirs) = (journal.opened(), copy.opened());
    assert_eq!((ours.journal, ours.secret), (theirs.journal, theirs.secret));
    assert!(Sqlite::check(&to).expect("it can be checked").is_whole());
    assert!(!beside(&to, ".part").exists());
}

#[test]
fn numbers_of_64_bits_keep_their_order() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    let numbers = [1, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
    for session in numbers.into_iter().rev() {
        let begin = Change::Begin { session, visitor: [1; 16], label: 1 << 63, flow: String::new() };
        journal.write(&[begin]).expect("it begins");
    }
    let listed = |after, limit| -> Vec<u64> {
        journal.list(after, limit).expect("they are listed").iter().map(|head| head.session).collect()
    };
    assert_eq!(listed(0, 99), numbers);
    for (place, after) in numbers.into_iter().enumerate() {
        assert_eq!(listed(after, 2), numbers[place + 1..].iter().copied().take(2).collect::<Vec<_>>());
    }
    let found = journal.find(&[1; 16], 1 << 63).expect("it is found").session;
    assert_eq!(found.map(|head| head.session), Some(u64::MAX));
    drop(journal);
    assert_eq!(open(&folder.journal()).opened().clock, u32::MAX);
}

/// Takes a minute without optimizations.
#[test]
#[ignore = "makes a journal of 500 MB"]
fn a_journal_with_a_million_sessions_opens_in_two_seconds() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    for from in (1..=1_000_000_u64).step_by(5000) {
        let changes: Vec<_> = (from..from + 5000).flat_map(|n| [begin_of_another(n), append(n, 0)]).collect();
        journal.write(&changes).expect("they begin");
    }
    let copy = crashed(&folder.journal(), "crashed");
    drop(journal);
    for path in [folder.journal(), copy] {
        let begun = std::time::Instant::now();
        let journal = open(&path);
        let took = begun.elapsed();
        assert!(took.as_secs() < 2, "{}: {took:?}", path.display());
        assert_eq!(entries(&journal, 1_000_000), Some(1));
    }
}

fn begin_of_another(n: u64) -> Change {
    let mut visitor = [0; 16];
    visitor[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    Change::Begin { session: number(n), visitor, label: 1, flow: String::new() }
}

#[test]
fn a_journal_with_anothers_secret_is_refused() {
    let folder = Folder::new();
    drop(open(&folder.journal()));
    let key = beside(&folder.journal(), ".key");
    let mut secret = fs::read(&key).expect("it is there");
    secret[7] = if secret[7] == b'0' { b'1' } else { b'0' };
    fs::write(&key, secret).expect("it is written");
    assert!(refused(&folder.journal()).contains("is not the secret of the journal"));
}

#[test]
fn a_journal_that_is_gone_or_empty_is_not_begun_anew() {
    let folder = Folder::new();
    let journal = open(&folder.journal());
    fill(&journal, 1, 1);
    let crashed = crashed(&folder.journal(), "crashed");
    fs::write(&crashed, []).expect("it is written");
    assert!(refused(&crashed).contains("is gone or empty"));
    assert!(beside(&crashed, "-wal").exists(), "what is left is left");
    fs::remove_file(&crashed).expect("it is there");
    assert!(refused(&crashed).contains("is gone or empty"));
}

#[test]
fn what_is_whole_is_saved_as_it_was() {
    let folder = Folder::new();
    let (journal, saved) = (open(&folder.journal()), folder.0.join("saved"));
    fill(&journal, 3, 4);
    let (session, due) = (number(2), 99);
    journal.write(&[Change::Trim { session, before: 2 }, Change::Park { session, due }]).expect("written");
    let end = Change::End { session: number(3), state: State::Ended, due };
    journal.write(&[end, Change::Sleep { session: number(1), wake: Some(7) }]).expect("written");
    assert!(Sqlite::save(folder.journal(), &saved).expect("it is saved").is_whole());
    let refused = Sqlite::save(folder.journal(), &saved).expect_err("nothing is overwritten").to_string();
    assert!(refused.contains("is there already"), "{refused}");
    let copy = open(&saved);
    assert!(Sqlite::check(&saved).expect("it is checked").is_whole());
    assert_eq!(copy.list(0, 9).expect("listed"), journal.list(0, 9).expect("listed"));
    for n in 1..=3 {
        assert_eq!(copy.load(number(n)).expect("it is there"), journal.load(number(n)).expect("it is there"));
    }
    let (old, new) = (journal.opened(), copy.opened());
    assert_eq!((old.journal, old.secret), (new.journal, new.secret));
    assert!(new.epoch > old.epoch && new.clock > old.clock);
}

#[test]
fn what_is_exported_is_imported_also_where_its_beginning_was_trimmed() {
    let (folder, other) = (Folder::new(), Folder::new());
    let (journal, into) = (open(&folder.journal()), open(&other.journal()));
    fill(&journal, 1, 4);
    journal.write(&[Change::Trim { session: number(1), before: 2 }]).expect("it is trimmed");
    let export = Export::of(&journal, number(1)).expect("it is there");
    let numbers = [export.import(&into), export.import(&into)].map(|done| done.expect("it is imported")[0]);
    assert_ne!(numbers[0], numbers[1]);
    for session in numbers {
        let there: Vec<_> = journal.load(number(1)).expect("it is there");
        let there: Vec<_> = there.into_iter().map(|chunk| Chunk { session, ..chunk }).collect();
        assert_eq!(into.load(session).expect("it is there"), there);
    }
    assert!(Sqlite::check(other.journal()).expect("it is checked").is_whole());
}
