//! Names sessions that run too long without awaiting.
//!
//! Such a session holds one of the runtime's threads, so a thread of our own has to notice. Each thread that polls
//! sessions has a slot with the session it runs now; the watching thread looks at the slots twice a second.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use crate::engine::Core;

const LOOK: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Slot {
    /// The session that is polled now, or 0.
    session: AtomicU64,
    /// How many polls there were: the same number twice is the same poll.
    polls: AtomicU64,
}

#[derive(Default)]
struct Board {
    slots: Mutex<Vec<Weak<Slot>>>,
    servers: Mutex<Vec<Weak<Core>>>,
}

static BOARD: OnceLock<Board> = OnceLock::new();

thread_local! {
    static SLOT: OnceCell<Arc<Slot>> = const { OnceCell::new() };
}

/// Marks the session as running on this thread until dropped. Polls do not nest: a session is polled by a connection
/// or by the runtime.
pub(crate) fn running(session: u64) -> Watched {
    SLOT.with(|slot| {
        let slot = slot.get_or_init(enlist);
        slot.polls.store(slot.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        slot.session.store(session, Ordering::Relaxed);
    });
    Watched
}

pub(crate) struct Watched;

impl Drop for Watched {
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if let Some(slot) = slot.get() {
                slot.session.store(0, Ordering::Relaxed);
            }
        });
    }
}

fn enlist() -> Arc<Slot> {
    let slot = Arc::new(Slot::default());
    let mut slots = board().slots.lock().expect("no code panics while it holds the slots");
    slots.retain(|slot| slot.strong_count() > 0);
    slots.push(Arc::downgrade(&slot));
    slot
}

/// Has the server's sessions watched while it exists.
pub(crate) fn enrol(server: &Arc<Core>) {
    let mut servers = board().servers.lock().expect("no code panics while it holds the servers");
    servers.retain(|server| server.strong_count() > 0);
    servers.push(Arc::downgrade(server));
}

fn board() -> &'static Board {
    BOARD.get_or_init(|| {
        let started = std::thread::Builder::new().name("continuity-watch".into()).spawn(watch);
        if let Err(error) = started {
            tracing::warn!(%error, "sessions that run too long will not be named");
        }
        Board::default()
    })
}

/// A poll that was seen before.
struct Seen {
    slot: Weak<Slot>,
    poll: u64,
    since: Instant,
    said: bool,
}

fn watch() {
    let mut seen: Vec<Seen> = Vec::new();
    loop {
        std::thread::sleep(LOOK);
        let slots = board().slots.lock().expect("no code panics while it holds the slots").clone();
        for slot in slots.iter().filter_map(Weak::upgrade) {
            look(&slot, &mut seen);
        }
        seen.retain(|seen| seen.slot.strong_count() > 0);
    }
}

fn look(slot: &Arc<Slot>, seen: &mut Vec<Seen>) {
    let (session, poll) = (slot.session.load(Ordering::Relaxed), slot.polls.load(Ordering::Relaxed));
    let at = seen.iter().position(|seen| std::ptr::eq(seen.slot.as_ptr(), Arc::as_ptr(slot)));
    let seen = match at {
        Some(at) => &mut seen[at],
        None => {
            seen.push(Seen { slot: Arc::downgrade(slot), poll: 0, since: Instant::now(), said: false });
            seen.last_mut().expect("just pushed")
        }
    };
    if session == 0 || seen.poll != poll {
        (seen.poll, seen.since, seen.said) = (poll, Instant::now(), false);
    } else if !seen.said {
        seen.said = name(session, seen.since.elapsed());
    }
}

/// Says who it is if it has run longer than its server allows.
fn name(serial: u64, time: Duration) -> bool {
    let servers = board().servers.lock().expect("no code panics while it holds the servers").clone();
    let found = servers
        .iter()
        .filter_map(Weak::upgrade)
        .find_map(|server| (time >= server.limits.stuck).then(|| server.table.by_serial(serial)).flatten());
    let Some(session) = found else { return false };
    let (place, flow) = session.talk(|talk| (talk.place, talk.flow));
    tracing::warn!(
        session = %session.name(), flow = session.core.flow(flow).mount(), place = %place, seconds = time.as_secs(),
        "a session has been running without awaiting; it stands after the verb at `place` and holds a thread"
    );
    true
}
