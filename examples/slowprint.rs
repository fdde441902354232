//! Sends a page line by line, while it is being made.

use std::time::Duration;

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn slowprint(mut req: Request) -> Result<()> {
    req.print(html! { h1 { "Counting slowly" } });
    for line in 1..=8 {
        req.print(html! { p { "Line " (line) } }).flush().await?;
        req.sleep(Duration::from_millis(700)).await;
    }
    req.print(html! { p { "Done. " a href="?" { "Again" } } });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(slowprint)).await
}
