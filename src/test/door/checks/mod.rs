//! The scripts: what a visitor does, and what they must see, whatever the door.

pub(super) mod bodies;
pub(super) mod heads;
pub(super) mod sessions;
pub(super) mod streams;

use std::time::Duration;

use super::program::Stage;
use crate::error::BoxError;

/// How often something is looked for.
const GLANCE: Duration = Duration::from_millis(5);

/// Waits until so many came to the stage, or so much went.
async fn until_seen(stage: &Stage, count: u64) {
    while stage.seen() < count {
        tokio::time::sleep(GLANCE).await;
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}
