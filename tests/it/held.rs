//! A journal whose writes wait until a test lets them go on, and fail if it says so: what comes meanwhile comes while a
//! step is on its way to the disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use continuity::journal::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, SLOTS, State, Store, StoreError, Visitor,
};

/// A journal in memory behind a gate. Clones share both.
#[derive(Clone, Default)]
pub struct Held {
    store: Memory,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    waiting: bool,
    /// Writes that fail, from the next one on.
    failing: usize,
}

impl Held {
    /// The writes that come from now on wait.
    pub fn hold(&self) {
        self.gate().closed = true;
    }

    /// They go on; the first `failing` of them find no room.
    pub fn go_on(&self, failing: usize) {
        let mut gate = self.gate();
        (gate.closed, gate.failing) = (false, failing);
        self.gate.1.notify_all();
    }

    /// Until a write waits.
    pub async fn waits(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.gate().waiting {
            assert!(Instant::now() < end, "nothing is written");
            tokio::task::yield_now().await;
        }
    }

    /// How many sessions are not over.
    pub fn live(&self) -> usize {
        let heads = self.store.list(0, 1_000).expect("it can be read");
        heads.iter().filter(|head| head.state == State::Live).count()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.0.lock().expect("nobody panics here")
    }

    fn pass(&self) -> bool {
        let mut gate = self.gate();
        while gate.closed {
            gate.waiting = true;
            gate = self.gate.1.wait(gate).expect("nobody panics here");
        }
        gate.waiting = false;
        let passes = gate.failing == 0;
        gate.failing = gate.failing.saturating_sub(1);
        passes
    }
}

impl Store for Held {
    fn opened(&self) -> Opened {
        self.store.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        if self.pass() { self.store.write(changes) } else { Err(StoreError::new(Fault::Failed, "it fails now")) }
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.store.find(visitor, label)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.store.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.store.load(session)
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.store.due(now, wall, limit)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.store.list(after, limit)
    }

    fn bytes(&self) -> u64 {
        self.store.bytes()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        assert!(slot < SLOTS);
        self.store.mark(slot, session);
    }
}
