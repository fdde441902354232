//! A page that is a link and no markup around it.

use continuity::prelude::*;

async fn hello(mut req: Request) -> Result<()> {
    req.choose(|c| c.link("on", ())).await?;
    Ok(())
}

fn main() {
    drop(Server::new(hello));
}
