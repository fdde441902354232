//! What a session is doing while it is polled: whether it is inside an effect, and whether what it logs is to be hushed.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::dispatcher::{self, DefaultGuard, Dispatch};

use crate::session::Session;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static BURIES: Cell<bool> = const { Cell::new(false) };
    static HUSH: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// Whether this code runs inside `once` or `read`: there, and only there, secrets and uploaded files can be opened.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// Whether a branch is dropped that its session is not on.
pub(crate) fn is_burying() -> bool {
    BURIES.get()
}

/// While it is there, verbs that are dropped are given up by nobody.
pub(crate) struct Burial(bool);

impl Drop for Burial {
    fn drop(&mut self) {
        BURIES.set(self.0);
    }
}

/// A branch is dropped that its session is not on.
pub(crate) fn bury() -> Burial {
    Burial(BURIES.replace(true))
}

/// While it is there, what this thread logs goes nowhere: the program repeats what it has logged before.
pub(crate) struct Hush;

impl Drop for Hush {
    fn drop(&mut self) {
        unhush();
    }
}

/// From here on what this thread logs goes nowhere.
pub(crate) fn hush() -> Hush {
    let guard = dispatcher::set_default(&Dispatch::none());
    HUSH.with(|hush| *hush.borrow_mut() = Some(guard));
    Hush
}

/// What is logged from here on is new.
pub(crate) fn unhush() {
    let guard = HUSH.with(|hush| hush.borrow_mut().take());
    drop(guard);
}

/// Runs a part of an effect on another thread.
pub(crate) fn within<T>(work: impl FnOnce() -> T) -> T {
    let _before = Before(INSIDE.replace(true));
    work()
}

/// What was, given back also if what runs meanwhile panics.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

pin_project! {
    /// A verb's work: what it waits for is known to the session, and secrets open in it.
    pub(crate) struct Inside<F> {
        session: Arc<Session>,
        // It was begun, and has not come to its end.
        waits: bool,
        #[pin]
        work: F,
    }

    impl<F> PinnedDrop for Inside<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if *this.waits && !std::thread::panicking() && !is_burying() {
                this.session.gave_up();
            }
        }
    }
}

impl<F> Inside<F> {
    pub(crate) fn new(session: Arc<Session>, work: F) -> Self {
        Inside { session, waits: false, work }
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _before = Before(INSIDE.replace(true));
        let polled = this.work.poll(cx);
        *this.waits = polled.is_pending();
        if polled.is_pending() {
            this.session.tape(|tape| tape.at_verb = true);
        }
        polled
    }
}
