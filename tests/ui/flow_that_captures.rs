//! A session function that is a closure, with what it took from around it.

use continuity::prelude::*;

fn main() {
    let greeting = String::from("Hello");
    drop(Server::new(async move |mut req: Request| {
        req.print(&greeting);
        Ok::<_, BoxError>(())
    }));
}
