//! Where links lead: references resolved as browsers do.
//!
//! A URL is here what stands in a request's first line: path and query. Fragments are dropped.

/// What `href` means on the page at `base`; `None` if it leads away from `host`.
pub(crate) fn resolve(host: &str, base: &str, href: &str) -> Option<String> {
    let href = href.trim().split('#').next().unwrap_or_default();
    let href = on_host(host, href)?;
    let (base_path, _) = split(base);
    let url = match href.as_bytes().first() {
        None => base.to_owned(),
        Some(b'/') => clean(&href),
        Some(b'?') => [base_path, &href].concat(),
        Some(_) => clean(&[folder(base_path), &href].concat()),
    };
    Some(encode(&url))
}

/// The URL with this query in place of its own.
pub(crate) fn with_query(url: &str, query: &str) -> String {
    [split(url).0, "?", query].concat()
}

/// The path, without the query.
pub(crate) fn path(url: &str) -> &str {
    split(url).0
}

/// The reference without its own host; `None` if it names another, or is no `http` URL.
fn on_host(own: &str, href: &str) -> Option<String> {
    let rest = match scheme(href) {
        None => href,
        Some("http" | "https") => href.split_once(':').map_or("", |(_, rest)| rest),
        Some(_) => return None,
    };
    let Some(rest) = rest.strip_prefix("//") else { return Some(rest.to_owned()) };
    let (host, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if host != own {
        return None;
    }
    Some(if rest.starts_with('/') { rest.to_owned() } else { ["/", rest].concat() })
}

fn scheme(href: &str) -> Option<&str> {
    let (scheme, _) = href.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain)).then_some(scheme)
}

pub(crate) fn split(url: &str) -> (&str, &str) {
    url.split_once('?').unwrap_or((url, ""))
}

/// The path up to its last slash.
fn folder(path: &str) -> &str {
    &path[..path.rfind('/').map_or(0, |slash| slash + 1)]
}

/// Walks the `.` and `..` of a path.
fn clean(url: &str) -> String {
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            kept.pop();
        }
        match segment {
            "." | ".." if segments.peek().is_none() => kept.push(""),
            "." | ".." => {}
            _ => kept.push(segment),
        }
    }
    ["/", &kept.join("/"), query].concat()
}

/// Percent-encodes what cannot stand in a URL; what is encoded already stays.
fn encode(url: &str) -> String {
    let mut encoded = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>`{}\\^|".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_in_browsers() {
        for (base, href, url) in [
            ("/a/b?x=1", "", "/a/b?x=1"),
            ("/a/b?x=1", "#top", "/a/b?x=1"),
            ("/a/b?x=1", "?y=2#top", "/a/b?y=2"),
            ("/a/b?x=1", "?", "/a/b?"),
            ("/a/b?x=1", "c", "/a/c"),
            ("/a/b/", "c?d=/e", "/a/b/c?d=/e"),
            ("/a/b/", "../c", "/a/c"),
            ("/a/b/", "..", "/a/"),
            ("/a/b/", "./", "/a/b/"),
            ("/a", "../../c", "/c"),
            ("/a/b", "/c?d", "/c?d"),
            ("/a/b", " /c d?ä=\"1\" ", "/c%20d?%C3%A4=%221%22"),
            ("/a/b", "/c%20d", "/c%20d"),
            ("/a/b", "http://test.invalid", "/"),
            ("/a/b", "https://test.invalid?x", "/?x"),
            ("/a/b", "//test.invalid/c", "/c"),
            ("/a/b", "c?at=12:30", "/a/c?at=12:30"),
        ] {
            assert_eq!(resolve("test.invalid", base, href).as_deref(), Some(url), "{base} {href}");
        }
    }

    #[test]
    fn other_hosts_and_schemes_lead_away() {
        for href in ["https://pay.test/", "//pay.test", "mailto:a@b.test", "javascript:go()"] {
            assert_eq!(resolve("test.invalid", "/", href), None, "{href}");
        }
    }
}
