//! Several counters on one page: each is the same ordinary function, and a click in one advances it alone.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn multi_counter(mut req: Request) -> Result<()> {
    loop {
        let how_many = req.choose(ask_how_many).await?;
        let mut parts = req.parts();
        for number in 1..=how_many {
            parts = parts.part(format!("counter {number}"), counter);
        }
        let counts = parts.layout(draw).await?;
        let sum: i64 = counts.iter().map(|(_, count)| count).sum();
        req.inform(html! { "All counters are done. Together they have counted to " (sum) "." }).await?;
    }
}

fn ask_how_many(c: &Choices<'_, u8>) -> Markup {
    html! {
        h1 { "How many counters?" }
        @for number in 1..=5 { (c.link(number, number)) " " }
    }
}

fn draw(page: &Slots<'_>) -> Markup {
    html! {
        h1 { "Counters" }
        @for (name, counter) in page.all() { section { h2 { (name) } (counter) } }
    }
}

#[derive(Serialize, Deserialize)]
enum Op {
    Inc,
    Dec,
    Done,
}

/// Knows nothing of the others, nor of the page that it is on.
async fn counter(mut req: Request) -> Result<i64> {
    let mut count = 0;
    loop {
        let op = req.choose(|c| {
            html! { p { "Count: " (count) " " (c.link("++", Op::Inc)) " " (c.link("--", Op::Dec)) " " (c.link("done", Op::Done)) } }
        });
        match op.await? {
            Op::Inc => count += 1,
            Op::Dec if count > 0 || req.confirm("Do you really want to GO NEGATIVE?").await? => count -= 1,
            Op::Dec => {}
            Op::Done => break,
        }
    }
    req.print(html! { p { "Done at " (count) "." } });
    Ok(count)
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(multi_counter)).await
}
