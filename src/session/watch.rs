//! Keeps a session that runs without awaiting from holding others up, and names it.
//!
//! A runtime's thread that runs a session does nothing else meanwhile. If it is the one that waited for sockets and
//! timers, nobody waits for them any more: tokio wakes another thread only for work that it knows of. So a thread of our
//! own looks at what runs, each [`GLANCE`]. What has run since the last glance holds its thread; then another thread is
//! woken, which finds nothing to do and waits for sockets and timers in its place.
//!
//! Each thread that runs code of programs has a slot that says what runs there. While nobody runs anything the watching
//! thread sleeps; whoever runs something first wakes it.
//!
//! What this cannot do: help where all threads of a runtime are held, which for a runtime of one thread is always so.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Session, Task};
use crate::engine::Core;

/// How often it is looked who runs.
const GLANCE: Duration = Duration::from_millis(10);
/// After so long without anything to see the watching thread sleeps.
const QUIET: Duration = Duration::from_secs(1);
/// What runs is the program's code outside of a session: a mapper, a rule, a layout.
const NO_SESSION: u64 = u64::MAX;

#[derive(Default)]
struct Slot {
    /// The session that runs now, [`NO_SESSION`], or 0.
    session: AtomicU64,
    /// How often something was begun: the same number twice is the same run.
    runs: AtomicU64,
    /// Something is [held back](hold_back).
    holds: AtomicBool,
    held: Mutex<Vec<Held>>,
}

/// A session that was woken, with its task, and is not spawned yet.
type Held = (Arc<Session>, Task);

#[derive(Default)]
struct Board {
    slots: Mutex<Vec<Weak<Slot>>>,
    servers: Mutex<Vec<(Weak<Core>, Handle)>>,
    watcher: OnceLock<Thread>,
}

static BOARD: OnceLock<Board> = OnceLock::new();
/// The watching thread sleeps until it is woken. Stands alone, for it is read on each run and hardly ever written.
static ASLEEP: AtomicBool = AtomicBool::new(false);

thread_local! {
    static SLOT: OnceCell<Arc<Slot>> = const { OnceCell::new() };
}

/// Marks the session as running on this thread until dropped. What runs inside of something else is part of that.
pub(crate) fn running(session: u64) -> Watched {
    let outer = SLOT.with(|slot| {
        let slot = slot.get_or_init(enlist);
        let outer = slot.session.load(Ordering::Relaxed);
        if outer == 0 {
            slot.runs.store(slot.runs.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        slot.session.store(session, Ordering::Relaxed);
        outer
    });
    if ASLEEP.load(Ordering::Relaxed) {
        rouse();
    }
    Watched { outer }
}

/// Marks code of the program that runs outside of a session.
pub(crate) fn outside() -> Watched {
    running(NO_SESSION)
}

pub(crate) struct Watched {
    /// What ran here before, and goes on.
    outer: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if let Some(slot) = slot.get() {
                slot.session.store(self.outer, Ordering::Relaxed);
                if slot.holds.load(Ordering::Relaxed) && self.outer == 0 {
                    slot.let_go();
                }
            }
        });
    }
}

/// Keeps a session that was woken by what runs on this thread until that is over. Else it comes back.
///
/// tokio lets nobody take over what a thread has woken last, so behind code that holds the thread it would wait as long.
/// What is held back here the watching thread can hand on.
pub(super) fn hold_back(session: &Arc<Session>, task: Task) -> Option<Task> {
    SLOT.with(|slot| match slot.get() {
        Some(slot) if slot.session.load(Ordering::Relaxed) != 0 => {
            slot.held().push((session.clone(), task));
            slot.holds.store(true, Ordering::Relaxed);
            None
        }
        _ => Some(task),
    })
}

impl Slot {
    fn held(&self) -> std::sync::MutexGuard<'_, Vec<Held>> {
        self.held.lock().expect("no code panics while it holds what is held back")
    }

    #[cold]
    fn let_go(&self) {
        self.holds.store(false, Ordering::Relaxed);
        let held = std::mem::take(&mut *self.held());
        held.into_iter().for_each(|(session, task)| session.spawn(task));
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
    servers.retain(|(server, _)| server.strong_count() > 0);
    servers.push((Arc::downgrade(server), server.runtime.clone()));
}

fn servers() -> Vec<(Weak<Core>, Handle)> {
    board().servers.lock().expect("no code panics while it holds the servers").clone()
}

/// Says what a server's runtime cannot do, when the server starts.
pub(crate) fn warn_of_one_thread(runtime: &Handle) {
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread || runtime.metrics().num_workers() < 2 {
        tracing::warn!(
            "the runtime has one thread: while a session blocks, nobody else is served; \
             `#[tokio::main(worker_threads = 2)]` gives it more"
        );
    }
}

fn board() -> &'static Board {
    BOARD.get_or_init(|| {
        let started = std::thread::Builder::new().name("continuity-watch".into()).spawn(watch);
        let board = Board::default();
        match started {
            Ok(thread) => board.watcher.set(thread.thread().clone()).expect("it was just made"),
            Err(error) => tracing::warn!(
                %error, "sessions that run too long will not be named, and may hold up others"
            ),
        }
        board
    })
}

/// Wakes the watching thread.
#[cold]
fn rouse() {
    if ASLEEP.swap(false, Ordering::Relaxed)
        && let Some(watcher) = board().watcher.get()
    {
        watcher.unpark();
    }
}

fn watch() {
    let mut watcher = Watcher::default();
    let mut seen_last = Instant::now();
    loop {
        std::thread::sleep(GLANCE);
        if watcher.glance() {
            seen_last = Instant::now();
        } else if seen_last.elapsed() >= QUIET {
            watcher.sleep();
            seen_last = Instant::now();
        }
    }
}

/// The watching thread.
#[derive(Default)]
struct Watcher {
    seen: Vec<Seen>,
}

/// What ran at the last glance.
struct Seen {
    slot: Weak<Slot>,
    run: u64,
    since: Instant,
    said: bool,
}

impl Watcher {
    /// Looks at all that runs. Returns whether anything did since the last glance.
    fn glance(&mut self) -> bool {
        let slots = board().slots.lock().expect("no code panics while it holds the slots").clone();
        let (mut any, mut held) = (false, false);
        for slot in slots.iter().filter_map(Weak::upgrade) {
            let ran = self.look(&slot);
            any |= ran != Ran::Nothing;
            held |= ran == Ran::Long;
        }
        self.seen.retain(|seen| seen.slot.strong_count() > 0);
        if held {
            // At each glance: who waits for sockets in its place may be held by other code that nobody watches.
            wake_a_thread();
        }
        any
    }

    fn look(&mut self, slot: &Arc<Slot>) -> Ran {
        let (session, run) = (slot.session.load(Ordering::Relaxed), slot.runs.load(Ordering::Relaxed));
        let at = self.seen.iter().position(|seen| std::ptr::eq(seen.slot.as_ptr(), Arc::as_ptr(slot)));
        let at = at.unwrap_or_else(|| {
            self.seen.push(Seen { slot: Arc::downgrade(slot), run: 0, since: Instant::now(), said: false });
            self.seen.len() - 1
        });
        let seen = &mut self.seen[at];
        if seen.run != run {
            (seen.run, seen.since, seen.said) = (run, Instant::now(), false);
            return Ran::Something;
        }
        if session == 0 {
            return Ran::Nothing;
        }
        if slot.holds.load(Ordering::Relaxed) {
            slot.let_go();
        }
        if !seen.said {
            seen.said = name(session, seen.since.elapsed());
        }
        Ran::Long
    }

    /// Sleeps until something runs.
    fn sleep(&mut self) {
        ASLEEP.store(true, Ordering::Relaxed);
        // Who began before they could see that is seen now: no processor keeps a write to itself for so long.
        std::thread::sleep(GLANCE);
        if self.glance() {
            ASLEEP.store(false, Ordering::Relaxed);
        }
        while ASLEEP.load(Ordering::Relaxed) {
            std::thread::park();
        }
    }
}

/// What ran on a thread since the last glance.
#[derive(PartialEq, Eq)]
enum Ran {
    Nothing,
    Something,
    /// The same all the time.
    Long,
}

/// Has another thread of each runtime look for work, and wait for sockets and timers if there is none.
fn wake_a_thread() {
    let mut woken = Vec::new();
    for (_, runtime) in servers().into_iter().filter(|(server, _)| server.strong_count() > 0) {
        if !woken.contains(&runtime.id()) {
            woken.push(runtime.id());
            runtime.spawn(std::future::ready(()));
        }
    }
}

/// Says who it is if it has run longer than its server allows.
fn name(serial: u64, time: Duration) -> bool {
    let servers = servers().into_iter().filter_map(|(server, _)| server.upgrade());
    let mut servers = servers.filter(|server| time >= server.limits.stuck);
    if serial == NO_SESSION {
        let late = servers.next().is_some();
        if late {
            tracing::warn!(
                seconds = time.as_secs(),
                "a mapper, a rule, a layout or a page of the program has been running, and holds a thread"
            );
        }
        return late;
    }
    let Some(session) = servers.find_map(|server| server.table.by_serial(serial)) else { return false };
    let (place, flow) = session.talk(|talk| (talk.place, talk.flow));
    tracing::warn!(
        session = %session.name(), flow = session.core.flow(flow).mount(), place = %place, seconds = time.as_secs(),
        "a session has been running without awaiting; it stands after the verb at `place` and holds a thread"
    );
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> u64 {
        SLOT.with(|slot| slot.get().map_or(0, |slot| slot.session.load(Ordering::Relaxed)))
    }

    fn runs() -> u64 {
        SLOT.with(|slot| slot.get().map_or(0, |slot| slot.runs.load(Ordering::Relaxed)))
    }

    #[test]
    fn what_runs_inside_of_a_session_is_part_of_its_run() {
        let outer = running(7);
        let run = runs();
        drop(outside());
        assert_eq!((here(), runs()), (7, run), "a page that it draws");
        drop(outer);
        assert_eq!(here(), 0);
        drop(outside());
        assert_eq!((here(), runs()), (0, run + 1), "a mapper runs by itself");
    }

    #[test]
    fn only_what_runs_at_two_glances_runs_long() {
        let (mut watcher, slot) = (Watcher::default(), Arc::new(Slot::default()));
        assert!(watcher.look(&slot) == Ran::Nothing);
        slot.runs.store(1, Ordering::Relaxed);
        assert!(watcher.look(&slot) == Ran::Something, "it was over before the glance");
        assert!(watcher.look(&slot) == Ran::Nothing);
        (slot.runs.store(2, Ordering::Relaxed), slot.session.store(NO_SESSION, Ordering::Relaxed));
        assert!(watcher.look(&slot) == Ran::Something, "it may just have begun");
        assert!(watcher.look(&slot) == Ran::Long);
        slot.runs.store(3, Ordering::Relaxed);
        assert!(watcher.look(&slot) == Ran::Something, "that is another one");
    }
}
