//! Numbers of sessions, and the chance that ids and numbers are made of.

use continuity::journal::{Memory, Store};
use continuity::prelude::*;
use continuity::test::Browser;

/// The shard in an id: the first twelve bits of its first half.
fn shard_of(id: &str) -> u64 {
    let half = u64::from_str_radix(&id[..16], 16).expect("an id is in hexadecimal").swap_bytes();
    half >> 52
}

async fn logs_in(mut req: Request) -> Result<()> {
    loop {
        req.choose(|c| html! { (c.link("Log in", ())) }).await?;
        req.rotate_id()?;
    }
}

#[tokio::test]
async fn a_sessions_number_has_its_visitors_shard_which_stays_when_the_id_is_rotated() {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(logs_in).mount("/other", logs_in).journal(store.clone()));
    let mut ids = Vec::new();
    browser.get("/").await;
    for path in ["/", "/other", "/"] {
        ids.push(browser.cookie("sid").expect("a visitor has an id"));
        browser.get(path).await.follow("Log in").await;
    }
    let shard = shard_of(&ids[0]);
    assert!(ids.iter().all(|id| shard_of(id) == shard) && ids[0] != ids[1] && ids[1] != ids[2]);
    let heads = store.list(0, 9).expect("it is in memory");
    assert_eq!(heads.len(), 2);
    assert!(heads.iter().all(|head| head.session & 0xfff == shard), "{heads:?}");
}

/// Whatever a server draws from chance shows here.
async fn draws(mut req: Request) -> Result<()> {
    let dice: u64 = req.rng().random();
    req.print(html! { form method="post" { "Dice " (dice) input name="word"; } });
    let word: String = req.next().await?.param("word")?;
    let key = req.once("key", &word, async |key| Ok::<_, Error>(key.to_string())).await?;
    req.choose(|c| html! { (word) " by " (key) (c.link("On", 7)) }).await?;
    req.rotate_id()?;
    req.inform(html! { "Inside, " (req.session_id()) }).await?;
    Err("it fails".into())
}

/// Every page of two visitors, their ids, and the numbers of their sessions.
async fn drawn(seed: u64, journaled: bool) -> Vec<String> {
    let store = Memory::seeded(seed);
    let server = Server::new(draws).seed(seed);
    let mut browser = Browser::of(if journaled { server.journal(store.clone()) } else { server });
    let mut all = Vec::new();
    for mut visitor in [browser.other(), browser.other()] {
        visitor.get("/").await;
        all.push(visitor.html().to_owned());
        visitor.fill("word", "tea").submit().await;
        all.push(visitor.html().to_owned());
        for link in ["On", "OK"] {
            visitor.follow(link).await;
            all.extend([visitor.html().to_owned(), visitor.cookie("sid").unwrap_or_default()]);
        }
        visitor.status(500);
    }
    browser.get("/").await;
    all.extend(store.list(0, 9).expect("it is in memory").iter().map(|head| format!("{:x}", head.session)));
    all
}

#[tokio::test(start_paused = true)]
async fn two_runs_with_one_seed_are_the_same_byte_for_byte() {
    for journaled in [false, true] {
        let (one, again) = (drawn(7, journaled).await, drawn(7, journaled).await);
        assert_eq!(one, again);
        let other = drawn(8, journaled).await;
        assert_eq!(one.len(), other.len());
        for (at, (one, other)) in one.iter().zip(&other).enumerate() {
            assert_ne!(one, other, "by another seed, part {at} is another");
        }
    }
}
