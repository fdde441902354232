//! What is being uploaded now, by whom, and how far it is. Caps uploads, and lets programs show them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::limits::Limits;
use crate::mapper::key::VisitorId;

/// All uploads on their way to a server.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<State>);

#[derive(Default)]
struct State {
    count: usize,
    /// How many of them are of nobody we know.
    strangers: usize,
    /// Those of visitors we know.
    known: HashMap<VisitorId, Vec<Arc<Meter>>>,
}

/// How far an upload is.
pub(crate) struct Meter {
    received: AtomicU64,
    pub(crate) total: Option<u64>,
}

impl Meter {
    pub(super) fn new(total: Option<u64>) -> Arc<Meter> {
        Arc::new(Meter { received: AtomicU64::new(0), total })
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Adds bytes that came; how many they are in all.
    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.received.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

/// A place among the uploads, given back when it is dropped.
pub(super) struct Place {
    arrivals: Arc<Arrivals>,
    visitor: Option<VisitorId>,
    pub(super) meter: Arc<Meter>,
}

impl Arrivals {
    /// Takes a place for one more; `None` if there is none left for this visitor, or for anybody.
    pub(super) fn admit(
        self: &Arc<Self>,
        visitor: Option<VisitorId>,
        total: Option<u64>,
        limits: &Limits,
    ) -> Option<Place> {
        let meter = Meter::new(total);
        let mut state = self.lock();
        // Half of the places are for those who have a session.
        let crowded = visitor.is_none() && state.strangers >= limits.uploads.div_ceil(2);
        if state.count >= limits.uploads || crowded {
            return None;
        }
        if let Some(visitor) = visitor {
            let theirs = state.known.entry(visitor).or_default();
            if theirs.len() >= limits.uploads_per_visitor {
                return None;
            }
            theirs.push(meter.clone());
        }
        state.count += 1;
        state.strangers += usize::from(visitor.is_none());
        Some(Place { arrivals: self.clone(), visitor, meter })
    }

    /// What is on its way from a visitor, the oldest first.
    pub(crate) fn of(&self, visitor: VisitorId) -> Vec<Arc<Meter>> {
        self.lock().known.get(&visitor).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while it holds the arrivals")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.arrivals.lock();
        state.count -= 1;
        let Some(visitor) = self.visitor else {
            state.strangers -= 1;
            return;
        };
        if let Some(theirs) = state.known.get_mut(&visitor) {
            theirs.retain(|meter| !Arc::ptr_eq(meter, &self.meter));
            if theirs.is_empty() {
                state.known.remove(&visitor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r47_uploads_are_capped_and_their_places_come_back() {
        let mut limits = Limits::default();
        (limits.uploads, limits.uploads_per_visitor) = (3, 2);
        let arrivals = Arc::new(Arrivals::default());
        let (ada, bob) = (VisitorId([1, 1]), VisitorId([2, 2]));
        let first = arrivals.admit(Some(ada), Some(10), &limits).expect("the first");
        let second = arrivals.admit(Some(ada), None, &limits).expect("the second");
        assert!(arrivals.admit(Some(ada), None, &limits).is_none(), "Ada has two");
        let third = arrivals.admit(None, None, &limits).expect("the third");
        assert!(arrivals.admit(Some(bob), None, &limits).is_none(), "there are three");
        assert!(arrivals.of(bob).is_empty());
        assert_eq!(first.meter.add(4) + first.meter.add(3), 4 + 7);
        let seen: Vec<_> = arrivals.of(ada).iter().map(|meter| (meter.received(), meter.total)).collect();
        assert_eq!(seen, [(7, Some(10)), (0, None)]);
        drop((first, second, third));
        let state = arrivals.lock();
        assert!(state.count == 0 && state.strangers == 0 && state.known.is_empty(), "nothing is left");
    }

    #[test]
    fn r47_strangers_leave_half_of_the_places_to_visitors() {
        let limits = Limits { uploads: 4, ..Limits::default() };
        let arrivals = Arc::new(Arrivals::default());
        let strangers: Vec<_> = (0..4).filter_map(|_| arrivals.admit(None, None, &limits)).collect();
        assert_eq!(strangers.len(), 2);
        assert!(arrivals.admit(Some(VisitorId([1, 1])), None, &limits).is_some());
    }
}
