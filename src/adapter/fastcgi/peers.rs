//! Which web servers may connect: what they say of clients is believed.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::mapper::network::Network;

/// The variable of the environment that names them, with commas in between (FastCGI 1.0, 3.2).
pub(super) const VARIABLE: &str = "FCGI_WEB_SERVER_ADDRS";
/// How often the log says that others came.
const QUIET: Duration = Duration::from_secs(10);

/// Those that may connect.
#[derive(Debug)]
pub(super) struct Peers {
    /// Nobody is named: those of this machine.
    networks: Vec<Network>,
    /// When the log said last that another came, and how many came since.
    said: Option<Instant>,
    unsaid: u32,
}

impl Peers {
    /// Those that the program names, and those that the variable does.
    pub(super) fn new(named: &[String], variable: Option<&OsStr>) -> Result<Self, Error> {
        let mut networks: Vec<_> =
            named.iter().map(|text| Network::parse("web_servers", text)).collect::<Result<_, _>>()?;
        let listed = variable.map(OsStr::to_string_lossy).unwrap_or_default();
        for text in listed.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            networks.push(Network::parse(VARIABLE, text)?);
        }
        Ok(Peers { networks, said: None, unsaid: 0 })
    }

    /// Whether this one may, who has no address on a Unix socket: its file says who may. If not the log says so.
    pub(super) fn admit(&mut self, peer: Option<SocketAddr>) -> bool {
        let Some(peer) = peer.filter(|peer| !self.holds(peer.ip())) else { return true };
        self.unsaid = self.unsaid.saturating_add(1);
        if self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            tracing::warn!(
                peer = %peer.ip(), times = self.unsaid,
                "a FastCGI client was refused: if it is a web server of yours, name it by `FastCgi::web_servers` or in {VARIABLE}"
            );
            (self.said, self.unsaid) = (Some(Instant::now()), 0);
        }
        false
    }

    fn holds(&self, ip: IpAddr) -> bool {
        if self.networks.is_empty() {
            return ip.to_canonical().is_loopback();
        }
        self.networks.iter().any(|network| network.holds(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(named: &[&str], variable: Option<&str>) -> Peers {
        let named: Vec<_> = named.iter().map(|text| (*text).to_owned()).collect();
        Peers::new(&named, variable.map(OsStr::new)).expect("good ones")
    }

    #[test]
    fn r53_web_servers_of_this_machine_may_connect_or_those_that_are_named() {
        for (named, variable, allowed, refused) in [
            (
                &[][..],
                None,
                &["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"][..],
                &["10.0.0.1", "::2"][..],
            ),
            (&[], Some(""), &["127.0.0.1"], &["10.0.0.1"]),
            (&[], Some("10.0.0.1,10.0.0.2"), &["10.0.0.1", "::ffff:10.0.0.2"], &["10.0.0.3", "127.0.0.1"]),
            (&["10.0.0.1"], None, &["10.0.0.1"], &["127.0.0.1", "10.0.0.2"]),
            (&["10.0.0.1"], Some("127.0.0.1, fd00::/8 "), &["10.0.0.1", "127.0.0.1", "fd00::9"], &["::1"]),
        ] {
            let mut peers = peers(named, variable);
            let mut admits = |ip: &str| peers.admit(Some(SocketAddr::new(ip.parse().expect(ip), 4711)));
            assert!(allowed.iter().all(|ip| admits(ip)), "{named:?} {variable:?}");
            assert!(!refused.iter().any(|ip| admits(ip)), "{named:?} {variable:?}");
            assert!(peers.admit(None), "on a Unix socket its mode says who may");
        }
    }

    #[test]
    fn what_is_no_address_is_an_error_that_names_where_it_was_given() {
        let error = Peers::new(&["localhost".into()], None).expect_err("no address").to_string();
        assert!(error.starts_with("web_servers: \"localhost\""), "{error}");
        let error = Peers::new(&[], Some(OsStr::new("10.0.0.1;10.0.0.2"))).expect_err("no list").to_string();
        assert!(error.starts_with("FCGI_WEB_SERVER_ADDRS: \"10.0.0.1;10.0.0.2\""), "{error}");
    }
}
