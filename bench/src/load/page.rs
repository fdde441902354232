//! Reads responses: the head, and on a counter page the count and the link called `++`.
//!
//! It leaves out chunked bodies: every server of the bench knows its lengths, and one that does not is reported.

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};

const MAX_HEADERS: usize = 32;

static COUNT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Count: "));
static PLUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\">++</a>"));
static MINUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\">--</a>"));
static HREF: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new("href=\""));

/// A complete response, borrowed from the connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// `name=value` of the cookie that the response sets.
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) body: &'a [u8],
}

/// Reads a response; `None` if its end has not arrived yet.
pub(crate) fn answer(bytes: &[u8]) -> Result<Option<Answer<'_>>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(bytes).map_err(|error| format!("not an HTTP response: {error}"))? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return Ok(None),
    };
    let (mut length, mut cookie) = (None, None);
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = number(header.value);
        } else if header.name.eq_ignore_ascii_case("set-cookie") {
            cookie = header.value.split(|byte| *byte == b';').next();
        }
    }
    let end = start + usize::try_from(length.ok_or("a response without a content-length")?).unwrap_or(0);
    let status = head.code.expect("a complete head has a status");
    Ok(bytes.get(start..end).map(|body| Answer { status, cookie, body }))
}

/// The count a counter page shows.
pub(crate) fn count(body: &[u8]) -> Option<u64> {
    number(&body[COUNT.find(body)? + COUNT.needle().len()..])
}

/// Where the link called `++` leads, as it stands in the page.
pub(crate) fn plus_link(body: &[u8]) -> Option<&[u8]> {
    link(body, &PLUS)
}

/// Where the link called `--` leads.
pub(crate) fn minus_link(body: &[u8]) -> Option<&[u8]> {
    link(body, &MINUS)
}

fn link<'a>(body: &'a [u8], text: &Finder<'_>) -> Option<&'a [u8]> {
    let before = &body[..text.find(body)?];
    Some(&before[HREF.rfind(before)? + HREF.needle().len()..])
}

/// The target of a request that follows `link` from the page at `/`, written behind what `target` holds.
pub(crate) fn resolve(link: &[u8], target: &mut Vec<u8>) {
    if !link.starts_with(b"/") {
        target.push(b'/');
    }
    let mut rest = link;
    while let Some(at) = memchr::memmem::find(rest, b"&amp;") {
        target.extend_from_slice(&rest[..=at]);
        rest = &rest[at + b"&amp;".len()..];
    }
    target.extend_from_slice(rest);
}

fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = b"<h1>Count: 42</h1><a href=\"?_t=abc\">++</a> <a href=\"?_t=def\">--</a>";

    #[test]
    fn a_response_is_read_when_it_is_complete() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nset-cookie: sid=ab; Path=/\r\n\r\nhi";
        for end in 0..bytes.len() {
            assert_eq!(answer(&bytes[..end]), Ok(None), "{end} bytes are not all");
        }
        let whole = Answer { status: 200, cookie: Some(b"sid=ab"), body: b"hi" };
        assert_eq!(answer(bytes), Ok(Some(whole)));
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        assert!(answer(b"220 mail.example.org\r\n").is_err());
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "without a length");
    }

    #[test]
    fn a_page_has_a_count_and_a_link() {
        assert_eq!(count(PAGE), Some(42));
        assert_eq!(plus_link(PAGE), Some(&b"?_t=abc"[..]));
        assert_eq!(minus_link(PAGE), Some(&b"?_t=def"[..]));
        assert_eq!(count(b"<h1>Sorry</h1>"), None);
        assert_eq!(plus_link(b"<a href=\"?\">--</a>"), None);
    }

    #[test]
    fn a_link_is_resolved_and_unescaped() {
        for (link, expected) in [("?a=1&amp;b=2&amp;c", "/?a=1&b=2&c"), ("/x", "/x"), ("?_t=z", "/?_t=z")] {
            let mut target = Vec::new();
            resolve(link.as_bytes(), &mut target);
            assert_eq!(target, expected.as_bytes());
        }
    }
}
