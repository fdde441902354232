//! Pages kept for repeats: the last printed page of a session, in one bounded store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::reply::Kept;

/// Keeps one page a session; the oldest are forgotten when the store is full.
pub(crate) struct KeptPages {
    store: Mutex<Store>,
    page: usize,
    all: usize,
}

#[derive(Default)]
struct Store {
    pages: HashMap<u64, (u64, Arc<Kept>)>,
    /// Sessions in the order of their pages' keeping, each with the page's number: an old number is stale.
    order: VecDeque<(u64, u64)>,
    next: u64,
    bytes: usize,
}

impl KeptPages {
    /// Pages of at most `page` bytes, at most `all` bytes together.
    pub(crate) fn new(page: usize, all: usize) -> Self {
        KeptPages { store: Mutex::default(), page, all }
    }

    /// Takes the session's page away, to be kept again.
    pub(crate) fn take(&self, session: u64) -> Option<Arc<Kept>> {
        let mut store = self.store.lock().expect("no code panics while it holds the kept pages");
        let page = store.pages.get(&session).map(|(_, page)| page.clone());
        store.remove(session);
        page
    }

    /// Keeps the session's page in place of its last one. A page that is too large is not kept.
    pub(crate) fn keep(&self, session: u64, page: Arc<Kept>) -> bool {
        let mut store = self.store.lock().expect("no code panics while it holds the kept pages");
        store.remove(session);
        if page.bytes() > self.page {
            return false;
        }
        let number = store.next;
        store.next += 1;
        store.bytes += page.bytes();
        store.pages.insert(session, (number, page));
        store.order.push_back((session, number));
        while store.bytes > self.all {
            store.forget_oldest();
        }
        true
    }

    pub(crate) fn get(&self, session: u64) -> Option<Arc<Kept>> {
        let store = self.store.lock().expect("no code panics while it holds the kept pages");
        store.pages.get(&session).map(|(_, page)| page.clone())
    }

    /// Whether the session's page is kept.
    pub(crate) fn has(&self, session: u64) -> bool {
        self.get(session).is_some()
    }

    pub(crate) fn remove(&self, session: u64) {
        self.store.lock().expect("no code panics while it holds the kept pages").remove(session);
    }
}

impl Store {
    fn remove(&mut self, session: u64) {
        if let Some((_, page)) = self.pages.remove(&session) {
            self.bytes -= page.bytes();
        }
        // Stale entries go when they reach the front, or all at once when they are most of the line.
        if self.order.len() > 16 + 2 * self.pages.len() {
            let pages = &self.pages;
            self.order.retain(|(session, number)| pages.get(session).is_some_and(|(kept, _)| kept == number));
        }
    }

    fn forget_oldest(&mut self) {
        let Some((session, number)) = self.order.pop_front() else { return };
        if self.pages.get(&session).is_some_and(|(kept, _)| *kept == number) {
            self.remove(session);
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
}
