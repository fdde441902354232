//! What a hit is for: only a visit resumes, starts or prolongs a session.

use bytes::Bytes;
use http::{Method, StatusCode, header};

use crate::engine::Core;
use crate::hit::Hit;

/// What a hit is for. Decided by [`Purpose::of`], or by your own predicate: [`Flow::purpose`](crate::Flow::purpose).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A person, or a program on their behalf: goes to its session.
    Visit,
    /// A known crawler: gets the first page of a session that is not kept. Who brings an id that this server has given them
    /// is none, and their hit is a visit.
    Crawl,
    /// Only the head: status and headers of an empty page.
    Head,
    /// What methods there are: 204 with `Allow`.
    Options,
    /// A browser that fetches ahead: 503.
    Prefetch,
    /// Something a browser fetches by itself (an image, `/favicon.ico`, `/robots.txt`): 404 unless a file is found.
    Asset,
    /// A method no session takes (TRACE, CONNECT): 405.
    Refused,
}

/// The methods there are.
pub(crate) const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

impl Purpose {
    /// The purpose of a hit by its method, path and what the browser says.
    pub fn of(hit: &Hit) -> Purpose {
        match *hit.method() {
            Method::HEAD => return Purpose::Head,
            Method::OPTIONS => return Purpose::Options,
            Method::TRACE | Method::CONNECT => return Purpose::Refused,
            _ => {}
        }
        let path = hit.full_path();
        if path == "/favicon.ico" || path == "/robots.txt" || path.starts_with("/.well-known/") {
            return Purpose::Asset;
        }
        let signs = hit.signs();
        match (signs.part, signs.prefetch, signs.crawler) {
            (true, _, _) => Purpose::Asset,
            (_, true, _) => Purpose::Prefetch,
            (_, _, true) => Purpose::Crawl,
            _ => Purpose::Visit,
        }
    }
}

impl Core {
    /// Answers a hit that goes to no session.
    #[inline(never)]
    pub(crate) fn answer_aside(&self, mut hit: Box<Hit>, purpose: Purpose) {
        match purpose {
            Purpose::Options => {
                hit.reply.status = StatusCode::NO_CONTENT;
                hit.reply.rare().headers.insert(header::ALLOW, ALLOW.parse().expect("method names"));
                hit.reply.rare().raw = Some(Bytes::new().into());
                self.finish(hit);
            }
            Purpose::Head => {
                hit.reply.rare().raw = Some(Bytes::new().into());
                self.finish(hit);
            }
            Purpose::Prefetch => {
                self.refuse(hit, StatusCode::SERVICE_UNAVAILABLE, "Pages are not made ahead.")
            }
            Purpose::Refused => {
                hit.reply.rare().headers.insert(header::ALLOW, ALLOW.parse().expect("method names"));
                self.refuse(hit, StatusCode::METHOD_NOT_ALLOWED, "There is no such method here.");
            }
            Purpose::Asset | Purpose::Visit | Purpose::Crawl => {
                self.refuse(hit, StatusCode::NOT_FOUND, "There is nothing here.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    fn of(method: Method, path: &str, fields: &[(&str, &str)]) -> Purpose {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Bytes::new()).expect("a request").into_parts();
        Purpose::of(&Hit::new(parts, body, Via::default(), Back::nowhere()))
    }

    #[test]
    fn only_visits_are_visits() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        for (method, path, field, purpose) in [
            (Method::GET, "/", ("user-agent", firefox), Purpose::Visit),
            (Method::POST, "/x?y=1", ("sec-fetch-dest", "document"), Purpose::Visit),
            (Method::GET, "/", ("sec-fetch-dest", "empty"), Purpose::Visit),
            (Method::HEAD, "/", ("user-agent", firefox), Purpose::Head),
            (Method::OPTIONS, "/", ("user-agent", firefox), Purpose::Options),
            (Method::TRACE, "/", ("user-agent", firefox), Purpose::Refused),
            (Method::GET, "/favicon.ico", ("user-agent", firefox), Purpose::Asset),
            (Method::GET, "/robots.txt", ("user-agent", firefox), Purpose::Asset),
            (Method::GET, "/.well-known/x", ("user-agent", firefox), Purpose::Asset),
            (Method::GET, "/a.png", ("sec-fetch-dest", "image"), Purpose::Asset),
            (Method::GET, "/", ("sec-purpose", "prefetch;prerender"), Purpose::Prefetch),
            (Method::GET, "/", ("purpose", "prefetch"), Purpose::Prefetch),
            (Method::GET, "/", ("x-moz", "prefetch"), Purpose::Prefetch),
            (Method::GET, "/", ("user-agent", google), Purpose::Crawl),
            (Method::GET, "/", ("user-agent", "Baiduspider"), Purpose::Crawl),
        ] {
            assert_eq!(of(method.clone(), path, &[field]), purpose, "{method} {path} {field:?}");
        }
    }
}
