//! The session queue under a model checker: the very source of `src/session/queue.rs`, with the checker's lock.
//!
//! Each scenario races hits, wakes and ends in thousands of schedules. Whatever the schedule: one runner at a time,
//! every hit is answered or handed back exactly once, none is left in a queue that nobody will look at.

#![allow(dead_code, reason = "the queue's source is included whole; each scenario uses a part of it")]

mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

#[path = "../../src/session/queue.rs"]
mod queue;

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use queue::{Asked, Load, Message, Queue, Rest, Sent};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::thread;

const HITS: usize = 4;
const DEPTH: usize = 3;
const SCHEDULES: usize = 3_000;

/// What is carried: a hit with the thread that awaits its answer, a task that is where the program stands.
#[derive(Debug)]
struct Model;

impl Load for Model {
    type Hit = Hit;
    type Task = Program;
    type Talk = Option<Hit>;
    type Rare = ();

    fn is_spare((): &()) -> bool {
        true
    }

    fn defer(hit: &mut Hit) {
        hit.defer();
    }

    fn defer_in_hand(talk: &mut Option<Hit>) {
        if let Some(hit) = talk {
            hit.defer();
        }
    }
}

/// A hit is answered on the stack of its sender, or was deferred there.
#[derive(Debug)]
struct Hit {
    number: usize,
    home: Option<thread::ThreadId>,
}

impl Hit {
    fn defer(&mut self) {
        self.check();
        self.home = None;
    }

    fn check(&self) {
        let here = thread::current().id();
        assert!(self.home.is_none_or(|home| home == here), "hit {} has left its sender", self.number);
    }
}

#[derive(Debug, PartialEq)]
enum Program {
    Asking,
    /// In the middle of a hit, until somebody wakes it.
    Sleeping {
        woken: bool,
    },
}

/// How the program behaves.
#[derive(Clone, Copy)]
struct Manner {
    /// Hits it answers before it returns.
    ends_after: usize,
    /// Whether it sleeps while it has a hit in hand.
    sleeps: bool,
    /// Whether it asks with a waker that is not the session's own.
    foreign_waker: bool,
}

struct World {
    queue: Queue<Model>,
    manner: Manner,
    running: AtomicBool,
    ended: AtomicBool,
    told: AtomicUsize,
    answers: [AtomicUsize; HITS],
    handed_back: [AtomicUsize; HITS],
}

impl World {
    fn new(manner: Manner) -> Arc<World> {
        Arc::new(World {
            queue: Queue::new(None),
            manner,
            running: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            told: AtomicUsize::new(0),
            answers: Default::default(),
            handed_back: Default::default(),
        })
    }

    fn send(self: &Arc<Self>, message: Message<Hit>) {
        match self.queue.send(message, DEPTH) {
            Sent::Run(task) => self.run(task.unwrap_or(Program::Asking)),
            Sent::Wake(waker) => waker.wake(),
            Sent::Queued => {}
            Sent::Full(hit) | Sent::Closed(hit) => self.hand_back(hit),
            Sent::Drop(task) => self.end(task),
        }
    }

    /// The runner: polls, rests, polls again elsewhere.
    fn run(self: &Arc<Self>, mut task: Program) {
        assert!(!self.running.swap(true, Ordering::SeqCst), "two runners");
        let done = self.poll(&mut task);
        self.running.store(false, Ordering::SeqCst);
        if done {
            return self.end(Some(task));
        }
        let (rest, stranded) = self.queue.rest(task);
        if let Some(hit) = stranded {
            self.hand_back(hit);
        }
        match rest {
            Rest::Idle => {}
            Rest::Wake(waker) => waker.wake(),
            Rest::Doomed(task) => self.end(Some(task)),
            Rest::Again(task) => {
                let world = self.clone();
                thread::spawn(move || world.run(task));
            }
        }
    }

    /// The program: answers hits until it has had enough. True when it returned.
    fn poll(self: &Arc<Self>, task: &mut Program) -> bool {
        loop {
            if let Program::Sleeping { woken } = task {
                if !*woken {
                    *woken = true;
                    return false;
                }
                let hit = self.queue.lock().talk.take().expect("it sleeps with a hit in hand");
                self.answer(&hit);
                if self.count() >= self.manner.ends_after {
                    return true;
                }
                *task = Program::Asking;
            }
            let waker = Waker::from(Arc::new(Outside(Arc::downgrade(self))));
            match self.queue.ask(self.manner.foreign_waker.then_some(&waker), |_| ()).0 {
                Asked::Nothing => return false,
                Asked::Closing => {
                    self.told.fetch_add(1, Ordering::SeqCst);
                    return true;
                }
                Asked::Hit(hit) if self.manner.sleeps => {
                    self.queue.lock().talk = Some(hit);
                    *task = Program::Sleeping { woken: false };
                    let world = self.clone();
                    thread::spawn(move || world.wake());
                }
                Asked::Hit(hit) => {
                    self.answer(&hit);
                    if self.count() >= self.manner.ends_after {
                        return true;
                    }
                }
            }
        }
    }

    fn wake(self: &Arc<Self>) {
        if let Some(task) = self.queue.wake() {
            self.run(task);
        }
    }

    fn answer(&self, hit: &Hit) {
        hit.check();
        let before = self.answers[hit.number].fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "hit {} was answered twice", hit.number);
        self.queue.answered();
    }

    fn hand_back(&self, mut hit: Hit) {
        hit.defer();
        let before = self.handed_back[hit.number].fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "hit {} was handed back twice", hit.number);
    }

    fn end(&self, _task: Option<Program>) {
        for hit in self.queue.close_running() {
            self.hand_back(hit);
        }
        let in_hand = self.queue.lock().talk.take();
        if let Some(hit) = in_hand {
            self.hand_back(hit);
        }
        self.queue.end();
        assert!(!self.ended.swap(true, Ordering::SeqCst), "ended twice");
    }

    fn close(&self) {
        for hit in self.queue.close() {
            self.hand_back(hit);
        }
    }

    fn count(&self) -> usize {
        self.answers.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }

    /// Once everybody is done: each hit has exactly one fate.
    fn settle(&self) {
        for hit in 0..HITS {
            let answers = self.answers[hit].load(Ordering::SeqCst);
            let back = self.handed_back[hit].load(Ordering::SeqCst);
            assert_eq!(answers + back, 1, "hit {hit}: answered {answers} times, handed back {back} times");
        }
    }
}

/// A combinator's waker: it wakes the task, as the real ones do.
struct Outside(Weak<World>);

impl Wake for Outside {
    fn wake(self: Arc<Self>) {
        if let Some(world) = self.0.upgrade() {
            world.wake();
        }
    }
}

/// Races all hits against `more` and looks when no thread is left.
fn race(manner: Manner, more: impl Fn(&Arc<World>) + Send + Sync + 'static) {
    let more = Arc::new(more);
    let scenario = move || {
        let world = World::new(manner);
        let mut threads = Vec::new();
        for hit in 0..HITS {
            let world = world.clone();
            threads.push(thread::spawn(move || {
                let home = Some(thread::current().id());
                world.send(Message::Hit(Hit { number: hit, home }));
            }));
        }
        let (other, more) = (world.clone(), more.clone());
        threads.push(thread::spawn(move || more(&other)));
        for thread in threads {
            thread.join().expect("a thread of the scenario");
        }
        // Threads that the runners spawned end before the world is theirs alone.
        while Arc::strong_count(&world) > 1 {
            thread::yield_now();
        }
        world.settle();
    };
    shuttle::check_random(scenario, SCHEDULES);
}

const STAYS: Manner = Manner { ends_after: usize::MAX, sleeps: false, foreign_waker: false };

#[test]
fn hits_of_a_session_are_each_answered_once() {
    race(STAYS, |_| {});
}

#[test]
fn hits_race_wakes_from_elsewhere() {
    race(Manner { sleeps: true, ..STAYS }, |world| world.wake());
}

#[test]
fn hits_race_a_session_that_returns() {
    for ends_after in 1..=2 {
        race(Manner { ends_after, ..STAYS }, |_| {});
        race(Manner { ends_after, sleeps: true, ..STAYS }, |world| world.wake());
    }
}

#[test]
fn a_combinators_waker_loses_no_hit() {
    race(Manner { foreign_waker: true, ..STAYS }, |_| {});
    race(Manner { foreign_waker: true, sleeps: true, ends_after: 2 }, |world| world.wake());
}

#[test]
fn hits_race_the_end_of_the_session() {
    for sleeps in [false, true] {
        race(Manner { sleeps, ..STAYS }, |world| {
            world.close();
            if thread_rng().gen_bool(0.5) {
                world.send(Message::DieSoon);
            }
            world.send(Message::DieNow);
        });
    }
}

#[test]
fn who_is_told_is_told_once() {
    race(STAYS, |world| {
        world.close();
        world.send(Message::DieSoon);
        world.send(Message::DieSoon);
        assert!(world.told.load(Ordering::SeqCst) <= 1);
    });
}
