//! Where a response sends its browser: URLs as they stand in a head, whatever programs write.

use std::fmt::Write;

/// The URL with all percent-encoded that cannot stand in one (RFC 3986): blanks, what is no ASCII, and some signs. What is
/// encoded already stays as it is. Of a host only what is no ASCII is encoded: browsers make its other form of it.
pub(super) fn written(url: &str) -> String {
    let (site, rest) = url.split_at(path(url));
    let mut written = String::with_capacity(url.len() + 16);
    for byte in site.bytes() {
        push(byte, byte.is_ascii_graphic(), &mut written);
    }
    let mut fragment = false;
    for (at, byte) in rest.bytes().enumerate() {
        let stands = match byte {
            b'%' => is_escape(&rest.as_bytes()[at..]),
            // The first one begins the fragment.
            b'#' => !std::mem::replace(&mut fragment, true),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte),
        };
        push(byte, stands, &mut written);
    }
    written
}

fn push(byte: u8, stands: bool, written: &mut String) {
    if stands {
        written.push(char::from(byte));
    } else {
        write!(written, "%{byte:02X}").expect("a string takes all");
    }
}

/// Where its path begins, or what is in a path's place.
fn path(url: &str) -> usize {
    let first = url.find(['/', '?', '#']).unwrap_or(url.len());
    let scheme = if url[..first].ends_with(':') { first } else { 0 };
    let Some(rest) = url[scheme..].strip_prefix("//") else { return 0 };
    url.len() - rest.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', one, two, ..] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit())
}

/// Whether it is the absolute URL of a web site, with a host that is what it seems.
pub(super) fn is_of_a_site(url: &str) -> bool {
    if url.contains(|c: char| c.is_control() || c == '\\') {
        return false;
    }
    // For what is no ASCII stands a letter: it may be in a host as well.
    let ascii: String = url.chars().map(|c| if c.is_ascii() { c } else { 'x' }).collect();
    let parsed = written(&ascii).parse::<http::Uri>().ok();
    let web = parsed.filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
    // What stands before an `@` is there to be taken for the host.
    web.and_then(|url| url.into_parts().authority).is_some_and(|host| !host.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_stand_in_a_url_is_encoded_and_all_else_stays() {
        for (url, location) in [
            ("/done", "/done"),
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%20b"),
            ("/ä/日本", "/%C3%A4/%E6%97%A5%E6%9C%AC"),
            ("/a%C3%a4b?c=%2F", "/a%C3%a4b?c=%2F"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
            ("?q=a b&c=\"<>`{|}^\"", "?q=a%20b&c=%22%3C%3E%60%7B%7C%7D%5E%22"),
            ("/a?b[]=1", "/a?b%5B%5D=1"),
            ("/a?b=c?d/e#f?g", "/a?b=c?d/e#f?g"),
            ("/a#b#c ü", "/a#b%23c%20%C3%BC"),
            ("/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"),
            ("https://pay.example:8443/a b?c d", "https://pay.example:8443/a%20b?c%20d"),
            ("http://[::1]:80/[x]", "http://[::1]:80/%5Bx%5D"),
            ("https://bücher.example?ü", "https://b%C3%BCcher.example?%C3%BC"),
            ("/to?url=http://[::1]/", "/to?url=http://%5B::1%5D/"),
            ("//cdn.example/a b", "//cdn.example/a%20b"),
            ("", ""),
        ] {
            assert_eq!(written(url), location, "{url}");
        }
    }

    #[test]
    fn only_an_absolute_url_whose_host_is_what_it_seems_leads_to_a_site() {
        for url in [
            "https://pay.example/7?back=x#top",
            "http://pay.example",
            "HTTPS://pay.example/",
            "https://pay.example/a b/ü?q=\"x\"",
            "https://bücher.example/",
            "http://[::1]:8080/",
        ] {
            assert!(is_of_a_site(url), "{url}");
        }
        for url in [
            "/here",
            "//pay.example/",
            "pay.example",
            "ftp://pay.example/",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https://shop.example@evil.example/",
            "https://shop.exämple@evil.example/",
            "https://evil.example\\@shop.example/",
            "https://pay example/",
            "https://pay.example/\r\nset-cookie: a=1",
            "https://pay.example/\0",
            "",
        ] {
            assert!(!is_of_a_site(url), "{url}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_can_stand_in_a_head_and_written_again_is_the_same(url in "(/|\\?|https://a.test/)?\\PC{0,40}") {
            let once = written(&url);
            prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic()), "{once}");
            prop_assert_eq!(written(&once), once.clone());
            let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<_>>();
            prop_assert_eq!(decoded(&once), decoded(&url), "it leads to the same place");
        }
    }
}
