//! A session function that wants more than its request.

use continuity::prelude::*;

struct Shop;

async fn buy(mut req: Request, _shop: Shop) -> Result<()> {
    req.print("Hello");
    Ok(())
}

fn main() {
    drop(Server::new(buy));
}
