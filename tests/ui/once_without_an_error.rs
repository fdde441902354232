//! An effect that cannot fail, and nothing that says with what.

use continuity::prelude::*;

async fn shop(mut req: Request) -> Result<()> {
    let receipt: u32 = req.once("charge", &4200, async |_key| Ok(7)).await?;
    req.print(receipt);
    Ok(())
}

fn main() {
    drop(Server::new(shop));
}
