//! One thread that writes: what waits while it writes is written together, next.
//!
//! A response waits here until what led to it is durable. If it cannot be written, nobody gets it: the visitor is told to
//! come again (503), and the session is dropped, to be rebuilt from what was written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::renames::Rename;
use super::store::{Change, Fault, Store, StoreError, Visitor};
use crate::error::Chain;
use crate::limits::Limits;
use crate::log::Line;
use crate::reply::Ready;
use crate::session::Session;

/// Submissions that are written together.
const GROUP: usize = 4_096;
/// For how long the store has time for itself when the server stops.
const LAST: Duration = Duration::from_secs(2);
/// How often the log is told that nothing can be written.
const SAY: Duration = Duration::from_secs(10);

/// Something to be written, and what follows from it.
#[derive(Default)]
pub(crate) struct Submission {
    /// Whose it is: what was written before of a session that is broken is all there is of it.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) changes: Vec<Change>,
    /// Ids that it changes.
    pub(crate) renames: Vec<Rename>,
    pub(crate) then: Then,
    /// The session has left memory; when this is written it can come back.
    pub(crate) leaves: bool,
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
        let mut scribe =
            Scribe { store, bytes: limits.journal_bytes as u64, waiting: waiting.clone(), said: None };
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
                let mut scribe = scribe.lock().expect("a store does not panic");
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
            Writer::AtOnce(scribe) => drop(scribe.lock().expect("a store does not panic").take()),
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

/// Who writes.
pub(super) struct Scribe {
    store: Arc<dyn Store>,
    /// Bytes that it may take.
    bytes: u64,
    waiting: Arc<AtomicUsize>,
    said: Option<Instant>,
}

impl Scribe {
    fn run(&mut self, line: &Receiver<Submission>) {
        while let Some(first) = self.next(line) {
            // Who has just been answered may have something to be written, too: let them.
            thread::yield_now();
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = line.try_recv()
            {
                group.push(next);
            }
            self.waiting.fetch_sub(group.len(), Ordering::Relaxed);
            self.write(group);
        }
        let end = Instant::now() + LAST;
        while self.rest() && Instant::now() < end {}
    }

    /// What is to be written next. While there is nothing, the store has time for itself.
    fn next(&self, line: &Receiver<Submission>) -> Option<Submission> {
        loop {
            match line.try_recv() {
                Err(TryRecvError::Empty) if self.rest() => {}
                Err(TryRecvError::Empty) => return line.recv().ok(),
                other => return other.ok(),
            }
        }
    }

    /// Gives the store time for itself; whether it wants more. None where it is full: what it does may need room.
    fn rest(&self) -> bool {
        self.store.bytes() < self.bytes && self.store.rest()
    }

    fn write_one(&mut self, submission: &mut Submission) -> Result<(), Fault> {
        let mut changes = std::mem::take(&mut submission.changes);
        self.write_alone(submission, &mut changes)
    }

    fn write_alone(&mut self, submission: &mut Submission, changes: &mut [Change]) -> Result<(), Fault> {
        if submission.is_of_a_broken_session() {
            return Err(Fault::Failed);
        }
        submission.name_visitor(changes, &[]);
        let written = self.store(changes);
        // Before another is written: whose that is depends on it.
        submission.decide_renames(written.is_ok());
        written
    }

    fn write(&mut self, mut group: Vec<Submission>) {
        let mut changes = Vec::with_capacity(group.len());
        let (mut ends, mut renamed) = (Vec::with_capacity(group.len()), Vec::new());
        for submission in &mut group {
            if !submission.is_of_a_broken_session() {
                let mut own = std::mem::take(&mut submission.changes);
                submission.name_visitor(&mut own, &renamed);
                if !submission.renames.is_empty() {
                    renamed.extend(own.iter().filter_map(Change::as_rename));
                }
                changes.append(&mut own);
            }
            ends.push(changes.len());
        }
        match self.store(&changes) {
            Ok(()) => group.into_iter().for_each(|submission| submission.settle(Ok(()))),
            // Perhaps one of them spoils it for all.
            Err(Fault::Failed) if group.len() > 1 => self.write_singly(group, &mut changes, &ends),
            Err(fault) => group.into_iter().for_each(|submission| submission.settle(Err(fault))),
        }
    }

    fn write_singly(&mut self, group: Vec<Submission>, changes: &mut [Change], ends: &[usize]) {
        let mut start = 0;
        for (mut submission, end) in group.into_iter().zip(ends) {
            // What comes after a step that could not be written is not written either.
            let written = self.write_alone(&mut submission, &mut changes[start..*end]);
            submission.settle(written);
            start = *end;
        }
    }

    fn store(&mut self, changes: &[Change]) -> Result<(), Fault> {
        if changes.is_empty() {
            return Ok(());
        }
        match self.check_room(changes).and_then(|()| self.store.write(changes)) {
            Ok(()) => {
                if self.said.take().is_some() {
                    tracing::info!("the journal can be written again");
                }
                Ok(())
            }
            Err(error) => {
                self.say(&error);
                Err(error.fault())
            }
        }
    }

    /// What is over can always be written: it makes room.
    fn check_room(&self, changes: &[Change]) -> Result<(), StoreError> {
        let grows = changes.iter().any(|change| matches!(change, Change::Append(_)));
        if !grows || self.store.bytes() < self.bytes {
            return Ok(());
        }
        let what = format!("the journal has the {} bytes that `Limits::journal_bytes` allows", self.bytes);
        Err(StoreError::new(Fault::Full, what))
    }

    /// Says it loudly, but not for each hit.
    fn say(&mut self, error: &StoreError) {
        if self.said.is_some_and(|said| said.elapsed() < SAY) {
            return;
        }
        self.said = Some(Instant::now());
        let error_text = Line(Chain(error));
        match error.fault() {
            Fault::Stopped => tracing::error!(
                error = %error_text,
                "the journal takes nothing more: what it said was on the disk may not be; hits are answered 503 until the server is started again"
            ),
            Fault::Full => {
                tracing::error!(error = %error_text, "the journal has no room: hits are answered 503")
            }
            _ => tracing::error!(error = %error_text, "the journal cannot be written: hits are answered 503"),
        }
    }
}

impl Submission {
    fn is_of_a_broken_session(&self) -> bool {
        let is_broken = |session: &Arc<Session>| session.ledger(|ledger| ledger.is_broken()) == Some(true);
        self.session.as_ref().is_some_and(is_broken)
    }

    /// Says whose a session is that begins, now that all that was submitted before is written or `renamed` with it: its
    /// visitor's id may have been changed since this was handed out, and a change that comes later finds it.
    fn name_visitor(&self, changes: &mut [Change], renamed: &[(Visitor, Visitor)]) {
        let (Some(Change::Begin { visitor, .. }), Some(session)) = (changes.first_mut(), &self.session)
        else {
            return;
        };
        let journal = session.core.journal();
        *visitor = journal.visitor(journal.renames.durable(session.visitor()));
        for (from, to) in renamed {
            if from == visitor {
                *visitor = *to;
            }
        }
    }

    /// The ids that it changes are changed for good, or were not.
    fn decide_renames(&mut self, written: bool) {
        let Some(session) = self.session.as_ref().filter(|_| !self.renames.is_empty()) else { return };
        for rename in std::mem::take(&mut self.renames) {
            match written {
                true => session.core.journal().renames.written(rename),
                false => session.core.give_up_rename(session, rename),
            }
        }
    }

    /// Does what follows.
    fn settle(mut self, written: Result<(), Fault>) {
        self.decide_renames(written.is_ok());
        let Submission { session, then, leaves, .. } = self;
        let written = match &session {
            Some(session) => session.settle(written, leaves),
            None => written,
        };
        if let Some(session) = session.filter(|_| written.is_err()) {
            // First the step is undone, then the visitor is told: who comes again finds what is left.
            let runtime = session.core.runtime.clone();
            runtime.spawn(async move {
                session.undo();
                match then {
                    Then::Answer(ready) => session.undone(ready),
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
