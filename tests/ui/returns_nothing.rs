//! A session function that returns nothing.

use continuity::prelude::*;

async fn hello(mut req: Request) {
    req.print("Hello");
}

fn main() {
    drop(Server::new(hello));
}
