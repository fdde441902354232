//! Line 2: at login the id changes. The old one is dead at once; it opens only the repeat of the very submit.

use std::sync::Arc;

use continuity::prelude::*;
use continuity::test::Browser;
use tokio::sync::Notify;

use crate::bare::{Bare, get};
use crate::flows::tally;

/// Changes the visitor's id between two choices.
async fn login(mut req: Request) -> Result<()> {
    req.choose(|c| html! { "Outside " (c.link("Log in", 1)) " " (c.link("Sneak in", 2)) }).await?;
    req.rotate_id()?;
    for look in 0.. {
        req.choose(|c| html! { "Inside " (look) " " (c.link("Look", ())) }).await?;
    }
    Ok(())
}

struct LoggedIn {
    ada: Browser,
    /// Her id before, and the address of the link that she logged in by.
    old: String,
    submit: String,
}

async fn logged_in(server: Server) -> LoggedIn {
    let mut ada = Browser::of(server);
    ada.get("/").await.shows("Outside");
    let old = ada.cookie("sid").expect("a visitor has an id");
    let submit = ada.href("Log in");
    ada.follow("Log in").await.shows("Inside 0");
    LoggedIn { ada, old, submit }
}

#[tokio::test]
async fn line_02_a_rotated_id_is_dead_at_once() {
    let LoggedIn { mut ada, old, .. } = logged_in(Server::new(login)).await;
    let new = ada.cookie("sid").expect("she has a new one");
    assert_ne!(new, old);

    let mut thief = ada.other();
    thief.set_cookie("sid", &old).get("/").await.shows("Outside");
    let of_thief = thief.cookie("sid");
    assert!(of_thief.as_ref() != Some(&old) && of_thief.as_ref() != Some(&new));
    thief.set_cookie("sid", &old).get(&ada.href("Look")).await.status(410).shows_not("Inside");

    ada.follow("Look").await.shows("Inside 1");
}

#[tokio::test]
async fn line_02_all_sessions_of_the_visitor_live_on_under_the_new_id() {
    let mut ada = Browser::of(Server::new(login).mount("/other", tally).mount("/third", tally));
    ada.get("/other").await.shows("Hit 1");
    ada.get("/third").await.shows("Hit 1");
    let old = ada.cookie("sid").expect("a visitor has an id");
    ada.get("/").await.follow("Log in").await.shows("Inside 0");
    ada.other().set_cookie("sid", &old).get("/other").await.shows("Hit 1");
    ada.get("/other").await.shows("Hit 2");
    ada.get("/third").await.shows("Hit 2");
}

#[tokio::test]
async fn line_02_the_old_id_opens_the_repeat_of_the_very_submit() {
    let LoggedIn { mut ada, old, submit } = logged_in(Server::new(login)).await;
    // The answer was lost on the way: the browser still has the old cookie, and tries again.
    let mut retry = ada.other();
    retry.set_cookie("sid", &old).get(&submit).await.shows("Inside 0").shows_not("older page");
    assert_eq!(retry.cookie("sid"), ada.cookie("sid"), "it is told the id that it has missed");
    ada.follow("Look").await.shows("Inside 1");
}

#[tokio::test]
async fn line_02_the_old_id_opens_nothing_else() {
    let mut ada = Browser::new(login);
    ada.get("/").await;
    let (old, other) = (ada.cookie("sid").expect("an id"), ada.href("Sneak in"));
    let submit = ada.href("Log in");
    ada.follow("Log in").await.shows("Inside 0");
    for url in [other, format!("{submit}&x=1"), ada.href("Look")] {
        ada.other().set_cookie("sid", &old).get(&url).await.status(410).shows_not("Inside");
    }
    // A submit that was followed by another step opens nothing any more but a page that asks for the cookie's holder.
    ada.other().get(&submit).await.status(410).shows_not("Inside");
}

#[tokio::test(start_paused = true)]
async fn line_02_a_rotation_is_forgotten_when_it_has_lingered() {
    let linger = Limits::default().linger;
    let LoggedIn { mut ada, old, submit } = logged_in(Server::new(login)).await;
    ada.wait(linger / 2).await;
    ada.other().set_cookie("sid", &old).get(&submit).await.shows("Inside 0");
    ada.wait(linger).await;
    ada.other().set_cookie("sid", &old).get(&submit).await.status(410);
    ada.get("/").await.shows("Inside 0");
}

#[tokio::test]
async fn line_02_an_id_rotated_on_the_first_hit_is_told_once() {
    async fn at_once(mut req: Request) -> Result<()> {
        req.set_cookie("mine", "1")?;
        req.rotate_id()?;
        req.rotate_id()?;
        req.print("Hit 1");
        req.next().await?;
        req.print("Hit 2");
        Ok(())
    }
    let bare = Bare::start(Server::new(at_once).cookie("sid")).await;
    let first = bare.ask(get("/", &[])).await;
    let ids: Vec<_> = first.cookies().into_iter().filter(|cookie| cookie.starts_with("sid=")).collect();
    assert_eq!((ids.len(), first.cookies().len()), (1, 2), "{:?}", first.cookies());
    let id = ids[0].split(';').next().expect("a cookie");
    assert!(bare.ask(get("/", &[("cookie", id)])).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn line_02_an_id_that_the_mapper_names_or_that_cannot_be_told_is_not_rotated() {
    async fn tries(mut req: Request) -> Result<()> {
        let named = req.rotate_id().err().map(|error| error.to_string()).unwrap_or_default();
        req.print(named);
        req.flush().await?;
        let late = req.rotate_id().err().map(|error| error.to_string()).unwrap_or_default();
        req.print(html! { " " (late) });
        Ok(())
    }
    let mut machine = Browser::new(Flow::new(tries).map(Map::by_header("x-machine")));
    machine
        .header("x-machine", "7")
        .get("/")
        .await
        .shows("the mapper names this visitor")
        .shows("head was sent");
}

#[tokio::test]
async fn line_02_links_carry_a_rotated_id_where_it_stands_in_the_url() {
    let mut ada = Browser::new(Flow::new(login).map(Map::by_param("who")));
    ada.get("/").await.shows("Outside");
    ada.follow("Log in").await.shows("Inside 0");
    ada.follow("Look").await.shows("Inside 1");
}

/// When a step goes on that takes its time.
#[derive(Clone, Default)]
struct Gate(Arc<Notify>);

/// Changes the visitor's id in a step that takes its time before that, and after it.
async fn slow_login(mut req: Request) -> Result<()> {
    let gate = req.app::<Gate>();
    req.choose(|c| html! { "Outside " (c.link("Log in", ())) }).await?;
    gate.0.notified().await;
    req.rotate_id()?;
    gate.0.notified().await;
    for hit in 0.. {
        req.print(html! { "Inside " (hit) });
        req.next().await?;
    }
    Ok(())
}

/// Lets others have their turn.
async fn a_moment() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Lets a login go on twice: to where the id is changed, and to its page.
async fn opens(gate: &Gate) {
    for _ in 0..2 {
        a_moment().await;
        gate.0.notify_one();
    }
    a_moment().await;
}

#[tokio::test]
async fn line_02_hits_that_wait_while_the_id_is_changed_are_nobodys() {
    let gate = Gate::default();
    let mut ada = Browser::of(Server::new(slow_login).app(gate.clone()));
    ada.get("/").await;
    let old = ada.cookie("sid").expect("an id");
    let (mut early, mut late) = (ada.other(), ada.other());
    early.set_cookie("sid", &old);
    late.set_cookie("sid", &old);
    let comes_late = async {
        // The id is changed, and the step is not over.
        a_moment().await;
        a_moment().await;
        late.get("/").await;
    };
    tokio::join!(ada.follow("Log in"), early.get("/"), comes_late, opens(&gate));
    for thief in [early, late] {
        thief.status(200).shows("Outside").shows_not("Inside");
        assert!(thief.cookie("sid") != Some(old.clone()) && thief.cookie("sid") != ada.cookie("sid"));
    }
    ada.shows("Inside 0");
    ada.get("/").await.shows("Inside 1");
}

#[tokio::test]
async fn line_02_hits_that_wait_in_another_session_of_the_visitor_are_nobodys_either() {
    #[derive(Clone, Default)]
    struct Open(Arc<Notify>);
    /// Answers its second hit when it is let.
    async fn other(mut req: Request) -> Result<()> {
        let open = req.app::<Open>();
        for hit in 1.. {
            req.print(html! { "Hit " (hit) });
            req.next().await?;
            if hit == 1 {
                open.0.notified().await;
            }
        }
        Ok(())
    }
    let (gate, open) = (Gate::default(), Open::default());
    let server = Server::new(slow_login).mount("/other", other).app(gate.clone()).app(open.clone());
    let mut ada = Browser::of(server);
    ada.get("/other").await.shows("Hit 1");
    let (old, mut tab) = (ada.cookie("sid").expect("an id"), ada.new_tab());
    let mut thief = ada.other();
    thief.set_cookie("sid", &old);
    ada.get("/").await;
    let logs_in = async {
        tokio::join!(ada.follow("Log in"), opens(&gate));
        open.0.notify_one();
    };
    tokio::join!(tab.get("/other"), thief.get("/other"), logs_in);
    tab.shows("Hit 2");
    thief.shows("Hit 1");
    assert_ne!(thief.cookie("sid"), ada.cookie("sid"));
    ada.get("/other").await.shows("Hit 3");
}

#[tokio::test]
async fn line_02_a_second_click_that_waits_while_the_id_is_changed_gets_the_page_and_the_id() {
    let gate = Gate::default();
    let mut ada = Browser::of(Server::new(slow_login).app(gate.clone()));
    ada.get("/").await;
    let (old, submit) = (ada.cookie("sid").expect("an id"), ada.href("Log in"));
    let mut again = ada.other();
    again.set_cookie("sid", &old);
    tokio::join!(ada.follow("Log in"), again.get(&submit), opens(&gate));
    ada.shows("Inside 0");
    again.shows("Inside 0");
    assert_eq!(again.cookie("sid"), ada.cookie("sid"), "it is told the id that it would miss");
    assert_ne!(again.cookie("sid"), Some(old));
}
