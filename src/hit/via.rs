//! How a request came in: what an adapter knows of it that the request itself does not say.

use std::net::SocketAddr;

/// How a request came in: from whom, whether nobody could listen, and through which other server's path.
///
/// An adapter gives it to [`Engine::receive`](crate::Engine::receive) with the request. An address alone is one, too.
///
/// ```
/// use continuity::Via;
/// use std::net::SocketAddr;
///
/// let client: SocketAddr = "192.0.2.1:4711".parse().expect("an address");
/// let via = Via::peer(client).over_https();
/// assert!(via.is_https() && via.address() == Some(client));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Via {
    pub(super) peer: Option<SocketAddr>,
    pub(super) https: bool,
    /// It came through a Unix socket.
    unix: bool,
    /// Bytes of the path that lead to this server within another one.
    pub(super) prefix: u16,
}

impl Via {
    /// Who is connected: the client, or a proxy. `None` where the protocol has no addresses, as on a Unix socket.
    pub fn peer(address: impl Into<Option<SocketAddr>>) -> Via {
        Via { peer: address.into(), ..Via::default() }
    }

    /// Through a Unix socket, by a program of this machine: [`trust_proxies`](crate::Server::trust_proxies) can name them all.
    pub fn unix() -> Via {
        Via { unix: true, ..Via::default() }
    }

    /// It came encrypted, by a certificate for the host that was asked.
    pub fn over_https(mut self) -> Via {
        self.https = true;
        self
    }

    /// So many bytes of the request's path, up to a slash or its end, name where this server is mounted in another one:
    /// its flows are found by what comes behind, and its links lead back through there.
    ///
    /// A number that the path does not have, or that is not before a slash, counts as none.
    pub fn below(mut self, bytes: usize) -> Via {
        self.prefix = u16::try_from(bytes).unwrap_or(0);
        self
    }

    /// Who is connected.
    pub fn address(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether it came through a Unix socket.
    pub fn is_unix(&self) -> bool {
        self.unix
    }

    /// Whether it came encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The bytes of this path that lead here.
    pub(crate) fn prefix(&self, path: &str) -> usize {
        let prefix = usize::from(self.prefix);
        let fits =
            prefix == 0 || path.get(prefix..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if fits { prefix } else { 0 }
    }

    /// The path as this server has it.
    pub(crate) fn local<'p>(&self, path: &'p str) -> &'p str {
        &path[self.prefix(path)..]
    }
}

impl From<SocketAddr> for Via {
    fn from(peer: SocketAddr) -> Self {
        Via::peer(peer)
    }
}

impl From<Option<SocketAddr>> for Via {
    fn from(peer: Option<SocketAddr>) -> Self {
        Via::peer(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_a_slash() {
        for (path, bytes, local) in [
            ("/shop/cart", 5, "/cart"),
            ("/shop", 5, ""),
            ("/shopping", 5, "/shopping"),
            ("/a", 5, "/a"),
            ("/ä/b", 2, "/ä/b"),
            ("/shop/cart", 0, "/shop/cart"),
            ("/shop/cart", 70_000, "/shop/cart"),
        ] {
            assert_eq!(Via::default().below(bytes).local(path), local, "{path} {bytes}");
        }
    }
}
