//! What is on its way from a visitor: forms with files that are still coming in.

use super::{Choices, Request};
use crate::intake::arrivals::{Arrivals, Meter};
use crate::mapper::key::VisitorId;

/// A form with files that is still coming in, as it stood when it was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Upload {
    /// Bytes that have come.
    pub received: u64,
    /// Bytes there will be, if the client has said it.
    pub total: Option<u64>,
}

impl Upload {
    fn of(meter: &Meter) -> Upload {
        Upload { received: meter.received(), total: meter.total }
    }
}

impl Request {
    /// What this visitor is uploading now, in any of their sessions, the oldest first.
    ///
    /// A form reaches its session when all of it is here. Until then the session can be visited; another of the same
    /// visitor can show how far it is, on a page that loads itself again.
    pub fn uploads(&self) -> Vec<Upload> {
        of(&self.session.core.arrivals, self.session.visitor())
    }
}

impl<T> Choices<'_, T> {
    /// What this visitor is uploading now: see [`Request::uploads`].
    pub fn uploads(&self) -> Vec<Upload> {
        of(&self.session.core.arrivals, self.session.visitor())
    }
}

fn of(arrivals: &Arrivals, visitor: VisitorId) -> Vec<Upload> {
    arrivals.of(visitor).iter().map(|meter| Upload::of(meter)).collect()
}
