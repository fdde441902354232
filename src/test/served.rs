//! A server that tests visit. When nobody does any more, all that its journal has is replayed, twice: a program that does not
//! do the same again is found out also by tests that restart nothing.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::server::Owned;

pub(super) struct Served {
    owned: Owned,
    /// Its program is known not to do the same again.
    pub(super) differs: AtomicBool,
}

impl Served {
    pub(super) fn new(owned: Owned) -> Served {
        Served { owned, differs: AtomicBool::new(false) }
    }
}

impl Deref for Served {
    type Target = Owned;

    fn deref(&self) -> &Owned {
        &self.owned
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let core = &self.owned.0.0;
        if core.journal.is_none() || thread::panicking() || self.differs.load(Ordering::Relaxed) {
            return;
        }
        let _inside = core.runtime.enter();
        if let Err(report) = now(core.rehearse_all()) {
            panic!(
                "a session that was recorded does not replay: {report}\n(a test that wants that says \
                 `without_rehearsal`)"
            );
        }
    }
}

/// Wakes a thread.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits in the middle of a runtime for what needs none.
fn now<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
