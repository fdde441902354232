//! The journal, as visitors see it: nobody loses their place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use continuity::journal::{Divergence, Fault, Memory};
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::test::store::Failing;

use crate::examples::gallery::shelf::{addtwo, counter};
use crate::log::Log;

fn server(store: &Memory) -> Server {
    Server::new(counter::counter).journal(store.clone())
}

#[tokio::test]
async fn line_14_a_counter_goes_on_after_a_restart() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store));
    browser.get("/").await.shows("Count: 0");
    browser.follow("++").await.shows("Count: 1");
    browser.follow("++").await.shows("Count: 2");
    browser.restart(server(&store));
    browser.follow("++").await.shows("Count: 3");
    browser.restart(server(&store)).reload().await.shows("Count: 3");
    browser.follow("--").await.follow("--").await.shows("Count: 1");
}

#[tokio::test]
async fn line_14_printed_pages_go_on_after_a_restart() {
    let store = Memory::new();
    let server = || Server::new(addtwo::addtwo).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("num", 3).submit().await.shows("second number");
    browser.restart(server()).fill("num", 4).submit().await.shows("The sum of 3 and 4 is 7!");
    browser.restart(server()).get("/").await.shows("first number");
}

/// Buys something; counts what really happens.
struct Outside {
    observed: AtomicUsize,
    charged: AtomicUsize,
}

impl Outside {
    fn new() -> Arc<Outside> {
        Arc::new(Outside { observed: AtomicUsize::new(0), charged: AtomicUsize::new(0) })
    }

    fn counts(&self) -> (usize, usize) {
        (self.observed.load(Ordering::Relaxed), self.charged.load(Ordering::Relaxed))
    }
}

async fn shop(mut req: Request) -> Result<()> {
    let outside: Arc<Arc<Outside>> = req.app();
    req.choose(|c| html! { (c.link("Begin", ())) }).await?;
    let at = req.now();
    let dice: u64 = req.rng().random();
    let seen: usize =
        req.read("stock", async || Ok::<_, Error>(outside.observed.fetch_add(1, Ordering::Relaxed))).await?;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let key: String = req
            .once("charge", &42, async |key: Key| {
                outside.charged.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Error>(key.to_string())
            })
            .await?;
        keys.push(key);
    }
    loop {
        req.choose(|c| {
            html! { p { (format!("{seen} {dice} {at:?} {keys:?}")) } (c.link("Again", ())) }
        })
        .await?;
    }
}

#[tokio::test]
async fn line_16_what_came_from_outside_is_the_same_after_a_restart() {
    let (store, outside) = (Memory::new(), Outside::new());
    let server = || Server::new(shop).app(outside.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("Begin").await;
    let page = browser.text();
    assert_eq!(outside.counts(), (1, 2));
    for _ in 0..3 {
        browser.restart(server()).reload().await;
        assert_eq!(browser.text(), page);
        browser.follow("Again").await;
        assert_eq!(browser.text(), page);
    }
    assert_eq!(outside.counts(), (1, 2));
    let keys: Vec<&str> = page.split('"').filter(|part| part.len() == 32).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "two effects of the same arguments are two");
}

async fn halves(mut req: Request) -> Result<()> {
    let mut sum = 100i64;
    loop {
        req.print(html! { "Sum: " (sum) form { input name="by"; } });
        let by: i64 = req.next().await?.param("by")?;
        sum /= by;
        if sum == 7 {
            return Err("seven".into());
        }
    }
}

#[tokio::test]
async fn line_04_a_failed_step_is_no_part_of_the_past() {
    let store = Memory::new();
    let server = || Server::new(halves).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("by", 2).submit().await.shows("Sum: 50");
    browser.fill("by", "x").submit().await.status(400).shows("`by`");
    browser.follow("Back to where you were").await.shows("Sum: 50");
    browser.fill("by", 0).submit().await.status(500);
    browser.follow("Back").await.shows("Sum: 50");
    browser.fill("by", 7).submit().await.status(500);
    browser.restart(server()).follow("Back").await.shows("Sum: 50");
    browser.fill("by", 5).submit().await.shows("Sum: 10");
    browser.restart(server()).fill("by", 5).submit().await.shows("Sum: 2");
}

#[tokio::test(start_paused = true)]
async fn line_05_a_session_that_rests_is_parked_and_comes_back() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store).limits(|limits| limits.park = Duration::from_secs(10)));
    browser.get("/").await.follow("++").await.shows("Count: 1");
    for count in 2..5 {
        browser.wait(Duration::from_secs(15)).await;
        assert_eq!(browser.sessions(), 0, "parked");
        browser.follow("++").await.shows(&format!("Count: {count}"));
        assert_eq!(browser.sessions(), 1, "back");
    }
}

#[tokio::test]
async fn line_16_an_await_on_something_else_is_cut_at_the_restart() {
    async fn strays(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count +=
                req.choose(|c| html! { "Count: " (count) (c.link("one", 1)) (c.link("five", 5)) }).await?;
            if count == 6 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    let store = Memory::new();
    let server = || Server::new(strays).journal(store.clone());
    let mut browser = Browser::of(server()).without_rehearsal();
    browser.get("/").await.follow("one").await.follow("five").await.shows("Count: 6");
    browser.follow("one").await.shows("Count: 7");
    browser.restart(server()).follow("one").await.shows("Count: 1").shows("older page");
    browser.follow("one").await.shows("Count: 2");
    browser.restart(server()).follow("one").await.shows("Count: 3");
}

#[tokio::test]
async fn line_17_a_page_of_a_newborn_that_is_gone_starts_anew_with_a_notice() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store));
    browser.get("/").await.shows("Count: 0");
    browser.restart(server(&store)).follow("++").await.shows("Count: 0").shows("This is the beginning");
    browser.follow("++").await.shows("Count: 1").shows_not("beginning");
}

#[tokio::test]
async fn line_18_a_checkpoint_is_enough() {
    async fn lives_long(mut req: Request) -> Result<()> {
        let mut count = req.restore_or(0u64)?;
        loop {
            req.checkpoint(&count)?;
            count += req.choose(|c| html! { "Count: " (count) (c.link("more", 1u64)) }).await?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(lives_long).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await;
    for count in 1..50 {
        browser.follow("more").await.shows(&format!("Count: {count}"));
        if count % 7 == 0 {
            browser.restart(server());
        }
    }
}

#[tokio::test]
async fn the_kit_replays_every_session_after_every_page() {
    let mut browser = Browser::journaled(counter::counter);
    browser.get("/").await.follow("++").await.follow("--").await.follow("--").await.follow("Yes").await;
    browser.shows("Count: -1");
    let mut browser = Browser::journaled(addtwo::addtwo);
    browser.get("/").await.fill("num", 3).submit().await.fill("num", 4).submit().await.shows("is 7!");
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

async fn depends_on_the_process(mut req: Request) -> Result<()> {
    loop {
        if CALLS.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            req.confirm("Really?").await?;
        }
        req.choose(|c| html! { (c.link("on", 1u8)) }).await?;
    }
}

async fn prints_what_it_should_not(mut req: Request) -> Result<()> {
    loop {
        req.print(html! { "Call " (CALLS.fetch_add(1, Ordering::Relaxed)) a href="?" { "on" } });
        req.next().await?;
    }
}

#[tokio::test]
#[should_panic(expected = "a session does not replay: the program asks by Choose")]
async fn r58_the_kit_finds_a_verb_that_depends_on_the_process() {
    let mut browser = Browser::journaled(depends_on_the_process);
    browser.get("/").await;
    for _ in 0..4 {
        let next = if browser.text().contains("Really") { "Yes" } else { "on" };
        browser.follow(next).await;
    }
}

#[tokio::test]
#[should_panic(expected = "printed something else")]
async fn r58_the_kit_finds_printed_text_that_depends_on_the_process() {
    Browser::journaled(prints_what_it_should_not).get("/").await.follow("on").await;
}

/// A gateway that is slow, fails, and counts by key.
#[derive(Default)]
struct Gateway {
    tries: std::sync::Mutex<Vec<String>>,
    hangs: std::sync::atomic::AtomicBool,
    fails: std::sync::atomic::AtomicBool,
}

impl Gateway {
    async fn charge(&self, key: Key) -> std::io::Result<u32> {
        self.tries.lock().expect("not poisoned").push(key.to_string());
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("declined"));
        }
        Ok(42)
    }

    fn tries(&self) -> Vec<String> {
        self.tries.lock().expect("not poisoned").clone()
    }
}

async fn pays(mut req: Request) -> Result<()> {
    let gateway: Arc<Arc<Gateway>> = req.app();
    req.choose(|c| html! { "Cart" (c.link("Pay", ())) }).await?;
    let receipt: u32 = req.once("charge", "cart", async |key| gateway.charge(key).await).await?;
    req.choose(|c| html! { "Receipt " (receipt) (c.link("Done", ())) }).await?;
    Ok(())
}

async fn pays_at_most_once(mut req: Request) -> Result<()> {
    let gateway: Arc<Arc<Gateway>> = req.app();
    req.choose(|c| html! { "Cart" (c.link("Pay", ())) }).await?;
    let paid: Result<u32, Error> =
        req.at_most_once("charge", "cart", async |key| gateway.charge(key).await).await;
    match paid {
        Err(error) if error.is_unknown() => req.inform("Please look at your account").await?,
        other => {
            let receipt = other?;
            req.choose(|c| html! { "Receipt " (receipt) (c.link("Done", ())) }).await?;
        }
    }
    Ok(())
}

/// Pays, and is restarted while that is on its way.
async fn restarted_while_paying<F>(flow: F) -> (Browser, Arc<Gateway>)
where
    F: Into<Flow> + Clone,
{
    restarted_while_paying_by(flow, "Cart").await
}

/// The same, from a page that shows this.
async fn restarted_while_paying_by<F>(flow: F, page: &str) -> (Browser, Arc<Gateway>)
where
    F: Into<Flow> + Clone,
{
    restarted_while_paying_on(&Memory::new(), flow, page).await
}

/// The same, on this journal.
async fn restarted_while_paying_on<F>(store: &Memory, flow: F, page: &str) -> (Browser, Arc<Gateway>)
where
    F: Into<Flow> + Clone,
{
    let gateway = Arc::new(Gateway::default());
    let server = || Server::new(flow.clone()).app(gateway.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.shows(page);
    gateway.hangs.store(true, Ordering::Relaxed);
    let mut other = browser.new_tab();
    other.get("/").await;
    let paying = tokio::spawn(async move { drop(other.open("/").await) });
    let href = browser.href("Pay");
    let mut tab = browser.new_tab();
    let paid = tokio::spawn(async move { drop(tab.open(&href).await) });
    while gateway.tries().is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.hangs.store(false, Ordering::Relaxed);
    paid.abort();
    paying.abort();
    drop((paid.await, paying.await));
    browser.restart(server());
    (browser, gateway)
}

#[tokio::test]
async fn line_16_an_effect_in_flight_is_tried_again_with_the_same_key() {
    let (mut browser, gateway) = restarted_while_paying(pays).await;
    browser.reload().await.shows("Receipt 42");
    let tries = gateway.tries();
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0], tries[1]);
    browser.follow("Done").await;
    assert_eq!(gateway.tries().len(), 2);
}

#[tokio::test]
async fn line_16_an_effect_at_most_once_is_unknown_after_a_restart() {
    let (mut browser, gateway) = restarted_while_paying(pays_at_most_once).await;
    browser.reload().await.shows("Please look at your account");
    assert_eq!(gateway.tries().len(), 1);
}

#[tokio::test]
async fn line_16_who_went_on_from_an_unknown_effect_is_rebuilt_where_they_were() {
    let store = Memory::new();
    let (mut browser, gateway) = restarted_while_paying_on(&store, pays_at_most_once, "Cart").await;
    let server = || Server::new(pays_at_most_once).app(gateway.clone()).journal(store.clone());
    browser.reload().await.shows("Please look at your account");
    browser.restart(server()).reload().await.shows("Please look at your account").shows_not("changed");
    browser.follow("OK").await;
    assert_eq!(gateway.tries().len(), 1);
}

#[tokio::test]
async fn line_16_an_error_that_fails_the_step_is_forgotten_and_keeps_its_key() {
    let (store, gateway) = (Memory::new(), Arc::new(Gateway::default()));
    let server = || Server::new(pays).app(gateway.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    gateway.fails.store(true, Ordering::Relaxed);
    browser.get("/").await.follow("Pay").await.status(500);
    browser.follow("Back").await.shows("Cart");
    browser.follow("Pay").await.status(500);
    gateway.fails.store(false, Ordering::Relaxed);
    browser.restart(server()).follow("Back").await.follow("Pay").await.shows("Receipt 42");
    let tries = gateway.tries();
    assert_eq!(tries.len(), 3);
    assert!(tries.iter().all(|key| *key == tries[0]));
}

#[tokio::test]
async fn line_16_an_error_that_is_handled_is_kept_as_text() {
    async fn handles(mut req: Request) -> Result<()> {
        let gateway: Arc<Arc<Gateway>> = req.app();
        loop {
            let paid: Result<u32, Error> =
                req.once("charge", &1, async |key| gateway.charge(key).await).await;
            let said = match paid {
                Ok(receipt) => format!("Receipt {receipt}"),
                Err(error) => format!("Failed: {}", std::error::Error::source(&error).expect("the cause")),
            };
            req.choose(|c| html! { (said) (c.link("Again", ())) }).await?;
        }
    }
    let (store, gateway) = (Memory::new(), Arc::new(Gateway::default()));
    let server = || Server::new(handles).app(gateway.clone()).journal(store.clone());
    gateway.fails.store(true, Ordering::Relaxed);
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.shows("Failed: declined");
    browser.restart(server()).reload().await.shows("Failed: declined");
    gateway.fails.store(false, Ordering::Relaxed);
    browser.follow("Again").await.shows("Receipt 42");
    let tries = gateway.tries();
    assert_ne!(tries[0], tries[1], "a second effect, not a second try");
}

#[tokio::test]
async fn line_16_what_was_done_in_a_step_that_failed_is_done() {
    async fn fails_after(mut req: Request) -> Result<()> {
        let gateway: Arc<Arc<Gateway>> = req.app();
        loop {
            let on: String = req
                .choose(|c| html! { (c.link("bad", "bad".to_owned())) (c.link("good", "good".to_owned())) })
                .await?;
            let receipt: u32 = req.once("charge", &1, async |key| gateway.charge(key).await).await?;
            if on == "bad" {
                return Err("no".into());
            }
            req.choose(|c| html! { "Receipt " (receipt) (c.link("on", ())) }).await?;
        }
    }
    let (store, gateway) = (Memory::new(), Arc::new(Gateway::default()));
    let server = || Server::new(fails_after).app(gateway.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("bad").await.status(500);
    browser.follow("Back").await.follow("bad").await.status(500);
    browser.restart(server()).follow("Back").await.follow("good").await.shows("Receipt 42");
    assert_eq!(gateway.tries().len(), 1);
    browser.restart(server()).reload().await.shows("Receipt 42");
    assert_eq!(gateway.tries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn line_16_a_sleep_goes_on_after_a_restart_for_the_rest_of_its_time() {
    async fn sleeps(mut req: Request) -> Result<()> {
        loop {
            req.choose(|c| html! { (c.link("sleep", ())) }).await?;
            let before = req.now();
            req.sleep(Duration::from_secs(3600)).await;
            let slept = req.now().duration_since(before).expect("time goes on").as_secs();
            req.choose(|c| html! { "Slept " (slept) " s" (c.link("on", ())) }).await?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(sleeps).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await;
    let href = browser.href("sleep");
    let mut tab = browser.new_tab();
    let sleeping = tokio::spawn(async move { drop(tab.open(&href).await) });
    browser.wait(Duration::from_secs(1800)).await;
    sleeping.abort();
    drop(sleeping.await);
    browser.restart(server());
    let start = tokio::time::Instant::now();
    browser.reload().await.shows("Slept 3600 s");
    let waited = start.elapsed().as_secs();
    assert!((1795..=1805).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn line_15_who_sleeps_is_woken_after_a_restart_without_a_hit() {
    async fn reminds(mut req: Request) -> Result<()> {
        let gateway: Arc<Arc<Gateway>> = req.app();
        req.choose(|c| html! { (c.link("remind me", ())) }).await?;
        req.sleep(Duration::from_secs(3600)).await;
        req.once("mail", &(), async |key| gateway.charge(key).await).await?;
        Ok(())
    }
    let (store, gateway) = (Memory::new(), Arc::new(Gateway::default()));
    let server = || Server::new(reminds).app(gateway.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await;
    let href = browser.href("remind me");
    let mut tab = browser.new_tab();
    let sleeping = tokio::spawn(async move { drop(tab.open(&href).await) });
    browser.wait(Duration::from_secs(60)).await;
    sleeping.abort();
    drop(sleeping.await);
    browser.restart(server()).wait(Duration::from_secs(3000)).await;
    assert_eq!(gateway.tries().len(), 0);
    browser.wait(Duration::from_secs(700)).await;
    assert_eq!(gateway.tries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn line_05_a_parked_session_whose_time_is_over_is_rebuilt_told_and_ended() {
    async fn cleans_up(mut req: Request) -> Result<()> {
        let gateway: Arc<Arc<Gateway>> = req.app();
        loop {
            let asked = req.choose(|c| html! { (c.link("on", ())) }).await;
            if let Err(error) = asked {
                assert!(error.is_closing());
                req.once("clean up", &(), async |key| gateway.charge(key).await).await?;
                return Err(error.into());
            }
        }
    }
    let (store, gateway) = (Memory::new(), Arc::new(Gateway::default()));
    let server = || {
        let hours = Duration::from_secs(2 * 3600);
        let server = Server::new(cleans_up).app(gateway.clone()).journal(store.clone());
        server.limits(|limits| limits.idle_journaled = hours)
    };
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("on").await;
    browser.wait(Duration::from_secs(600)).await;
    assert_eq!(browser.sessions(), 0, "parked");
    browser.restart(server()).wait(Duration::from_secs(3600)).await;
    assert_eq!(gateway.tries().len(), 0);
    browser.wait(Duration::from_secs(3700)).await;
    assert_eq!(gateway.tries().len(), 1, "told once");
    browser.restart(server()).wait(Duration::from_secs(3700)).await;
    assert_eq!(gateway.tries().len(), 1);
    browser.follow("on").await.status(410);
}

/// All that is in a store, as bytes.
fn bytes_of(store: &Memory) -> Vec<u8> {
    use continuity::journal::Store;
    let heads = store.list(0, 1000).expect("memory");
    let chunks = heads.iter().flat_map(|head| store.load(head.session).expect("memory"));
    chunks.flat_map(|chunk| [chunk.what.into_bytes(), chunk.entries].concat()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: Secret<String>,
}

async fn login(mut req: Request) -> Result<()> {
    let login: Login =
        req.ask(|f| html! { (f.text("name")) (f.password("password")) button { "Log in" } }).await?;
    assert!(login.password.open().is_err(), "outside of an effect");
    let right: bool =
        req.read("check", async || login.password.open().map(|password| password == "xyzzy!")).await?;
    req.print(html! { (login.name) ": " (right) form { input name="pin"; } });
    let pin: Secret<String> = req.next().await?.param("pin")?;
    let right = req.read("pin", async || pin.open().map(|pin| pin.as_str() == "90210")).await?;
    req.choose(|c| html! { "Pin: " (right) (c.link("on", ())) }).await?;
    Ok(())
}

#[tokio::test]
async fn line_17_secrets_never_reach_the_journal() {
    let store = Memory::new();
    let server = || Server::new(login).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser.header("authorization", "Basic c2VjcmV0").set_cookie("theme", "dark");
    browser.get("/").await.fill("name", "Ada").fill("password", "xyzzy!").submit().await.shows("Ada: true");
    browser.restart(server()).fill("pin", "90210").submit().await.shows("Pin: true");
    browser.restart(server()).reload().await.shows("Pin: true");
    let (bytes, id) = (bytes_of(&store), browser.cookie("sid").expect("an id"));
    for secret in ["xyzzy", "90210", "c2VjcmV0", &id[..32]] {
        assert!(!has(&bytes, secret), "{secret}");
    }
    assert!(has(&bytes, "Ada") && has(&bytes, "theme=dark"), "the rest does");
}

#[tokio::test]
async fn line_17_parameters_that_the_server_names_never_reach_the_journal() {
    async fn pin(mut req: Request) -> Result<()> {
        loop {
            req.print(html! { form { input name="pin"; input name="name"; } });
            req.next().await?;
            assert!(req.param::<String>("pin").is_err(), "it is a secret");
            let _: Secret<String> = req.param("pin")?;
        }
    }
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(pin).secrets(["pin"]).journal(store.clone()));
    browser.get("/").await.fill("pin", "90210").fill("name", "Ada").submit().await.status(200);
    let bytes = bytes_of(&store);
    assert!(has(&bytes, "Ada") && !has(&bytes, "90210"));
}

#[tokio::test]
async fn line_13_what_is_shared_is_the_same_after_a_restart() {
    #[derive(Default, Serialize, Deserialize)]
    struct Seen(Vec<u32>);

    async fn sees(mut req: Request) -> Result<()> {
        loop {
            let seen = req.shared::<Seen>().get()?.0;
            let more: u32 = req.choose(|c| html! { (format!("{seen:?}")) (c.link("more", 7u32)) }).await?;
            req.shared::<Seen>().update(|seen| seen.0.push(more))?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(sees).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.follow("more").await.shows("[7]");
    browser.restart(server()).follow("more").await.shows("[7, 7]");
}

#[tokio::test]
async fn line_11_a_repeat_after_a_restart_gets_the_page_it_made() {
    async fn prints(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count += req.choose(|c| html! { (c.link("one", 1)) }).await?;
            req.print(html! { "Count: " (count) a href="/" { "on" } });
            req.next().await?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(prints).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("one").await.shows("Count: 1");
    let page = browser.text();
    for _ in 0..2 {
        browser.restart(server()).reload().await;
        assert_eq!(browser.text(), page);
    }
    browser.follow("on").await.follow("one").await.shows("Count: 2");
}

#[tokio::test]
async fn line_02_a_rotated_id_stays_rotated_after_a_restart() {
    async fn logs_in(mut req: Request) -> Result<()> {
        req.choose(|c| html! { (c.link("log in", ())) }).await?;
        req.rotate_id()?;
        req.choose(|c| html! { "Welcome" (c.link("on", ())) }).await?;
        Ok(())
    }
    let store = Memory::new();
    let server = || Server::new(logs_in).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await;
    let old = browser.cookie("sid").expect("an id");
    browser.follow("log in").await.shows("Welcome");
    assert_ne!(browser.cookie("sid").as_ref(), Some(&old));
    browser.restart(server());
    let mut thief = browser.other();
    thief.set_cookie("sid", &old).get("/").await.shows("log in").shows_not("Welcome");
    browser.reload().await.shows("Welcome");
}

#[tokio::test]
async fn line_14_a_step_whose_write_failed_did_not_happen() {
    let store = Failing::new(Memory::new());
    let mut browser = Browser::of(Server::new(counter::counter).journal(store.clone()));
    browser.get("/").await.follow("++").await.follow("++").await.shows("Count: 2");
    for fault in [Fault::Full, Fault::Failed] {
        store.fail(Some(fault));
        browser.follow("++").await.status(503);
        browser.back().await.get("/").await.shows("Count: 2");
        store.fail(None);
        browser.get("/").await.shows("Count: 2");
    }
    browser.follow("++").await.shows("Count: 3");
}

#[tokio::test]
async fn line_14_no_effect_is_tried_before_what_led_to_it_is_written() {
    let (store, gateway) = (Failing::new(Memory::new()), Arc::new(Gateway::default()));
    let mut browser = Browser::of(Server::new(pays).app(gateway.clone()).journal(store.clone()));
    browser.get("/").await;
    store.fail(Some(Fault::Full));
    browser.follow("Pay").await.status(503);
    assert_eq!(gateway.tries().len(), 0);
    store.fail(None);
    browser.back().await.get("/").await.shows("Cart");
    browser.follow("Pay").await.shows("Receipt 42");
    assert_eq!(gateway.tries().len(), 1);
}

#[tokio::test]
async fn line_14_a_new_id_that_could_not_be_written_is_none() {
    async fn logs_in(mut req: Request) -> Result<()> {
        loop {
            req.choose(|c| html! { (c.link("log in", ())) }).await?;
            req.rotate_id()?;
            req.choose(|c| html! { "Welcome" (c.link("log out", ())) }).await?;
        }
    }
    let store = Failing::new(Memory::new());
    let mut browser = Browser::of(Server::new(logs_in).journal(store.clone()));
    browser.get("/").await.follow("log in").await.follow("log out").await;
    let id = browser.cookie("sid");
    store.fail(Some(Fault::Full));
    browser.follow("log in").await.status(503);
    assert_eq!(browser.cookie("sid"), id);
    store.fail(None);
    browser.back().await.get("/").await.shows("log in");
    browser.follow("log in").await.shows("Welcome");
    assert_ne!(browser.cookie("sid"), id);
}

#[tokio::test]
async fn r58_what_is_not_what_was_recorded_is_quarantined_with_a_report() {
    let (store, log) = (Memory::new(), Log::listen());
    let server = |start: usize| {
        let calls = Arc::new(AtomicUsize::new(start));
        Server::new(asks_by_a_counter).app(calls).journal(store.clone()).on_divergence(Divergence::Refuse)
    };
    let mut browser = Browser::of(server(0));
    browser.get("/").await.follow("on").await.shows("Really?");
    browser.restart(server(1)).follow("Yes").await.shows("cannot be restored");
    let report = log.text();
    assert!(report.contains("quarantined") && report.contains("asks by Choose"), "{report}");
    browser.follow("Go on").await.status(200).shows("on");
}

async fn asks_by_a_counter(mut req: Request) -> Result<()> {
    let calls: Arc<Arc<AtomicUsize>> = req.app();
    loop {
        if calls.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            req.confirm("Really?").await?;
        }
        req.choose(|c| html! { (c.link("on", 1u8)) }).await?;
    }
}

#[tokio::test]
async fn line_16_what_is_awaited_beside_the_verbs_is_named() {
    async fn waits(mut req: Request) -> Result<()> {
        loop {
            req.choose(|c| html! { (c.link("on", ())) }).await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let log = Log::listen();
    let mut browser = Browser::of(Server::new(waits).journal(Memory::new())).without_rehearsal();
    browser.get("/").await.follow("on").await.follow("on").await;
    let said = log.text();
    assert_eq!(said.matches("no verb").count(), 1, "{said}");
    assert!(said.contains("tests/it/journal.rs:"), "{said}");
}

#[tokio::test]
async fn replays_are_hushed() {
    async fn logs(mut req: Request) -> Result<()> {
        for count in 0.. {
            tracing::warn!(target: "continuity::test", count, "counting");
            req.choose(|c| html! { (count) (c.link("on", ())) }).await?;
        }
        Ok(())
    }
    let (store, log) = (Memory::new(), Log::listen());
    let server = || Server::new(logs).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("on").await.follow("on").await;
    assert_eq!(log.text().matches("counting").count(), 3);
    browser.restart(server()).reload().await.shows("2");
    assert_eq!(log.text().matches("counting").count(), 3);
    browser.follow("on").await;
    assert_eq!(log.text().matches("counting").count(), 4);
}

#[tokio::test]
async fn line_17_a_secret_is_in_no_checkpoint_and_in_no_address_of_the_page_before() {
    async fn asks_for_a_pin(mut req: Request) -> Result<()> {
        let count = req.restore_or(0u32)?;
        loop {
            req.checkpoint(&count)?;
            req.print(html! { form { input name="pin"; input name="name"; } });
            req.next().await?;
            let _: Secret<String> = req.param("pin")?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(asks_for_a_pin).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("pin", "90210").fill("name", "Ada").submit().await.status(200);
    browser.header("referer", "http://localhost/?pin=90210&name=Ada");
    browser.fill("pin", "12345").fill("name", "Bob").submit().await.status(200);
    let bytes = bytes_of(&store);
    assert!(has(&bytes, "Ada") && has(&bytes, "http://localhost/"), "the rest is there");
    assert!(!has(&bytes, "90210") && !has(&bytes, "12345"));
    browser.restart(server()).fill("pin", "1").submit().await.status(200);
}

#[tokio::test]
async fn line_18_a_step_that_fails_after_its_checkpoint_goes_back_before_it() {
    async fn pays_often(mut req: Request) -> Result<()> {
        let gateway: Arc<Arc<Gateway>> = req.app();
        let mut paid = req.restore_or(0u32)?;
        loop {
            req.checkpoint(&paid)?;
            if paid > 0 {
                let _: u32 = req.once("charge", &paid, async |key| gateway.charge(key).await).await?;
            }
            paid += req.choose(|c| html! { "Paid: " (paid) (c.link("Pay", 1u32)) }).await?;
        }
    }
    let (mut browser, gateway) = restarted_while_paying_by(pays_often, "Paid: 0").await;
    gateway.fails.store(true, Ordering::Relaxed);
    let page = browser.reload().await.html().to_owned();
    assert!(page.contains("Paid: 0"), "back to the page before: {page}");
    browser.follow("Pay").await.status(500);
    gateway.fails.store(false, Ordering::Relaxed);
    browser.follow("Back").await.shows("Paid: 0");
    browser.follow("Pay").await.shows("Paid: 1");
    let tries = gateway.tries();
    assert!(tries.len() == 4 && tries.iter().all(|key| *key == tries[0]), "{tries:?}");
}
