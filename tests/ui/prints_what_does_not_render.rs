//! Something is printed that has no form on a page.

use continuity::prelude::*;

struct Price(u32);

async fn shop(mut req: Request) -> Result<()> {
    req.print(Price(3));
    Ok(())
}

fn main() {
    drop(Server::new(shop));
}
