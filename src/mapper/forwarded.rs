//! What proxies say of the requests they pass on: `Forwarded` (RFC 7239), else `X-Forwarded-For`, `-Proto` and `-Host`, and
//! `X-Forwarded-Prefix`, for which there is no other way to say it; from peers that [`Server::trust_proxies`](crate::Server::trust_proxies) names and from no others.
//!
//! A list is read from the right, where the nearest proxy wrote, up to the first address that is no proxy's; by bytes,
//! not as text. What a client has put in front, however odd, is never reached.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, header};

use super::network::Network;
use super::prefix;
use crate::error::Error;
use crate::hit::Via;

/// What names all peers on Unix sockets.
const UNIX: &str = "unix";
const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";

/// What is said to whose address is told in two ways.
pub(crate) const DOUBTFUL: &str = "The server in front says two things of where this comes from.";

/// The peers that are believed.
#[derive(Debug)]
pub(crate) struct Proxies {
    networks: Vec<Network>,
    /// Those on Unix sockets are believed, too.
    unix: bool,
    /// It was said that the two kinds of headers disagree: once is enough.
    warned: AtomicBool,
}

/// What a trusted proxy says of a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Forwarded {
    /// Who speaks through it; port 0 where it does not say. The proxy itself where it names nobody.
    pub(crate) client: Option<SocketAddr>,
    /// It is said in two ways that differ.
    pub(crate) doubtful: bool,
    pub(crate) https: bool,
    pub(crate) host: Option<String>,
    /// What proxies have taken off the path's beginning; empty where they took nothing.
    pub(crate) prefix: String,
}

impl Proxies {
    /// Addresses, networks and [`UNIX`], as the program gave them; `None` if it gave none.
    pub(crate) fn new(texts: &[String]) -> Result<Option<Self>, Error> {
        let addresses = texts.iter().filter(|text| *text != UNIX);
        let networks =
            addresses.map(|text| Network::parse("trust_proxies", text)).collect::<Result<_, _>>()?;
        let unix = texts.iter().any(|text| text == UNIX);
        Ok((!texts.is_empty()).then(|| Proxies { networks, unix, warned: AtomicBool::new(false) }))
    }

    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.holds(ip))
    }

    /// Whether who is connected is one of them.
    fn holds(&self, via: &Via) -> bool {
        via.address().map_or(self.unix && via.is_unix(), |address| self.trusts(address.ip()))
    }

    /// What the peer says of the request, if it is trusted. Where it does not say how that came to it, what holds is how it
    /// came from there.
    pub(crate) fn read(&self, via: &Via, headers: &HeaderMap) -> Option<Forwarded> {
        if !self.holds(via) {
            return None;
        }
        let standard = self.walk(list(headers, header::FORWARDED.as_str()).map(Element::read));
        let usual = self.walk(list(headers, FOR).map(Element::of_address));
        let doubtful = self.disagree(&standard, &usual);
        let (client, hop) = match standard.client {
            Some(client) => (Some(client), standard.hop),
            None => (usual.client.or(via.address()), usual.hop),
        };
        let scheme = standard.last.https.or_else(|| at(headers, PROTO, hop).and_then(is_https));
        let host = standard.last.host.or_else(|| at(headers, HOST, hop).map(Cow::Borrowed));
        Some(Forwarded {
            client,
            doubtful,
            https: scheme.unwrap_or(via.is_https()),
            host: host.filter(|host| is_host(host)).map(Cow::into_owned),
            prefix: prefix::joined(list(headers, prefix::FIELD).take(hop + 1)),
        })
    }

    /// From the nearest proxy to the first address that is none, or to something that is no address.
    fn walk<'h>(&self, elements: impl Iterator<Item = Element<'h>>) -> Walk<'h> {
        let mut walk = Walk::default();
        for element in elements {
            let address = element.address;
            walk.last = element;
            walk.client = address.or(walk.client);
            if !address.is_some_and(|address| self.trusts(address.ip())) {
                break;
            }
            walk.hop += 1;
        }
        walk
    }

    /// Whether the two kinds of headers name different clients: then one of them is a client's own.
    fn disagree(&self, standard: &Walk<'_>, usual: &Walk<'_>) -> bool {
        let (Some(one), Some(other)) = (standard.client, usual.client) else { return false };
        let differ = one.ip().to_canonical() != other.ip().to_canonical();
        if differ && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a trusted proxy sends `Forwarded` and `X-Forwarded-For`, and they disagree: such requests are refused; \
                 let the proxy remove the one it does not set, or clients can choose their address"
            );
        }
        differ
    }
}

/// How far a list could be believed.
#[derive(Default)]
struct Walk<'h> {
    /// The farthest address.
    client: Option<SocketAddr>,
    /// What the farthest proxy wrote.
    last: Element<'h>,
    /// How many proxies stand before it.
    hop: usize,
}

/// What one proxy wrote. What it did not write, or what cannot be read, is `None`.
#[derive(Default)]
struct Element<'h> {
    address: Option<SocketAddr>,
    https: Option<bool>,
    host: Option<Cow<'h, str>>,
}

impl<'h> Element<'h> {
    /// An element of `Forwarded`, all of it or nothing.
    fn read(text: &'h [u8]) -> Self {
        str::from_utf8(text).ok().and_then(Self::of_pairs).unwrap_or_default()
    }

    fn of_address(text: &'h [u8]) -> Self {
        let address = str::from_utf8(text).ok().and_then(value).and_then(|text| address(&text));
        Element { address, ..Element::default() }
    }

    fn of_pairs(text: &'h str) -> Option<Self> {
        let (mut by_name, mut element) = ([None, None, None], Element::default());
        for pair in FromRight::new(text.as_bytes(), b';') {
            // A text, not a character: another search for one would cost each hit its inlined search for a token.
            let (name, said) = str::from_utf8(pair).ok()?.trim_ascii().split_once("=")?;
            let said = value(said).filter(|_| is_plain(name))?;
            let names = ["for", "proto", "host"];
            if let Some(at) = names.iter().position(|known| name.eq_ignore_ascii_case(known))
                && by_name[at].replace(said).is_some()
            {
                return None;
            }
        }
        let [from, proto, host] = by_name;
        element.address = from.and_then(|from| address(&from));
        element.https = proto.and_then(|proto| is_https(&proto));
        element.host = host;
        Some(element)
    }
}

/// The elements of all fields of this name, the last one first.
fn list<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(name).iter().rev().flat_map(|field| FromRight::new(field.as_bytes(), b','))
}

/// What the proxy at this hop wrote, or the farthest before it that wrote anything.
fn at<'h>(headers: &'h HeaderMap, name: &str, hop: usize) -> Option<&'h str> {
    str::from_utf8(list(headers, name).take(hop + 1).last()?).ok().map(str::trim_ascii)
}

/// The parts of a list, the last one first. A separator within quotes is none.
struct FromRight<'h> {
    left: Option<&'h [u8]>,
    separator: u8,
}

impl<'h> FromRight<'h> {
    fn new(list: &'h [u8], separator: u8) -> Self {
        FromRight { left: Some(list), separator }
    }
}

impl<'h> Iterator for FromRight<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let left = self.left.take()?;
        let mut quoted = false;
        for at in (0..left.len()).rev() {
            if left[at] == b'"' {
                let escapes = left[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                quoted ^= escapes % 2 == 0;
            } else if left[at] == self.separator && !quoted {
                self.left = Some(&left[..at]);
                return Some(&left[at + 1..]);
            }
        }
        Some(left)
    }
}

/// Without blanks and quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
}

/// A token, or what stands in quotes.
fn value(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim_ascii();
    let Some(quoted) = text.strip_prefix('"') else {
        return (!text.is_empty() && is_plain(text)).then_some(Cow::Borrowed(text));
    };
    let quoted = quoted.strip_suffix('"')?;
    if !quoted.contains(['\\', '"']) {
        return Some(Cow::Borrowed(quoted));
    }
    let (mut said, mut chars) = (String::with_capacity(quoted.len()), quoted.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => said.push(chars.next()?),
            _ => said.push(c),
        }
    }
    Some(Cow::Owned(said))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; a port may be obfuscated (`:_x`). No
/// address are `unknown`, `_name` and whatever else.
fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(ip) = text.parse() {
        return Some(SocketAddr::new(ip, 0));
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let node = text.rsplit_once(":_").map_or(text, |(node, _)| node);
    let ip = match node.strip_prefix('[').and_then(|node| node.strip_suffix(']')) {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => IpAddr::V4(node.parse().ok()?),
    };
    Some(SocketAddr::new(ip, 0))
}

fn is_https(scheme: &str) -> Option<bool> {
    let https = scheme.eq_ignore_ascii_case("https");
    (https || scheme.eq_ignore_ascii_case("http")).then_some(https)
}

fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#@\"<>,".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn proxies(texts: &[&str]) -> Proxies {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        Proxies::new(&texts).expect("good ones").expect("some")
    }

    fn headers(fields: &[(&str, &[u8])]) -> HeaderMap {
        let field = |(name, value): &(&str, &[u8])| {
            (HeaderName::try_from(*name).expect("a name"), HeaderValue::from_bytes(value).expect("a value"))
        };
        fields.iter().map(field).collect()
    }

    /// What the proxy at 10.0.0.1 says, with all of 10/8 trusted.
    fn read(fields: &[(&str, &str)]) -> Forwarded {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let peer: SocketAddr = "10.0.0.1:999".parse().expect("an address");
        proxies(&["10.0.0.0/8"]).read(&Via::from(peer), &headers(&fields)).expect("it is trusted")
    }

    fn client(name: &str, value: &str) -> String {
        read(&[(name, value)]).client.expect("somebody").to_string()
    }

    #[test]
    fn addresses_come_in_many_forms() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:4711", "192.0.2.1:4711"),
            ("192.0.2.1:_x", "192.0.2.1:0"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            ("\"[2001:db8::1]:_x\"", "[2001:db8::1]:0"),
            ("\"192.0.2.1\"", "192.0.2.1:0"),
        ] {
            assert_eq!(client("forwarded", &format!("for={text}")), address, "{text}");
            assert_eq!(client("forwarded", &format!("proto=http; FOR={text} ;by=_b")), address, "{text}");
            assert_eq!(client(FOR, text), address, "{text}");
        }
        let none = [
            "unknown",
            "_hidden",
            "",
            "x",
            "\"",
            "192.0.2",
            "192.0.2.1:x",
            "[192.0.2.1]",
            "unix:",
            "192.0.2.01",
        ];
        for text in none {
            assert_eq!(client("forwarded", &format!("for={text}")), "10.0.0.1:999", "{text}");
            assert_eq!(client(FOR, text), "10.0.0.1:999", "{text}");
        }
    }

    #[test]
    fn a_list_is_believed_from_the_right_up_to_the_first_stranger() {
        for (list, far) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("198.51.100.9, 192.0.2.1", "192.0.2.1:0"),
            ("198.51.100.9, 192.0.2.1, 10.0.0.3,10.0.0.2", "192.0.2.1:0"),
            ("10.0.0.4, 10.0.0.3", "10.0.0.4:0"),
            // What is no address ends it at the last good hop.
            ("192.0.2.1, unknown, 10.0.0.3", "10.0.0.3:0"),
            ("192.0.2.1, , 10.0.0.3", "10.0.0.3:0"),
            ("192.0.2.1,", "10.0.0.1:999"),
            // A client's own nonsense is not reached.
            ("\"x, 192.0.2.1", "192.0.2.1:0"),
            ("x\\\", 192.0.2.1", "192.0.2.1:0"),
            ("\u{fffd}, 192.0.2.1", "192.0.2.1:0"),
        ] {
            assert_eq!(client(FOR, list), far, "{list}");
            let pairs: Vec<_> = list.split(',').map(|one| format!("for={}", one.trim())).collect();
            assert_eq!(client("forwarded", &pairs.join(", ")), far, "{pairs:?}");
        }
        let two = read(&[(FOR, "192.0.2.1"), (FOR, "192.0.2.2, 10.0.0.2")]);
        assert_eq!(
            two.client.expect("somebody").to_string(),
            "192.0.2.2:0",
            "fields of one name are one list"
        );
        let bytes = headers(&[(FOR, b"\xff, 192.0.2.1")]);
        let read = proxies(&["10.0.0.1"]).read(&Via::from(SocketAddr::from(([10, 0, 0, 1], 1))), &bytes);
        assert_eq!(read.expect("trusted").client.expect("somebody").to_string(), "192.0.2.1:0");
    }

    #[test]
    fn scheme_and_host_are_what_the_farthest_proxy_wrote() {
        let said = |fields: &[(&str, &str)]| {
            let Forwarded { https, host, .. } = read(fields);
            (https, host)
        };
        let shop = || Some("shop.test:8443".to_owned());
        assert_eq!(said(&[("forwarded", "for=_x;proto=HTTPS;host=\"shop.test:8443\"")]), (true, shop()));
        assert_eq!(said(&[(PROTO, "https"), (HOST, "shop.test:8443")]), (true, shop()));
        assert_eq!(
            said(&[("forwarded", "for=192.0.2.1;proto=https;host=a.test, for=10.0.0.2;proto=http")]),
            (true, Some("a.test".to_owned()))
        );
        assert_eq!(
            said(&[("forwarded", "for=8.8.8.8;proto=https;host=evil.test, for=192.0.2.1")]),
            (false, None)
        );
        assert_eq!(said(&[(FOR, "192.0.2.1, 10.0.0.2"), (PROTO, "https, http")]), (true, None));
        assert_eq!(said(&[(FOR, "192.0.2.1"), (PROTO, "https, http")]), (false, None), "the client's own");
        assert_eq!(said(&[(FOR, "192.0.2.1, 10.0.0.2"), (PROTO, "https")]), (true, None));
        for odd in ["", "ftp", "https:", "on"] {
            assert_eq!(said(&[(PROTO, odd)]), (false, None), "{odd}");
        }
        for odd in ["", "a b", "a/b", "user@shop.test", "a?b"] {
            assert_eq!(said(&[(HOST, odd)]), (false, None), "{odd}");
        }
    }

    #[test]
    fn a_prefix_is_what_trusted_proxies_took_off_and_nobody_else() {
        let prefix = |fields: &[(&str, &str)]| read(fields).prefix;
        let chain = (prefix::FIELD, "/outer, /inner");
        assert_eq!(prefix(&[(FOR, "192.0.2.1, 10.0.0.2"), chain]), "/outer/inner");
        assert_eq!(prefix(&[(FOR, "192.0.2.1"), chain]), "/inner", "the other is the client's own");
        assert_eq!(prefix(&[(prefix::FIELD, "/evil"), (prefix::FIELD, "/app")]), "/app");
        assert_eq!(prefix(&[("forwarded", "for=192.0.2.1"), (prefix::FIELD, "/app")]), "/app");
    }

    #[test]
    fn forwarded_wins_where_it_says_something() {
        let both = [("forwarded", "for=192.0.2.1"), (FOR, "192.0.2.2"), (PROTO, "https"), (HOST, "a.test")];
        let read_both = read(&both);
        assert_eq!(read_both.client.expect("somebody").to_string(), "192.0.2.1:0");
        assert_eq!((read_both.https, read_both.host.as_deref()), (true, Some("a.test")));
        let silent = read(&[("forwarded", "for=unknown"), (FOR, "192.0.2.2")]);
        assert_eq!(silent.client.expect("somebody").to_string(), "192.0.2.2:0");
        assert_eq!(client("forwarded", "for=192.0.2.1;for=192.0.2.2"), "10.0.0.1:999", "twice is nonsense");
    }

    #[test]
    fn commas_and_semicolons_in_quotes_are_text() {
        let element = "for=\"192.0.2.1\";ext=\"a, for=192.0.2.2; \\\" x\";host=a.test";
        let read = read(&[("forwarded", element)]);
        assert_eq!(
            (read.client.expect("somebody").to_string(), read.host),
            ("192.0.2.1:0".to_owned(), Some("a.test".to_owned()))
        );
    }

    #[test]
    fn peers_on_unix_sockets_are_believed_by_their_name() {
        let said = headers(&[(FOR, b"192.0.2.1, 10.0.0.2"), (PROTO, b"https, http")]);
        let read = |texts: &[&str], via: Via| proxies(texts).read(&via, &said);
        let known = read(&["unix", "10.0.0.0/8"], Via::unix()).expect("it is trusted");
        assert_eq!(known.client.expect("somebody").to_string(), "192.0.2.1:0");
        assert!(known.https);
        assert_eq!(read(&["10.0.0.0/8", "::/0"], Via::unix()), None, "no network holds them");
        assert_eq!(
            read(&["unix"], Via::default()),
            None,
            "who has no address is not on a Unix socket for that"
        );
        assert_eq!(read(&["unix"], Via::from(SocketAddr::from(([10, 0, 0, 1], 1)))), None);
        let silent = proxies(&["unix"]).read(&Via::unix(), &HeaderMap::new()).expect("it is trusted");
        assert_eq!((silent.client, silent.https), (None, false));
    }

    #[test]
    fn a_name_with_a_quote_is_nonsense() {
        for odd in ["\"for=\"a\";host=a.test", "a\"b=c;host=a.test"] {
            assert_eq!(read(&[("forwarded", odd), (FOR, "192.0.2.1")]).host, None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(
            fields in proptest::collection::vec(
                (0..5usize, "[ -~\u{e4}\t]{0,40}|(for=|\"|\\\\|;|,|=|\\[|\\]|:|10\\.0\\.0\\.2|::1|proto|host){0,12}"), 0..6
            ),
            peer in any::<std::net::IpAddr>(),
        ) {
            let names = ["forwarded", FOR, PROTO, HOST, prefix::FIELD];
            let fields: Vec<_> = fields.iter().map(|(name, value)| (names[*name], value.as_bytes())).collect();
            let (headers, peer) = (headers(&fields), SocketAddr::new(peer, 1));
            let some = proxies(&["10.0.0.0/8", "::1"]);
            prop_assert_eq!(some.read(&Via::from(peer), &headers).is_some(), some.trusts(peer.ip()));
            let all = proxies(&["0.0.0.0/0", "::/0"]);
            prop_assert!(all.read(&Via::from(peer), &headers).is_some());
        }

        /// Whatever a client sends, what the proxy adds behind it is what counts.
        #[test]
        fn what_a_client_sends_first_changes_nothing(client in "[ -~\u{e4}\t]{0,60}", standard: bool) {
            let (name, own) = if standard {
                ("forwarded", "for=\"[2001:db8::7]\";proto=https")
            } else {
                (FOR, "2001:db8::7")
            };
            let list = format!("{client}, {own}");
            prop_assert_eq!(read(&[(name, &list)]).client.expect("somebody").to_string(), "[2001:db8::7]:0");
            prop_assert_eq!(read(&[(name, &client), (name, own)]).client.expect("somebody").to_string(), "[2001:db8::7]:0");
        }
    }
}
