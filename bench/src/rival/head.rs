//! What the bare hello checks of a request's head, so that it pays what the library pays there.
//!
//! The decision is taken from the same headers as the library's predicate. It leaves out what comes after:
//! the bare hello has no session that a request could resume.

use std::sync::LazyLock;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN, USER_AGENT};
use hyper::{Method, Request};
use memchr::memmem::Finder;

/// What the names of known crawlers have in common.
static CRAWLERS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["bot", "spider", "crawl"].map(Finder::new));

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");

/// Whether a request may resume a session, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A person opens, follows or submits something of ours.
    Visit,
    /// The method asks about a page and not for it: HEAD, OPTIONS.
    Question,
    /// The browser fetches ahead of a person who may never come.
    Prefetch,
    /// A part of a page or of a site: an image, `/favicon.ico`.
    Part,
    /// A known crawler.
    Crawler,
    /// Another site sends it.
    CrossSite,
}

/// Tells what a request is for from its head.
pub fn purpose<B>(request: &Request<B>) -> Purpose {
    let headers = request.headers();
    if matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        Purpose::Question
    } else if is_prefetch(headers) {
        Purpose::Prefetch
    } else if is_part(request.uri().path(), headers) {
        Purpose::Part
    } else if is_crawler(headers) {
        Purpose::Crawler
    } else if is_cross_site(headers) {
        Purpose::CrossSite
    } else {
        Purpose::Visit
    }
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let asked = headers.get(SEC_PURPOSE).or_else(|| headers.get(PURPOSE));
    asked.is_some_and(|value| value.as_bytes().starts_with(b"prefetch"))
}

fn is_part(path: &str, headers: &HeaderMap) -> bool {
    let of_page = headers.get(SEC_FETCH_DEST).is_some_and(|value| {
        matches!(value.as_bytes(), b"image" | b"style" | b"script" | b"font" | b"manifest")
    });
    of_page || path == "/favicon.ico" || path == "/robots.txt" || path.starts_with("/.well-known/")
}

fn is_crawler(headers: &HeaderMap) -> bool {
    let Some(agent) = headers.get(USER_AGENT).map(HeaderValue::as_bytes) else { return false };
    CRAWLERS.iter().any(|part| part.find(agent).is_some())
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE) {
        Some(site) => site == "cross-site",
        None => headers.get(ORIGIN).is_some_and(|origin| origin == "null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str, name: &'static str, value: &'static str) -> Purpose {
        let request = Request::builder().method(method).uri(path).header(name, value).body(());
        purpose(&request.expect("the parts of a test are valid"))
    }

    #[test]
    fn a_purpose_is_told_from_the_head() {
        assert_eq!(of(Method::GET, "/?op=inc", "sec-fetch-site", "same-origin"), Purpose::Visit);
        assert_eq!(of(Method::HEAD, "/", "accept", "*/*"), Purpose::Question);
        assert_eq!(of(Method::GET, "/", "sec-purpose", "prefetch;prerender"), Purpose::Prefetch);
        assert_eq!(of(Method::GET, "/", "sec-fetch-dest", "image"), Purpose::Part);
        assert_eq!(of(Method::GET, "/favicon.ico", "accept", "*/*"), Purpose::Part);
        assert_eq!(of(Method::GET, "/", "user-agent", "Mozilla/5.0 Googlebot/2.1"), Purpose::Crawler);
        assert_eq!(of(Method::GET, "/", "sec-fetch-site", "cross-site"), Purpose::CrossSite);
    }
}
