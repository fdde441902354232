//! Links that carry values, and a component that is called like a function.

use continuity::prelude::*;

#[derive(Serialize, Deserialize)]
enum Op {
    Inc,
    Dec,
}

#[tokio::main]
async fn main() -> Result<()> {
    Server::new(counter).listen(Http::on(8080)).run().await
}

async fn counter(mut req: Request) -> Result<()> {
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
