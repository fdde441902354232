//! A response as a browser keeps it: how it was asked for, what came, what a visitor sees and filled in.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::navigation::Navigation;
use super::place::short;
use super::referrer::{Policy, Referrer};
use crate::document::Document;
use crate::document::parse::parse;

/// Lines of a page that a report shows.
const LINES: usize = 40;

#[derive(Debug)]
pub(super) struct Page {
    /// What to do to get it again.
    pub(super) navigation: Navigation,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) html: String,
    pub(super) document: Document,
}

impl Page {
    pub(super) fn new(navigation: Navigation, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        let html = String::from_utf8_lossy(&body).into_owned();
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let document =
            if kind.is_none_or(|kind| kind.contains("html")) { parse(&html) } else { Document::plain(&html) };
        Page { navigation, status, headers, body, html, document }
    }

    pub(super) fn url(&self) -> &str {
        &self.navigation.url
    }

    /// Whether browsers keep nothing of it.
    pub(super) fn is_not_stored(&self) -> bool {
        let fields =
            self.headers.get_all(header::CACHE_CONTROL).iter().filter_map(|field| field.to_str().ok());
        let mut words = fields.flat_map(|field| field.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case("no-store"))
    }

    /// What its links and forms tell of it.
    pub(super) fn referrer(&self) -> Referrer {
        Referrer::Own {
            url: self.url().to_owned(),
            policy: Policy::of(&self.headers, &self.document.referrer),
        }
    }

    /// What it is called in a report: `GET /?_t=…`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.navigation.method, short(self.url()))
    }

    /// What it says, for a report: links, buttons and fields marked, some of a long page.
    pub(super) fn sketch(&self) -> String {
        let lines = self.document.sketch();
        let left_out = lines.len().saturating_sub(LINES);
        let mut sketch: String = lines.iter().take(LINES).map(|line| format!("    {line}\n")).collect();
        if lines.is_empty() {
            sketch.push_str("    (nothing)\n");
        }
        if left_out > 0 {
            sketch.push_str(&format!("    … and {left_out} lines more\n"));
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use super::super::navigation::Source;
    use super::*;

    fn page(kind: &'static str, body: &str) -> Page {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))]);
        let navigation = Navigation::get("/a?x=1".into(), Source::Typed);
        Page::new(navigation, StatusCode::OK, headers, Bytes::from(body.to_owned()))
    }

    #[test]
    fn only_html_is_read_as_html() {
        assert_eq!(page("text/html; charset=utf-8", "<b>x</b>").document.text(), "x");
        assert_eq!(page("text/plain", "<b>x</b>").document.text(), "<b>x</b>");
        assert_eq!(page("application/json", "{\"a\": 1}").document.text(), "{\"a\": 1}");
    }

    #[test]
    fn a_sketch_is_short_and_says_so() {
        assert_eq!(page("text/plain", "").sketch(), "    (nothing)\n");
        let long = page("text/plain", &"line\n".repeat(LINES + 2)).sketch();
        assert_eq!(long.lines().count(), LINES + 1);
        assert!(long.ends_with("    … and 2 lines more\n"));
        assert_eq!(page("text/plain", "").name(), "GET /a?x=1");
    }
}
