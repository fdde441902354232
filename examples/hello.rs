//! Says hello, and remembers that it did: the second request goes on where the first one stopped.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn hello(mut req: Request) -> Result<()> {
    req.print(html! { p { "Hello, world!" } a href="?" { "Hello!" } });
    req.next().await?;
    req.print(html! { p { "Hello to you too!" } a href="?" { "Again" } });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(hello)).await
}
