//! One request of a browser, with all it says: typed, from a link, from a form, sent on by a redirect, or repeated.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::cookies::Asker;
use super::place::Place;
use super::referrer::Referrer;
use crate::document::Document;
use crate::document::form::{Entry, urlencoded, with_crlf};
use crate::document::url::with_query;

/// What every navigation says, as Firefox does.
const ALWAYS: [(&str, &str); 3] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en"),
];
/// What it says where browsers trust the way.
const TRUSTING: [(&str, &str); 3] =
    [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-fetch-user", "?1")];
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// What stands between the parts of a multipart body: long enough to be in no test's data.
const BOUNDARY: &str = "----continuity-test-kit-2f6a1c98e07b";

#[derive(Debug, Clone)]
pub(super) struct Navigation {
    pub(super) method: Method,
    /// Path and query.
    pub(super) url: String,
    /// What it says by itself, beside where it comes from.
    headers: HeaderMap,
    pub(super) body: Bytes,
    source: Source,
    /// Whether to go where a redirect sends it.
    follow: bool,
}

/// Who makes the browser go somewhere.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The address bar.
    Typed,
    /// A page: one of this server, or of another site.
    Page(Referrer),
    /// The test: nothing is said that does not stand in the request.
    Test,
    /// No browser at all.
    Server,
}

impl Navigation {
    pub(super) fn get(url: String, source: Source) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Navigation { method: Method::GET, url, headers, body, source, follow: true }
    }

    pub(super) fn post(url: String, fields: &[(&str, &str)], source: Source) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::with_body(url, URLENCODED, body.into(), source)
    }

    /// A request just as it is, but for its host. Its redirects are not followed.
    pub(super) fn raw(request: Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let url = parts.uri.path_and_query().map_or("/", |url| url.as_str()).to_owned();
        let (method, headers) = (parts.method, parts.headers);
        Navigation { method, url, headers, body, source: Source::Test, follow: false }
    }

    /// A form that a server sends: nothing of what browsers say goes along, and no cookie.
    pub(super) fn by_server(url: String, fields: &[(&str, &str)]) -> Self {
        Navigation { follow: false, ..Self::post(url, fields, Source::Server) }
    }

    /// What sending a form of the page at `base` asks for. `None` if it leads away.
    pub(super) fn submit(
        here: &Place,
        base: &str,
        page: &Document,
        form: usize,
        button: Option<usize>,
        source: Source,
    ) -> Option<Self> {
        let (entries, (action, posted)) = (page.entries(form, button), page.goal(form, button));
        let url = here.resolve(base, action)?;
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
    pub(super) fn redirected(&self, here: &Place, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let again = matches!(status.as_u16(), 307 | 308);
        if !self.follow || !again && !matches!(status.as_u16(), 301..=303) {
            return None;
        }
        let location = headers.get(header::LOCATION)?.to_str().ok()?;
        let mut next = Navigation { url: here.resolve(&self.url, location)?, ..self.clone() };
        let posted = self.method == Method::POST || status == StatusCode::SEE_OTHER;
        if !again && posted && self.method != Method::HEAD {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(header::CONTENT_TYPE);
        }
        Some(next)
    }

    /// Which cookies go along.
    pub(super) fn asker(&self) -> Asker {
        match &self.source {
            Source::Server => Asker::Server,
            Source::Page(Referrer::Foreign { .. }) if self.method.is_safe() => Asker::OtherSite,
            Source::Page(Referrer::Foreign { .. }) => Asker::OtherSitePosting,
            _ => Asker::OwnPage,
        }
    }

    /// All header fields but the cookies.
    pub(super) fn fields(&self, here: &Place) -> HeaderMap {
        let mut fields = self.headers.clone();
        if !fields.contains_key(header::HOST) {
            say(&mut fields, header::HOST, here.host());
        }
        let site = match &self.source {
            Source::Test | Source::Server => return fields,
            Source::Typed => "none",
            Source::Page(Referrer::Own { .. }) => "same-origin",
            Source::Page(Referrer::Foreign { .. }) => "cross-site",
        };
        let trusting = TRUSTING.into_iter().chain([("sec-fetch-site", site)]);
        for (name, value) in ALWAYS.into_iter().chain(trusting.filter(|_| here.is_trustworthy())) {
            say(&mut fields, HeaderName::from_static(name), value);
        }
        if let Source::Page(page) = &self.source {
            page.referer(here).into_iter().for_each(|page| say(&mut fields, header::REFERER, &page));
            if !self.method.is_safe() {
                say(&mut fields, header::ORIGIN, &page.origin(here));
            }
        }
        fields
    }

    fn with_body(url: String, content_type: &str, body: Bytes, source: Source) -> Self {
        let mut navigation = Self::get(url, source);
        navigation.method = Method::POST;
        say(&mut navigation.headers, header::CONTENT_TYPE, content_type);
        navigation.body = body;
        navigation
    }
}

fn say(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::try_from(value).expect("made of constants, or checked when it was given");
    fields.insert(name, value);
}

fn multipart(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let mut head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name={}",
            quoted(&with_crlf(&entry.name))
        );
        if entry.file.is_some() {
            let file = quoted(&entry.value);
            head.push_str(&format!("; filename={file}\r\nContent-Type: application/octet-stream"));
        }
        let text = with_crlf(&entry.value);
        let content = entry.file.as_deref().unwrap_or(text.as_bytes());
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
    use super::super::referrer::Policy;
    use super::*;
    use crate::document::parse::parse;

    fn own(policy: Policy) -> Source {
        Source::Page(Referrer::Own { url: "/a/b?x=1".into(), policy })
    }

    fn submit(html: &str, button: Option<usize>) -> Option<Navigation> {
        let (here, page) = (Place::default(), parse(html));
        Navigation::submit(&here, "/a/b?x=1", &page, 0, button, own(Policy::default()))
    }

    fn said(navigation: &Navigation, here: &Place, name: &str) -> String {
        let fields = navigation.fields(here);
        fields.get(name).map_or("", |field| field.to_str().expect("text")).to_owned()
    }

    fn body(navigation: &Navigation) -> &str {
        std::str::from_utf8(&navigation.body).expect("text")
    }

    #[test]
    fn a_get_form_replaces_the_query() {
        let sent = submit("<form action='?y=2'><input name=q value='ä &'></form>", None).expect("here");
        assert_eq!((sent.method.as_str(), &*sent.url), ("GET", "/a/b?q=%C3%A4+%26"));
        assert_eq!(said(&sent, &Place::default(), "origin"), "");
        assert_eq!(said(&sent, &Place::default(), "referer"), "http://localhost/a/b?x=1");
    }

    #[test]
    fn a_post_form_keeps_it_and_has_a_body() {
        let sent = submit("<form method=POST><input name=q value='1 2'></form>", None).expect("here");
        assert_eq!((sent.method.as_str(), &*sent.url, body(&sent)), ("POST", "/a/b?x=1", "q=1+2"));
        assert_eq!(sent.headers["content-type"], URLENCODED);
        assert_eq!(said(&sent, &Place::default(), "origin"), "http://localhost");
        assert_eq!(said(&sent, &Place::default(), "sec-fetch-site"), "same-origin");
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
            let status = StatusCode::from_u16(status).expect("one");
            let next = navigation.redirected(&Place::default(), status, &headers)?;
            Some(format!("{} {} {}", next.method, next.url, body(&next)))
        };
        let post = Navigation::post("/a/b".into(), &[("x", "1")], own(Policy::default()));
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
    fn where_it_comes_from_is_said_as_far_as_browsers_do() {
        let told = |here: &str, source: Source| {
            let here = Place::read(here).expect("an origin");
            let post = Navigation::post("/".into(), &[], source);
            ["sec-fetch-site", "origin", "referer"].map(|name| said(&post, &here, name))
        };
        let foreign = |origin: &str| Source::Page(Referrer::Foreign { origin: origin.into() });
        let (shop, plain) = ("https://shop.test", "http://shop.test");
        assert_eq!(told(shop, own(Policy::default())), ["same-origin", shop, "https://shop.test/a/b?x=1"]);
        assert_eq!(told(plain, own(Policy::default())), ["", plain, "http://shop.test/a/b?x=1"]);
        assert_eq!(told(plain, own(Policy::NoReferrer)), ["", "null", ""]);
        assert_eq!(
            told(shop, foreign("https://pay.test")),
            ["cross-site", "https://pay.test", "https://pay.test/"]
        );
        assert_eq!(told(plain, foreign("https://pay.test")), ["", "null", ""]);
        assert_eq!(told(plain, foreign("http://pay.test")), ["", "http://pay.test", "http://pay.test/"]);
        assert_eq!(told(shop, Source::Server), ["", "", ""]);
    }

    #[test]
    fn line_ends_are_sent_as_browsers_send_them() {
        let html = "<form method=post><textarea name=a>\n\n1\n2</textarea><input type=hidden name=h value='3\n4'>\
            <input name=l value='5\n6'></form>";
        let sent = submit(html, None).expect("here");
        assert_eq!(body(&sent), "a=%0D%0A1%0D%0A2&h=3%0D%0A4&l=56", "the first line feed is the markup's");
        let sent = submit(&html.replace("post", "post enctype=multipart/form-data"), None).expect("here");
        assert!(body(&sent).contains("\r\n\r\n\r\n1\r\n2\r\n--"), "{}", body(&sent));
        assert!(body(&sent).contains("\r\n\r\n3\r\n4\r\n--"), "{}", body(&sent));
    }
}
