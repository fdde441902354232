//! Addresses and networks as people write them: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.

use std::net::IpAddr;

use crate::error::Error;

/// Addresses that begin with the same bits.
#[derive(Debug, PartialEq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `setting` is what an error names: where the text was given.
    pub(crate) fn parse(setting: &str, text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(format!("{setting}: {text:?} {why}; write one like \"10.0.0.0/8\" or \"::1\""))
        };
        // A text, not a character: see `Element::of_pairs`.
        let (address, bits) = text.split_once("/").map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong("is no address and no network"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|digit| digit.is_ascii_digit()) => {
                let bits = bits.parse().ok().filter(|bits| *bits <= width);
                bits.ok_or_else(|| wrong("has more bits than an address"))?
            }
            Some(_) => return Err(wrong("is no network")),
        };
        let network = Network { address, bits }.canonical();
        if network.address != network.first() {
            return Err(wrong("has digits behind its bits"));
        }
        Ok(network)
    }

    /// IPv4 as IPv4, in whatever form it was written.
    fn canonical(self) -> Self {
        match self.address.to_canonical() {
            address @ IpAddr::V4(_) if self.address.is_ipv6() && self.bits >= 96 => {
                Network { address, bits: self.bits - 96 }
            }
            _ => self,
        }
    }

    /// Its lowest address.
    fn first(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(ip) => {
                IpAddr::V4((u32::from(ip) & !u32::MAX.checked_shr(self.bits).unwrap_or(0)).into())
            }
            IpAddr::V6(ip) => {
                IpAddr::V6((u128::from(ip) & !u128::MAX.checked_shr(self.bits).unwrap_or(0)).into())
            }
        }
    }

    pub(crate) fn holds(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4()
            && Network { address: ip, bits: self.bits }.first() == self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_from_nonsense() {
        let errors = [
            ("", "no address"),
            ("localhost", "no address"),
            ("10.0.0.0/33", "more bits"),
            ("::/129", "more bits"),
            ("10.0.0.0/", "more bits"),
            ("10.0.0.0/+8", "no network"),
            ("10.0.0.0/x", "no network"),
            ("10.0.0.0/8/8", "no network"),
            ("10.0.0.1/8", "behind its bits"),
            ("10.0.0.1:80", "no address"),
            ("unix", "no address"),
        ];
        for (text, why) in errors {
            let error = Network::parse("trust_proxies", text).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains(why), "{error}");
        }
        for (text, held, other) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:192.0.2.6"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("::1", "::1", "::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let network = Network::parse("trust_proxies", text).expect(text);
            assert!(network.holds(held.parse().expect(held)), "{text} holds {held}");
            assert!(!network.holds(other.parse().expect(other)), "{text} does not hold {other}");
        }
    }
}
