//! Counts, and asks before it goes below zero: links are values, a question is an `async fn`.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

#[derive(Serialize, Deserialize)]
enum Op {
    Inc,
    Dec,
}

pub async fn counter(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        let op = req
            .choose(|c| {
                html! {
                    h1 { "Count: " (count) }
                    (c.link("++", Op::Inc)) " " (c.link("--", Op::Dec))
                }
            })
            .await?;
        count += match op {
            Op::Inc => 1,
            Op::Dec if count == 0 && !confirm(&mut req, "Do you really want to GO NEGATIVE?").await? => 0,
            Op::Dec => -1,
        };
    }
}

async fn confirm(req: &mut Request, question: &str) -> Result<bool> {
    Ok(req.choose(|c| html! { p { (question) } (c.link("Yes", true)) " " (c.link("No", false)) }).await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(counter)).await
}
