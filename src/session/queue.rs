//! A session's one door: bounded, ordered, closed once, behind one lock.
//!
//! The queue also keeps the session's task while nobody runs it. Whoever sends a message gets the task handed out
//! if the session is waiting for one, and runs it; so there is one runner at a time by construction, and no channel
//! or task switch between a hit and its session. Everything that decides who runs next is in this file, generic over
//! what it carries, so that the same source is model-checked (`tests/queue`).

use std::collections::VecDeque;
use std::task::Waker;

use crate::sync::{Mutex, MutexGuard};

/// What a queue carries.
pub(crate) trait Load {
    /// What waits in line.
    type Hit;
    /// What is run.
    type Task;
    /// What the runner and the program share about the hit in hand, under the same lock.
    type Talk;
    /// What few sessions need; allocated on demand.
    type Rare: Default;

    /// Nobody misses it if it is gone.
    fn is_spare(rare: &Self::Rare) -> bool;

    /// The sender is about to leave and the hit is not answered.
    fn defer(hit: &mut Self::Hit);

    /// The runner is about to leave, and the hit in hand may not be answered.
    fn defer_in_hand(talk: &mut Self::Talk);
}

/// All that can come through a session's queue.
#[derive(Debug)]
pub(crate) enum Message<H> {
    /// A request with its reply.
    Hit(H),
    /// The next verb that asks for a hit returns `Err(Closing)`. Send it after [`Queue::close`].
    DieSoon,
    /// The task is dropped where it stands.
    DieNow,
}

/// What the sender of a message has to do now.
#[derive(Debug)]
pub(crate) enum Sent<L: Load> {
    /// Run the task (`None`: it was never started).
    Run(Option<L::Task>),
    /// Wake what waits for the message inside the task.
    Wake(Waker),
    /// Nothing: the message is in line, or the runner will see it.
    Queued,
    /// Refuse the hit: the line is full.
    Full(L::Hit),
    /// Take the hit elsewhere: the session takes no more.
    Closed(L::Hit),
    /// Drop the task, outside of every lock.
    Drop(Option<L::Task>),
}

/// What a runner has to do after the task returned pending.
#[derive(Debug)]
pub(crate) enum Rest<L: Load> {
    /// The queue has the task.
    Idle,
    /// The queue has the task, and what waits for a message inside it is to be woken.
    Wake(Waker),
    /// There is more to do: run it again, but not on a connection's time.
    Again(L::Task),
    /// It was killed while it ran: drop it, outside of every lock.
    Doomed(L::Task),
}

/// What a verb finds when it asks for a hit.
#[derive(Debug)]
pub(crate) enum Asked<H> {
    Hit(H),
    Nothing,
    Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Open,
    /// Takes no more hits.
    Closed,
    /// Has to be told that it closes.
    Dying,
    Told,
    Doomed,
    /// There is no task any more.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Nobody,
    /// The task that brought the hit.
    Inline,
    /// The runtime.
    Spawned,
}

pub(crate) struct State<L: Load> {
    task: Option<L::Task>,
    first: Option<L::Hit>,
    rare: Option<Box<Rare<L>>>,
    runner: Runner,
    fate: Fate,
    notified: bool,
    /// The task stands at a verb that asks for a hit.
    asking: bool,
    /// The inline runner's own hit has been answered: it has to leave before the next one.
    answered: bool,
    pub(crate) talk: L::Talk,
}

struct Rare<L: Load> {
    more: VecDeque<L::Hit>,
    /// Set where the verb was polled with a waker that is not the session's own (`join!`, `FuturesUnordered`).
    waker: Option<Waker>,
    extra: L::Rare,
}

pub(crate) struct Queue<L: Load> {
    state: Mutex<State<L>>,
}

impl<L: Load> Queue<L> {
    /// A queue whose session was never run: its first hit will.
    pub(crate) fn new(talk: L::Talk) -> Self {
        Queue {
            state: Mutex::new(State {
                task: None,
                first: None,
                rare: None,
                runner: Runner::Nobody,
                fate: Fate::Open,
                notified: false,
                asking: true,
                answered: false,
                talk,
            }),
        }
    }

    /// A queue whose session is run by who makes it, with its first hit in hand: what is sent waits for that runner.
    pub(crate) fn begun(talk: L::Talk) -> Self {
        Self::run_by(Runner::Inline, talk)
    }

    /// A queue whose session is run already: what is sent waits for the runner.
    pub(crate) fn running(talk: L::Talk) -> Self {
        Self::run_by(Runner::Spawned, talk)
    }

    fn run_by(runner: Runner, talk: L::Talk) -> Self {
        let mut queue = Queue::new(talk);
        let state = queue.state.get_mut().expect("nobody else has it yet");
        (state.runner, state.asking) = (runner, false);
        queue
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().expect("no code panics while it holds a session's queue")
    }

    /// The one way into a session.
    pub(crate) fn send(&self, message: Message<L::Hit>, depth: usize) -> Sent<L> {
        let mut state = self.lock();
        match message {
            Message::Hit(hit) if state.fate != Fate::Open => Sent::Closed(hit),
            Message::Hit(hit) => state.line_up(hit, depth),
            Message::DieSoon => state.die_soon(),
            Message::DieNow => state.die_now(),
        }
    }

    /// Something inside the task wants to go on: run the task that is returned.
    pub(crate) fn wake(&self) -> Option<L::Task> {
        let mut state = self.lock();
        state.notified = state.runner != Runner::Nobody;
        if state.notified {
            return None;
        }
        let task = state.task.take()?;
        state.runner = Runner::Spawned;
        Some(task)
    }

    /// Takes the task back from its runner. Also returns the hit that another thread's [`close`](Self::close) had to
    /// leave to this one.
    pub(crate) fn rest(&self, task: L::Task) -> (Rest<L>, Option<L::Hit>) {
        let mut state = self.lock();
        state.answered = false;
        L::defer_in_hand(&mut state.talk);
        if let Some(hit) = &mut state.first {
            L::defer(hit);
        }
        let stranded = if state.fate == Fate::Open { None } else { state.first.take() };
        (state.rest(task), stranded)
    }

    /// Asks for a hit, from inside the task, and looks at the talk on the way. `foreign` is the waker to call where it
    /// is not the session's own.
    pub(crate) fn ask<R>(
        &self,
        foreign: Option<&Waker>,
        look: impl FnOnce(&L::Talk) -> R,
    ) -> (Asked<L::Hit>, R) {
        let mut state = self.lock();
        let seen = look(&state.talk);
        (state.ask(foreign), seen)
    }

    /// The verb that asked was given up.
    pub(crate) fn unask(&self) {
        let mut state = self.lock();
        state.asking = false;
        if let Some(rare) = &mut state.rare {
            rare.waker = None;
        }
    }

    /// The runner goes on elsewhere, and not on the time of the connection that brought the hit.
    pub(crate) fn run_on(&self) {
        let mut state = self.lock();
        (state.runner, state.answered) = (Runner::Spawned, false);
        L::defer_in_hand(&mut state.talk);
        if let Some(hit) = &mut state.first {
            L::defer(hit);
        }
    }

    /// A hit is being answered: a connection that runs the task is to be let go before the next one.
    pub(crate) fn answered(&self) {
        self.lock().answer();
    }

    /// Takes no more hits and returns those that wait. Closing is the first step of every end.
    ///
    /// A hit whose sender is just about to run the session stays for that runner: its answer is awaited there.
    pub(crate) fn close(&self) -> Vec<L::Hit> {
        let mut state = self.lock();
        let inline = state.runner == Runner::Inline;
        let kept = if inline { state.first.take() } else { None };
        let left = state.close();
        state.first = kept;
        left
    }

    /// [`close`](Self::close) by the runner: takes what waits, whoever sent it.
    pub(crate) fn close_running(&self) -> Vec<L::Hit> {
        self.lock().close()
    }

    /// The task is gone.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.fate = Fate::Ended;
        state.runner = Runner::Nobody;
        state.tidy();
    }

    /// The session was told that it closes.
    pub(crate) fn told(&self) {
        self.lock().fate = Fate::Told;
    }

    /// Ends a session that waits for a hit, if none is there and nobody runs it, and if it `rests` in its own view.
    /// Returns its task, to be dropped outside of every lock.
    pub(crate) fn take_resting(
        &self,
        rests: impl FnOnce(&L::Talk, Option<&mut L::Rare>) -> bool,
    ) -> Option<L::Task> {
        let mut state = self.lock();
        let waits = state.fate == Fate::Open && state.runner == Runner::Nobody && state.asking;
        if !waits || state.task.is_none() || state.first.is_some() || state.waker().is_some() {
            return None;
        }
        let State { talk, rare, .. } = &mut *state;
        if !rests(talk, rare.as_mut().map(|rare| &mut rare.extra)) {
            return None;
        }
        state.fate = Fate::Ended;
        state.task.take()
    }
}

impl<L: Load> State<L> {
    /// See [`Queue::answered`].
    pub(crate) fn answer(&mut self) {
        self.answered = self.runner == Runner::Inline;
    }

    /// Puts a hit before all that wait.
    pub(crate) fn put_first(&mut self, mut hit: L::Hit) {
        L::defer(&mut hit);
        if let Some(second) = self.first.replace(hit) {
            self.rare().more.push_front(second);
        }
    }

    /// The first hit that waits.
    pub(crate) fn peek_first(&mut self) -> Option<&mut L::Hit> {
        self.first.as_mut()
    }

    /// Takes the first hit that waits.
    pub(crate) fn take_first(&mut self) -> Option<L::Hit> {
        self.pop()
    }

    /// Whether the task stands at a verb that asks for a hit.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asking
    }

    /// The task, whichever it is now, stands at a verb that asks for a hit.
    pub(crate) fn waits(&mut self) {
        self.asking = true;
    }

    /// It ends, and that is decided.
    pub(crate) fn is_dying(&self) -> bool {
        self.fate >= Fate::Dying
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.fate == Fate::Ended
    }

    /// What few sessions need, allocated now.
    pub(crate) fn extra(&mut self) -> &mut L::Rare {
        &mut self.rare().extra
    }

    /// What few sessions need, if this one does.
    pub(crate) fn peek_extra(&mut self) -> Option<&mut L::Rare> {
        self.rare.as_mut().map(|rare| &mut rare.extra)
    }

    fn rare(&mut self) -> &mut Rare<L> {
        self.rare.get_or_insert_with(|| {
            Box::new(Rare { more: VecDeque::new(), waker: None, extra: L::Rare::default() })
        })
    }

    /// Gives back what nobody needs any more.
    pub(crate) fn tidy(&mut self) {
        let idle = |rare: &Rare<L>| rare.more.is_empty() && rare.waker.is_none() && L::is_spare(&rare.extra);
        if self.rare.as_deref().is_some_and(idle) {
            self.rare = None;
        }
    }

    fn close(&mut self) -> Vec<L::Hit> {
        self.fate = self.fate.max(Fate::Closed);
        let more = self.rare.as_mut().map(|rare| std::mem::take(&mut rare.more));
        self.first.take().into_iter().chain(more.into_iter().flatten()).collect()
    }

    fn rest(&mut self, task: L::Task) -> Rest<L> {
        if self.fate == Fate::Doomed {
            return Rest::Doomed(task);
        }
        let wanted = self.asking && (self.fate == Fate::Dying || self.first.is_some());
        let waker = self.waker().filter(|_| wanted);
        if std::mem::take(&mut self.notified) || (wanted && waker.is_none()) {
            self.runner = Runner::Spawned;
            return Rest::Again(task);
        }
        self.runner = Runner::Nobody;
        self.task = Some(task);
        waker.map_or(Rest::Idle, Rest::Wake)
    }

    fn ask(&mut self, foreign: Option<&Waker>) -> Asked<L::Hit> {
        self.asking = true;
        if self.fate == Fate::Dying {
            self.fate = Fate::Told;
            self.asking = false;
            return Asked::Closing;
        }
        let hit = if self.answered { None } else { self.pop() };
        if let Some(hit) = hit {
            self.asking = false;
            return Asked::Hit(hit);
        }
        if let Some(waker) = foreign {
            self.rare().waker = Some(waker.clone());
        } else if let Some(rare) = &mut self.rare {
            rare.waker = None;
        }
        Asked::Nothing
    }

    fn waker(&self) -> Option<Waker> {
        self.rare.as_ref().and_then(|rare| rare.waker.clone())
    }

    fn line_up(&mut self, mut hit: L::Hit, depth: usize) -> Sent<L> {
        let more = self.rare.as_ref().map_or(0, |rare| rare.more.len());
        if self.first.is_some() && 1 + more >= depth {
            return Sent::Full(hit);
        }
        if !self.asking || self.runner != Runner::Nobody || self.waker().is_some() {
            L::defer(&mut hit);
        }
        if self.first.is_none() {
            self.first = Some(hit);
        } else {
            self.rare().more.push_back(hit);
        }
        self.attend(Runner::Inline)
    }

    /// Hands out the task if it stands at a verb that asks.
    fn attend(&mut self, runner: Runner) -> Sent<L> {
        if !self.asking || self.runner != Runner::Nobody {
            return Sent::Queued;
        }
        if let Some(waker) = self.waker() {
            return Sent::Wake(waker);
        }
        self.runner = runner;
        Sent::Run(self.task.take())
    }

    fn pop(&mut self) -> Option<L::Hit> {
        let hit = self.first.take();
        if let Some(rare) = &mut self.rare {
            self.first = rare.more.pop_front();
        }
        hit
    }

    fn die_soon(&mut self) -> Sent<L> {
        if self.fate >= Fate::Dying {
            return Sent::Queued;
        }
        self.fate = Fate::Dying;
        if self.task.is_none() && self.runner == Runner::Nobody {
            // Never started: there is nobody to tell.
            return self.die_now();
        }
        self.attend(Runner::Spawned)
    }

    fn die_now(&mut self) -> Sent<L> {
        if self.fate == Fate::Ended {
            return Sent::Queued;
        }
        self.fate = Fate::Doomed;
        if self.runner != Runner::Nobody {
            return Sent::Queued;
        }
        self.runner = Runner::Spawned;
        Sent::Drop(self.task.take())
    }
}

impl<L: Load> std::fmt::Debug for Queue<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Queue")
            .field("fate", &state.fate)
            .field("runner", &state.runner)
            .field("asking", &state.asking)
            .finish_non_exhaustive()
    }
}
