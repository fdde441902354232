//! Deep and long: components that call components, thousands of them one after the other, and what they clean up.

use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

/// Calls and answers that are made before memory is looked at, and after that.
const CALLS: [usize; 2] = [1_000, 9_000];
/// How far apart the two may be: a call that left 256 bytes behind would be found.
const MORE_KIB: usize = 2_048;
/// The same with a journal: SQLite has a cache, which fills.
const MORE_WITH_CACHE_KIB: usize = 4_096;
const DEEP: usize = 500;

/// A component: it is called, and answers.
async fn question(req: &mut Request, number: usize) -> Result<usize> {
    let kept = vec![number as u8; 1024];
    let by: usize = req
        .choose(|c| html! { "Question " (number) ". " (c.link("one", 1_usize)) (c.link("two", 2)) })
        .await?;
    Ok(by + usize::from(kept[0] != number as u8))
}

async fn asks(mut req: Request) -> Result<()> {
    let mut number = 0;
    loop {
        number += question(&mut req, number).await?;
    }
}

/// What this process has in memory.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells the memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

async fn calls_leave_nothing(server: Server, more: usize) {
    let mut browser = Browser::of(server);
    browser.get("/").await;
    let mut resident = [0; 2];
    for (calls, resident) in CALLS.iter().zip(&mut resident) {
        for _ in 0..*calls {
            browser.follow("one").await;
        }
        *resident = resident_kib();
    }
    browser.shows(&format!("Question {}.", CALLS[0] + CALLS[1]));
    let [before, after] = resident;
    println!("{before} KiB after {} calls, {after} KiB after {} more", CALLS[0], CALLS[1]);
    assert!(after < before + more, "{before} KiB became {after} KiB");
}

#[tokio::test]
#[ignore = "runs in a process of its own: line_06_ten_thousand_calls_and_answers_leave_nothing_in_memory"]
async fn alone_calls_in_memory() {
    calls_leave_nothing(Server::new(asks), MORE_KIB).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
#[ignore = "long: cargo xtask soak --faults"]
async fn soak_ten_thousand_calls_and_answers_leave_nothing_in_memory_with_a_journal() {
    let folder = crate::folder::Folder::new("depth");
    let journal = continuity::Sqlite::open(folder.0.join("journal")).expect("it opens");
    calls_leave_nothing(Server::new(asks).journal(journal), MORE_WITH_CACHE_KIB).await;
}

#[test]
fn line_06_ten_thousand_calls_and_answers_leave_nothing_in_memory() {
    let own = std::env::current_exe().expect("a test is a program");
    // What other tests have in memory is not counted there.
    let alone = Command::new(own).args(["depth::alone_calls", "--ignored", "--nocapture"]).output();
    let alone = alone.expect("it starts");
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success(), "{said}{}", String::from_utf8_lossy(&alone.stderr));
    assert!(said.contains("KiB after"), "{said}");
}

/// Calls itself with each answer, and gives back how deep it came.
fn descend(req: &mut Request, depth: usize) -> Pin<Box<dyn Future<Output = Result<usize>> + Send + '_>> {
    Box::pin(async move {
        let on: bool = req
            .choose(|c| html! { "Depth " (depth) ". " (c.link("down", true)) (c.link("up", false)) })
            .await?;
        let below = if on { descend(req, depth + 1).await? } else { 0 };
        Ok(below + 1)
    })
}

async fn well(mut req: Request) -> Result<()> {
    loop {
        let depth = descend(&mut req, 0).await?;
        req.inform(html! { "It was " (depth) " deep." }).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_15_a_recursion_of_five_hundred_is_rebuilt_on_a_workers_stack() {
    // A worker has the stack that it has by default; this test's own thread is another one.
    let on_a_worker = tokio::spawn(async {
        let store = Memory::new();
        let server = || Server::new(well).journal(store.clone()).limits(|limits| limits.branches = 1);
        let mut browser = Browser::of(server());
        browser.get("/").await;
        for depth in 1..=DEEP {
            browser.follow("down").await.shows(&format!("Depth {depth}."));
        }
        let up = browser.href("up");
        browser.restart(server()).get("/").await.shows("Depth 500.");
        // In the middle of it, too: by replay, since one branch stays in memory.
        for _ in 0..40 {
            browser.back().await;
        }
        browser.shows("Depth 461.");
        browser.follow("up").await.shows("It was 462 deep.");
        browser.get(&up).await.shows("It was 501 deep.");
        browser.follow("OK").await.shows("Depth 0.");
    });
    on_a_worker.await.expect("the stack was large enough");
}

/// What is there as long as a branch is in memory.
#[derive(Default)]
struct Count {
    there: AtomicUsize,
    cleaned_up: AtomicUsize,
}

struct Guard(Arc<Count>);

impl Guard {
    fn new(count: Arc<Count>) -> Guard {
        count.there.fetch_add(1, Ordering::SeqCst);
        Guard(count)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.there.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Holds one guard all the time and one in each step, and cleans up when it is told to end.
async fn guarded(mut req: Request) -> Result<()> {
    let count = req.app::<Arc<Count>>();
    let _whole = Guard::new(count.as_ref().clone());
    let mut trail = String::new();
    loop {
        let _step = Guard::new(count.as_ref().clone());
        let page = req.choose(|c| html! { "At " (trail) ". " (c.link("left", "l".to_owned())) (c.link("right", "r".to_owned())) });
        match page.await {
            Ok(step) => trail.push_str(&step),
            Err(closing) => {
                count.cleaned_up.fetch_add(1, Ordering::SeqCst);
                return Err(closing.into());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn line_13_a_branch_that_leaves_memory_drops_its_locals_and_no_others() {
    let count = Arc::new(Count::default());
    let there = || count.there.load(Ordering::SeqCst);
    let server = Server::new(guarded).journal(Memory::new()).app(count.clone()).limits(|limits| {
        (limits.branches, limits.park, limits.idle_journaled) =
            (2, Duration::from_secs(600), Duration::from_secs(60));
    });
    let mut one = Browser::of(server);
    one.get("/").await.follow("left").await.shows("At l.");
    assert_eq!(there(), 2, "one branch: its own and its step's");
    let mut tabs: Vec<_> = ["left", "right"].map(|link| (link, one.new_tab())).into_iter().collect();
    for (link, tab) in &mut tabs {
        tab.get(&one.href(link)).await.shows(if *link == "left" { "At ll." } else { "At lr." });
    }
    assert_eq!(there(), 4, "two branches, and nothing of a third");
    one.back().await.follow("right").await.shows("At r.");
    assert_eq!(there(), 4, "the one that was left first is not in memory any more");
    for (link, tab) in &mut tabs {
        tab.follow("left").await.shows(if *link == "left" { "At lll." } else { "At lrl." });
        assert_eq!(there(), 4);
    }
    assert_eq!(count.cleaned_up.load(Ordering::SeqCst), 0, "nobody was told to end");
    one.wait(Duration::from_secs(90)).await;
    assert_eq!(
        (there(), count.cleaned_up.load(Ordering::SeqCst)),
        (0, 1),
        "the one where the session is was told"
    );
}
