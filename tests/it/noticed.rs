//! What the guide to the journal says of mistakes: how each is noticed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::log::Log;

/// How a mistake is noticed.
#[derive(Debug, PartialEq)]
struct Noticed {
    /// There was a warning before anybody restarted anything.
    at_once: bool,
    /// What a visitor sees after a restart.
    then: Then,
}

#[derive(Debug, PartialEq)]
enum Then {
    Same,
    Earlier,
    Quarantined,
}

/// A session of two pages of which the second one comes by a mistake, and the third one after it.
async fn noticed<F: Into<Flow>>(flow: impl Fn() -> F) -> Noticed {
    let (log, journal) = (Log::listen(), Memory::new());
    let server = || Server::new(flow()).journal(journal.clone()).app(AtomicUsize::new(0));
    let mut browser = Browser::of(server()).without_rehearsal();
    browser.get("/").await.get("/?go").await.shows("before");
    browser.get("/?go").await.wait(Duration::from_millis(20)).await;
    browser.get("/?go").await.shows("after");
    let seen = browser.text();
    let at_once = log.text().contains("cannot be rebuilt past this step");
    browser.restart(server()).get("/?go").await;
    let page = browser.text();
    let then = match () {
        () if page.contains("cannot be restored") => Then::Quarantined,
        () if page > seen => Then::Same,
        () => Then::Earlier,
    };
    Noticed { at_once, then }
}

/// Prints that it comes before the mistake, then twice that it is after it.
macro_rules! mistake {
    (|$req:ident| $mistake:block) => {
        noticed(|| {
            async fn flow(mut $req: Request) -> Result<()> {
                for _ in 0..2 {
                    $req.print("before").next().await?;
                }
                $mistake
                for number in 1.. {
                    $req.print(html! { "after " (number) }).next().await?;
                }
                Ok(())
            }
            flow
        })
        .await
    };
}

#[tokio::test]
async fn what_is_right_is_not_noticed() {
    let right = mistake!(|req| {
        req.sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(right, Noticed { at_once: false, then: Then::Same });
}

#[tokio::test]
async fn what_is_printed_of_the_outside_is_noticed_when_it_is_rebuilt() {
    let late = || Noticed { at_once: false, then: Then::Earlier };
    assert_eq!(
        mistake!(|req| {
            req.print(format!("{:?}", SystemTime::now()));
        }),
        late()
    );
    let order = mistake!(|req| {
        let set: HashSet<u32> = (0..100).collect();
        req.print(format!("{set:?}"));
    });
    assert_eq!(order, late());
    let seen = mistake!(|req| {
        static ALL: AtomicUsize = AtomicUsize::new(0);
        req.print(ALL.fetch_add(1, Ordering::Relaxed));
    });
    assert_eq!(seen, late());
}

#[tokio::test]
async fn what_an_effect_depends_on_is_noticed_when_it_is_rebuilt() {
    let arguments = mistake!(|req| {
        req.once("mail", &SystemTime::now(), async |_| Ok::<_, Error>(())).await?;
    });
    assert_eq!(arguments, Noticed { at_once: false, then: Then::Earlier });
}

#[tokio::test]
async fn an_await_on_something_else_is_noticed_at_once_if_it_waits() {
    let waits = mistake!(|_req| {
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(waits, Noticed { at_once: true, then: Then::Earlier });
    let ready = mistake!(|_req| {
        std::future::ready(()).await;
    });
    assert_eq!(ready, Noticed { at_once: false, then: Then::Same });
}

#[tokio::test]
async fn a_verb_that_asks_and_is_given_up_is_noticed_at_once() {
    let given_up = mistake!(|req| {
        let asked = req.print("nobody answers").next();
        drop(tokio::time::timeout(Duration::from_millis(1), asked).await);
    });
    assert!(given_up.at_once, "{given_up:?}");
}

#[tokio::test]
async fn a_read_that_is_given_up_is_noticed_at_once() {
    let given_up = mistake!(|req| {
        let read = req.read("for ever", async || std::future::pending::<Result<()>>().await);
        drop(tokio::time::timeout(Duration::from_millis(1), read).await);
        req.read("now", async || Ok::<_, Error>(())).await?;
    });
    assert_eq!(given_up, Noticed { at_once: true, then: Then::Earlier });
}

/// What all share is changed again, and nobody says so.
#[tokio::test]
async fn a_change_outside_once_is_made_again_and_not_noticed() {
    async fn flow(mut req: Request) -> Result<()> {
        req.app::<Arc<AtomicUsize>>().fetch_add(1, Ordering::Relaxed);
        loop {
            req.inform("counted").await?;
        }
    }
    let (journal, count) = (Memory::new(), Arc::new(AtomicUsize::new(0)));
    let server = || Server::new(flow).journal(journal.clone()).app(count.clone());
    let mut browser = Browser::of(server()).without_rehearsal();
    browser.get("/").await.follow("OK").await.shows("counted");
    browser.restart(server()).reload().await.shows("counted");
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_second_try_by_the_program_has_another_key_and_one_by_the_visitor_the_same() {
    #[derive(Default)]
    struct Keys(std::sync::Mutex<Vec<Key>>);
    impl Keys {
        fn fail(&self, key: Key) -> Result<()> {
            self.0.lock().map_err(|_| "broken")?.push(key);
            Err("the line broke".into())
        }
    }
    let app = Arc::new(Keys::default());
    let held = app.clone();
    let flow = move |mut req: Request| {
        let held = held.clone();
        async move {
            req.inform("Try").await?;
            drop(req.once("charge", &1, async |key| held.fail(key)).await);
            req.once("charge", &1, async |key| held.fail(key)).await?;
            Ok::<(), BoxError>(())
        }
    };
    let mut browser = Browser::of(Server::new(flow).journal(Memory::new()));
    browser.get("/").await.follow("OK").await.status(500);
    browser.follow("Back").await.follow("OK").await.status(500);
    let keys = app.0.lock().expect("nobody panics");
    assert_eq!((&keys[0], &keys[1]), (&keys[2], &keys[3]));
    assert_ne!(keys[0], keys[1]);
}
