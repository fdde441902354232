//! A socket that listens, of TCP or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::stream::Stream;
use super::unix::{self, Name};
use crate::error::Error;

/// Connections that the kernel holds before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    address: String,
    /// A Unix socket's file goes with it.
    _name: Option<Name>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Connections that a former server left behind do not keep the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?.to_string();
        Ok(Listener { socket: Socket::Tcp(listener), address, _name: None })
    }

    pub(super) async fn unix(path: PathBuf, mode: u32) -> Result<Self, Error> {
        let address = format!("unix:{}", path.display());
        let (listener, name) = unix::bind(path, mode).await?;
        Ok(Listener { socket: Socket::Unix(listener), address, _name: Some(name) })
    }

    /// One that somebody else has opened.
    #[cfg_attr(not(feature = "systemd"), expect(dead_code, reason = "it is for sockets of systemd"))]
    pub(super) fn of_tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?.to_string();
        Ok(Listener { socket: Socket::Tcp(TcpListener::from_std(socket)?), address, _name: None })
    }

    /// One that somebody else has opened; the file is theirs.
    #[cfg_attr(not(feature = "systemd"), expect(dead_code, reason = "it is for sockets of systemd"))]
    pub(super) fn of_unix(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let path = address.as_pathname().map_or_else(String::new, |path| path.display().to_string());
        let socket = Socket::Unix(UnixListener::from_std(socket)?);
        Ok(Listener { socket, address: format!("unix:{path}"), _name: None })
    }

    /// Where it listens, as text: `127.0.0.1:8080`, `unix:/run/app.sock`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The next connection, and who it is; on a Unix socket nobody has an address.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // What is written is whole: nothing is to be waited for.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                Ok((Stream::Tcp(stream), Some(peer)))
            }
            Socket::Unix(listener) => Ok((Stream::Unix(listener.accept().await?.0), None)),
        }
    }
}
