//! What hits ask the store: one thread looks for many of them, one after the other, and then tells them all.
//!
//! To wake a thread for each hit, and the runtime for each answer, took more than what was looked for. Other threads help
//! where more waits than one is through with soon.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::store::{Fault, StoreError};
use crate::engine::Core;

/// Looks that wait for each thread before another one helps; and for how long none is taken up.
const EACH: usize = 8;
const SLOW: Duration = Duration::from_millis(1);
/// Threads, at most: on more the disk's own line would only be longer.
const THREADS: usize = 8;
/// Looks that are made before those who asked are told.
const TOGETHER: usize = 8;
/// For how long the first of them waits for the others: a disk may be slow.
const PATIENCE: Duration = Duration::from_micros(200);

/// Looks into the store, and says how to tell who asked.
type Look = Box<dyn FnOnce() -> Tell + Send>;
type Tell = Box<dyn FnOnce() + Send>;

/// The line of those who ask.
#[derive(Default)]
pub(super) struct Lookups(Mutex<Line>);

#[derive(Default)]
struct Line {
    looks: VecDeque<Look>,
    /// What was found for those who are not told yet.
    found: Vec<Tell>,
    /// When the last one was taken up.
    taken: Option<Instant>,
    threads: usize,
}

impl Lookups {
    /// Has this done where it may wait for a disk.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        runtime: &Handle,
        look: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, told) = oneshot::channel();
        let look = Box::new(move || {
            let found = look();
            Box::new(move || drop(sender.send(found))) as Tell
        });
        if self.line_up(look) {
            let lookups = self.clone();
            drop(runtime.spawn_blocking(move || lookups.serve()));
        }
        told.await
            .unwrap_or_else(|_| Err(StoreError::new(Fault::Failed, "ask the journal: the store panicked")))
    }

    /// Whether another thread is needed.
    fn line_up(&self, look: Look) -> bool {
        let mut line = self.line();
        line.looks.push_back(look);
        let slow = || line.taken.is_some_and(|taken| taken.elapsed() > SLOW);
        let needed =
            line.threads < THREADS && (line.threads == 0 || line.looks.len() > EACH * line.threads || slow());
        line.threads += usize::from(needed);
        needed
    }

    /// Looks until nobody waits.
    fn serve(&self) {
        let (mut found, mut since) = (None, Instant::now());
        loop {
            let (look, tell) = self.next(found.take(), &mut since);
            tell.into_iter().for_each(|tell| tell());
            let Some(look) = look else { return };
            // Who asked the one that panics is told by that.
            found = catch_unwind(AssertUnwindSafe(look)).ok();
        }
    }

    /// The first in line, and those who are to be told now; who finds none is not at work any more.
    fn next(&self, found: Option<Tell>, since: &mut Instant) -> (Option<Look>, Vec<Tell>) {
        let mut line = self.line();
        line.found.extend(found);
        let look = line.looks.pop_front();
        line.threads -= usize::from(look.is_none());
        line.taken = Some(Instant::now());
        let now = look.is_none() || line.found.len() >= TOGETHER || since.elapsed() >= PATIENCE;
        let tell = if now { std::mem::take(&mut line.found) } else { Vec::new() };
        if now {
            *since = Instant::now();
        }
        (look, tell)
    }

    /// Where one look takes very long, what was found before it is told, and those behind it are looked for. Called now and
    /// then: who lines up sees to it only at that moment.
    pub(super) fn help(self: &Arc<Self>, runtime: &Handle) {
        let (tell, needed) = {
            let mut line = self.line();
            let slow = line.taken.is_some_and(|taken| taken.elapsed() > SLOW);
            if !slow {
                return;
            }
            let needed = !line.looks.is_empty() && line.threads < THREADS;
            line.threads += usize::from(needed);
            (std::mem::take(&mut line.found), needed)
        };
        tell.into_iter().for_each(|tell| tell());
        if needed {
            let lookups = self.clone();
            drop(runtime.spawn_blocking(move || lookups.serve()));
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().expect("no code panics while it holds the line")
    }
}

impl Core {
    /// Asks the journal for a hit.
    pub(super) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.journal().lookups.ask(&self.runtime, look).await
    }
}

/// Runs what waits for the disk where that holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::caused(Fault::Failed, "ask the journal", error)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn ask<T: Send + 'static>(
        lookups: &Arc<Lookups>,
        look: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> tokio::task::JoinHandle<Result<T, StoreError>> {
        let (lookups, runtime) = (lookups.clone(), Handle::current());
        tokio::spawn(async move { lookups.ask(&runtime, look).await })
    }

    #[tokio::test]
    async fn each_is_told_what_was_found_for_it_also_after_one_that_panicked() {
        let lookups = Arc::default();
        let panics = ask::<()>(&lookups, || panic!("a store panics: this is a test"));
        let asked: Vec<_> = (0..100).map(|nth| ask(&lookups, move || Ok(nth))).collect();
        assert_eq!(panics.await.expect("it is told").map_err(|error| error.fault()), Err(Fault::Failed));
        for (nth, asked) in asked.into_iter().enumerate() {
            assert_eq!(asked.await.expect("it is told").ok(), Some(nth));
        }
        assert_eq!(ask(&lookups, || Ok(7)).await.expect("it is told").ok(), Some(7));
        // Who tells the last of them is gone a moment later.
        while lookups.line().threads > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn whoever_lined_up_beside_a_look_that_hangs_is_seen_to() {
        let lookups: Arc<Lookups> = Arc::default();
        let (go, wait) = mpsc::channel::<()>();
        // All at once: the one thread there is has found something, hangs, and has one more behind that.
        let before = ask(&lookups, || Ok(1));
        let hangs = ask(&lookups, move || Ok(wait.recv().is_ok()));
        let behind = ask(&lookups, || Ok(2));
        tokio::task::yield_now().await;
        tokio::time::sleep(50 * SLOW).await;
        lookups.help(&Handle::current());
        assert_eq!(before.await.expect("it is told").ok(), Some(1));
        assert_eq!(behind.await.expect("it is told").ok(), Some(2));
        go.send(()).expect("it waits");
        assert_eq!(hangs.await.expect("it is told").ok(), Some(true));
    }

    #[tokio::test]
    async fn others_help_where_one_look_takes_long() {
        let lookups = Arc::default();
        let (go, wait) = mpsc::channel::<()>();
        let slow = ask(&lookups, move || Ok(wait.recv().is_ok()));
        while lookups.line().taken.is_none() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(2 * SLOW).await;
        assert_eq!(ask(&lookups, || Ok(7)).await.expect("it is told").ok(), Some(7));
        go.send(()).expect("it waits");
        assert_eq!(slow.await.expect("it is told").ok(), Some(true));
    }
}
