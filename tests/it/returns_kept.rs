//! Line 7 with a journal, and with others at the same door: who was sent to another site comes back to a server that was
//! started again, to a session out of memory, and at the same time as a click.

use std::time::Duration;

use continuity::journal::{Memory, records};
use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::Diary;

const GATEWAY: &str = "https://pay.test";

#[derive(Serialize, Deserialize)]
enum Way {
    Back,
    Cancel,
}

/// Looks around once, so that its session has a past, then goes to pay.
async fn pays(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    req.choose(|c| html! { "Shelf " (c.link("Pay", ())) }).await?;
    let back = req.return_url()?;
    req.print(html! { a href=(back) { "Back" } " " });
    let page =
        |c: &Choices<'_, Way>| html! { "Waiting " (c.link("Cancel", Way::Cancel)) (c.on_return(Way::Back)) };
    let said = match req.choose(page).await? {
        Way::Back => format!("Paid {} {}", req.param::<String>("code")?, req.is_from_visitor()),
        Way::Cancel => "Cancelled".to_owned(),
    };
    req.commit();
    let note = async |_| {
        diary.note(&said);
        Ok::<_, Error>(())
    };
    req.once("note", &said, note).await?;
    for look in 0.. {
        req.choose(|c| html! { (said) " " (look) " " (c.link("Look", ())) }).await?;
    }
    Ok(())
}

struct Gone {
    diary: Diary,
    store: Memory,
    ada: Browser,
    back: String,
}

impl Gone {
    async fn begin() -> Gone {
        let (diary, store) = (Diary::default(), Memory::new());
        let server = Server::new(pays).app(diary.clone()).journal(store.clone());
        let mut ada = Browser::of(server).rehearsing();
        ada.get("/").await.follow("Pay").await.shows("Waiting");
        let back = ada.href("Back") + "&code=ok";
        Gone { diary, store, ada, back }
    }

    fn restart(&mut self) -> &mut Browser {
        let server = Server::new(pays).app(self.diary.clone()).journal(self.store.clone());
        self.ada.restart(server)
    }
}

#[tokio::test]
async fn line_07_a_return_comes_back_after_a_restart() {
    let mut gone = Gone::begin().await;
    let back = gone.back.clone();
    gone.restart().from_site(GATEWAY).get(&back).await.shows("Paid ok true 0");
    gone.restart().from_site(GATEWAY).get(&back).await.shows("Paid ok true 0");
    gone.restart().get(&back.replace("ok", "ko")).await.status(410).shows("going back does not change it");
    gone.ada.follow("Go on").await.shows("Paid ok true 0");
    gone.restart().follow("Look").await.shows("Paid ok true 1");
    gone.restart().get(&back).await.shows("Paid ok true 0");
    gone.restart().get("/").await.shows("Paid ok true 1");
    assert_eq!(gone.diary.lines(), ["Paid ok true"]);
}

#[tokio::test]
async fn line_07_a_return_without_a_cookie_wakes_the_session_that_its_visitor_finds() {
    let mut gone = Gone::begin().await;
    let back = gone.back.clone();
    let mut gateway = gone.restart().other();
    gateway.notify(&back, &[]).await.status(200).shows("Paid ok false 0");
    gateway.notify(&back, &[]).await.shows("received before").shows_not("Paid");
    assert_eq!(gateway.cookie("sid"), None);
    gone.ada.get("/").await.shows("Paid ok false 0");
    gone.ada.follow("Look").await.shows("Paid ok false 1");
    assert_eq!(gone.ada.sessions(), 1);
    gateway.notify(&back, &[]).await.shows("too late");
    gone.restart().get("/").await.shows("Paid ok false 1");
    assert_eq!(gone.diary.lines(), ["Paid ok false"]);
}

#[tokio::test]
async fn line_07_a_visitor_who_came_first_and_a_return_without_a_cookie_meet_in_one_session() {
    let mut gone = Gone::begin().await;
    let back = gone.back.clone();
    gone.restart().get("/").await.shows("Waiting");
    gone.ada.other().notify(&back, &[]).await.shows("Paid ok false 0");
    gone.ada.get("/").await.shows("Paid ok false 0");
    assert_eq!((gone.ada.sessions(), gone.diary.lines().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn line_07_a_return_wakes_a_parked_session_which_is_parked_again() {
    let park = Limits::default().park + Duration::from_secs(5);
    let mut gone = Gone::begin().await;
    let back = gone.back.clone();
    gone.ada.wait(park).await;
    assert_eq!(gone.ada.sessions(), 0, "it is parked");
    let mut gateway = gone.ada.other();
    gateway.notify(&back, &[]).await.shows("Paid ok false 0");
    gone.ada.wait(Duration::from_secs(5)).await;
    gateway.notify(&back, &[]).await.shows("received before");
    gone.ada.wait(Duration::from_secs(5)).await.get("/").await.shows("Paid ok false 0");
    gone.ada
        .wait(park)
        .await
        .from_site(GATEWAY)
        .get(&back)
        .await
        .shows("Paid ok false 0")
        .shows_not("before");
    assert_eq!(gone.diary.lines().len(), 1);
}

#[tokio::test]
async fn line_07_a_newborn_that_was_sent_away_at_once_comes_back_after_a_restart() {
    async fn at_once(mut req: Request) -> Result<()> {
        let state = req.return_state()?;
        req.leave_for(&format!("{GATEWAY}/?state={state}"))?;
        req.returned("Waiting").await?;
        req.print("Welcome back");
        Ok(())
    }
    let store = Memory::new();
    let mut ada = Browser::of(Server::new(at_once).journal(store.clone()));
    ada.get("/").await;
    let url = format!("/?state={}", ada.sent_with("state"));
    ada.restart(Server::new(at_once).journal(store.clone()))
        .other()
        .notify(&url, &[])
        .await
        .shows("Welcome back");
    ada.restart(Server::new(at_once).journal(store)).from_site(GATEWAY).get(&url).await.status(410);
}

#[tokio::test]
async fn line_07_without_a_journal_a_restart_makes_returns_expire() {
    let server = || Server::new(pays).app(Diary::default());
    let mut ada = Browser::of(server());
    let back = ada.get("/").await.follow("Pay").await.href("Back");
    ada.restart(server()).from_site(GATEWAY).get(&back).await.status(410).shows("expired");
    assert_eq!(ada.sessions(), 0);
    ada.follow("Start again").await.shows("Shelf");
}

#[tokio::test]
async fn line_17_no_capability_is_in_the_journal() {
    let mut gone = Gone::begin().await;
    let capability =
        gone.back.split_once("_r=").and_then(|(_, rest)| rest.split_once('&')).expect("one").0.to_owned();
    gone.ada.from_site(GATEWAY).get(&gone.back).await.shows("Paid ok true 0");
    let kept: Vec<u8> = entries(&gone.store);
    let has = |part: &[u8]| kept.windows(part.len()).any(|at| at == part);
    assert!(has(b"code=ok") && !has(capability.as_bytes()) && !has(b"_r="));
}

fn entries(store: &Memory) -> Vec<u8> {
    use continuity::journal::Store;
    let heads = store.list(0, 100).expect("a list");
    let chunks = heads.iter().flat_map(|head| store.load(head.session).expect("its chunks"));
    chunks
        .flat_map(|chunk| {
            assert!(!records(&chunk).expect("entries").is_empty());
            chunk.entries
        })
        .collect()
}

#[tokio::test]
async fn line_04_a_return_whose_step_failed_can_be_tried_again() {
    async fn fails_once(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        req.choose(|c| html! { "Shelf " (c.link("Pay", ())) }).await?;
        req.print(html! { a href=(req.return_url()?) { "Back" } });
        req.returned(" Waiting").await?;
        diary.note("came");
        if diary.lines().len() == 1 {
            return Err("the gateway does not answer".into());
        }
        req.choose(|c| html! { "Paid " (c.link("Go on", ())) }).await?;
        Ok(())
    }
    let server = Server::new(fails_once).app(Diary::default()).journal(Memory::new());
    let mut ada = Browser::of(server);
    let back = ada.get("/").await.follow("Pay").await.href("Back");
    ada.from_site(GATEWAY).get(&back).await.status(500);
    ada.follow("Back to where you were").await.shows("Waiting");
    ada.other().notify(&back, &[]).await.shows("Paid");
    ada.get("/").await.shows("Paid");
}

/// A return and a click at the same time: one of them is applied, and the other changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_returns_with_clicks() {
    let mut won = [0, 0];
    for round in 0..40 {
        let mut gone = Gone::begin().await;
        let (back, cancel) = (gone.back.clone(), gone.ada.href("Cancel"));
        if round % 2 == 0 {
            gone.restart();
        }
        let (mut tab, mut gateway, mut other) = (gone.ada.new_tab(), gone.ada.other(), gone.ada.other());
        let clicks = async move { tab.get(&cancel).await.text() };
        let again = back.clone();
        let notifies = async move { gateway.notify(&back, &[]).await.text() };
        // Each begins in half of the rounds.
        let (click, notify) = if round % 4 < 2 {
            let click = tokio::spawn(clicks);
            (click, tokio::spawn(notifies))
        } else {
            let notify = tokio::spawn(notifies);
            (tokio::spawn(clicks), notify)
        };
        let second = tokio::spawn(async move { other.notify(&again, &[]).await.text() });
        let said = [click.await, notify.await, second.await].map(|text| text.expect("no panic"));
        let lines = gone.diary.lines();
        assert_eq!(lines.len(), 1, "{said:?}");
        let paid = lines[0].starts_with("Paid");
        won[usize::from(paid)] += 1;
        gone.ada.get("/").await.shows(&lines[0]);
        let shown = said[1..].iter().filter(|text| text.contains("Paid")).count();
        assert_eq!(shown, usize::from(paid), "{said:?}");
        assert_eq!(gone.ada.sessions(), 1);
    }
    assert!(won.iter().all(|won| *won > 0), "both come first now and then: {won:?}");
}
