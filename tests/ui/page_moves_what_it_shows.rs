//! A page that may be drawn again gives away what it shows.

use continuity::prelude::*;

async fn greet(mut req: Request) -> Result<()> {
    let name = String::from("Ada");
    req.choose(|c| {
        let shown = name;
        html! { "Hello, " (shown) (c.link("on", ())) }
    })
    .await?;
    Ok(())
}

fn main() {
    drop(Server::new(greet));
}
