//! Driving: poll a session on the task that brought the hit, or on the runtime after a wake; and its end.
//!
//! A session ends in this order: close the queue, hand what waited to the mapper, answer. The browser must not see
//! its answer while the queue still takes hits.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use http::StatusCode;

use super::queue::{Asked, Message, Rest, Sent};
use super::{Parts, Session, Task, watch};
use crate::error::{BoxError, Chain, Error};
use crate::hit::Hit;
use crate::log::Line;
use crate::request::Request;

/// How a session came to its end.
enum Ending {
    Returned(Result<(), BoxError>),
    Panicked(Box<dyn Any + Send>),
    Killed,
}

impl Wake for Session {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.queue.wake() {
            self.run_elsewhere(task);
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
        if let Some(task) = task.or_else(|| self.start())
            && let Some(task) = self.poll(task)
        {
            self.run_elsewhere(task);
        }
    }

    fn run_elsewhere(self: &Arc<Self>, task: Task) {
        let session = self.clone();
        let mut task = Some(task);
        self.core.runtime.spawn(poll_fn(move |cx| {
            task = task.take().and_then(|task| session.poll(task));
            if task.is_none() {
                return Poll::Ready(());
            }
            // One poll a turn: the runtime's other tasks have theirs.
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
    }

    /// Takes the first hit and calls the flow's function. It may panic: it is the program's.
    fn start(self: &Arc<Self>) -> Option<Task> {
        let flow = self.talk(|talk| talk.flow);
        let Asked::Hit(hit) = self.queue.ask(None, |_| ()).0 else {
            self.end(Ending::Killed);
            return None;
        };
        self.talk(|talk| {
            talk.current = Some(hit);
            talk.step = 1;
        });
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
    fn poll(self: &Arc<Self>, mut task: Task) -> Option<Task> {
        let waker = Waker::from(self.clone());
        let polled = {
            let _watched = watch::running(self.serial);
            catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut Context::from_waker(&waker))))
        };
        let ending = match polled {
            Ok(Poll::Pending) => {
                let (rest, stranded) = self.queue.rest(task);
                self.hand_back(stranded);
                return self.leave(rest);
            }
            Ok(Poll::Ready(result)) => Ending::Returned(result),
            Err(panic) => Ending::Panicked(panic),
        };
        self.bury(task);
        self.end(ending);
        None
    }

    /// What a runner has left to do. Returns the task if it has to be polled again.
    fn leave(self: &Arc<Self>, rest: Rest<Parts>) -> Option<Task> {
        match rest {
            Rest::Idle => {}
            Rest::Wake(waker) => waker.wake(),
            Rest::Again(task) => return Some(task),
            Rest::Doomed(task) => self.kill(Some(task)),
        }
        None
    }

    fn kill(self: &Arc<Self>, task: Option<Task>) {
        if let Some(task) = task {
            self.bury(task);
        }
        self.end(Ending::Killed);
    }

    /// Drops a task. Its destructors are the program's and may panic.
    fn bury(&self, task: Task) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
            tracing::error!(session = %self.name(), panic = %Line(panic_text(&*panic)), "a destructor of a session panicked");
        }
    }

    /// Completes a reply, and keeps its page for repeats where asked to.
    pub(crate) fn finish(self: &Arc<Self>, hit: &mut Hit, keep: bool) {
        if hit.overtime {
            self.core.table.touch(self, self.core.clock.now());
        }
        if let Some(page) = hit.finish(&self.core.frames, keep) {
            let kept = self.core.kept.keep(self.serial, page);
            self.talk(|talk| talk.kept = kept);
        }
    }

    /// Completes a response and sends it. An error, with the hit in hand again, if it has grown too large.
    pub(crate) fn send_page(self: &Arc<Self>, mut hit: Box<Hit>, keep: bool) -> Result<(), Error> {
        if hit.reply.overflow {
            self.talk(|talk| talk.current = Some(hit));
            let limit = self.core.limits.page;
            return Err(Error::new(format!(
                "the response has more than {limit} bytes: send it in parts by `flush`"
            )));
        }
        self.finish(&mut hit, keep);
        hit.reply.send();
        Ok(())
    }

    fn end(self: &Arc<Self>, ending: Ending) {
        self.core.release_address(self);
        self.hand_back(self.queue.close_running());
        let current = self.talk(|talk| talk.current.take());
        let place = self.talk(|talk| talk.place);
        match ending {
            Ending::Returned(Ok(())) => self.lay_to_rest(current),
            Ending::Returned(Err(error)) => self.fail(current, place, &error),
            Ending::Panicked(panic) => {
                let error = Error::new(format!("panicked: {}", panic_text(&*panic)));
                self.fail(current, place, &error.into());
            }
            Ending::Killed => {
                self.forget();
                drop(current);
            }
        }
    }

    /// The function returned: its last page can be repeated for a while.
    fn lay_to_rest(self: &Arc<Self>, mut current: Option<Box<Hit>>) {
        let (applied, fleeting) = self.talk(|talk| (talk.applied, talk.fleeting));
        if let Some(hit) = &mut current {
            self.finish(hit, applied.is_some());
        }
        // A tombstone stands before anyone can ask for it.
        self.queue.end();
        if fleeting || !self.core.table.linger(self, &self.core) {
            self.forget();
        }
        if let Some(mut hit) = current {
            hit.reply.send();
        }
    }

    fn fail(
        self: &Arc<Self>,
        current: Option<Box<Hit>>,
        place: &'static std::panic::Location<'static>,
        error: &BoxError,
    ) {
        self.forget();
        let own = error.downcast_ref::<Error>();
        if own.is_some_and(Error::is_closing) {
            if let Some(hit) = current {
                self.core.refuse(
                    hit,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "This was just closed. Please try again.",
                );
            }
            return;
        }
        if own.is_some_and(Error::is_bad_input) {
            tracing::debug!(session = %self.name(), place = %place, error = %Line(error), "bad input ended a session");
            if let Some(hit) = current {
                self.core.fail(hit, StatusCode::BAD_REQUEST, &format!("The {error}."), None);
            }
            return;
        }
        let id = self.core.error_id();
        let (step, flow) = self.talk(|talk| (talk.step, talk.flow));
        if self.core.gate.open() {
            tracing::error!(
                id, session = %self.name(), flow = self.core.flow(flow).mount(), step, place = %place,
                error = %Line(Chain(error.as_ref())), "a session failed"
            );
        }
        if let Some(hit) = current {
            let message = "Something went wrong here, and it was noted.";
            self.core.fail(hit, StatusCode::INTERNAL_SERVER_ERROR, message, Some(&id));
        }
    }

    /// Removes what the server holds of the session.
    fn forget(self: &Arc<Self>) {
        self.queue.end();
        self.core.table.remove(self);
        self.core.kept.remove(self.serial);
    }

    /// Hits that a closed queue held go back to the mapper.
    fn hand_back(self: &Arc<Self>, left: impl IntoIterator<Item = Box<Hit>>) {
        for mut hit in left {
            hit.reply.defer();
            let core = self.core.clone();
            self.core.runtime.spawn(async move { core.map(hit) });
        }
    }
}

/// A hit that a session did not take.
pub(crate) enum Refused {
    Full(Box<Hit>),
    Closed(Box<Hit>),
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("(no message)", |text| text),
    }
}
