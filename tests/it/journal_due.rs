//! Sessions whose time has come where something is wrong: with some of them, with their flow, with the store.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::journal::{
    Change, Chunk, Fault, Found, Head, Memory, Opened, State, Store, StoreError, Visitor,
};
use continuity::prelude::*;
use continuity::test::Browser;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A store with something wrong.
#[derive(Clone, Default)]
struct Odd {
    store: Memory,
    wrong: Arc<Wrong>,
}

#[derive(Default)]
struct Wrong {
    /// Sessions that cannot be read at the moment.
    unread: Mutex<HashSet<u64>>,
    /// Whoever reads this one waits until it is another's turn.
    hangs: Mutex<Option<u64>>,
    /// What is said to be due, once.
    due: Mutex<Option<Vec<Head>>>,
    /// The next write panics.
    panics: AtomicBool,
    /// It has a thread of its own.
    waits: bool,
}

impl Store for Odd {
    fn opened(&self) -> Opened {
        self.store.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        assert!(!self.wrong.panics.swap(false, Ordering::Relaxed), "a store panics: this is a test");
        self.store.write(changes)
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.store.find(visitor, label)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.store.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        while *self.wrong.hangs.lock().expect("nobody panics") == Some(session) {
            std::thread::sleep(SECOND / 100);
        }
        if self.wrong.unread.lock().expect("nobody panics").contains(&session) {
            return Err(StoreError::new(Fault::Failed, "it cannot be read: this is a test"));
        }
        self.store.load(session)
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        match self.wrong.due.lock().expect("nobody panics").take() {
            Some(due) => Ok(due),
            None => self.store.due(now, wall, limit),
        }
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.store.list(after, limit)
    }

    fn waits(&self) -> bool {
        self.wrong.waits
    }

    fn bytes(&self) -> u64 {
        self.store.bytes()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        self.store.mark(slot, session);
    }
}

/// Nobody waits for a read any more when it is dropped, also where a test fails.
struct ReadsAgain(Odd);

impl Drop for ReadsAgain {
    fn drop(&mut self) {
        *self.0.wrong.hangs.lock().expect("nobody panics") = None;
    }
}

/// How often somebody was woken.
type Woken = Arc<AtomicUsize>;

/// Goes to sleep for an hour, and says when it is over.
async fn sleeps(mut req: Request) -> Result<()> {
    let woken = Woken::clone(&req.app::<Woken>());
    req.choose(|c| html! { (c.link("sleep", ())) }).await?;
    req.sleep(HOUR).await;
    req.once("wake", &(), async |_| std::io::Result::Ok(woken.fetch_add(1, Ordering::Relaxed))).await?;
    loop {
        req.choose(|c| html! { "Good morning. " (c.link("on", ())) }).await?;
    }
}

async fn plain(mut req: Request) -> Result<()> {
    loop {
        req.print("Nothing else is here.");
        req.next().await?;
    }
}

/// Has a visitor go to sleep. They do not wait for the answer.
async fn goes_to_sleep(visitor: &mut Browser, path: &str) {
    visitor.get(path).await;
    let href = format!("{path}{}", visitor.href("sleep"));
    let mut tab = visitor.new_tab();
    let sleeping = tokio::spawn(async move { drop(tab.open(&href).await) });
    tokio::time::sleep(SECOND).await;
    sleeping.abort();
    drop(sleeping.await);
}

#[tokio::test(start_paused = true)]
async fn those_who_cannot_be_woken_keep_nobody_from_waking() {
    let (store, woken) = (Odd::default(), Woken::default());
    let server = || Server::new(sleeps).app(woken.clone()).journal(store.clone());
    let mut first = Browser::of(server()).without_rehearsal();
    for _ in 0..80 {
        goes_to_sleep(&mut first.other(), "/").await;
    }
    // Those who sleep for longest, and more of them than are seen to in one second.
    let unread: Vec<_> = store.list(0, 99).expect("it is read").iter().map(|head| head.session).collect();
    goes_to_sleep(&mut first, "/").await;
    store.wrong.unread.lock().expect("nobody panics").extend(&unread);
    first.restart(server()).wait(HOUR).await;
    assert_eq!(woken.load(Ordering::Relaxed), 1, "the last one is woken");
    // What was wrong with the others passes.
    store.wrong.unread.lock().expect("nobody panics").clear();
    first.wait(2 * HOUR).await;
    assert_eq!(woken.load(Ordering::Relaxed), 81, "nobody is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_sleeps_waits_for_its_flow_until_that_is_there_again() {
    let (store, woken) = (Memory::new(), Woken::default());
    let server = |with: bool| {
        let server = Server::new(plain).app(woken.clone()).journal(store.clone());
        if with { server.mount("/sleeps", sleeps) } else { server }
    };
    let mut ada = Browser::of(server(true)).without_rehearsal();
    goes_to_sleep(&mut ada, "/sleeps").await;
    ada.restart(server(false));
    ada.wait(5 * HOUR).await;
    let head = &store.list(0, 1).expect("memory is read")[0];
    assert_eq!((head.state, woken.load(Ordering::Relaxed)), (State::Live, 0));
    // The deploy is rolled back.
    ada.restart(server(true)).wait(HOUR + 10 * SECOND).await;
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    ada.get("/sleeps").await.shows("Good morning.");
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_flow_never_comes_back_is_put_aside_in_the_end() {
    let store = Memory::new();
    let server = |with: bool| {
        let server = Server::new(plain).app(Woken::default()).journal(store.clone()).limits(|limits| {
            (limits.idle_journaled, limits.ended) = (2 * HOUR, 4 * HOUR);
        });
        if with { server.mount("/sleeps", sleeps) } else { server }
    };
    let mut ada = Browser::of(server(true)).without_rehearsal();
    goes_to_sleep(&mut ada, "/sleeps").await;
    ada.restart(server(false)).wait(5 * HOUR).await;
    let state = || store.list(0, 1).expect("memory is read").first().map(|head| head.state);
    assert_eq!(state(), Some(State::Live), "it has time");
    ada.wait(3 * HOUR).await;
    assert_eq!(state(), Some(State::Quarantined));
    ada.wait(5 * HOUR).await;
    assert_eq!(state(), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_came_since_their_time_was_found_to_have_come_is_not_told_to_end() {
    async fn counts(mut req: Request) -> Result<()> {
        for count in 0.. {
            req.choose(|c| html! { "Count: " (count) (c.link("on", ())) }).await?;
        }
        Ok(())
    }
    let store = Odd::default();
    let server = || {
        Server::new(counts).journal(store.clone()).limits(|limits| {
            (limits.park, limits.idle_journaled) = (10 * SECOND, 100 * SECOND);
        })
    };
    let mut ada = Browser::of(server());
    ada.get("/").await.follow("on").await.wait(30 * SECOND).await;
    assert_eq!(ada.sessions(), 0, "parked");
    let old = store.list(0, 1).expect("it is read");
    ada.wait(60 * SECOND).await.follow("on").await.shows("Count: 2");
    ada.wait(30 * SECOND).await;
    assert_eq!(ada.sessions(), 0, "parked again");
    *store.wrong.due.lock().expect("nobody panics") = Some(old);
    ada.wait(10 * SECOND).await.follow("on").await.shows("Count: 3");
}

#[tokio::test]
async fn a_session_that_is_never_rebuilt_keeps_nobody_from_waking() {
    async fn naps(mut req: Request) -> Result<()> {
        let woken = Woken::clone(&req.app::<Woken>());
        req.choose(|c| html! { (c.link("sleep", ())) }).await?;
        req.sleep(3 * SECOND).await;
        req.once("wake", &(), async |_| std::io::Result::Ok(woken.fetch_add(1, Ordering::Relaxed))).await?;
        Ok(())
    }
    let (store, woken) = (Odd::default(), Woken::default());
    let _reads_again = ReadsAgain(store.clone());
    let server = || Server::new(naps).app(woken.clone()).journal(store.clone());
    let mut ada = Browser::of(server()).without_rehearsal();
    goes_to_sleep(&mut ada, "/").await;
    let hers = store.list(0, 1).expect("it is read")[0].session;
    *store.wrong.hangs.lock().expect("nobody panics") = Some(hers);
    goes_to_sleep(&mut ada.other(), "/").await;
    ada.restart(server());
    for _ in 0..200 {
        ada.wait(SECOND / 10).await;
        if woken.load(Ordering::Relaxed) == 1 {
            break;
        }
    }
    assert_eq!(woken.load(Ordering::Relaxed), 1, "the other one is woken");
}

#[tokio::test(start_paused = true)]
async fn whoever_left_memory_by_a_failure_has_an_end_of_their_idle_time() {
    async fn fails(mut req: Request) -> Result<()> {
        loop {
            if req.choose(|c| html! { (c.link("on", false)) (c.link("fail", true)) }).await? {
                return Err("it fails: this is a test".into());
            }
        }
    }
    let store = continuity::test::store::Failing::new(Memory::new());
    let first = Browser::of(Server::new(fails).journal(store.clone())).without_rehearsal();
    let (mut ada, mut bob) = (first.other(), first.other());
    ada.get("/").await.follow("on").await.follow("fail").await.status(500);
    bob.get("/").await.follow("on").await;
    store.fail(Some(Fault::Full));
    bob.follow("on").await.status(503);
    store.fail(None);
    bob.wait(3 * SECOND).await;
    assert_eq!(first.sessions(), 0, "both have left memory");
    let heads = store.list(0, 9).expect("it is read");
    assert!(heads.len() == 2 && heads.iter().all(|head| head.due.is_some()), "{heads:?}");
    bob.get("/").await.follow("on").await.status(200);
    ada.follow("Back").await.follow("on").await.status(200);
}

#[tokio::test]
async fn of_many_that_were_rebuilt_when_a_process_died_none_is_put_aside_for_another() {
    async fn counts(mut req: Request) -> Result<()> {
        for count in 0.. {
            req.choose(|c| html! { "Count: " (count) (c.link("on", ())) }).await?;
        }
        Ok(())
    }
    let store = Memory::new();
    let server = || Server::new(counts).journal(store.clone());
    let mut first = Browser::of(server());
    let mut visitors: Vec<_> = (0..8).map(|_| first.other()).collect();
    for visitor in &mut visitors {
        visitor.get("/").await.follow("on").await;
    }
    let sessions: Vec<_> =
        store.list(0, 9).expect("memory is read").iter().map(|head| head.session).collect();
    // Three processes die while all eight come back.
    for _ in 0..3 {
        sessions.iter().enumerate().for_each(|(slot, session)| store.mark(slot, Some(*session)));
        first.restart(server());
    }
    for visitor in &mut visitors[1..] {
        visitor.follow("on").await.shows("Count: 2");
    }
    let deaths = |session: u64| store.head(session).expect("memory is read").expect("it is there").deaths;
    assert_eq!((deaths(sessions[0]), deaths(sessions[7])), (1, 0), "whoever came back well is not suspected");
    // One dies with it alone.
    store.mark(3, Some(sessions[0]));
    first.restart(server());
    visitors[0].follow("on").await.shows("cannot be restored");
    visitors[1].follow("on").await.shows("Count: 3");
}

async fn goes_on_after_a_panic(waits: bool) {
    let wrong = Arc::new(Wrong { waits, ..Wrong::default() });
    let store = Odd { store: Memory::new(), wrong };
    async fn counts(mut req: Request) -> Result<()> {
        for count in 0.. {
            req.choose(|c| html! { "Count: " (count) (c.link("on", ())) }).await?;
        }
        Ok(())
    }
    let log = crate::log::Log::listen();
    let mut ada = Browser::of(Server::new(counts).journal(store.clone()));
    ada.get("/").await.follow("on").await.shows("Count: 1");
    store.wrong.panics.store(true, Ordering::Relaxed);
    ada.follow("on").await.status(503).shows("did not happen");
    ada.get("/").await.shows("Count: 1");
    ada.follow("on").await.shows("Count: 2");
    ada.other().get("/").await.follow("on").await.shows("Count: 1");
    if !waits {
        let text = log.text();
        assert!(text.contains("its store panicked: a store panics"), "{text}");
    }
}

#[tokio::test]
async fn a_store_that_panics_costs_the_step_and_the_next_one_goes_on() {
    goes_on_after_a_panic(false).await;
    goes_on_after_a_panic(true).await;
}
