//! A store that fails on order, to see what visitors meet then.

use std::sync::{Arc, Mutex};

use crate::journal::{
    Change, Chunk, Fault, Found, Head, Opened, Recalled, Share, Store, StoreError, Visitor,
};

/// A store that fails on order. Clones share the order and the store.
///
/// ```
/// use continuity::journal::{Fault, Memory};
/// use continuity::prelude::*;
/// use continuity::test::Browser;
/// use continuity::test::store::Failing;
///
/// async fn counter(mut req: Request) -> Result<()> {
///     let mut count = 0;
///     loop { count += req.choose(|c| html! { "Count: " (count) " " (c.link("++", 1)) }).await?; }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = Failing::new(Memory::new());
/// let mut browser = Browser::of(Server::new(counter).journal(store.clone()));
/// browser.get("/").await.follow("++").await.shows("Count: 1");
/// store.fail(Some(Fault::Full));
/// browser.follow("++").await.status(503);
/// store.fail(None);
/// browser.reload().await.shows("Count: 2");
/// # }
/// ```
#[derive(Debug)]
pub struct Failing<S> {
    store: Arc<S>,
    order: Arc<Mutex<Option<Fault>>>,
}

impl<S: Store> Failing<S> {
    /// One that works, until it is told to fail.
    pub fn new(store: S) -> Self {
        Failing { store: Arc::new(store), order: Arc::default() }
    }

    /// From now on all that is written fails like this; `None`: it works again.
    pub fn fail(&self, fault: Option<Fault>) {
        *self.order.lock().expect("no code panics while it holds the order") = fault;
    }

    fn order(&self) -> Option<Fault> {
        *self.order.lock().expect("no code panics while it holds the order")
    }
}

impl<S> Clone for Failing<S> {
    fn clone(&self) -> Self {
        Failing { store: self.store.clone(), order: self.order.clone() }
    }
}

impl<S: Store> Store for Failing<S> {
    fn opened(&self) -> Opened {
        self.store.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        match self.order() {
            Some(fault) => Err(StoreError::new(fault, "it was told to fail")),
            None => self.store.write(changes),
        }
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.store.find(visitor, label)
    }

    fn share(&self, visitor: &Visitor) -> Result<Share, StoreError> {
        self.store.share(visitor)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.store.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.store.load(session)
    }

    fn recall(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.store.recall(session)
    }

    fn find_to_play(
        &self,
        visitor: &Visitor,
        label: u64,
        wanted: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(Found, Option<Recalled>), StoreError> {
        self.store.find_to_play(visitor, label, wanted)
    }

    fn rest(&self) -> bool {
        self.order().is_none() && self.store.rest()
    }

    fn make_room(&self) {
        self.store.make_room();
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.store.due(now, wall, limit)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.store.list(after, limit)
    }

    fn waits(&self) -> bool {
        self.store.waits()
    }

    fn bytes(&self) -> u64 {
        self.store.bytes()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        self.store.mark(slot, session);
    }
}
