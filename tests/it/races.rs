//! Races on several threads: hits against ends, timers, disconnects, rotations and clocks. Whatever comes first, each hit
//! is answered once, none hangs, and what was acknowledged is what was applied.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use continuity::prelude::*;
use tokio::task::JoinSet;

use crate::bare::{Bare, Seen, get};

const HITTERS: u64 = 6;
/// No answer takes that long, even on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many hits were taken by sessions.
#[derive(Clone, Default)]
struct Applied(Arc<AtomicU64>);

impl Applied {
    fn add(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

async fn server(flow: impl Into<Flow>, limits: impl FnOnce(&mut Limits)) -> (Arc<Bare>, Applied) {
    let applied = Applied::default();
    let server = Server::new(flow).cookie("sid").app(applied.clone()).limits(|all| {
        all.queue = 1000;
        limits(all);
    });
    (Arc::new(Bare::start(server).await), applied)
}

/// One answer, in time. Others have their turn first: what is answered at once would keep the thread.
async fn ask(bare: &Bare, url: &str, cookie: &str) -> Seen {
    tokio::task::yield_now().await;
    let hit = get(url, &[("cookie", cookie)]);
    tokio::time::timeout(PATIENCE, bare.ask(hit)).await.unwrap_or_else(|_| panic!("{url} was never answered"))
}

/// Runs these at the same time; the sum of what they return.
async fn together(hitters: impl IntoIterator<Item = impl Future<Output = u64> + Send + 'static>) -> u64 {
    let mut running = JoinSet::new();
    for hitter in hitters {
        running.spawn(hitter);
    }
    running.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_each_other() {
    async fn ledger(mut req: Request) -> Result<()> {
        for here in 1_u64.. {
            req.app::<Applied>().add();
            req.content_type("text/plain")?.print(here);
            req.next().await?;
        }
        Ok(())
    }
    const HITS: u64 = 1500;
    let (bare, applied) = server(ledger, |_| {}).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let sums = together((0..HITTERS).map(|_| {
        let (bare, cookie) = (bare.clone(), cookie.clone());
        async move {
            let mut sum = 0;
            for _ in 0..HITS {
                sum += ask(&bare, "/", &cookie).await.body.parse::<u64>().expect("a number");
            }
            sum
        }
    }));
    let total = HITTERS * HITS + 1;
    assert_eq!(sums.await, total * (total + 1) / 2 - 1, "each number was answered to one hit");
    assert_eq!(applied.count(), total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_the_end_of_their_session() {
    async fn short(mut req: Request) -> Result<()> {
        for _ in 0..2 {
            req.app::<Applied>().add();
            req.print("taken");
            req.next().await?;
        }
        req.app::<Applied>().add();
        req.print("taken");
        Ok(())
    }
    const HITS: u64 = 1000;
    // The second session keeps the visitor known while the first one ends again and again.
    async fn stay(mut req: Request) -> Result<()> {
        loop {
            req.next().await?;
        }
    }
    let applied = Applied::default();
    let server = Server::new(short).mount("/stay", stay).cookie("sid").app(applied.clone());
    let bare = Arc::new(Bare::start(server.limits(|limits| limits.queue = 1000)).await);
    let cookie = bare.ask(get("/stay", &[])).await.cookie().expect("an id");
    let taken = together((0..HITTERS).map(|_| {
        let (bare, cookie) = (bare.clone(), cookie.clone());
        async move {
            for hit in 0..HITS {
                let answer = ask(&bare, "/", &cookie).await;
                assert_eq!((answer.status, answer.body.contains("taken")), (200, true), "{}", answer.body);
                assert!(answer.cookies().is_empty(), "hit {hit} is the same visitor's");
            }
            HITS
        }
    }))
    .await;
    assert_eq!(applied.count(), taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_timers() {
    async fn fidgety(mut req: Request) -> Result<()> {
        let applied = req.app::<Applied>();
        for turn in 0_u64.. {
            let pause = Duration::from_micros(turn % 7 * 100);
            tokio::select! {
                hit = req.next() => {
                    hit?.content_type("text/plain")?.print("taken");
                    applied.add();
                }
                () = tokio::time::sleep(pause) => {}
            }
            if turn.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
    const HITS: u64 = 300;
    let (bare, applied) = server(fidgety, |_| {}).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let taken = together((0..HITTERS).map(|_| {
        let (bare, cookie) = (bare.clone(), cookie.clone());
        async move {
            for _ in 0..HITS {
                assert_eq!(ask(&bare, "/", &cookie).await.body, "taken");
            }
            HITS
        }
    }));
    assert_eq!(taken.await, applied.count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_clients_that_go_away() {
    async fn worker(mut req: Request) -> Result<()> {
        let applied = req.app::<Applied>();
        loop {
            req.next().await?;
            let number = applied.add();
            if number.is_multiple_of(5) {
                tokio::task::yield_now().await;
                req.print("first part ");
                req.flush().await?;
            }
            if number.is_multiple_of(3) {
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
            req.print("taken");
        }
    }
    const HITS: u64 = 400;
    let (bare, applied) = server(worker, |_| {}).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let stayed = together((0..HITTERS).map(|hitter| {
        let (bare, cookie) = (bare.clone(), cookie.clone());
        async move {
            let mut stayed = 0;
            for hit in 0..HITS {
                let (own, name) = (bare.clone(), cookie.clone());
                let visit = tokio::spawn(async move { ask(&own, "/", &name).await });
                if (hit + hitter).is_multiple_of(2) {
                    tokio::task::yield_now().await;
                    visit.abort();
                }
                match visit.await {
                    Ok(answer) => stayed += u64::from(answer.body.contains("taken")),
                    Err(gone) => assert!(gone.is_cancelled()),
                }
            }
            stayed
        }
    }))
    .await;
    // Those who left may have been in line still: one more hit comes after all of them.
    assert!(ask(&bare, "/", &cookie).await.body.contains("taken"));
    let applied = applied.count();
    assert!(stayed < applied && applied <= HITTERS * HITS + 1, "{stayed} stayed, {applied} applied");
    assert!(stayed >= HITTERS * HITS / 2, "{stayed}: nobody who stayed was left without an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_rotations() {
    async fn inside(mut req: Request) -> Result<()> {
        let mut id = 0;
        for hit in 0_u64.. {
            if req.path() == "/rotate" {
                id = req.app::<Applied>().add();
                req.rotate_id()?;
            }
            req.content_type("text/plain")?.print(format!("inside {hit} by id {id}"));
            req.next().await?;
        }
        Ok(())
    }
    const ROTATIONS: u64 = 400;
    let (bare, applied) = server(inside, |_| {}).await;
    let first = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let (tell, told) = tokio::sync::watch::channel((first.clone(), 0));
    let hitters = together((1..HITTERS).map(|_| {
        let (bare, mut told) = (bare.clone(), told.clone());
        async move {
            let mut inside = 0;
            while told.has_changed().is_ok() {
                let (cookie, id) = told.borrow_and_update().clone();
                let answer = ask(&bare, "/", &cookie).await;
                assert_eq!(answer.status, 200);
                // With an id that has just died they are somebody else, with a session of their own.
                let (is_inside, body) = (answer.cookies().is_empty(), &answer.body);
                inside += u64::from(is_inside);
                assert_eq!(is_inside, body != "inside 0 by id 0", "{body}");
                // Also one that was in line already when its id died.
                assert!(!is_inside || body.ends_with(&format!(" by id {id}")), "id {id} got in: {body}");
            }
            inside
        }
    }));
    let rotating = tokio::spawn({
        let bare = bare.clone();
        async move {
            let mut cookie = first;
            for id in 1..=ROTATIONS {
                let answer = ask(&bare, "/rotate", &cookie).await;
                cookie = answer.cookie().expect("the one who rotates is always inside");
                tell.send_replace((cookie.clone(), id));
            }
            cookie
        }
    });
    let inside = hitters.await;
    let cookie = rotating.await.expect("each rotation is answered");
    assert_eq!(applied.count(), ROTATIONS);
    let last = format!("inside {} by id {ROTATIONS}", ROTATIONS + inside + 1);
    assert_eq!(ask(&bare, "/", &cookie).await.body, last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_hits_with_clocks_and_shedding() {
    async fn mortal(mut req: Request) -> Result<()> {
        loop {
            req.app::<Applied>().add();
            req.print("taken");
            if let Err(error) = req.next().await {
                tokio::task::yield_now().await;
                return Err(error.into());
            }
        }
    }
    let (bare, applied) = server(mortal, |limits| {
        (limits.newborn, limits.idle, limits.linger) = (SECOND, SECOND, SECOND);
        limits.lifetime = 2 * SECOND;
        limits.newborns = 8;
    })
    .await;
    const SECOND: Duration = Duration::from_secs(1);
    let over = tokio::time::Instant::now() + Duration::from_millis(3300);
    let taken = together((0..HITTERS).map(|hitter| {
        let bare = bare.clone();
        async move {
            let (mut taken, mut cookie) = (0, String::new());
            for hit in 0_u64.. {
                if tokio::time::Instant::now() > over {
                    break;
                }
                let answer = ask(&bare, "/", &cookie).await;
                assert!(answer.status == 200 || answer.status == 503, "{} {}", answer.status, answer.body);
                taken += u64::from(answer.body.contains("taken"));
                cookie = answer.cookie().unwrap_or(cookie);
                // Some hit all the time, some just when their idle time is over, some as ever new visitors.
                match hitter % 3 {
                    0 => tokio::task::yield_now().await,
                    1 => tokio::time::sleep(Duration::from_millis(997 + hit % 7)).await,
                    _ => {
                        cookie.clear();
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            taken
        }
    }))
    .await;
    assert_eq!(applied.count(), taken, "what was applied was acknowledged");
    assert!(taken > 1000, "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_newcomers_for_the_last_places() {
    async fn stays(mut req: Request) -> Result<()> {
        req.app::<Applied>().add();
        req.print("in");
        Ok(req.next().await.map(drop)?)
    }
    let (bare, applied) = server(stays, |limits| limits.sessions = 50).await;
    let inside = together((0..HITTERS).map(|_| {
        let bare = bare.clone();
        async move {
            let mut inside = 0;
            for _ in 0..200 {
                let answer = ask(&bare, "/", "").await;
                assert!(answer.status == 200 || answer.status == 503);
                inside += u64::from(answer.status == 200);
            }
            inside
        }
    }))
    .await;
    assert_eq!((inside, applied.count(), bare.engine.sessions()), (50, 50, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_of_one_visitors_first_hits_to_a_flow() {
    async fn counts(mut req: Request) -> Result<()> {
        for hit in 1_u64.. {
            req.content_type("text/plain")?.print(hit);
            req.next().await?;
        }
        Ok(())
    }
    let flow = Flow::new(counts).map(Map::by_cookie().path());
    let (bare, _) = server(flow, |limits| limits.sessions_per_visitor = 10_000).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let sum = together((0..HITTERS).map(|_| {
        let (bare, cookie) = (bare.clone(), cookie.clone());
        async move {
            let mut sum = 0;
            for flow in 0..500 {
                sum += ask(&bare, &format!("/{flow}"), &cookie).await.body.parse::<u64>().expect("a number");
            }
            sum
        }
    }));
    assert_eq!(sum.await, 500 * HITTERS * (HITTERS + 1) / 2, "all of them met in one session");
    assert_eq!(bare.engine.sessions(), 501);
}
