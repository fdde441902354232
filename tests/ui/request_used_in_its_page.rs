//! The request is used by the page that it shows.

use continuity::prelude::*;

async fn hello(mut req: Request) -> Result<()> {
    req.choose(|c| html! { (req.path()) (c.link("on", ())) }).await?;
    Ok(())
}

fn main() {
    drop(Server::new(hello));
}
