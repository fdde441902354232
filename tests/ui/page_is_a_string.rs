//! A page that is a `String`.

use continuity::prelude::*;

async fn paint(mut req: Request) -> Result<()> {
    let more: bool = req.choose(|c| format!("More? {}", c.button("Yes", true).into_string())).await?;
    req.print(if more { "More" } else { "Enough" });
    Ok(())
}

fn main() {
    drop(Server::new(paint));
}
