//! PROXY protocol, versions 1 and 2: what a TCP proxy in front says of the client whose connection it passes on.
//!
//! From peers that the program names it has to come first, and is believed; nobody else is let in, since who could choose
//! would choose who to be. It is read to its last byte and no further: what follows may be a handshake of TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use ppp::{v1, v2};
use tokio::io::{AsyncRead, ReadBuf};

use super::{Http, Stream};
use crate::error::Error;
use crate::hit::Via;
use crate::mapper::network::Network;

/// What names all peers on Unix sockets.
const UNIX: &str = "unix";
/// Bytes by which the two versions can be told apart; a header of either has more.
const SIGN: usize = 12;
/// Bytes of a header of version 2 before those that it counts.
const FIXED: usize = 16;
/// Bytes of a header of version 1.
const LONGEST_LINE: usize = 107;
/// Bytes that a header of version 2 may count: addresses, and what proxies add of certificates and their own.
const LONGEST: usize = 4096;

/// Which peers speak for others.
#[derive(Debug)]
pub(super) struct Front {
    networks: Vec<Network>,
    unix: bool,
    /// It was said that somebody else came: once is enough.
    warned: AtomicBool,
}

impl Http {
    /// Proxies in front that say by PROXY protocol (version 1 or 2) whose connection they pass on, by address or network
    /// (`"10.0.0.0/8"`, `"::1"`), and `"unix"` for whoever connects to a Unix socket. What they say is believed and has to be
    /// said: a connection that does not begin with it is closed, and so is one of anybody else. With version 2 they can
    /// say, too, that the client came over TLS that ended there.
    ///
    /// For haproxy this is `send-proxy-v2`, for nginx `proxy_protocol on` in a `stream`. Needs the feature `proxy_protocol`.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// let http = Http::on("0.0.0.0:8080").proxy_protocol(["10.0.0.0/8"]);
    /// ```
    pub fn proxy_protocol<T: Into<String>>(mut self, proxies: impl IntoIterator<Item = T>) -> Self {
        self.front = Some(Front::new(proxies.into_iter().map(Into::into).collect()));
        self
    }
}

impl Front {
    fn new(texts: Vec<String>) -> Result<Front, Error> {
        if texts.is_empty() {
            return Err(Error::new(
                "proxy_protocol: name the proxies, like \"10.0.0.0/8\": nobody else is let in",
            ));
        }
        let addresses = texts.iter().filter(|text| *text != UNIX);
        let networks =
            addresses.map(|text| Network::parse("proxy_protocol", text)).collect::<Result<_, _>>()?;
        let unix = texts.iter().any(|text| text == UNIX);
        Ok(Front { networks, unix, warned: AtomicBool::new(false) })
    }

    /// Reads what the peer says of the client. Whoever calls it keeps the time.
    pub(super) async fn hear(&self, stream: &mut Stream, via: Via) -> io::Result<Via> {
        if !self.holds(&via) {
            self.warn(&via);
            return Err(wrong("a peer that is no proxy"));
        }
        let mut header = Vec::new();
        read(stream, &mut header, SIGN).await?;
        if header == v2::PROTOCOL_PREFIX {
            read(stream, &mut header, FIXED - SIGN).await?;
            let counted = usize::from(u16::from_be_bytes([header[FIXED - 2], header[FIXED - 1]]));
            if counted > LONGEST {
                return Err(wrong("too long a header"));
            }
            read(stream, &mut header, counted).await?;
            return of_bytes(&header, via);
        }
        // Once a connection: byte by byte, so that nothing is read that belongs to what follows.
        while header.starts_with(b"PROXY ") && !header.ends_with(b"\r\n") && header.len() < LONGEST_LINE {
            read(stream, &mut header, 1).await?;
        }
        of_line(&header, via)
    }

    fn holds(&self, via: &Via) -> bool {
        let named = |address: SocketAddr| self.networks.iter().any(|network| network.holds(address.ip()));
        via.address().map_or(self.unix && via.is_unix(), named)
    }

    fn warn(&self, via: &Via) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let peer = via.address().map(tracing::field::display);
            tracing::warn!(
                peer,
                "a connection was closed: `proxy_protocol` does not name its peer; it is said once"
            );
        }
    }
}

/// So many bytes more.
async fn read(stream: &mut Stream, header: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    let mut at = header.len();
    header.resize(at + bytes, 0);
    poll_fn(|cx| {
        while at < header.len() {
            let mut read = ReadBuf::new(&mut header[at..]);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            match read.filled().len() {
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                some => at += some,
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}

fn wrong(says: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, says)
}

/// Version 1.
fn of_line(line: &[u8], via: Via) -> io::Result<Via> {
    let header = v1::Header::try_from(line).map_err(|_| wrong("no header of the PROXY protocol"))?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(said) => client(said.source_address, said.source_port),
        v1::Addresses::Tcp6(said) => client(said.source_address, said.source_port),
        // The proxy does not know.
        v1::Addresses::Unknown => via,
    })
}

/// Version 2.
fn of_bytes(bytes: &[u8], via: Via) -> io::Result<Via> {
    let header = v2::Header::try_from(bytes).map_err(|_| wrong("no header of the PROXY protocol"))?;
    if header.command == v2::Command::Local {
        // The proxy speaks for itself: it asks whether the server lives.
        return Ok(via);
    }
    let said = match header.addresses {
        v2::Addresses::IPv4(said) => client(said.source_address, said.source_port),
        v2::Addresses::IPv6(said) => client(said.source_address, said.source_port),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => via,
    };
    Ok(if is_sealed(&header) { said.over_https() } else { said })
}

fn client(ip: impl Into<std::net::IpAddr>, port: u16) -> Via {
    Via::from(SocketAddr::new(ip.into(), port))
}

/// Whether the proxy says that the client came over TLS: the lowest bit of the first byte of what it says of that.
fn is_sealed(header: &v2::Header<'_>) -> bool {
    let mut said = header.tlvs().map_while(Result::ok);
    said.any(|said| said.kind == v2::Type::SSL as u8 && said.value.first().is_some_and(|bits| bits & 1 == 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxy() -> Via {
        Via::from(SocketAddr::from(([10, 0, 0, 1], 999)))
    }

    /// A header of version 2: command, family and protocol, what it counts.
    fn bytes(command: u8, family: u8, counted: &[u8]) -> Vec<u8> {
        let length = u16::try_from(counted.len()).expect("it is short").to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, counted].concat()
    }

    #[test]
    fn lines_name_the_client_or_nobody() {
        for (line, client) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.9 4711 443\r\n", Some("192.0.2.1:4711")),
            ("PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", Some("[2001:db8::1]:4711")),
            ("PROXY UNKNOWN\r\n", Some("10.0.0.1:999")),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Some("10.0.0.1:999")),
            ("PROXY TCP4 192.0.2.1 10.0.0.9 4711 443\n", None),
            ("PROXY TCP4 192.0.2.256 10.0.0.9 4711 443\r\n", None),
            ("PROXY TCP4 192.0.2.1 10.0.0.9 65536 443\r\n", None),
            ("PROXY TCP4 2001:db8::1 ::1 4711 443\r\n", None),
            ("PROXY UDP4 192.0.2.1 10.0.0.9 4711 443\r\n", None),
            ("GET / HTTP/1.1\r\n", None),
        ] {
            let via = of_line(line.as_bytes(), proxy()).ok();
            let said = via.and_then(|via| via.address()).map(|address| address.to_string());
            assert_eq!(said.as_deref(), client, "{line:?}");
        }
    }

    #[test]
    fn version_2_names_the_client_and_says_how_it_came() {
        let v4 = [&[192, 0, 2, 1, 10, 0, 0, 9][..], &4711u16.to_be_bytes(), &443u16.to_be_bytes()].concat();
        let sealed = [&v4[..], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat();
        let open = [&v4[..], &[0x20, 0, 5, 0, 0, 0, 0, 0]].concat();
        for (header, client, https) in [
            (bytes(1, 0x11, &v4), Some("192.0.2.1:4711"), false),
            (bytes(1, 0x11, &sealed), Some("192.0.2.1:4711"), true),
            (bytes(1, 0x11, &open), Some("192.0.2.1:4711"), false),
            (bytes(0, 0x11, &v4), Some("10.0.0.1:999"), false),
            (bytes(0, 0x00, &[]), Some("10.0.0.1:999"), false),
            (bytes(1, 0x00, &[]), Some("10.0.0.1:999"), false),
            (bytes(1, 0x31, &[0; 216]), Some("10.0.0.1:999"), false),
            (bytes(1, 0x11, &v4[1..]), None, false),
            (bytes(2, 0x11, &v4), None, false),
            (bytes(1, 0x41, &v4), None, false),
        ] {
            let via = of_bytes(&header, proxy()).ok();
            let said = via.and_then(|via| via.address()).map(|address| address.to_string());
            assert_eq!(said.as_deref(), client, "{header:?}");
            assert_eq!(via.is_some_and(|via| via.is_https()), https, "{header:?}");
        }
    }

    #[test]
    fn who_is_to_be_believed_has_to_be_named() {
        let front = |texts: &[&str]| Front::new(texts.iter().map(|text| (*text).to_owned()).collect());
        let named = front(&["10.0.0.0/8"]).expect("a network");
        assert!(named.holds(&proxy()) && !named.holds(&Via::unix()) && !named.holds(&Via::default()));
        assert!(front(&["unix"]).expect("a name").holds(&Via::unix()));
        for (texts, says) in
            [(&[][..], "name the proxies"), (&["proxy.local"], "proxy_protocol: \"proxy.local\"")]
        {
            assert!(front(texts).expect_err("none").to_string().contains(says), "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            line in "PROXY (TCP4|TCP6|UNKNOWN)?[ -~]{0,90}\r\n",
        ) {
            drop(of_line(&bytes, proxy()));
            drop(of_line(line.as_bytes(), proxy()));
            drop(of_bytes(&[v2::PROTOCOL_PREFIX, &bytes].concat(), proxy()));
        }
    }
}
