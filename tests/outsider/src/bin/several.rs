//! Several flows in one server, with the errors and the crates that a user has of their own.

use continuity::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Line {
    text: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    Server::new(index).mount("/guess", guess).mount("/lines", lines).listen(Http::on(8080)).run().await
}

async fn index(mut req: Request) -> Result<()> {
    req.print(maud::html! { a href="/guess" { "Guess" } " " a href="/lines" { "Lines" } });
    Ok(())
}

async fn guess(mut req: Request) -> std::result::Result<(), Error> {
    let secret = req.rng().random_range(1..=100);
    loop {
        req.print(html! { form { "Your guess " input name="guess"; } });
        let guess: i32 = req.next().await?.param("guess")?;
        let verdict = match guess.cmp(&secret) {
            std::cmp::Ordering::Less => "Too small.",
            std::cmp::Ordering::Greater => "Too big.",
            std::cmp::Ordering::Equal => break,
        };
        req.print(html! { p { (verdict) } });
    }
    req.print(html! { "You found it!" });
    Ok(())
}

async fn lines(mut req: Request) -> Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    loop {
        let line = req
            .ask(|f| html! { ul { @for line in &lines { li { (line.text) } } } (f.text("text")) button { "Add" } })
            .await?;
        lines.push(line);
    }
}
