//! How long clients may take, kept by one sweep over all connections of a listener: no connection has a timer.
//!
//! A connection writes down what it waits for and since when; the sweep finds what has taken too long, leaves an order
//! and wakes the connection's task. It is that task that acts, for only it knows what has happened meanwhile. Times are
//! as exact as the sweep is often.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest time between two sweeps.
const PERIOD: Duration = Duration::from_millis(500);
/// How long a connection is unused before it gives back what it read into.
const REST: Duration = Duration::from_secs(2);

/// How long what may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// For what comes before HTTP.
    pub(crate) handshake: Duration,
    /// Until the first byte.
    pub(crate) first_byte: Duration,
    /// For a head; and what a body has before it must keep the rate.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) keep_alive: Duration,
    /// Until some of an answer is read.
    pub(crate) write: Duration,
    /// Bytes a second that are waited for.
    pub(crate) rate: usize,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The first byte.
    Opened,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// The server's own work.
    Answer,
    /// Another request.
    Idle,
    /// The end of what comes before HTTP: a handshake of TLS.
    Greeting,
}

const PHASES: [Phase; 6] =
    [Phase::Opened, Phase::Head, Phase::Body, Phase::Answer, Phase::Idle, Phase::Greeting];

/// What the sweep tells a connection to do, if it is still so.
pub(crate) mod order {
    /// The server stops.
    pub(crate) const LEAVE: u8 = 1;
    /// Nobody uses the connection.
    pub(crate) const CLOSE: u8 = 2;
    /// A head or a body takes too long.
    pub(crate) const SLOW: u8 = 4;
    /// Nobody reads the answer.
    pub(crate) const ABORT: u8 = 8;
    /// Nothing happens: memory can be given back.
    pub(crate) const REST: u8 = 16;
}

/// All connections of a listener.
#[derive(Debug)]
pub(crate) struct Sweep {
    times: Times,
    period: Duration,
    start: Instant,
    /// Milliseconds since the start, as of the last look at the clock.
    now: Arc<AtomicU64>,
    watched: Mutex<Vec<Arc<Watched>>>,
    /// There is a first one to watch.
    some: Notify,
    /// The server stops.
    dismissed: AtomicBool,
}

/// What is known of one connection. Only its own task and the sweep write to it.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The sweep's clock, and not the sweep, which has this: neither would ever be gone.
    now: Arc<AtomicU64>,
    waker: Waker,
    orders: AtomicU8,
    phase: AtomicU8,
    /// When the phase began.
    since: AtomicU64,
    /// Whether more of a body is waited for.
    pending: AtomicBool,
    /// The body is not waited for any longer.
    late: AtomicBool,
    /// Whether all requests so far are answered; and whether the next one is at fault.
    quiet: AtomicBool,
    faulty: AtomicBool,
    /// Whether it has given its memory back.
    resting: AtomicBool,
    /// Bytes of this body, and milliseconds they were waited for.
    came: AtomicU64,
    waited: AtomicU32,
    /// Since when an answer cannot be written on, plus one; 0: it can.
    stalled: AtomicU64,
    /// Bytes of answers that were written after a wait, and milliseconds of these waits.
    went: AtomicU64,
    blocked: AtomicU32,
}

impl Sweep {
    pub(crate) fn new(times: Times) -> Arc<Self> {
        let shortest =
            [times.handshake, times.first_byte, times.head, times.keep_alive, times.write].into_iter().min();
        let shortest = shortest.unwrap_or(PERIOD);
        Arc::new(Sweep {
            times,
            period: (shortest / 8).clamp(Duration::from_millis(5), PERIOD),
            start: Instant::now(),
            now: Arc::default(),
            watched: Mutex::default(),
            some: Notify::new(),
            dismissed: AtomicBool::new(false),
        })
    }

    /// Watches a connection from now on, until nobody else has it. `waker` is that of its task.
    pub(crate) fn watch(&self, waker: Waker) -> Arc<Watched> {
        let watched = Arc::new(Watched {
            now: self.now.clone(),
            waker,
            orders: AtomicU8::new(0),
            phase: AtomicU8::new(Phase::Opened as u8),
            since: AtomicU64::new(self.look_at_the_clock()),
            pending: AtomicBool::new(false),
            late: AtomicBool::new(false),
            quiet: AtomicBool::new(true),
            faulty: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            came: AtomicU64::new(0),
            waited: AtomicU32::new(0),
            stalled: AtomicU64::new(0),
            went: AtomicU64::new(0),
            blocked: AtomicU32::new(0),
        });
        let mut all = self.all();
        all.push(watched.clone());
        if all.len() == 1 {
            self.some.notify_one();
        }
        if self.dismissed.load(Relaxed) {
            watched.order(order::LEAVE);
        }
        drop(all);
        watched
    }

    /// Sweeps while there is something to sweep; never returns.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            if self.all().is_empty() {
                self.some.notified().await;
            }
            let before = Instant::now();
            tokio::time::sleep(self.period).await;
            self.pass(before.elapsed());
        }
    }

    /// Tells all connections, and those that are watched later, that the server stops.
    pub(crate) fn dismiss(&self) {
        let all = self.all();
        self.dismissed.store(true, Relaxed);
        all.iter().for_each(|watched| watched.order(order::LEAVE));
    }

    fn pass(&self, passed: Duration) {
        let now = self.look_at_the_clock();
        let mut all = self.all();
        all.retain(|watched| Arc::strong_count(watched) > 1);
        for watched in all.iter() {
            let orders = watched.judge(now, &self.times, passed);
            if orders != 0 {
                watched.order(orders);
            }
        }
        // A crowd that has gone leaves no room behind.
        if all.capacity() > 64 && all.len() < all.capacity() / 4 {
            let room = all.len() * 2;
            all.shrink_to(room);
        }
    }

    fn look_at_the_clock(&self) -> u64 {
        let now = millis(self.start.elapsed());
        self.now.store(now, Relaxed);
        now
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Watched>>> {
        self.watched.lock().expect("no code panics while it holds the connections")
    }
}

impl Watched {
    /// Milliseconds of the sweep's, as of its last look at the clock.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    pub(crate) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Relaxed))]
    }

    /// What it was told, once; that the server stops is told again and again.
    pub(crate) fn orders(&self) -> u8 {
        match self.orders.load(Relaxed) {
            0 => 0,
            _ => self.orders.fetch_and(order::LEAVE, Relaxed),
        }
    }

    /// A head is whole: from here on the server has to do something.
    pub(crate) fn begin(&self) {
        self.phase.store(Phase::Answer as u8, Relaxed);
        self.pending.store(false, Relaxed);
        self.came.store(0, Relaxed);
        self.waited.store(0, Relaxed);
    }

    /// Where the connection stands: all is answered and written, and the next request is at fault.
    pub(crate) fn settle(&self, quiet: bool, faulty: bool) {
        self.quiet.store(quiet, Relaxed);
        self.faulty.store(faulty, Relaxed);
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet.load(Relaxed)
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.faulty.load(Relaxed)
    }

    /// Whether there is no memory to give back.
    pub(crate) fn rest(&self, rests: bool) {
        self.resting.store(rests, Relaxed);
    }

    /// The body's reader is told that it comes too slowly.
    pub(crate) fn give_up(&self) {
        self.late.store(true, Relaxed);
    }

    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Relaxed)
    }

    /// There is nothing to read.
    pub(crate) fn wait_for(&self, phase: Phase) {
        if self.phase.load(Relaxed) != phase as u8 {
            self.since.store(self.now(), Relaxed);
            self.phase.store(phase as u8, Relaxed);
        }
        if phase == Phase::Body {
            self.pending.store(true, Relaxed);
        }
    }

    /// Bytes of a body came.
    pub(crate) fn came(&self, bytes: usize) {
        self.pending.store(false, Relaxed);
        self.came.store(self.came.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// The client does not read what is sent.
    pub(crate) fn stall(&self) {
        if self.stalled.load(Relaxed) == 0 {
            self.stalled.store(self.now() + 1, Relaxed);
        }
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Relaxed) != 0
    }

    /// Some of an answer was taken.
    pub(crate) fn went(&self, bytes: usize) {
        if self.stalled.load(Relaxed) != 0 {
            self.stalled.store(0, Relaxed);
            self.went.store(self.went.load(Relaxed) + bytes as u64, Relaxed);
        }
    }

    fn order(&self, orders: u8) {
        self.orders.fetch_or(orders, Relaxed);
        self.waker.wake_by_ref();
    }

    /// What is to be done about it, if anything.
    fn judge(&self, now: u64, times: &Times, passed: Duration) -> u8 {
        let lasts = |since: u64| Duration::from_millis(now.saturating_sub(since));
        let stalled = self.stalled.load(Relaxed);
        if stalled != 0 {
            let blocked = add(&self.blocked, passed);
            if lasts(stalled - 1) > times.write || blocked > times.write + due(&self.went, times.rate) {
                return order::ABORT;
            }
        }
        let since = lasts(self.since.load(Relaxed));
        match self.phase() {
            Phase::Greeting if since > times.handshake => order::CLOSE,
            Phase::Opened if since > times.first_byte => order::CLOSE,
            Phase::Head if since > times.head => order::SLOW,
            Phase::Body if self.pending.load(Relaxed) => {
                let waited = add(&self.waited, passed);
                if waited > times.head + due(&self.came, times.rate) { order::SLOW } else { 0 }
            }
            Phase::Idle if since > times.keep_alive => order::CLOSE,
            Phase::Idle | Phase::Opened if since > REST && !self.resting.load(Relaxed) => order::REST,
            _ => 0,
        }
    }
}

fn add(waits: &AtomicU32, passed: Duration) -> Duration {
    let sum = waits.load(Relaxed).saturating_add(u32::try_from(passed.as_millis()).unwrap_or(u32::MAX));
    waits.store(sum, Relaxed);
    Duration::from_millis(sum.into())
}

/// The time so many bytes may take.
fn due(bytes: &AtomicU64, rate: usize) -> Duration {
    let rate = u64::try_from(rate.max(1)).unwrap_or(u64::MAX);
    Duration::from_millis(bytes.load(Relaxed).saturating_mul(1000) / rate)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
