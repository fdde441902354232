//! What proxies have taken off the path's beginning, by `X-Forwarded-Prefix`: it stands in links, so it is a path or nothing.

/// The field that says it.
pub(super) const FIELD: &str = "x-forwarded-prefix";

/// What the proxies of a line have taken off, one piece for each, the nearest first; empty if that is no path.
pub(super) fn joined<'h>(pieces: impl Iterator<Item = &'h [u8]>) -> String {
    let mut pieces: Vec<_> = pieces.map(<[u8]>::trim_ascii).collect();
    pieces.reverse();
    let whole =
        pieces.iter().map(|piece| piece.strip_suffix(b"/").unwrap_or(piece)).collect::<Vec<_>>().concat();
    String::from_utf8(whole).ok().filter(|path| is_path(path)).unwrap_or_default()
}

/// Of plain segments: so it leads to no other host, and nowhere else on this one.
fn is_path(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(fits);
    text.strip_prefix('/').is_some_and(|path| path.split('/').all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_of_plain_segments_or_nothing() {
        for (said, prefix) in [
            ("/app", "/app"),
            ("/app/", "/app"),
            (" /a/b-c.d/%C3%A4 ", "/a/b-c.d/%C3%A4"),
            ("", ""),
            ("/", ""),
            ("app", ""),
            ("//evil.test", ""),
            ("/\\evil.test", ""),
            ("/a//b", ""),
            ("/a/../b", ""),
            ("/a?b", ""),
            ("/a#b", ""),
            ("/a b", ""),
            ("/a\"b", ""),
            ("/\u{e4}", ""),
            ("https://evil.test/", ""),
        ] {
            assert_eq!(joined([said.as_bytes()].into_iter()), prefix, "{said}");
        }
    }

    #[test]
    fn several_proxies_have_taken_off_all_of_it() {
        let joined = |pieces: &[&str]| joined(pieces.iter().map(|piece| piece.as_bytes()));
        assert_eq!(joined(&["/inner/", " /outer"]), "/outer/inner");
        assert_eq!(joined(&["", "/outer"]), "/outer");
        assert_eq!(joined(&["//evil.test", "/outer"]), "", "one that is none spoils all");
        assert_eq!(joined(&[]), "");
    }
}
