//! Values as they are kept, in links, effects, checkpoints and what is shared: they come back as they are.

use continuity::journal::{Memory, Store, records};
use continuity::prelude::*;
use continuity::test::Browser;

type Twice = Option<Option<u8>>;

fn three() -> [(&'static str, Twice); 3] {
    [("none", None), ("some none", Some(None)), ("some some", Some(Some(3)))]
}

#[derive(Default, Serialize, Deserialize)]
struct Seen(Vec<(Twice, Option<()>)>);

/// Each way in which a value is kept.
async fn keeps(mut req: Request) -> Result<()> {
    let mut last: (Twice, Option<()>) = req.restore_or((None, None))?;
    loop {
        req.checkpoint(&last)?;
        let seen = req.shared::<Seen>().get()?.0;
        let chosen: Twice = req
            .choose(|c| {
                html! {
                    "Last " (format!("{last:?}")) " of " (format!("{seen:?}"))
                    @for (name, value) in three() { " " (c.link(name, value)) }
                }
            })
            .await?;
        let done: (Twice, Option<()>) =
            req.once("keep", &chosen, async |_| Ok::<_, Error>((chosen, chosen.map(|_| ())))).await?;
        last = req.read("look", async || Ok::<_, Error>(done)).await?;
        req.shared::<Seen>().update(|seen| seen.0.push(last))?;
    }
}

#[tokio::test]
async fn a_value_comes_back_as_it_is_wherever_it_is_kept() {
    let store = Memory::new();
    let server = || Server::new(keeps).journal(store.clone());
    let (mut browser, mut seen) = (Browser::of(server()).rehearsing(), Vec::new());
    browser.get("/").await;
    for (name, value) in three() {
        let kept = (value, value.map(|_| ()));
        seen.push(kept);
        let shown = format!("Last {kept:?} of {seen:?}");
        browser.follow(name).await.shows(&shown);
        browser.restart(server()).reload().await.shows(&shown);
    }
}

#[tokio::test]
async fn a_value_comes_back_as_it_is_without_a_journal() {
    let mut browser = Browser::new(keeps);
    browser.get("/").await.follow("some none").await.shows("Last (Some(None), Some(())) of");
}

#[derive(Serialize, Deserialize)]
struct Lossy {
    #[serde(skip_serializing)]
    lost: u32,
}

#[tokio::test]
async fn a_choice_that_would_not_come_back_fails_the_page_that_offers_it() {
    async fn lossy(mut req: Request) -> Result<()> {
        let Lossy { lost } = req.choose(|c| html! { (c.link("Keep it", Lossy { lost: 7 })) }).await?;
        req.print(html! { (lost) });
        Ok(())
    }
    Browser::new(lossy).get("/").await.status(500).shows_not("Keep it");
}

#[tokio::test]
async fn programs_that_cannot_read_values_of_today_refuse_them_by_their_format() {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(keeps).journal(store.clone()));
    browser.get("/").await.follow("some none").await.shows("Last (Some(None)");
    let session = store.list(0, 1).expect("it can be listed")[0].session;
    let chunks = store.load(session).expect("it can be read");
    let first = records(&chunks[0]).expect("entries")[0].to_string();
    // Format 2 read a `Some` around nothing as nothing.
    assert!(first.ends_with("format 3"), "{first}");
}
