//! Driving: poll a session on the task that brought the hit, or on the runtime after a wake.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_task::{ArcWake, waker_ref};

use super::end::{Ending, panic_text};
use super::queue::{Message, Rest, Sent};
use super::{Parts, Session, Task, Way, watch};
use crate::error::Error;
use crate::hit::Hit;
use crate::journal::inside;
use crate::journal::turning::After;
use crate::log::Line;
use crate::page::Notice;
use crate::reply::{Kept, Ready};
use crate::request::{Request, apart};

impl ArcWake for Session {
    fn wake_by_ref(session: &Arc<Self>) {
        if let Some(task) = session.queue.wake() {
            session.run_elsewhere(task);
        }
    }
}

impl Session {
    /// Does what sending a message has left to do. A hit that was not taken comes back.
    pub(crate) fn attend(self: &Arc<Self>, sent: Sent<Parts>) -> Option<Refused> {
        match sent {
            Sent::Run(task) => self.run_here(task),
            Sent::Wake(waker) => waker.wake(),
            Sent::Queued => {}
            Sent::Drop(task) => self.kill(task),
            Sent::Full(hit) => return Some(Refused::Full(hit)),
            Sent::Closed(hit) => return Some(Refused::Closed(hit)),
        }
        None
    }

    /// Tells the session to end: no more hits, and its verbs return `Err(Closing)`.
    pub(crate) fn die_soon(self: &Arc<Self>) {
        self.hand_back(self.queue.close());
        self.attend(self.send(Message::DieSoon));
    }

    /// Ends the session where it stands.
    pub(crate) fn die_now(self: &Arc<Self>) {
        self.hand_back(self.queue.close());
        self.attend(self.send(Message::DieNow));
    }

    /// Polls on the caller's time, once; what is left goes to the runtime.
    fn run_here(self: &Arc<Self>, task: Option<Task>) {
        if let Some(task) = task
            && let Some(task) = self.poll(task)
        {
            self.run_elsewhere(task);
        }
    }

    #[cold]
    pub(crate) fn run_elsewhere(self: &Arc<Self>, task: Task) {
        let session = self.clone();
        let mut task = Some(task);
        self.core.runtime.spawn(poll_fn(move |cx| {
            session.core.stir();
            task = task.take().and_then(|task| session.poll(task));
            session.core.stir();
            if task.is_none() {
                return Poll::Ready(());
            }
            // One poll a turn: the runtime's other tasks have theirs.
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
    }

    /// Calls the flow's function for the first hit, and polls it on the caller's time, once.
    #[inline(never)]
    pub(crate) fn begin(self: &Arc<Self>, flow: u16, way: Way) {
        if way != Way::Fleeting {
            self.open_tape();
        }
        self.run_here(self.call_function(flow));
    }

    /// The flow's function, with what it is given. It may panic: it is the program's.
    pub(crate) fn call_function(self: &Arc<Self>, flow: u16) -> Option<Task> {
        let request = Request::new(self.clone());
        match catch_unwind(AssertUnwindSafe(|| self.core.flow(flow).start_with(request))) {
            Ok(task) => Some(task),
            Err(panic) => {
                self.end(Ending::Panicked(panic));
                None
            }
        }
    }

    /// Polls once. Returns the task if it has to be polled again.
    pub(crate) fn poll(self: &Arc<Self>, mut task: Task) -> Option<Task> {
        // Most polls keep no waker: one that counts no reference is enough.
        let waker = waker_ref(self);
        let journaled = self.core.journal.is_some();
        let polled = {
            let _watched = watch::running(self.serial);
            let _apart = apart();
            let _hushed = (journaled && self.is_replaying()).then(inside::hush);
            catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut Context::from_waker(&waker))))
        };
        let ending = match polled {
            Ok(Poll::Pending) => {
                let task = if journaled { self.go_after(task)? } else { task };
                let (rest, stranded) = self.queue.rest(task);
                if stranded.is_some() {
                    self.hand_back(stranded);
                }
                return match rest {
                    Rest::Idle => None,
                    rest => self.leave(rest),
                };
            }
            Ok(Poll::Ready(result)) => Ending::Returned(result),
            Err(panic) => Ending::Panicked(panic),
        };
        self.bury(task);
        self.end(ending);
        None
    }

    /// The task again, if the session can rest where it is.
    #[inline(never)]
    fn go_after(self: &Arc<Self>, task: Task) -> Option<Task> {
        match self.look_after() {
            After::Rests => return Some(task),
            After::Turns => self.turn(task),
            After::Diverged => {
                self.bury(task);
                self.quarantine();
            }
        }
        None
    }

    /// What a runner has left to do. Returns the task if it has to be polled again.
    #[inline(never)]
    fn leave(self: &Arc<Self>, rest: Rest<Parts>) -> Option<Task> {
        match rest {
            Rest::Idle => {}
            Rest::Wake(waker) => waker.wake(),
            Rest::Again(task) => return Some(task),
            Rest::Doomed(task) => self.kill(Some(task)),
        }
        None
    }

    #[cold]
    fn kill(self: &Arc<Self>, task: Option<Task>) {
        if let Some(task) = task {
            self.bury(task);
        }
        self.end(Ending::Killed);
    }

    /// Drops a task. Its destructors are the program's and may panic.
    #[cold]
    pub(crate) fn bury(&self, task: Task) {
        let _apart = apart();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
            tracing::error!(session = %self.name(), panic = %Line(panic_text(&*panic)), "a destructor of a session panicked");
        }
    }

    /// Completes a response, and keeps its page for repeats where asked to.
    pub(crate) fn finish(self: &Arc<Self>, mut hit: Box<Hit>, keep: bool) -> Ready {
        if let Some(notice) = hit.reply.take_notice() {
            self.notify(&mut hit, notice);
        }
        if hit.overtime {
            self.core.table.touch(self, self.core.clock.now());
        }
        let (ready, page) = hit.finish(&self.core.frames, keep);
        if let Some(page) = page {
            self.keep(page);
        }
        ready
    }

    #[inline(never)]
    fn keep(&self, page: Arc<Kept>) {
        let kept = self.keep_made(page).is_some_and(|page| self.core.kept.keep(self.serial, page));
        self.talk(|talk| talk.kept = kept);
    }

    #[cold]
    fn notify(&self, hit: &mut Hit, notice: Notice) {
        hit.reply.out.insert_str(0, &self.core.pages.draw_notice(notice).into_string());
    }

    /// Completes a response and sends it. An error, with the hit in hand again, if it has grown too large.
    pub(crate) fn send_page(self: &Arc<Self>, hit: Box<Hit>, keep: bool) -> Result<(), Error> {
        let hit = self.within_page(Some(hit))?.expect("there was one");
        let ready = self.finish(hit, keep);
        if self.core.journal.is_some() {
            self.release(ready);
        } else {
            ready.send();
        }
        Ok(())
    }
}

impl Session {
    /// An error, with the hit in hand again, if its response has grown too large.
    pub(crate) fn within_page(&self, hit: Option<Box<Hit>>) -> Result<Option<Box<Hit>>, Error> {
        if hit.as_ref().is_none_or(|hit| !hit.reply.overflow) {
            return Ok(hit);
        }
        Err(self.too_large(hit))
    }

    #[cold]
    fn too_large(&self, hit: Option<Box<Hit>>) -> Error {
        self.talk(|talk| talk.current = hit);
        let limit = self.core.limits.page;
        Error::new(format!("the response has more than {limit} bytes: send it in parts by `flush`"))
    }
}

/// A hit that a session did not take.
pub(crate) enum Refused {
    Full(Box<Hit>),
    Closed(Box<Hit>),
}
