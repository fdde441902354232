//! All examples behind one server, with a page that leads to them.

use continuity::prelude::*;

mod gallery;
#[path = "../../port.rs"]
#[expect(clippy::duplicate_mod, reason = "each example has it too")]
mod port;

#[tokio::main]
async fn main() -> Result<()> {
    port::run(gallery::server()).await
}
