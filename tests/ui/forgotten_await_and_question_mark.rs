//! An await is forgotten before the question mark.

use continuity::prelude::*;

async fn counter(mut req: Request) -> Result<()> {
    let more: bool = req.confirm("More?")?;
    req.print(i32::from(more));
    Ok(())
}

fn main() {
    drop(Server::new(counter));
}
