//! Line 1: `next` can be given up. A hit is taken only by the poll that returns it, whoever polls, in whatever order.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use continuity::prelude::*;
use tokio::time::sleep;

use crate::flows::{Diary, at_once, with_diary};

const TICK: Duration = Duration::from_millis(10);

/// Takes a hit's number as done.
fn done(req: &mut Request) -> Result<(), Error> {
    let number: String = req.param("n")?;
    req.app::<Diary>().note(&number);
    req.content_type("text/plain")?.print(number);
    Ok(())
}

async fn the_timer_may_win(mut req: Request) -> Result<()> {
    loop {
        tokio::select! {
            biased;
            () = sleep(TICK) => {}
            hit = req.next() => done(hit?)?,
        }
    }
}

async fn the_hit_may_win(mut req: Request) -> Result<()> {
    loop {
        tokio::select! {
            biased;
            hit = req.next() => done(hit?)?,
            () = sleep(TICK) => {}
        }
    }
}

/// Gives `next` up after each single poll.
async fn always_gives_up(mut req: Request) -> Result<()> {
    loop {
        let next = {
            let mut next = pin!(req.next());
            let once = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx)));
            matches!(once.await, Poll::Ready(hit) if hit.is_ok())
        };
        if next {
            done(&mut req)?;
        } else {
            sleep(TICK).await;
        }
    }
}

/// Goes on only when both have come: a hit and the timer.
async fn waits_for_both(mut req: Request) -> Result<()> {
    loop {
        let (hit, ()) = tokio::join!(req.next(), sleep(TICK));
        done(hit?)?;
    }
}

/// As [`waits_for_both`], the slow one first.
async fn waits_for_both_the_other_way(mut req: Request) -> Result<()> {
    loop {
        let ((), hit) = tokio::join!(sleep(TICK), req.next());
        done(hit?)?;
    }
}

/// A combinator like `FuturesUnordered`: it gives what it runs a waker of its own, and polls it only when that was
/// called.
pub(crate) struct Picky<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    rang: AtomicBool,
    outside: std::sync::Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rang.store(true, Ordering::SeqCst);
        if let Some(waker) = self.outside.lock().expect("no panic in between").take() {
            waker.wake();
        }
    }
}

pub(crate) fn picky<F: Future>(future: F) -> Picky<F> {
    let bell = Bell { rang: AtomicBool::new(true), ..Bell::default() };
    Picky { future: Box::pin(future), bell: Arc::new(bell) }
}

impl<F: Future> Future for Picky<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        *self.bell.outside.lock().expect("no panic in between") = Some(cx.waker().clone());
        if !self.bell.rang.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.bell.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

async fn a_picky_combinator(mut req: Request) -> Result<()> {
    loop {
        done(picky(req.next()).await?)?;
    }
}

async fn a_picky_combinator_and_a_timer(mut req: Request) -> Result<()> {
    loop {
        tokio::select! {
            () = sleep(TICK) => {}
            hit = picky(req.next()) => done(hit?)?,
        }
    }
}

/// Hits that come alone, in crowds, and in the very moment when the timer goes off: each is answered by itself, once.
async fn loses_no_hit(flow: impl Into<Flow>) {
    let (mut browser, diary) = with_diary(flow, |limits| limits.queue = 100);
    browser.get("/").await;
    let mut sent = 0..;
    for pause in 0..24 {
        let crowd = 1 + pause % 4;
        let numbers: Vec<_> = sent.by_ref().take(crowd).collect();
        let asked = at_once(&mut browser, numbers.iter().map(|n| format!("/?n={n}")));
        let answers = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("nobody hangs");
        for (n, mut answer) in numbers.into_iter().zip(answers) {
            assert_eq!((answer.status().as_u16(), answer.rest().await), (200, n.to_string()));
        }
        browser.wait(TICK / 2 * (pause as u32 % 7)).await;
    }
    let expected: Vec<_> = (0..sent.start).map(|n: i32| n.to_string()).collect();
    assert_eq!(diary.lines(), expected, "each was taken once, in order");
}

macro_rules! loses_no_hit {
    ($($test:ident: $flow:ident;)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            loses_no_hit($flow).await;
        }
    )+};
}

loses_no_hit! {
    line_01_next_in_a_select_after_a_timer_loses_no_hit: the_timer_may_win;
    line_01_next_in_a_select_before_a_timer_loses_no_hit: the_hit_may_win;
    line_01_next_given_up_after_one_poll_loses_no_hit: always_gives_up;
    line_01_next_joined_with_a_timer_loses_no_hit: waits_for_both;
    line_01_next_joined_after_a_timer_loses_no_hit: waits_for_both_the_other_way;
    line_01_next_under_another_waker_loses_no_hit: a_picky_combinator;
    line_01_next_under_another_waker_beside_a_timer_loses_no_hit: a_picky_combinator_and_a_timer;
}

#[tokio::test(start_paused = true)]
async fn line_01_a_choice_given_up_shows_the_next_page_and_loses_no_hit() {
    async fn hasty(mut req: Request) -> Result<()> {
        for question in 1.. {
            tokio::select! {
                chosen = req.choose(|c| html! { "Question " (question) " " (c.link("Take", question)) }) => {
                    req.print(html! { "Took " (chosen?) ". " });
                }
                () = sleep(Duration::from_secs(60)) => {}
            }
        }
        Ok(())
    }
    let (mut browser, _) = with_diary(hasty, |_| {});
    browser.get("/").await.shows("Question 1");
    browser.wait(Duration::from_secs(150)).await;
    browser.get("/").await.shows("Question 3").shows_not("Took");
    browser.follow("Take").await.shows("Took 3.").shows("Question 4");
}
