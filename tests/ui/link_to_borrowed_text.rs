//! A choice that is borrowed text: what comes back with a click is owned.

use continuity::prelude::*;

async fn paint(mut req: Request) -> Result<()> {
    let color = req.choose(|c| html! { (c.link("Green", "green")) (c.link("Red", "red")) }).await?;
    req.print(color);
    Ok(())
}

fn main() {
    drop(Server::new(paint));
}
