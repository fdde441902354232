//! `Accept-Encoding`: which coding a client wants, of those there are. Pure.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// What a client says about codings, in thousandths.
pub(crate) struct Accepted<'a>(Vec<(&'a str, u16)>);

impl<'a> Accepted<'a> {
    /// Fields of the name are one list.
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let fields = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|field| field.to_str().ok());
        Accepted(fields.flat_map(|field| field.split(',')).filter_map(weighted).collect())
    }

    /// The best of what is there, by weight and then as they stand, the smallest first; `None` for what is not coded.
    pub(crate) fn best(&self, there: impl Iterator<Item = &'static str>) -> Option<&'static str> {
        let mut best = (None, self.weight("identity").unwrap_or(1));
        for coding in there {
            let weight = self.weight(coding).unwrap_or(0);
            // At the same weight any coding is better than none, and the one before is smaller.
            if weight > best.1 || (weight == best.1 && weight > 0 && best.0.is_none()) {
                best = (Some(coding), weight);
            }
        }
        best.0
    }

    /// `None` where nothing is said, not even by `*`.
    fn weight(&self, coding: &str) -> Option<u16> {
        let said = |name: &str| self.0.iter().find(|(said, _)| said.eq_ignore_ascii_case(name));
        let old = (coding == "gzip").then_some("x-gzip");
        let found = said(coding).or_else(|| said(old?)).or_else(|| said("*"));
        found.map(|(_, weight)| *weight)
    }
}

/// `gzip;q=0.5`; `None` for what is none.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let Some(weight) = parts.next() else { return Some((coding, 1000)) };
    let (name, value) = weight.split_once('=')?;
    let value = thousandths(value.trim_end())?;
    name.trim().eq_ignore_ascii_case("q").then_some((coding, value))
}

fn thousandths(weight: &str) -> Option<u16> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, digits) {
        ("0", true) => format!("{part:0<3}").parse().ok(),
        ("1", true) if part.bytes().all(|digit| digit == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_what_is_there_is_taken() {
        let all = ["br", "zstd", "gzip"];
        for (field, there, best) in [
            ("gzip, deflate, br, zstd", &all[..], Some("br")),
            ("gzip, deflate, br, zstd", &["gzip"], Some("gzip")),
            ("gzip;q=1.0, br;q=0.5", &all, Some("gzip")),
            ("br;q=0", &all, None),
            ("br;q=0, *", &all, Some("zstd")),
            ("*;q=0", &all, None),
            ("*", &all, Some("br")),
            ("", &all, None),
            ("deflate", &all, None),
            ("identity", &all, None),
            ("identity, gzip;q=0.5", &all, None),
            ("identity;q=0.5, gzip;q=0.5", &all, Some("gzip")),
            ("identity;q=1, *;q=0", &all, None),
            ("identity;q=0", &all, None),
            ("identity;q=0, gzip;q=0.001", &all, Some("gzip")),
            ("GZIP ; Q=0.3", &all, Some("gzip")),
            ("x-gzip", &all, Some("gzip")),
            ("gzip;q=2, br;q=x, zstd;q=-1", &all, None),
            ("gzip;q=nan", &all, None),
            (";q=1,,gzip", &all, Some("gzip")),
            ("br", &[], None),
        ] {
            let headers = [(ACCEPT_ENCODING, field.parse().expect("text"))].into_iter().collect();
            assert_eq!(Accepted::of(&headers).best(there.iter().copied()), best, "{field:?} of {there:?}");
        }
    }
}
