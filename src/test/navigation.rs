//! One request of a browser, with all it says: typed, from a link, from a form, sent on by a redirect, or repeated.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::cookies::Asker;
use super::url::{self, HOST, ORIGIN};
use crate::document::Document;
use crate::document::form::{Entry, urlencoded};
use crate::document::url::with_query;

/// What every navigation says, as Firefox does.
const ALWAYS: [(&str, &str); 7] = [
    ("host", HOST),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-user", "?1"),
];
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// What stands between the parts of a multipart body: long enough to be in no test's data.
const BOUNDARY: &str = "----continuity-test-kit-2f6a1c98e07b";

#[derive(Debug, Clone)]
pub(super) struct Navigation {
    pub(super) method: Method,
    /// Path and query.
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) asker: Asker,
    /// Whether to go where a redirect sends it.
    follow: bool,
}

/// Who makes the browser go somewhere.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The address bar.
    Typed,
    OwnPage,
    /// A page of another origin.
    Elsewhere(String),
}

impl Navigation {
    pub(super) fn get(url: String, source: &Source) -> Self {
        Self::new(Method::GET, url, source)
    }

    pub(super) fn post(url: String, fields: &[(&str, &str)], source: &Source) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::with_body(url, URLENCODED, body.into(), source)
    }

    /// A request just as it is, but for its host. Its redirects are not followed.
    pub(super) fn raw(request: Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let url = parts.uri.path_and_query().map_or("/", |url| url.as_str()).to_owned();
        let mut headers = parts.headers;
        headers.entry(header::HOST).or_insert(HeaderValue::from_static(HOST));
        Navigation { method: parts.method, url, headers, body, asker: Asker::OwnPage, follow: false }
    }

    /// A form that a server sends: nothing of what browsers say goes along, and no cookie.
    pub(super) fn by_server(url: String, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(url).header(header::CONTENT_TYPE, URLENCODED).body(body.into());
        let mut navigation = Self::raw(request.expect("a URL that was resolved"));
        navigation.asker = Asker::Server;
        navigation
    }

    /// What sending a form of the page at `base` asks for. `None` if it leads away.
    pub(super) fn submit(
        base: &str,
        page: &Document,
        form: usize,
        button: Option<usize>,
        source: &Source,
    ) -> Option<Self> {
        let (entries, (action, posted)) = (page.entries(form, button), page.goal(form, button));
        let url = url::resolve(base, action)?;
        if !posted {
            return Some(Self::get(with_query(&url, &urlencoded(&entries)), source));
        }
        Some(if page.forms[form].enctype == "multipart/form-data" {
            let kind = format!("multipart/form-data; boundary={BOUNDARY}");
            Self::with_body(url, &kind, multipart(&entries).into(), source)
        } else {
            Self::with_body(url, URLENCODED, urlencoded(&entries).into(), source)
        })
    }

    /// Where a response sends the browser on to. `None` if it does not, or leads away.
    pub(super) fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let again = matches!(status.as_u16(), 307 | 308);
        if !self.follow || !again && !matches!(status.as_u16(), 301..=303) {
            return None;
        }
        let location = headers.get(header::LOCATION)?.to_str().ok()?;
        let mut next = Navigation { url: url::resolve(&self.url, location)?, ..self.clone() };
        let posted = self.method == Method::POST || status == StatusCode::SEE_OTHER;
        if !again && posted && self.method != Method::HEAD {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(header::CONTENT_TYPE);
            next.headers.remove(header::ORIGIN);
        }
        if next.asker == Asker::OtherSitePosting && next.method.is_safe() {
            next.asker = Asker::OtherSite;
        }
        Some(next)
    }

    fn with_body(url: String, content_type: &str, body: Bytes, source: &Source) -> Self {
        let mut navigation = Self::new(Method::POST, url, source);
        navigation.say(header::CONTENT_TYPE, content_type);
        navigation.body = body;
        let origin = match source {
            Source::Elsewhere(origin) => origin,
            Source::Typed | Source::OwnPage => ORIGIN,
        };
        navigation.say(header::ORIGIN, origin);
        navigation
    }

    fn new(method: Method, url: String, source: &Source) -> Self {
        let (site, asker) = match source {
            Source::Typed => ("none", Asker::OwnPage),
            Source::OwnPage => ("same-origin", Asker::OwnPage),
            Source::Elsewhere(_) if method.is_safe() => ("cross-site", Asker::OtherSite),
            Source::Elsewhere(_) => ("cross-site", Asker::OtherSitePosting),
        };
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let mut navigation = Navigation { method, url, headers, body, asker, follow: true };
        for (name, value) in ALWAYS {
            navigation.say(HeaderName::from_static(name), value);
        }
        navigation.say(HeaderName::from_static("sec-fetch-site"), site);
        navigation
    }

    fn say(&mut self, name: HeaderName, value: &str) {
        let value = HeaderValue::try_from(value).expect("made of constants, or checked when it was given");
        self.headers.insert(name, value);
    }
}

fn multipart(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let mut head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name={}", quoted(&entry.name));
        if entry.file.is_some() {
            let file = quoted(&entry.value);
            head.push_str(&format!("; filename={file}\r\nContent-Type: application/octet-stream"));
        }
        let content = entry.file.as_deref().unwrap_or(entry.value.as_bytes());
        body.extend_from_slice(&[head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat());
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// A name between quotes, what would end it encoded as browsers do.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse::parse;

    fn submit(html: &str, button: Option<usize>) -> Option<Navigation> {
        let page = parse(html);
        Navigation::submit("/a/b?x=1", &page, 0, button, &Source::OwnPage)
    }

    fn body(navigation: &Navigation) -> &str {
        std::str::from_utf8(&navigation.body).expect("text")
    }

    #[test]
    fn a_get_form_replaces_the_query() {
        let sent = submit("<form action='?y=2'><input name=q value='ä &'></form>", None).expect("here");
        assert_eq!((sent.method.as_str(), &*sent.url), ("GET", "/a/b?q=%C3%A4+%26"));
        assert!(!sent.headers.contains_key("origin"));
    }

    #[test]
    fn a_post_form_keeps_it_and_has_a_body() {
        let sent = submit("<form method=POST><input name=q value='1 2'></form>", None).expect("here");
        assert_eq!((sent.method.as_str(), &*sent.url, body(&sent)), ("POST", "/a/b?x=1", "q=1+2"));
        assert_eq!(sent.headers["content-type"], URLENCODED);
        assert_eq!(sent.headers["origin"], ORIGIN);
        assert_eq!(sent.headers["sec-fetch-site"], "same-origin");
    }

    #[test]
    fn a_multipart_form_has_parts() {
        let form = "<form method=post enctype=multipart/form-data><input name='a\"' value=1>\
            <input type=file name=f></form>";
        let sent = submit(form, None).expect("here");
        let parts: Vec<_> = body(&sent).split("\r\n").collect();
        let (line, end) = (format!("--{BOUNDARY}"), format!("--{BOUNDARY}--"));
        let text = "Content-Disposition: form-data; name=\"a%22\"";
        let file = "Content-Disposition: form-data; name=\"f\"; filename=\"\"";
        let kind = "Content-Type: application/octet-stream";
        assert_eq!(parts, [&*line, text, "", "1", &*line, file, kind, "", "", &*end, ""]);
    }

    #[test]
    fn a_button_may_know_better_than_its_form() {
        let form = "<form method=post action=/save>\
            <button formaction=/drop formmethod=get name=d value=1>Drop</button></form>";
        let sent = submit(form, Some(0)).expect("here");
        assert_eq!((sent.method.as_str(), &*sent.url), ("GET", "/drop?d=1"));
        assert!(submit("<form action=https://pay.test/></form>", None).is_none());
    }

    #[test]
    fn redirects_keep_or_drop_the_body() {
        let to = |navigation: &Navigation, status: u16| {
            let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static("c?d=1"))]);
            let next = navigation.redirected(StatusCode::from_u16(status).expect("one"), &headers)?;
            Some(format!("{} {} {}", next.method, next.url, body(&next)))
        };
        let post = Navigation::post("/a/b".into(), &[("x", "1")], &Source::OwnPage);
        for status in [301, 302, 303] {
            assert_eq!(to(&post, status).as_deref(), Some("GET /a/c?d=1 "));
        }
        for status in [307, 308] {
            assert_eq!(to(&post, status).as_deref(), Some("POST /a/c?d=1 x=1"));
        }
        for status in [200, 201, 300, 304, 404] {
            assert_eq!(to(&post, status), None);
        }
        let put = Navigation { method: Method::PUT, ..post };
        assert_eq!(to(&put, 302).as_deref(), Some("PUT /a/c?d=1 x=1"));
        assert_eq!(to(&put, 303).as_deref(), Some("GET /a/c?d=1 "));
    }

    #[test]
    fn where_it_comes_from_is_said() {
        let from = |source: Source| {
            let sent = Navigation::post("/".into(), &[], &source);
            let said = |name: &str| sent.headers[name].to_str().expect("text").to_owned();
            (said("sec-fetch-site"), said("origin"))
        };
        assert_eq!(from(Source::Typed), ("none".into(), ORIGIN.into()));
        assert_eq!(from(Source::OwnPage), ("same-origin".into(), ORIGIN.into()));
        let elsewhere = Source::Elsewhere("https://elsewhere.test".into());
        assert_eq!(from(elsewhere), ("cross-site".into(), "https://elsewhere.test".into()));
    }
}
