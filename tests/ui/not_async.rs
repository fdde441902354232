//! A session function that is no async fn.

use continuity::prelude::*;

fn hello(mut req: Request) -> Result<()> {
    req.print("Hello");
    Ok(())
}

fn main() {
    drop(Server::new(hello));
}
