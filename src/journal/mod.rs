//! The journal: the record from which a session is rebuilt.
//!
//! [`Server::journal`](crate::Server::journal) switches it on; `docs/journal.md` is the guide. This module is what is below:
//! where a journal is kept ([`Store`], `Sqlite`, [`Memory`]), what is in it, and how it is taken out.
//!
//! Inside: while a session lives its `tape` records what comes in, as `entry`s; `recording` is where verbs meet the tape.
//! Nothing leaves a session before what led to it was written by the `writer`. A session that is not in memory is found
//! and played again by `rebuilding`; `parking` puts those that rest out of memory.

mod entry;
mod export;
#[cfg(any(test, continuity_fuzz))]
pub(crate) mod fuzz;
mod headers;
mod hits;
mod identity;
pub(crate) mod inside;
mod last_page;
mod lookups;
mod parking;
mod reading;
pub(crate) mod rebuilding;
mod record;
pub(crate) mod recording;
#[cfg(feature = "test")]
mod rehearsal;
mod store;
#[cfg(feature = "test")]
mod strict;
pub(crate) mod tape;
pub(crate) mod turning;
mod upgrading;
mod writer;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::UNIX_EPOCH;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher24};
use tokio::sync::Semaphore;

#[cfg(feature = "multipart")]
pub(crate) use entry::FileSent;
pub(crate) use entry::{Blob, Effect, Ending, Outcome, Taken, Verb};
pub use export::Export;
pub(crate) use hits::{SECRET, SecretField};
pub(crate) use identity::{Args, Salt, hash_before};
use lookups::Lookups;
pub use record::{Record, records};
pub use store::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, Recalled, SLOTS, State, Store, StoreError, Visitor,
};
#[cfg(feature = "sqlite")]
pub use store::{CheckReport, DamagedSession, Sqlite};
pub use upgrading::{DivergedSession, Divergence, ReplayCheck};
use writer::Writer;
pub(crate) use writer::{Submission, Then};

use crate::chance::Chance;
use crate::limits::Limits;
use crate::mapper::key::{VisitorId, derive};
use crate::session::Session;

/// Seconds between two notes of how far the journal's life has come, and so what one start skips.
const CLOCK: u32 = 60;

/// A server's journal.
pub(crate) struct Journal {
    pub(crate) store: Arc<dyn Store>,
    /// The journal's own number.
    number: [u8; 16],
    /// The secret beside it.
    secret: Vec<u8>,
    visitors: SipHasher24,
    /// What makes salts, until the process ends.
    salts: SipHasher24,
    /// The second its life had come to when it was opened.
    pub(crate) start: u32,
    /// Sessions during whose rebuilding the process died.
    marked: Vec<u64>,
    /// Tells this program from other builds.
    pub(crate) build: u64,
    /// Parameters that are never written.
    pub(crate) secrets: Vec<String>,
    writer: Writer,
    /// Sessions of the journal that are in memory.
    present: Mutex<HashMap<u64, Weak<Session>>>,
    /// Sessions that hits are looked up for: how many do, and whether it has left memory meanwhile.
    reading: Mutex<HashMap<u64, (u32, bool)>>,
    /// How many have left memory so far.
    left: AtomicU64,
    /// What hits ask the store.
    lookups: Arc<Lookups>,
    /// Sessions that were woken by themselves, and whose visitor's id is not known.
    woken: Mutex<Vec<Arc<Session>>>,
    /// As many sessions as may be rebuilt at once; and where each is noted meanwhile.
    places: Semaphore,
    slots: Mutex<Vec<usize>>,
    /// Hits that wait for a session to be rebuilt.
    recalls: Semaphore,
    /// How often old pages of a visitor were found by replay, since the window began.
    replays: Mutex<HashMap<VisitorId, usize>>,
    clock: AtomicU32,
    /// Somebody looks after those whose time has come.
    tending: AtomicBool,
    /// Sessions of earlier processes were looked at up to this number.
    looked: AtomicU64,
}

impl Journal {
    pub(crate) fn open(store: Arc<dyn Store>, limits: &Limits, chance: &Chance) -> Journal {
        let opened = store.opened();
        let secret = opened.secret.unwrap_or_else(|| chance.bytes()).to_vec();
        Journal {
            number: opened.journal,
            visitors: SipHasher24::new_with_key(&derive(&secret, b"journal visitor")),
            secret,
            salts: SipHasher24::new_with_key(&chance.bytes()),
            start: opened.clock + 2 * CLOCK + 1,
            marked: opened.marked,
            build: build(),
            secrets: Vec::new(),
            writer: Writer::start(store.clone(), limits),
            store,
            present: Mutex::default(),
            reading: Mutex::default(),
            left: AtomicU64::new(0),
            lookups: Arc::default(),
            woken: Mutex::default(),
            places: Semaphore::new(SLOTS),
            slots: Mutex::new((0..SLOTS).collect()),
            recalls: Semaphore::new(limits.rebuilding),
            replays: Mutex::default(),
            clock: AtomicU32::new(0),
            tending: AtomicBool::new(false),
            looked: AtomicU64::new(0),
        }
    }

    /// What ids and tokens are signed with where the program gives no key.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Whom a session belongs to, as the store knows it.
    pub(crate) fn visitor(&self, id: VisitorId) -> Visitor {
        self.visitors.hash(&id.to_bytes()).as_bytes()
    }

    /// The salt of a session that begins: under a key from chance, no number of a session has another one's salt, not even
    /// where a journal went back to a backup and gives the number again.
    pub(crate) fn salt_of(&self, session: u64) -> Salt {
        Salt::new(self.salts.hash(&session.to_le_bytes()).as_bytes())
    }

    /// The key of an effect: the same for every try of the same effect, in no other session, and in no other journal.
    pub(crate) fn key_of(&self, session: u64, salt: Option<Salt>, effect: &Effect) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.number);
        if let Some(salt) = &salt {
            hasher.write(salt.bytes());
        }
        hasher.write_u64(session);
        match &effect.args {
            Args::Before(hash) => hasher.write_u64(*hash),
            Args::Salted(hash) => hasher.write(hash),
        }
        hasher.write_u32(effect.nth);
        hasher.write_u64(effect.since);
        hasher.write(effect.name.as_bytes());
        if !effect.scope.is_empty() {
            // No text has this byte in it: where the name ends is seen.
            hasher.write_u8(0xff);
            hasher.write(effect.scope.as_bytes());
        }
        hasher.finish128().as_u128()
    }

    /// Hands something to the writer. How far the journal's life has come is noted along the way.
    pub(crate) fn submit(&self, mut submission: Submission, now: u32) {
        let noted = self.clock.load(Ordering::Relaxed);
        let due = noted == 0 || now >= noted + CLOCK;
        if due && !submission.changes.is_empty() {
            self.clock.store(now.max(1), Ordering::Relaxed);
            submission.changes.push(Change::Clock(now));
        }
        self.writer.submit(submission);
    }

    /// Waits until all that was submitted so far is written, or could not be.
    pub(crate) async fn barrier(&self) {
        let (then, written) = Then::wake();
        self.writer.submit(Submission { then, ..Submission::default() });
        drop(written.await);
    }

    /// Writes what was submitted, and takes nothing more.
    pub(crate) fn close(&self) {
        self.writer.close();
    }

    fn present(&self) -> MutexGuard<'_, HashMap<u64, Weak<Session>>> {
        self.present.lock().expect("no code panics while it holds the sessions in memory")
    }

    /// The session is in memory from here on.
    pub(crate) fn enter(&self, session: &Arc<Session>) {
        self.present().insert(session.serial, Arc::downgrade(session));
    }

    /// The session is not in memory any more.
    pub(crate) fn leave(&self, session: &Session) {
        let mut present = self.present();
        if present.get(&session.serial).is_some_and(|there| std::ptr::eq(there.as_ptr(), session)) {
            present.remove(&session.serial);
            self.left.fetch_add(1, Ordering::AcqRel);
            // What others have read of it may not be all.
            self.reading().get_mut(&session.serial).into_iter().for_each(|(_, left)| *left = true);
        }
    }

    fn reading(&self) -> MutexGuard<'_, HashMap<u64, (u32, bool)>> {
        self.reading.lock().expect("no code panics while it holds the sessions that are read")
    }
}

/// Tells one build of the program from another: by where it lies, how large it is and when it was made.
fn build() -> u64 {
    let Ok(program) = std::env::current_exe() else { return 1 };
    let mut hasher = SipHasher13::new();
    if let Ok(facts) = program.metadata() {
        hasher.write_u64(facts.len());
        let made = facts.modified().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        hasher.write_u128(made.map_or(0, |made| made.as_nanos()));
    }
    hasher.finish()
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("sessions", &self.present().len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "test"))]
mod tests {
    use super::*;

    fn opened(store: &Memory) -> Journal {
        Journal::open(Arc::new(store.clone()), &Limits::default(), &Chance::default())
    }

    fn effect(args: Args, scope: &str) -> Effect {
        Effect { name: "charge".to_owned(), args, nth: 1, since: 2, scope: scope.to_owned() }
    }

    /// A journal that went back to a backup may give the number of a session that is lost with what came after it.
    #[test]
    fn a_session_that_gets_the_number_of_a_lost_one_has_other_keys() {
        let (store, number) = (Memory::new(), 0x3c_0000_0007);
        let keys = [opened(&store), opened(&store)].map(|journal| {
            let salt = journal.salt_of(number);
            let args = Args::of("a card", Some(salt)).expect("it is written");
            assert!(salt != journal.salt_of(number + 1));
            let key = |salt| journal.key_of(number, salt, &effect(args, ""));
            assert_ne!(key(Some(salt)), key(Some(journal.salt_of(number + 1))), "the salt is in the key");
            key(Some(salt))
        });
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn a_session_from_before_keeps_its_keys() {
        let journal = opened(&Memory::seeded(1));
        for scope in ["", "a/b"] {
            let mut then = SipHasher24::new_with_key(&journal.number);
            then.write(&[7_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat());
            then.write(&1_u32.to_le_bytes());
            then.write(&2_u64.to_le_bytes());
            then.write(b"charge");
            if !scope.is_empty() {
                then.write(b"\xffa/b");
            }
            assert_eq!(journal.key_of(7, None, &effect(Args::Before(9), scope)), then.finish128().as_u128());
        }
    }
}
