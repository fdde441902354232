//! What stands in for HTTP/2 when it is not built: every connection is HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::connection::House;
use super::deadlines::Watched;
use crate::limits::Limits;

/// Nothing to set.
pub(super) struct Settings;

impl Settings {
    pub(super) fn new(_: &Limits) -> Self {
        Settings
    }
}

/// Gives the connection back, with nothing read.
pub(super) async fn receive(
    stream: TcpStream,
    _: SocketAddr,
    _: &House,
    _: &Arc<Watched>,
) -> Option<(TcpStream, Vec<u8>)> {
    Some((stream, Vec::new()))
}
