//! One thread that writes: what waits while it writes is written together, next.
//!
//! A response waits here until what led to it is durable. If it cannot be written, nobody gets it: the visitor is told to
//! come again (503), and the session is dropped, to be rebuilt from what was written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::scribe::Scribe;
use super::store::{Change, Fault, Store};
use crate::limits::Limits;
use crate::reply::Ready;
use crate::session::Session;

/// Something to be written, and what follows from it.
#[derive(Default)]
pub(crate) struct Submission {
    /// Whose it is: what was written before of a session that is broken is all there is of it.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) changes: Vec<Change>,
    pub(crate) then: Then,
    /// The session has left memory; when this is written it can come back.
    pub(crate) leaves: bool,
    /// Why there is no room for it, in words for the visitor.
    pub(super) refusal: Option<&'static str>,
}

/// What follows when it is durable.
#[derive(Default)]
pub(crate) enum Then {
    #[default]
    Nothing,
    Answer(Ready),
    Wake(oneshot::Sender<Result<(), Fault>>),
}

impl Then {
    /// Somebody is told.
    pub(crate) fn wake() -> (Then, oneshot::Receiver<Result<(), Fault>>) {
        let (sender, receiver) = oneshot::channel();
        (Then::Wake(sender), receiver)
    }
}

/// The way to the thread, or who writes at once where the store does not wait.
pub(super) enum Writer {
    Queue(Queue),
    AtOnce(Mutex<Option<Scribe>>),
}

/// Where submissions wait for the thread.
pub(super) struct Queue {
    sender: Mutex<Option<Sender<Submission>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Writer {
    /// At most so many submissions wait, and so many bytes are kept, as the limits say.
    pub(super) fn start(store: Arc<dyn Store>, limits: &Limits) -> Writer {
        let waiting = Arc::new(AtomicUsize::new(0));
        let waits = store.waits();
        let mut scribe = Scribe::new(store, limits.journal_bytes as u64, waiting.clone());
        if !waits {
            return Writer::AtOnce(Mutex::new(Some(scribe)));
        }
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("continuity-journal".into());
        let thread =
            thread.spawn(move || scribe.run(&receiver)).expect("a thread can be started at the start");
        let (sender, thread) = (Mutex::new(Some(sender)), Mutex::new(Some(thread)));
        Writer::Queue(Queue { sender, thread, waiting, most: limits.journal_queue })
    }

    /// Has it written. If the line is too long, or closed, it fails as if it could not be.
    pub(super) fn submit(&self, submission: Submission) {
        let settle = match self {
            Writer::Queue(line) => line.submit(submission),
            Writer::AtOnce(scribe) => {
                let mut submission = submission;
                let mut scribe = scribe.lock().expect("what panics in a store is caught");
                let written =
                    scribe.as_mut().map_or(Err(Fault::Failed), |scribe| scribe.write_one(&mut submission));
                Some((submission, written))
            }
        };
        if let Some((submission, written)) = settle {
            submission.settle(written);
        }
    }

    /// Whether half of the line is taken: what can wait until later does, and hits find room.
    pub(super) fn is_crowded(&self) -> bool {
        match self {
            Writer::Queue(line) => line.waiting.load(Ordering::Relaxed) >= line.most.div_ceil(2),
            Writer::AtOnce(_) => false,
        }
    }

    /// Writes what is in line, and takes nothing more.
    pub(super) fn close(&self) {
        match self {
            Writer::Queue(line) => line.close(),
            Writer::AtOnce(scribe) => drop(scribe.lock().expect("what panics in a store is caught").take()),
        }
    }
}

impl Queue {
    /// Puts it in line; what is refused comes back.
    fn submit(&self, submission: Submission) -> Option<(Submission, Result<(), Fault>)> {
        let line = self.sender.lock().expect("no code panics while it holds the line");
        let room = self.waiting.fetch_add(1, Ordering::Relaxed) < self.most;
        let refused = match &*line {
            Some(line) if room || submission.changes.is_empty() => {
                line.send(submission).err().map(|refused| refused.0)
            }
            _ => Some(submission),
        };
        drop(line);
        refused.map(|submission| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            (submission, Err(Fault::Failed))
        })
    }

    fn close(&self) {
        drop(self.sender.lock().expect("no code panics while it holds the line").take());
        let thread = self.thread.lock().expect("no code panics while it holds the thread").take();
        if let Some(thread) = thread.filter(|writer| writer.thread().id() != thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("the journal's writer panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Submission {
    pub(super) fn is_of_a_broken_session(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.tape(|tape| tape.broken) == Some(true))
    }

    /// Does what follows.
    pub(super) fn settle(self, written: Result<(), Fault>) {
        let Submission { session, then, leaves, refusal, .. } = self;
        let written = match &session {
            Some(session) => session.settle(written, leaves),
            None => written,
        };
        if let Some(session) = session.filter(|_| written.is_err()) {
            // First the step is undone, then the visitor is told: who comes again finds what is left.
            let (core, runtime) = (session.core.clone(), session.core.runtime.clone());
            runtime.spawn(async move {
                session.undo();
                core.journal().strand(session.serial);
                match then {
                    Then::Answer(ready) => match refusal {
                        Some(why) => core.unwritten(ready, why),
                        None => core.undone(ready),
                    },
                    other => other.follow(written),
                }
            });
            return;
        }
        then.follow(written);
    }
}

impl Then {
    fn follow(self, written: Result<(), Fault>) {
        match self {
            Then::Nothing => {}
            Then::Answer(ready) if written.is_ok() => ready.send(),
            // Dropped, it answers 503.
            Then::Answer(ready) => drop(ready),
            Then::Wake(sender) => drop(sender.send(written)),
        }
    }
}
