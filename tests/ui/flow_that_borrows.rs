//! A session function that is a closure and borrows from around it.

use continuity::prelude::*;

fn main() {
    let greeting = String::from("Hello");
    drop(Server::new(|mut req: Request| async {
        req.print(&greeting);
        Ok::<_, BoxError>(())
    }));
}
