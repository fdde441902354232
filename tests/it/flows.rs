//! Session functions that several tests visit, and a diary in which they write what went on.

use std::sync::{Arc, Mutex};

use continuity::prelude::*;
use continuity::test::{Browser, Stream};

/// Counts by links whose values are data.
pub async fn counter(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        let page =
            |c: &Choices<'_, i64>| html! { "Count: " (count) " " (c.link("++", 1)) " " (c.link("--", -1)) };
        count += req.choose(page).await?;
    }
}

/// Counts hits by plain `next`.
pub async fn tally(mut req: Request) -> Result<()> {
    for hit in 1.. {
        req.print(html! { "Hit " (hit) });
        req.next().await?;
    }
    Ok(())
}

/// What went on in sessions, line by line. All clones are one diary.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn note(&self, line: impl ToString) {
        self.0.lock().expect("no test panics while it writes").push(line.to_string());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no test panics while it reads").clone()
    }

    /// Writes `line` when it is dropped.
    pub fn at_the_end(&self, line: &'static str) -> Farewell {
        Farewell(self.clone(), line)
    }
}

pub struct Farewell(Diary, &'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A visitor of this flow, and the diary that it finds as its app state.
pub fn with_diary(flow: impl Into<Flow>, limits: impl FnOnce(&mut Limits)) -> (Browser, Diary) {
    let diary = Diary::default();
    let server = Server::new(flow).app(diary.clone()).limits(limits);
    (Browser::of(server), diary)
}

/// Asks for all of these at once, in this order, as one visitor; the answers in the same order.
pub async fn at_once(browser: &mut Browser, urls: impl IntoIterator<Item = String>) -> Vec<Stream> {
    let hits: Vec<_> = urls.into_iter().map(|url| tokio::spawn(browser.open(&url))).collect();
    let mut answers = Vec::new();
    for hit in hits {
        answers.push(hit.await.expect("a visit does not panic"));
    }
    answers
}
