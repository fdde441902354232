//! What keeps journals: all do what the contract says, and the file does what memory does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use continuity::journal::{Change, Chunk, Found, Head, Memory, Opened, State, Store, StoreError, Visitor};
use continuity::test::Browser;
use continuity::test::store::contract;
use continuity::{Server, Sqlite};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::examples::gallery::shelf::counter;
use crate::uploading::Folder;

#[test]
fn memory_keeps_the_contract() {
    let journal = Memory::new();
    contract(|| journal.clone());
}

#[test]
fn sqlite_keeps_the_contract() {
    let folder = Folder::new();
    contract(|| Sqlite::open(folder.path().join("journal")).expect("the journal opens"));
}

/// A store that waits, and notes what only some ask for.
#[derive(Clone)]
struct Watched(Memory, Arc<[AtomicUsize; 2]>);

impl Watched {
    fn note(&self, what: usize) {
        self.1[what].fetch_add(1, Relaxed);
    }

    /// How often sessions were recalled, and it had time for itself.
    fn noted(&self) -> [usize; 2] {
        [0, 1].map(|what| self.1[what].load(Relaxed))
    }
}

impl Store for Watched {
    fn opened(&self) -> Opened {
        self.0.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.0.write(changes)
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.0.find(visitor, label)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.0.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.0.load(session)
    }

    fn recall(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.note(0);
        self.0.recall(session)
    }

    fn rest(&self) -> bool {
        self.note(1);
        false
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.0.due(now, wall, limit)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.0.list(after, limit)
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        self.0.mark(slot, session);
    }
}

#[tokio::test]
async fn a_store_has_time_when_nothing_is_to_be_written_and_is_asked_to_recall_who_comes_back() {
    let store = Watched(Memory::new(), Arc::default());
    let server = || Server::new(counter::counter).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("++").await.shows("Count: 1");
    browser.restart(server()).follow("++").await.shows("Count: 2");
    drop(browser);
    let [recalled, rested] = store.noted();
    assert!(recalled == 1 && rested > 0, "{recalled}, {rested}");
}

/// Something that is done to both.
#[derive(Debug, Clone)]
enum Act {
    /// Each is what, to whom, and with what number.
    Write(Vec<(u8, u64, u32)>),
    Reopen,
    /// What lies on the disk at that moment is opened elsewhere.
    Crash,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let write = vec((0..14_u8, 1..7_u64, 0..30_u32), 1..8).prop_map(Act::Write);
    vec(prop_oneof![12 => write, 1 => Just(Act::Reopen), 1 => Just(Act::Crash)], 1..40)
}

/// Makes changes that fit, mostly, to what is there.
fn changes(memory: &Memory, picks: &[(u8, u64, u32)]) -> Vec<Change> {
    let heads = memory.list(0, usize::MAX).expect("memory is read");
    let mut next: BTreeMap<u64, Option<u64>> =
        heads.iter().map(|head| (head.session, Some(head.entries))).collect();
    let mut changes = Vec::new();
    for (kind, who, n) in picks {
        let session = who << 32 | 1;
        let entries = next.get(&session).copied();
        changes.push(change(*kind, session, *n, entries));
        match changes.last() {
            // What is forgotten comes back in another call at the earliest.
            Some(Change::Forget { .. }) => drop(next.insert(session, None)),
            Some(Change::Begin { .. }) => drop(next.insert(session, Some(0))),
            Some(Change::Append(chunk)) => drop(next.insert(session, Some(chunk.first + chunk.count))),
            _ => {}
        }
    }
    changes
}

/// `entries`: the session's next entry, `None` inside if it was forgotten in this call.
fn change(kind: u8, session: u64, n: u32, entries: Option<Option<u64>>) -> Change {
    let (visitor, label) = ([u8::try_from(n % 3).expect("below 3"); 16], u64::from(n % 2));
    match (kind, entries) {
        (0..=5, None) => Change::Begin { session, visitor, label, flow: format!("/{n}") },
        (0..=5, Some(Some(next))) => {
            // One in 30 is not the next.
            let first = if n == 29 { next + 1 } else { next };
            let (count, entries) = (u64::from(n % 3) + 1, vec![b'x'; (n * n) as usize]);
            Change::Append(Chunk { session, first, count, at: i64::from(n), what: format!("{n}"), entries })
        }
        (6, _) => Change::Park { session, due: n },
        (7, _) => Change::Unpark { session },
        (8, _) => Change::Sleep { session, wake: (!n.is_multiple_of(4)).then_some(i64::from(n)) },
        (9, _) => {
            let state = if n.is_multiple_of(2) { State::Ended } else { State::Quarantined };
            Change::End { session, state, due: n }
        }
        (10, _) => Change::Rename { from: visitor, to: [u8::try_from(n % 5).expect("below 5"); 16] },
        (11, _) => Change::Trim { session, before: u64::from(n) },
        (12, _) if n.is_multiple_of(3) => Change::Forget { session },
        (12, _) => Change::Deaths { session, count: n },
        _ => Change::Clock(n),
    }
}

fn sorted(mut heads: Vec<Head>) -> Vec<Head> {
    heads.sort_by_key(|head| head.session);
    heads
}

/// All that can be asked has the same answers.
fn agree(memory: &Memory, sqlite: &Sqlite) {
    let heads = memory.list(0, usize::MAX).expect("memory is read");
    assert_eq!(sqlite.list(0, usize::MAX).expect("the file is read"), heads);
    for head in &heads {
        assert_eq!(sqlite.head(head.session).expect("the file is read").as_ref(), Some(head));
        let chunks = sqlite.load(head.session).expect("the file is read");
        assert_eq!(chunks, memory.load(head.session).expect("memory is read"));
        let recalled = sqlite.recall(head.session).expect("the file is read");
        let bytes =
            |chunks: &[Chunk]| chunks.iter().flat_map(|chunk| chunk.entries.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&recalled), bytes(&chunks));
    }
    for now in [0, 10, 40] {
        let due = |store: &dyn Store| sorted(store.due(now, i64::from(now), 99).expect("a store is read"));
        assert_eq!(due(sqlite), due(memory));
    }
    for (who, label) in (0..5).flat_map(|who| [([who; 16], 0), ([who; 16], 1)]) {
        let find = |store: &dyn Store| store.find(&who, label).expect("a store is read");
        let (found, expected) = (find(sqlite), find(memory));
        assert_eq!((found.session, found.known), (expected.session, expected.known));
    }
}

/// Copies what is on the disk, as after the loss of power; not the lock.
fn crashed(from: &Path, number: usize) -> PathBuf {
    let to = from.with_file_name(format!("crash{number}"));
    for ending in ["", ".key", ".marks", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        fs::copy(name(from), name(&to)).expect("a copy of the file");
    }
    to
}

/// A session of four steps; whose it is does not matter.
fn begun(session: u64) -> Vec<Change> {
    let begin = Change::Begin { session, visitor: [1; 16], label: session, flow: String::new() };
    let step = |first| change(0, session, 27, Some(Some(first)));
    vec![begin, step(0), step(1), step(2), step(3)]
}

#[test]
#[ignore = "writes 4 GiB"]
fn soak_the_log_stays_within_its_bound_while_sessions_come_back() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let journal = Sqlite::open(&path).expect("the journal opens");
    let first: Vec<u64> = (1..=1_000).map(|n| 1 << 32 | n).collect();
    journal.write(&first.iter().flat_map(|session| begun(*session)).collect::<Vec<_>>()).expect("they begin");
    let (over, recalls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let come_back = || {
        for session in first.iter().cycle().take_while(|_| over.load(Relaxed) == 0) {
            assert_eq!(journal.recall(*session).expect("it is recalled").len(), 4);
            recalls.fetch_add(1, Relaxed);
        }
    };
    let mut longest = 0;
    std::thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(come_back));
        let session = 1 << 32 | 9_999;
        let begin = Change::Begin { session, visitor: [2; 16], label: 1, flow: String::new() };
        journal.write(&[begin]).expect("it begins");
        for first in 0..16_384 {
            let entries = vec![b'x'; 1 << 18];
            let chunk = Chunk { session, first, count: 1, at: 0, what: String::new(), entries };
            journal.write(&[Change::Append(chunk)]).expect("it goes on");
            let log = fs::metadata(format!("{}-wal", path.display())).expect("it is there").len();
            longest = longest.max(log);
        }
        over.store(1, Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("all is read"));
    });
    println!("{} recalls; the log had at most {} MiB", recalls.load(Relaxed), longest >> 20);
    assert!(longest < 48 << 20, "{longest}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_memory_does(acts in acts()) {
        let folder = Folder::new();
        let mut path = folder.path().join("journal");
        let memory = Memory::new();
        let mut clock = memory.opened().clock;
        let mut sqlite = Some(Sqlite::open(&path).expect("the journal opens"));
        for (number, act) in acts.iter().enumerate() {
            if let Act::Write(picks) = act {
                let (changes, sqlite) = (changes(&memory, picks), sqlite.as_ref().expect("it is open"));
                let (one, other) = (sqlite.write(&changes), memory.write(&changes));
                assert_eq!(one.is_ok(), other.is_ok(), "{changes:?}: {one:?}");
            } else {
                if matches!(act, Act::Crash) {
                    path = crashed(&path, number);
                }
                while sqlite.as_ref().is_some_and(Sqlite::rest) {}
                drop(sqlite.take());
                let again = Sqlite::open(&path).expect("the journal opens");
                assert!(again.opened().clock > clock);
                clock = again.opened().clock;
                sqlite = Some(again);
            }
            agree(&memory, sqlite.as_ref().expect("it is open"));
        }
        drop(sqlite.take());
        assert!(Sqlite::check(&path).expect("it can be checked").is_whole());
    }
}
