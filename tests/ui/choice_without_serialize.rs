//! The values of a choice are no data.

use continuity::prelude::*;

enum Op {
    Inc,
    Dec,
}

async fn counter(mut req: Request) -> Result<()> {
    let op = req.choose(|c| html! { (c.link("++", Op::Inc)) (c.link("--", Op::Dec)) }).await?;
    req.print(i32::from(matches!(op, Op::Inc)));
    Ok(())
}

fn main() {
    drop(Server::new(counter));
}
