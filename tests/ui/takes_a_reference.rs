//! A session function that borrows its request.

use continuity::prelude::*;

async fn hello(req: &mut Request) -> Result<()> {
    req.print("Hello");
    Ok(())
}

fn main() {
    drop(Server::new(hello));
}
