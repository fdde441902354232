//! All examples behind one server, with a page that leads to them.

use continuity::prelude::*;

mod gallery;
#[path = "../../journal.rs"]
#[expect(clippy::duplicate_mod, reason = "each example with a journal has it too")]
mod journal;
#[path = "../../port.rs"]
#[expect(clippy::duplicate_mod, reason = "each example has it too")]
mod port;

#[tokio::main]
async fn main() -> Result<()> {
    gallery::shelf::shop::gateway::be_it_if_asked().await?;
    port::run(journal::keep(gallery::server(), "gallery")?).await
}
