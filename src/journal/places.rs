//! Where sessions are replayed: so many at a time, each noted while its own code runs, since that may kill the process.
//!
//! Half of the places are for those who come back alone: old pages, and sessions that nobody has asked for, never take
//! them. A session that was being rebuilt when a process died is rebuilt while no other is: should the process die again,
//! it is known by whom.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Journal;
use super::store::SLOTS;

/// Places for those who wait for less than a visitor who comes back.
const ASIDE: usize = SLOTS / 2;
/// For how long a session that may have killed a process waits until no other is replayed.
const ALONE: Duration = Duration::from_secs(2);

/// Why a session is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its visitor comes back.
    Asked,
    /// An old page is looked for, or its time has come.
    Aside,
    /// It was being replayed when a process died.
    Suspected,
}

/// The places, and where each session is noted meanwhile.
pub(super) struct Places {
    all: Semaphore,
    aside: Semaphore,
    slots: Mutex<Vec<usize>>,
}

impl Places {
    pub(super) fn new() -> Self {
        let slots = Mutex::new((0..SLOTS).collect());
        Places { all: Semaphore::new(SLOTS), aside: Semaphore::new(ASIDE), slots }
    }

    async fn take(&self, why: Why) -> (SemaphorePermit<'_>, Option<SemaphorePermit<'_>>) {
        const OPEN: &str = "it is never closed";
        let aside = match why {
            Why::Aside => Some(self.aside.acquire().await.expect(OPEN)),
            Why::Asked => None,
            Why::Suspected => {
                let all = self.all.acquire_many(u32::try_from(SLOTS).expect("they are few"));
                // One that does not end must not keep all others waiting.
                if let Ok(all) = tokio::time::timeout(ALONE, all).await {
                    return (all.expect(OPEN), None);
                }
                None
            }
        };
        (self.all.acquire().await.expect(OPEN), aside)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<usize>> {
        let slots = self.slots.lock().expect("no code panics while it holds the slots");
        debug_assert!(slots.len() <= SLOTS);
        slots
    }
}

impl Journal {
    /// Replays a session when there is a place for it. It is marked only while its own code runs.
    pub(super) async fn in_place<T>(&self, session: u64, why: Why, replay: impl Future<Output = T>) -> T {
        let _place = self.places.take(why).await;
        let slot = self.places.slots().pop().expect("there are as many slots as places");
        self.store.mark(slot, Some(session));
        let replayed = replay.await;
        self.store.mark(slot, None);
        self.places.slots().push(slot);
        replayed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_who_come_back_find_a_place_however_many_old_pages_are_looked_for() {
        let places = Arc::new(Places::new());
        let mut aside = Vec::new();
        for _ in 0..ASIDE {
            aside.push(places.take(Why::Aside).await);
        }
        let more = tokio::time::timeout(ALONE, places.take(Why::Aside)).await;
        assert!(more.is_err(), "the next one waits");
        for _ in 0..10 {
            drop(places.take(Why::Asked).await);
        }
        drop(aside.pop());
        drop(places.take(Why::Aside).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_suspected_is_alone_if_that_can_be_had_soon() {
        let places = Arc::new(Places::new());
        let alone = places.take(Why::Suspected).await;
        let waited = Arc::new(AtomicUsize::new(0));
        let (of, count) = (places.clone(), waited.clone());
        let other = tokio::spawn(async move {
            drop(of.take(Why::Asked).await);
            count.fetch_add(1, Ordering::Relaxed);
        });
        tokio::time::sleep(ALONE).await;
        assert_eq!(waited.load(Ordering::Relaxed), 0, "others wait until it is through");
        drop(alone);
        other.await.expect("it finds a place");
        // One of the others does not end.
        let _endless = places.take(Why::Asked).await;
        let begun = tokio::time::Instant::now();
        drop(places.take(Why::Suspected).await);
        assert_eq!(begun.elapsed().as_secs(), ALONE.as_secs(), "it waits no longer than that");
    }
}
