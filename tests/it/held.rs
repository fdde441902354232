//! A journal whose writes wait until a test lets them go on, and fail if it says so: what comes meanwhile comes while a
//! step is on its way to the disk.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use continuity::journal::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, SLOTS, State, Store, StoreError, Visitor,
};

const PATIENCE: Duration = Duration::from_secs(20);

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
    /// Which of the steps fail that come after the gate was closed, and how many came.
    failing: Range<usize>,
    steps: usize,
    /// The steps that were tried, and whether they fail: those that were tried together may come again, each alone.
    tried: Vec<(Chunk, bool)>,
}

impl Held {
    /// The writes that come from now on wait.
    pub fn hold(&self) {
        let mut gate = self.gate();
        (gate.closed, gate.steps) = (true, 0);
    }

    /// They go on; these of their steps fail.
    pub fn go_on(&self, failing: Range<usize>) {
        let mut gate = self.gate();
        (gate.closed, gate.failing) = (false, failing);
        self.gate.1.notify_all();
    }

    /// Until a write waits.
    pub async fn waits(&self) {
        let end = Instant::now() + PATIENCE;
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

    /// Waits at the gate.
    fn wait(&self) -> MutexGuard<'_, Gate> {
        let mut gate = self.gate();
        while gate.closed {
            gate.waiting = true;
            let (waited, late) = self.gate.1.wait_timeout(gate, PATIENCE).expect("nobody panics here");
            gate = waited;
            // The test has failed, and its server waits for this.
            gate.closed &= !late.timed_out();
        }
        gate.waiting = false;
        gate
    }
}

impl Gate {
    /// Whether a step is written.
    fn pass(&mut self, step: &Chunk) -> bool {
        if let Some((_, fails)) = self.tried.iter().find(|(tried, _)| tried == step) {
            return !fails;
        }
        let fails = self.failing.contains(&self.steps);
        self.steps += 1;
        self.tried.push((step.clone(), fails));
        !fails
    }
}

impl Store for Held {
    fn opened(&self) -> Opened {
        self.store.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        let step = |change| if let &Change::Append(ref chunk) = change { Some(chunk) } else { None };
        let mut gate = self.wait();
        let failing = changes.iter().filter_map(step).filter(|step| !gate.pass(step)).count();
        if failing > 0 {
            return Err(StoreError::new(Fault::Failed, "it was told to fail"));
        }
        self.store.write(changes)
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
