//! The journal: the record from which a session is rebuilt.
//!
//! [`Server::journal`](crate::Server::journal) switches it on; `docs/journal.md` is the guide. This module is what is below:
//! where a journal is kept ([`Store`], `Sqlite`, [`Memory`]), what is in it, and how it is taken out.
//!
//! Inside: while a session lives its `tape` records what comes in, as `entry`s; `recording` is where verbs meet the tape.
//! Nothing leaves a session before what led to it was written by the `writer`. A session that is not in memory is found
//! and played again by `rebuilding`; `parking` puts those that rest out of memory.

mod budgets;
mod due;
mod entry;
mod export;
#[cfg(any(test, continuity_fuzz))]
pub(crate) mod fuzz;
mod headers;
mod hits;
pub(crate) mod inside;
mod last_page;
mod lookups;
mod parking;
mod places;
mod reading;
pub(crate) mod rebuilding;
mod record;
pub(crate) mod recording;
#[cfg(feature = "test")]
mod rehearsal;
mod room;
mod scribe;
pub(crate) mod shares;
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
pub(crate) use hits::SECRET;
use lookups::Lookups;
pub use record::{Record, records};
pub use store::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, Recalled, SLOTS, Share, State, Store, StoreError,
    Visitor,
};
#[cfg(feature = "sqlite")]
pub use store::{CheckReport, DamagedSession, Room, Sqlite};
pub use upgrading::{DivergedSession, Divergence, ReplayCheck};
use writer::Writer;
pub(crate) use writer::{Submission, Then};

use crate::limits::Limits;
use crate::mapper::key::{VisitorId, derive, random};
use crate::mapper::reap::seconds;
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
    /// Where sessions are replayed.
    places: places::Places,
    /// Hits that wait for a session to be rebuilt.
    recalls: Semaphore,
    /// What may be done for old pages.
    budgets: budgets::Budgets,
    /// Sessions that are due and were tried.
    tries: Mutex<due::Tries>,
    clock: AtomicU32,
    /// Somebody looks after those whose time has come.
    tending: AtomicBool,
    /// Sessions of earlier processes were looked at up to this number.
    looked: AtomicU64,
    /// What visitors and networks may add.
    shares: shares::Shares,
    /// How long a session that leaves memory may be idle.
    idle: u32,
    /// Sessions that left memory with nothing written of it: when their idle time is over is still to be noted.
    stranded: Mutex<Vec<u64>>,
}

impl Journal {
    pub(crate) fn open(store: Arc<dyn Store>, secrets: Vec<String>, limits: &Limits) -> Journal {
        let opened = store.opened();
        let secret = opened.secret.map_or_else(fresh_secret, |secret| secret.to_vec());
        let start = opened.clock + 2 * CLOCK + 1;
        Journal {
            number: opened.journal,
            visitors: SipHasher24::new_with_key(&derive(&secret, b"journal visitor")),
            secret,
            start,
            marked: opened.marked,
            build: build(),
            secrets,
            writer: Writer::start(store.clone(), limits),
            store,
            present: Mutex::default(),
            reading: Mutex::default(),
            left: AtomicU64::new(0),
            lookups: Arc::default(),
            woken: Mutex::default(),
            places: places::Places::new(),
            recalls: Semaphore::new(limits.rebuilding),
            budgets: budgets::Budgets::new(limits, start),
            tries: Mutex::default(),
            clock: AtomicU32::new(0),
            tending: AtomicBool::new(false),
            looked: AtomicU64::new(0),
            shares: shares::Shares::new(limits, start),
            idle: seconds(limits.idle_journaled),
            stranded: Mutex::default(),
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

    /// The key of an effect: the same for every try of the same effect, in no other journal.
    pub(crate) fn key_of(&self, session: u64, effect: &Effect) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.number);
        hasher.write_u64(session);
        hasher.write_u64(effect.args);
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
        if submission.leaves {
            self.note_idle_end(&mut submission, now);
        }
        if let Some(session) = &submission.session
            && let Some(why) = session.charge(&submission)
        {
            submission.refusal = Some(why);
            return submission.settle(Err(Fault::Full));
        }
        self.writer.submit(submission);
    }

    /// Whoever leaves memory and is not over has an end of their idle time: else they would stay for ever.
    fn note_idle_end(&self, submission: &mut Submission, now: u32) {
        let noted = |change: &Change| matches!(change, Change::Park { .. } | Change::End { .. });
        if let Some(session) = submission.session.as_ref().map(|session| session.serial)
            && !submission.changes.iter().any(noted)
        {
            submission.changes.push(Change::Park { session, due: now.saturating_add(self.idle) });
        }
    }

    /// The session left memory, and nothing of that could be written.
    fn strand(&self, session: u64) {
        self.stranded.lock().expect("no code panics while it holds the stranded sessions").push(session);
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

    fn tries(&self) -> MutexGuard<'_, due::Tries> {
        self.tries.lock().expect("no code panics while it holds the tries")
    }

    fn reading(&self) -> MutexGuard<'_, HashMap<u64, (u32, bool)>> {
        self.reading.lock().expect("no code panics while it holds the sessions that are read")
    }
}

fn fresh_secret() -> Vec<u8> {
    let mut fresh = [0; 32];
    random(&mut fresh);
    fresh.to_vec()
}

/// A hash that is the same in every process.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes)
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
