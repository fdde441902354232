//! A parameter, and nothing that says what it is.

use continuity::prelude::*;

async fn add(mut req: Request) -> Result<()> {
    let number = req.next().await?.param("number")?;
    req.print("Thank you");
    Ok(())
}

fn main() {
    drop(Server::new(add));
}
