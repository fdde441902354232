//! A value that cannot go to another thread is held while the session waits.

use continuity::prelude::*;

async fn counter(mut req: Request) -> Result<()> {
    let seen = std::rc::Rc::new(1);
    req.next().await?;
    req.print(*seen);
    Ok(())
}

fn main() {
    drop(Server::new(counter));
}
