//! Line 1: a hit resumes its session once, hits wait their turn, and a response is complete when the next hit is asked for.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;
use tokio::time::Instant;

use crate::flows::{Diary, at_once, counter, tally, with_diary};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn line_01_a_hit_resumes_a_session_once() {
    let mut browser = Browser::new(tally);
    for hit in 1..=20 {
        let page = browser.get("/").await;
        assert_eq!(page.text(), format!("Hit {hit}"));
    }
}

/// Works a second on each hit, and writes down which it was.
async fn slow_clerk(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    req.content_type("text/plain")?;
    loop {
        let number: String = req.next().await?.param("n")?;
        diary.note(&number);
        req.sleep(SECOND).await;
        req.content_type("text/plain")?.print(number);
    }
}

#[tokio::test(start_paused = true)]
async fn line_01_hits_to_a_busy_session_queue_in_order() {
    let (mut browser, diary) = with_diary(slow_clerk, |_| {});
    browser.get("/").await;
    let start = Instant::now();
    let answers = at_once(&mut browser, (0..10).map(|n| format!("/?n={n}"))).await;
    for (n, mut answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.rest().await, n.to_string(), "each gets the answer to its own question");
    }
    assert_eq!(diary.lines(), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(start.elapsed(), 10 * SECOND, "one after the other");
}

#[tokio::test(start_paused = true)]
async fn line_01_a_full_queue_is_answered_503_with_retry_after() {
    let (mut browser, diary) = with_diary(slow_clerk, |limits| limits.queue = 3);
    browser.get("/").await;
    let answers = at_once(&mut browser, (0..6).map(|n| format!("/?n={n}"))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 503, 503], "one is worked on, three wait");
    for refused in &answers[4..] {
        let seconds = refused.header_value("retry-after").expect("it says when to come again");
        assert!(seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{seconds}");
    }
    assert_eq!(diary.lines(), ["0", "1", "2", "3"], "what was refused was not applied");
    browser.get("/?n=7").await.shows("7");
}

#[tokio::test(start_paused = true)]
async fn line_01_while_one_session_works_others_are_answered() {
    let (mut ada, _) = with_diary(slow_clerk, |_| {});
    ada.get("/").await;
    let start = Instant::now();
    let waiting = tokio::spawn(ada.open("/?n=1"));
    tokio::task::yield_now().await;
    ada.other().get("/").await.status(200);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(waiting.await.expect("a response").rest().await, "1");
}

/// Prints "begun", lets an hour pass at each verb that waits for no hit, prints "done", and asks in the way it is told.
async fn patient(mut req: Request) -> Result<()> {
    const HOUR: Duration = Duration::from_secs(3600);
    let how = req.path();
    req.print("begun ");
    req.sleep(HOUR).await;
    let hour = async || {
        tokio::time::sleep(HOUR).await;
        Ok::<_, Error>(1)
    };
    let seen: u32 = req.read("an hour", hour).await?;
    let done: u32 = req.once("an hour", &(), async |_key| hour().await).await?;
    req.print(html! { "done " (seen + done) " " });
    match &*how {
        "/next" => drop(req.next().await?),
        "/choose" => req.choose(|c| html! { (c.link("choose", ())) }).await?,
        "/ask" => req.ask(|f| html! { (f.text("field")) }).await?,
        "/confirm" => drop(req.confirm("confirm?").await?),
        "/inform" => req.inform("inform").await?,
        "/callbacks" => req.callbacks(&mut (), |c, ()| html! { (c.link("callback", |()| ())) }).await?,
        _ => {}
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn line_01_a_response_stays_open_at_sleep_read_and_once_and_is_complete_at_the_next_ask() {
    for how in ["/next", "/choose", "/ask", "/confirm", "/inform", "/callbacks", "/return"] {
        let start = Instant::now();
        let mut browser = Browser::new(patient);
        browser.get(how).await.shows("begun done 2");
        assert_eq!(start.elapsed().as_secs(), 3 * 3600, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn line_01_a_response_stays_open_at_flush() {
    async fn two_parts(mut req: Request) -> Result<()> {
        req.content_type("text/plain")?.print("one");
        req.flush().await?;
        req.sleep(SECOND).await;
        req.print("two");
        req.next().await?;
        req.content_type("text/plain")?.print("three");
        Ok(())
    }
    let mut browser = Browser::new(two_parts);
    let start = Instant::now();
    let mut stream = browser.open("/").await;
    assert_eq!(stream.next_chunk().await.as_deref(), Some("one"));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(stream.next_chunk().await.as_deref(), Some("two"));
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(stream.next_chunk().await, None, "complete, though the session goes on");
    browser.get("/").await.shows("three");
}

#[tokio::test]
async fn line_01_parameters_are_the_last_hits() {
    async fn parrot(mut req: Request) -> Result<()> {
        loop {
            let (a, b): (Option<String>, Option<String>) = (req.param("a")?, req.param("b")?);
            req.print(format!("a={a:?} b={b:?} {} {}", req.path(), req.method()));
            req.next().await?;
        }
    }
    let mut browser = Browser::new(parrot);
    browser.get("/x?a=1").await.shows("a=Some(\"1\") b=None /x GET");
    browser.get("/y?b=2").await.shows("a=None b=Some(\"2\") /y GET");
    browser.post("/z?b=3", &[("a", "4")]).await.shows("a=Some(\"4\") b=Some(\"3\") /z POST");
    browser.get("/").await.shows("a=None b=None / GET");
}

#[tokio::test]
async fn line_01_a_hundred_sessions_keep_their_own_count() {
    let first = Browser::new(counter);
    let mut visitors: Vec<_> = (0..100).map(|_| first.other()).collect();
    for (clicks, visitor) in visitors.iter_mut().enumerate() {
        visitor.get("/").await;
        for _ in 0..clicks % 5 {
            visitor.follow("++").await;
        }
    }
    for (clicks, visitor) in visitors.iter_mut().enumerate() {
        visitor.get("/").await.shows(&format!("Count: {}", clicks % 5));
    }
}
