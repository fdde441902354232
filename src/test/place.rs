//! Where the server under test is: its origin, the only one in the world, and URLs on it.

use std::net::{IpAddr, SocketAddr};

use crate::document::url::{self, split};
use crate::hit::Via;

/// The server's address as browsers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    https: bool,
    /// With the port, if there is one.
    host: String,
}

impl Default for Place {
    /// A server on one's own machine.
    fn default() -> Self {
        Place { https: false, host: "localhost".to_owned() }
    }
}

impl Place {
    /// Reads an origin: `https://shop.example`.
    pub(super) fn read(origin: &str) -> Option<Place> {
        let (scheme, host) = origin.split_once("://")?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        (!host.is_empty() && host.chars().all(plain))
            .then(|| Place { https, host: host.to_ascii_lowercase() })
    }

    /// What a `Host` field says.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Without the port: what cookies belong to.
    pub(super) fn name(&self) -> &str {
        let end = self.host.rfind(':').filter(|at| !self.host[*at..].contains(']'));
        &self.host[..end.unwrap_or(self.host.len())]
    }

    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.host)
    }

    /// How a request from there comes in.
    pub(super) fn via(&self, address: SocketAddr) -> Via {
        let via = Via::peer(address);
        if self.https { via.over_https() } else { via }
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether browsers trust the way there: https, or to one's own machine. To no other do they send `Sec-Fetch-Site`
    /// and its like, or cookies that are `Secure`.
    pub(super) fn is_trustworthy(&self) -> bool {
        let name = self.name();
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        let own = name == "localhost" || name.ends_with(".localhost");
        self.https || own || address.is_ok_and(|address| address.is_loopback())
    }

    /// What `href` means on the page at `base`; `None` if it leads away from here.
    pub(super) fn resolve(&self, base: &str, href: &str) -> Option<String> {
        url::resolve(&self.host, base, href)
    }
}

/// The URL for people: long values of its query are left out.
pub(super) fn short(url: &str) -> String {
    let (path, query) = split(url);
    if query.is_empty() {
        return path.to_owned();
    }
    let pairs: Vec<_> = query.split('&').map(short_pair).collect();
    [path, "?", &pairs.join("&")].concat()
}

fn short_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, value)) if value.len() > 20 => format!("{name}=…"),
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(origin: &str) -> Place {
        Place::read(origin).expect("an origin")
    }

    #[test]
    fn long_values_are_short_for_people() {
        assert_eq!(short("/a"), "/a");
        assert_eq!(short("/a?x=1&_t=aaaaaaaaaaaaaaaaaaaaaaaaa"), "/a?x=1&_t=…");
    }

    #[test]
    fn https_and_the_own_machine_are_trustworthy() {
        for origin in [
            "https://a.test",
            "http://localhost:8080",
            "http://a.localhost",
            "http://127.0.0.2",
            "http://[::1]:80",
        ] {
            assert!(place(origin).is_trustworthy(), "{origin}");
        }
        for origin in ["http://a.test", "http://192.0.2.1", "http://localhost.test", "http://[2001:db8::1]"] {
            assert!(!place(origin).is_trustworthy(), "{origin}");
        }
        assert!(Place::default().is_trustworthy());
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        let shop = place("https://Shop.example:8443");
        assert_eq!((shop.host(), shop.name()), ("shop.example:8443", "shop.example"));
        assert_eq!(shop.origin(), "https://shop.example:8443");
        assert_eq!(place("http://[::1]").name(), "[::1]");
        assert_eq!(shop.resolve("/a", "https://shop.example:8443/b").as_deref(), Some("/b"));
        assert_eq!(shop.resolve("/a", "https://shop.example/b"), None);
        for wrong in ["shop.example", "ftp://shop.example", "https://", "https://a/b", "https://a b"] {
            assert_eq!(Place::read(wrong), None, "{wrong}");
        }
    }
}
