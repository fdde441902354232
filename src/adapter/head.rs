//! What adapters check of a request's head before anybody else sees it, once for all that do not read HTTP/1.1 themselves.
//!
//! After it a request is as one of HTTP/1.1: one `Host` at most, one `Cookie`, a path as its target.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};

use super::fault::{self, Fault};
use super::host;
use crate::body::Body;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::mapper::purpose::ALLOW;

/// TRACE would show a script what the browser hides from it, and CONNECT asks for a tunnel.
const METHOD: Fault = Fault { status: 405, says: "There is no such method here." };

/// Makes the head what sessions get to see, or says what is wrong with it.
pub(crate) fn admit(head: &mut Parts, limits: &Limits) -> Result<(), Fault> {
    if matches!(head.method, Method::TRACE | Method::CONNECT) {
        return Err(METHOD);
    }
    if head.headers.len() > limits.headers {
        return Err(fault::MANY_FIELDS);
    }
    if bytes(head) > limits.head {
        return Err(fault::LARGE_HEAD);
    }
    head.headers.values().all(is_trim).then_some(()).ok_or(fault::FIELD)?;
    check_fields(&head.headers)?;
    name_host(head)?;
    head.uri = path_of(head)?;
    join_cookies(&mut head.headers);
    Ok(())
}

/// What the head would take in HTTP/1.1, nearly.
fn bytes(head: &Parts) -> usize {
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    head.uri.path().len() + head.uri.query().map_or(0, str::len) + fields.sum::<usize>()
}

/// The page for whom that says what is wrong.
#[cold]
pub(crate) fn refuse(engine: &Engine, fault: Fault) -> Response<Body> {
    let status = StatusCode::from_u16(fault.status).expect("a fault's status is one");
    let mut refusal = engine.refusal(status, fault.says);
    let headers = refusal.headers_mut();
    match fault.status {
        405 => drop(headers.insert(header::ALLOW, HeaderValue::from_static(ALLOW))),
        503 => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"))),
        _ => {}
    }
    refusal
}

/// Whether a value neither begins nor ends with a space or tab (RFC 9113 8.2.1).
fn is_trim(value: &HeaderValue) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !blank(value.as_bytes().first()) && !blank(value.as_bytes().last())
}

/// Fields that must not be there twice, or with other values.
fn check_fields(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(fault::LENGTH);
    }
    let met = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    headers.get_all(header::EXPECT).iter().all(met).then_some(()).ok_or(fault::EXPECTATION)
}

/// Makes the target's host, which is `:authority` in HTTP/2, the one `Host`; if there are both they must say the same
/// (RFC 9113 8.3.1).
fn name_host(head: &mut Parts) -> Result<(), Fault> {
    let mut named = head.headers.get_all(header::HOST).iter();
    let (first, second) = (named.next(), named.next());
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    let same = |host: &HeaderValue| authority.is_none_or(|named| host.as_bytes().eq_ignore_ascii_case(named));
    if second.is_some() || !first.is_none_or(same) {
        return Err(fault::HOST);
    }
    let Some(host) = authority.or(first.map(HeaderValue::as_bytes)) else { return Ok(()) };
    let host = Some(host).filter(|host| host::is_host(host)).ok_or(fault::HOST)?;
    let host = HeaderValue::from_bytes(host).map_err(|_| fault::HOST)?;
    head.headers.insert(header::HOST, host);
    Ok(())
}

/// The target without scheme and host, as in HTTP/1.1.
fn path_of(head: &Parts) -> Result<Uri, Fault> {
    let path = head.uri.path_and_query().ok_or(fault::TARGET)?;
    let fits = path.as_str().starts_with('/') || path.as_str() == "*" && head.method == Method::OPTIONS;
    let is_plain = path.as_str().is_ascii();
    if fits && is_plain { Ok(Uri::from(path.clone())) } else { Err(fault::TARGET) }
}

/// Clients may send each cookie as a field of its own (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    headers.insert(header::COOKIE, joined.expect("what is made of values is one"));
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str, fields: &[(&'static str, &'static str)]) -> Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.uri = uri.parse().expect("a URI");
        for (name, value) in fields {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        head
    }

    #[test]
    fn r30_authority_and_host_name_one_host() {
        for (uri, hosts, named) in [
            ("http://a:1/", &[][..], Some("a:1")),
            ("http://a:1/", &["A:1"], Some("a:1")),
            ("/", &["b"], Some("b")),
            ("http://a/", &["b"], None),
            ("http://a/", &["a", "a"], None),
            ("http://u@a/", &[], None),
            ("/", &["a/b"], None),
            ("/", &[""], None),
            ("/", &[], None),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let mut head = head(uri, &fields);
            let checked =
                name_host(&mut head).ok().and_then(|()| head.headers.get(header::HOST)?.to_str().ok());
            assert_eq!(checked, named, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn r30_values_neither_begin_nor_end_with_a_space() {
        let trim = |value: &'static str| is_trim(&HeaderValue::from_static(value));
        assert!(trim("") && trim("a b") && trim("a"));
        assert!(!trim(" a") && !trim("a ") && !trim("\ta") && !trim("a\t") && !trim(" "));
    }

    #[test]
    fn r30_the_target_is_a_path() {
        let path = |uri: &str| path_of(&head(uri, &[])).ok().map(|uri| uri.to_string());
        assert_eq!(path("http://a/b?c").as_deref(), Some("/b?c"));
        assert_eq!(path("*"), None);
    }

    #[test]
    fn r32_cookie_crumbs_become_one_field() {
        let mut headers = head("/", &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3")]).headers;
        join_cookies(&mut headers);
        let cookies: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }
}
