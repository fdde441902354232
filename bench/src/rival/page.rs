//! The counter as every rival shows it: the page, its headers, the cookie and the id in it.
//!
//! It leaves out the question before going negative: the bench only ever follows `++`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use hyper::http::response::Builder;

/// What names a session: 128 bits from the operating system.
pub type Id = [u8; 16];

/// The name of the cookie that carries an [`Id`].
pub const COOKIE_NAME: &str = "sid";

/// What the visitor wants done to the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Add one.
    Inc,
    /// Take one away.
    Dec,
}

impl Op {
    /// The operation a query such as `op=inc` asks for.
    pub fn from_query(query: Option<&str>) -> Option<Self> {
        let asked = query?.split('&').find_map(|pair| pair.strip_prefix("op="))?;
        match asked {
            "inc" => Some(Self::Inc),
            "dec" => Some(Self::Dec),
            _ => None,
        }
    }

    /// The count after this operation.
    pub fn apply(self, count: i64) -> i64 {
        match self {
            Self::Inc => count + 1,
            Self::Dec => count - 1,
        }
    }
}

/// The page of a counter, with plain links.
pub fn text(count: i64) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Counter</title></head><body>\
         <h1>Count: {count}</h1><a href=\"?op=inc\">++</a> <a href=\"?op=dec\">--</a></body></html>"
    )
}

/// A response with the headers that every page of the bench has.
pub fn response() -> Builder {
    Response::builder()
        .header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .header(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))
        .header("x-content-type-options", HeaderValue::from_static("nosniff"))
}

/// The counter page as a response; with `Set-Cookie` for a session that has just begun.
pub fn counter(text: String, begun: Option<Id>) -> Response<Full<Bytes>> {
    let mut page = response();
    if let Some(id) = begun {
        page = page.header(SET_COOKIE, set_cookie(id));
    }
    page.body(Full::from(text)).expect("all headers are valid: they are constants and hex digits")
}

/// A fresh id, from the generator that the library uses.
pub fn fresh_id() -> Id {
    let mut id = Id::default();
    getrandom::fill(&mut id).expect("Linux gives random bytes once it is up");
    id
}

/// The id in the request's session cookie, if it carries a well-formed one.
pub fn id_of(headers: &HeaderMap) -> Option<Id> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let value = cookies.split("; ").find_map(|pair| pair.strip_prefix(COOKIE_NAME)?.strip_prefix('='))?;
    u128::from_str_radix(value, 16).ok().filter(|_| value.len() == 32).map(u128::to_be_bytes)
}

fn set_cookie(id: Id) -> HeaderValue {
    let cookie = format!("{COOKIE_NAME}={:032x}; Path=/; HttpOnly; SameSite=Lax", u128::from_be_bytes(id));
    HeaderValue::try_from(cookie).expect("a cookie of hex digits is a valid header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_cookie() {
        let id = fresh_id();
        let set = set_cookie(id);
        let pair = set.to_str().expect("ascii").split(';').next().expect("a first part").to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::try_from(format!("a=b; {pair}")).expect("ascii"));
        assert_eq!(id_of(&headers), Some(id));
        headers.insert(COOKIE, HeaderValue::from_static("sid=short"));
        assert_eq!(id_of(&headers), None);
    }

    #[test]
    fn the_query_says_what_to_do() {
        assert_eq!(Op::from_query(Some("a=1&op=dec")), Some(Op::Dec));
        assert_eq!(Op::from_query(Some("op=no")), None);
        assert_eq!(Op::from_query(None), None);
    }
}
