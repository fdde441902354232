//! What stands in for sockets of systemd where they are not built: an error that says how they are.

use super::listener::Listener;
use crate::error::Error;

pub(super) fn take(which: &str) -> Result<Listener, Error> {
    Err(Error::new(format!("listen on \"systemd:{which}\": build continuity with its feature `systemd`")))
}
