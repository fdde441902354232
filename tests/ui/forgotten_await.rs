//! An await is forgotten.

use continuity::prelude::*;

async fn greet(mut req: Request) -> Result<()> {
    req.print("Your name?");
    let name: String = req.next().param("name")?;
    req.print(name);
    Ok(())
}

fn main() {
    drop(Server::new(greet));
}
