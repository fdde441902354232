//! What stands in for HTTP/2 when it is not built: every connection is HTTP/1.1.

use std::sync::Arc;

use super::connection::{Begun, House};
use super::deadlines::Watched;
use crate::hit::Via;
use crate::limits::Limits;

/// What can be agreed on with TLS.
pub(super) const PROTOCOLS: &[&[u8]] = &[b"http/1.1"];

/// Nothing to set.
pub(super) struct Settings;

impl Settings {
    pub(super) fn new(_: &Limits) -> Self {
        Settings
    }
}

/// Gives the connection back.
pub(super) async fn receive(begun: Option<Begun>, _: Via, _: &House, _: &Arc<Watched>) -> Option<Begun> {
    begun
}
