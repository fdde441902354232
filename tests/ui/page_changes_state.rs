//! A page that may be drawn again counts how often it is.

use continuity::prelude::*;

async fn counter(mut req: Request) -> Result<()> {
    let mut drawn = 0;
    req.choose(|c| {
        drawn += 1;
        html! { (drawn) (c.link("on", ())) }
    })
    .await?;
    Ok(())
}

fn main() {
    drop(Server::new(counter));
}
