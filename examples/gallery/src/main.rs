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
    partners().await?;
    port::run(journal::keep(gallery::server(), "gallery")?).await
}

/// If this program was started to be one of the servers that examples bring along: is it.
async fn partners() -> Result<()> {
    use gallery::shelf::{shop::gateway, sign_in::provider};
    gateway::partner::be_it_if_asked(gateway::NAME, || gateway::server(Default::default())).await?;
    provider::partner::be_it_if_asked(provider::NAME, provider::server).await
}
