//! Pages kept for repeats: of a session the last printed page, and the last form that was wrong, in one bounded store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::reply::Kept;

/// Keeps some pages of each session; the oldest are forgotten when the store is full.
pub(crate) struct KeptPages {
    store: Mutex<Store>,
    page: usize,
    all: usize,
}

/// Which page of which session.
type Key = (u64, Slot);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    /// The page that was printed last.
    Printed,
    /// The form that was shown last with what is wrong in it.
    Tried,
}

#[derive(Default)]
struct Store {
    pages: HashMap<Key, Entry>,
    /// Pages in the order of their keeping, each with its number: an old number is stale.
    order: VecDeque<(Key, u64)>,
    next: u64,
    bytes: usize,
}

struct Entry {
    number: u64,
    /// What was tried: see [`Answered`](crate::step::Answered).
    tried: u64,
    page: Arc<Kept>,
}

impl KeptPages {
    /// Pages of at most `page` bytes, at most `all` bytes together.
    pub(crate) fn new(page: usize, all: usize) -> Self {
        KeptPages { store: Mutex::default(), page, all }
    }

    /// Takes the session's page away, to be kept again.
    pub(crate) fn take(&self, session: u64) -> Option<Arc<Kept>> {
        self.store().remove((session, Slot::Printed))
    }

    /// Keeps the session's page in place of its last one. A page that is too large is not kept.
    pub(crate) fn keep(&self, session: u64, page: Arc<Kept>) -> bool {
        self.keep_as((session, Slot::Printed), 0, page)
    }

    /// Keeps a form with what was wrong in what was tried, in place of the last one.
    pub(crate) fn keep_try(&self, session: u64, tried: u64, page: Arc<Kept>) -> bool {
        self.keep_as((session, Slot::Tried), tried, page)
    }

    fn keep_as(&self, key: Key, tried: u64, page: Arc<Kept>) -> bool {
        let mut store = self.store();
        store.remove(key);
        if page.bytes() > self.page {
            return false;
        }
        store.add(key, tried, page);
        while store.bytes > self.all {
            store.forget_oldest();
        }
        true
    }

    pub(crate) fn get(&self, session: u64) -> Option<Arc<Kept>> {
        self.store().pages.get(&(session, Slot::Printed)).map(|entry| entry.page.clone())
    }

    /// The form with what was wrong, if this was tried last.
    pub(crate) fn get_try(&self, session: u64, tried: u64) -> Option<Arc<Kept>> {
        let store = self.store();
        let entry = store.pages.get(&(session, Slot::Tried)).filter(|entry| entry.tried == tried)?;
        Some(entry.page.clone())
    }

    /// Whether the session's page is kept.
    pub(crate) fn has(&self, session: u64) -> bool {
        self.get(session).is_some()
    }

    pub(crate) fn remove(&self, session: u64) {
        self.store().remove((session, Slot::Printed));
    }

    /// Nobody is shown any more what was tried.
    pub(crate) fn remove_try(&self, session: u64) {
        self.store().remove((session, Slot::Tried));
    }

    /// Keeps nothing of the session any more.
    pub(crate) fn forget(&self, session: u64) {
        let mut store = self.store();
        store.remove((session, Slot::Printed));
        store.remove((session, Slot::Tried));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("no code panics while it holds the kept pages")
    }
}

impl Store {
    fn add(&mut self, key: Key, tried: u64, page: Arc<Kept>) {
        let number = self.next;
        self.next += 1;
        self.bytes += page.bytes();
        self.pages.insert(key, Entry { number, tried, page });
        self.order.push_back((key, number));
    }

    fn remove(&mut self, key: Key) -> Option<Arc<Kept>> {
        let removed = self.pages.remove(&key).map(|entry| entry.page);
        self.bytes -= removed.as_ref().map_or(0, |page| page.bytes());
        // Stale entries go when they reach the front, or all at once when they are most of the line.
        if self.order.len() > 16 + 2 * self.pages.len() {
            let pages = &self.pages;
            self.order.retain(|(key, number)| pages.get(key).is_some_and(|kept| kept.number == *number));
        }
        removed
    }

    fn forget_oldest(&mut self) {
        let Some((key, number)) = self.order.pop_front() else { return };
        if self.pages.get(&key).is_some_and(|kept| kept.number == number) {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Frames;
    use crate::reply::{Back, Complete, Reply};

    fn page(bytes: usize) -> Arc<Kept> {
        let mut reply = Reply::new(Back::nowhere());
        reply.rare().raw = Some(bytes::Bytes::from(vec![b'x'; bytes]).into());
        match reply.complete(&Frames::default(), "", true) {
            Complete::Whole(Some(kept)) => kept,
            _ => panic!("asked for"),
        }
    }

    #[test]
    fn the_oldest_pages_go_first_and_the_store_stays_within_its_bytes() {
        let kept = KeptPages::new(100, 250);
        for session in 0..10 {
            assert!(kept.keep(session, page(100)));
        }
        assert!(kept.get(7).is_none());
        assert!(kept.get(8).is_some() && kept.get(9).is_some());
    }

    #[test]
    fn a_session_has_one_page_and_a_large_one_is_not_kept() {
        let kept = KeptPages::new(100, 250);
        for _ in 0..1000 {
            assert!(kept.keep(1, page(60)));
        }
        assert!(!kept.keep(1, page(101)));
        assert!(kept.get(1).is_none(), "the page before is not this page");
        assert!(kept.store.lock().expect("not poisoned").order.len() < 40);
    }

    #[test]
    fn what_was_tried_last_is_kept_beside_the_page_and_within_the_same_bytes() {
        let kept = KeptPages::new(100, 250);
        assert!(kept.keep(1, page(60)) && kept.keep_try(1, 7, page(50)) && kept.keep_try(1, 8, page(40)));
        assert!(kept.get_try(1, 7).is_none(), "something else was tried since");
        assert_eq!(kept.get_try(1, 8).map(|page| page.bytes()), Some(40));
        kept.remove(1);
        assert!(kept.get(1).is_none() && kept.get_try(1, 8).is_some());
        assert!(kept.keep(2, page(100)) && kept.keep_try(2, 9, page(100)), "240 bytes");
        assert!(kept.keep(3, page(100)));
        assert!(kept.get_try(1, 8).is_none() && kept.get(2).is_none(), "the oldest went");
        kept.forget(2);
        assert!(kept.get_try(2, 9).is_none() && kept.get(3).is_some());
    }
}
