//! URLs of the host under test, the only one in the world.

use crate::document::url::{self, split};

/// The host under test. The name can belong to nobody.
pub(crate) const HOST: &str = "test.invalid";
/// The origin of all its pages.
pub(crate) const ORIGIN: &str = "http://test.invalid";

/// What `href` means on the page at `base`; `None` if it leads away from the host under test.
pub(super) fn resolve(base: &str, href: &str) -> Option<String> {
    url::resolve(HOST, base, href)
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

    #[test]
    fn long_values_are_short_for_people() {
        assert_eq!(short("/a"), "/a");
        assert_eq!(short("/a?x=1&_t=aaaaaaaaaaaaaaaaaaaaaaaaa"), "/a?x=1&_t=…");
    }
}
