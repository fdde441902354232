//! Five versions of a booking, each on the journals of the others: whoever comes back is shown a page and comes to the
//! end, and nothing that was done once is done twice.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use continuity::journal::{Divergence, Memory};
use continuity::prelude::*;
use continuity::test::Browser;

type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

async fn name(req: &mut Request) -> Result<String, Error> {
    req.choose(|c| html! { "Who are you?" (c.link("go on", "Ada".to_owned())) }).await
}

async fn people(req: &mut Request) -> Result<u32, Error> {
    req.choose(|c| html! { "How many?" (c.link("go on", 4u32)) }).await
}

async fn book(req: &mut Request, what: &'static str, name: &str, people: u32) -> Result<(), Error> {
    let done = req.app::<Arc<AtomicU32>>();
    let number: u32 = req
        .once(what, &(name, people), async |_| Ok::<_, Error>(done.fetch_add(1, Ordering::SeqCst) + 1))
        .await?;
    loop {
        req.inform(html! { "Booked " (people) " for " (name) " as " (number) }).await?;
    }
}

async fn first(mut req: Request) -> Result<()> {
    let (name, people) = (name(&mut req).await?, people(&mut req).await?);
    Ok(book(&mut req, "book", &name, people).await?)
}

/// The questions come in the other order.
async fn turned_round(mut req: Request) -> Result<()> {
    let people = people(&mut req).await?;
    let name = name(&mut req).await?;
    Ok(book(&mut req, "book", &name, people).await?)
}

/// One question more.
async fn wishes(mut req: Request) -> Result<()> {
    let (name, people) = (name(&mut req).await?, people(&mut req).await?);
    req.choose(|c| html! { "Any wishes?" (c.link("go on", Vec::<String>::new())) }).await?;
    Ok(book(&mut req, "book", &name, people).await?)
}

/// People are counted as grown-ups and children.
async fn families(mut req: Request) -> Result<()> {
    let name = name(&mut req).await?;
    let (grown, children) = req.choose(|c| html! { "How many?" (c.link("go on", (2u32, 2u32))) }).await?;
    Ok(book(&mut req, "book", &name, grown + children).await?)
}

/// Booking is another effect now.
async fn reserves(mut req: Request) -> Result<()> {
    let (name, people) = (name(&mut req).await?, people(&mut req).await?);
    Ok(book(&mut req, "reserve", &name, people).await?)
}

const VERSIONS: [fn(Request) -> Running; 5] = [
    |req| Box::pin(first(req)),
    |req| Box::pin(turned_round(req)),
    |req| Box::pin(wishes(req)),
    |req| Box::pin(families(req)),
    |req| Box::pin(reserves(req)),
];

/// Goes on until it is booked.
async fn come_to_the_end(browser: &mut Browser, what: &str) {
    for _ in 0..5 {
        if browser.text().contains("Booked 4 for Ada") {
            return;
        }
        browser.follow("go on").await.status(200);
    }
    panic!("{what}: {}", browser.text());
}

async fn a_change(before: usize, after: usize, steps: usize, policy: Divergence) {
    let what = format!("from version {before} to {after} after {steps} steps, {policy:?}");
    let (store, done) = (Memory::new(), Arc::new(AtomicU32::new(0)));
    let server = |version: usize| {
        Server::new(VERSIONS[version]).journal(store.clone()).app(done.clone()).on_divergence(policy)
    };
    let mut browser = Browser::of(server(before));
    browser.get("/").await;
    for _ in 0..steps {
        browser.follow(if browser.links().iter().any(|link| link == "OK") { "OK" } else { "go on" }).await;
    }
    for version in [after, before, after] {
        browser.restart(server(version)).get("/").await.status(200);
        if browser.links().iter().any(|link| link == "Go on") {
            browser.follow("Go on").await.status(200);
        }
        come_to_the_end(&mut browser, &what).await;
    }
    let done = done.load(Ordering::SeqCst);
    // A new beginning is a new booking, and so is another effect; going back a page is none. Who has another first page
    // begins anew.
    let anew = before != after
        && (policy != Divergence::Truncate || [before, after].iter().any(|at| [1, 4].contains(at)));
    let most = if anew { 4 } else { 1 };
    assert!((1..=most).contains(&done), "{what}: booked {done} times");
}

#[tokio::test]
async fn line_19_each_of_five_versions_goes_on_with_the_journals_of_the_others() {
    for before in 0..VERSIONS.len() {
        for after in 0..VERSIONS.len() {
            for steps in 1..=4 {
                for policy in [Divergence::Truncate, Divergence::Restart, Divergence::Refuse] {
                    a_change(before, after, steps, policy).await;
                }
            }
        }
    }
}
