//! A session function whose error is no error.

use continuity::prelude::*;

async fn hello(mut req: Request) -> Result<(), u32> {
    req.print("Hello");
    Err(7)
}

fn main() {
    drop(Server::new(hello));
}
