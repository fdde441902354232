//! Cookies, ids and what proxies say, whatever comes.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request, header};

use super::forwarded::{Forwarded, Proxies};
use super::identify::{Identity, Map, Mapper};
use super::key::{Keys, WIRE};
use crate::chance::Chance;
use crate::hit::{Hit, Via};
use crate::reply::Back;

/// `Cookie` fields, one a line: what is claimed stands in them as a cookie of the name, and what verifies was signed.
pub(crate) fn cookie(bytes: &[u8]) {
    let values = lines(bytes).map(|line| HeaderValue::from_bytes(line.trim_ascii()));
    let fields: Vec<_> = values.filter_map(Result::ok).collect();
    let mut request = Request::get("/");
    for field in &fields {
        request = request.header(header::COOKIE, field);
    }
    let Ok(request) = request.body(Bytes::new()) else { return };
    let (parts, body) = request.into_parts();
    let hit = Hit::new(parts, body, Via::default(), Back::nowhere());
    // A key that anybody knows, so that some in the corpus are right.
    let keys = Keys::new(&[vec![7; 32].into()], None, &Chance::default());
    let mut identity = Identity::new("sid", keys.labels());
    Map::by_cookie().identify(&hit, &mut identity);
    // A field of just the right length is taken for one id at first sight; with a `;` in it, it verifies for nobody.
    let claims: Vec<&[u8]> = identity.claims().filter(|claim| !claim.contains(&b';')).collect();
    let there: Vec<&[u8]> =
        fields.iter().flat_map(|field| ids(field.as_bytes())).take(claims.len() + 1).collect();
    assert!(claims.len() <= 4 && there.starts_with(&claims), "{claims:?} are claimed of {there:?}");
    assert!(claims.len() == 4 || there.len() == claims.len(), "an id is not seen: {there:?}");
    for claim in claims {
        let Some(id) = keys.verify(claim) else { continue };
        assert!(keys.sign(id).as_bytes().eq_ignore_ascii_case(claim), "it was signed by us");
        assert!(
            Keys::new(&[vec![8; 32].into()], None, &Chance::default()).verify(claim).is_none(),
            "another key signed it"
        );
    }
}

/// The values of a field's cookies that could be ids, read as slowly as one can.
fn ids(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let cookies = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let named = cookies.filter_map(|cookie| {
        let sign = cookie.iter().position(|byte| *byte == b'=')?;
        (&cookie[..sign] == b"sid").then(|| &cookie[sign + 1..])
    });
    named.filter(|value| value.len() == WIRE)
}

/// Fields with their names, one a line: a stranger is not believed, and of a list only what proxies wrote.
pub(crate) fn forwarded(bytes: &[u8]) {
    let headers: HeaderMap = lines(bytes).filter_map(field).collect();
    let network = ["10.0.0.0/8".to_owned(), "::1".to_owned()];
    let proxies = Proxies::new(&network).expect("networks").expect("two");
    let (stranger, proxy) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([10, 0, 0, 1], 1)));
    assert_eq!(proxies.read(&stranger.into(), &headers), None);
    let read = |headers: &HeaderMap| proxies.read(&proxy.into(), headers).expect("it is trusted");
    let said = read(&headers);
    let graphic = |host: &String| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(said.host.as_ref().is_none_or(graphic), "{said:?}");
    if headers.is_empty() {
        assert_eq!(said, Forwarded { client: Some(proxy), doubtful: false, https: false, host: None });
    }
    if !proxies.trusts(said.client.expect("somebody").ip()) {
        what_stands_before_the_client_changes_nothing(&headers, &said, &read);
    }
    what_the_proxy_writes_last_counts(&headers, &read);
}

/// Beginnings of lists as clients may send them.
const BEFORE: [&str; 6] = [
    "203.0.113.9, ",
    "for=203.0.113.9;proto=https;host=evil.test, ",
    "\"x, ",
    "x\\\", ",
    "for=\"[2001:db8::9]:1\", 10.0.0.3, ",
    "\u{fc}, ;,",
];

fn what_stands_before_the_client_changes_nothing(
    headers: &HeaderMap,
    said: &Forwarded,
    read: &dyn Fn(&HeaderMap) -> Forwarded,
) {
    for before in BEFORE {
        let mut longer = headers.clone();
        for name in ["forwarded", "x-forwarded-for"] {
            if let Some(first) = longer.get_mut(name) {
                let value = [before.as_bytes(), first.as_bytes()].concat();
                *first = HeaderValue::from_bytes(&value).expect("both were values");
            }
        }
        assert_eq!(&read(&longer), said, "behind {before:?}");
    }
}

fn what_the_proxy_writes_last_counts(headers: &HeaderMap, read: &dyn Fn(&HeaderMap) -> Forwarded) {
    let client = IpAddr::from([192, 0, 2, 77]);
    for (name, own) in
        [("forwarded", "for=192.0.2.77;proto=https;host=a.test"), ("x-forwarded-for", "192.0.2.77")]
    {
        let mut apart = headers.clone();
        if name != "forwarded" {
            apart.remove(header::FORWARDED);
        }
        let mut joined = apart.clone();
        apart.append(name, HeaderValue::from_static(own));
        assert_eq!(read(&apart).client.expect("somebody").ip(), client, "{name} in a field of its own");
        // A proxy that adds to a field adds to the last.
        let fields: Vec<_> = joined.get_all(name).iter().cloned().collect();
        joined.remove(name);
        let (last, others) = match fields.split_last() {
            Some((last, others)) => ([last.as_bytes(), b", ", own.as_bytes()].concat(), others),
            None => (own.as_bytes().to_vec(), &[][..]),
        };
        let name = HeaderName::from_static(name);
        joined.extend(others.iter().map(|field| (name.clone(), field.clone())));
        joined.append(name, HeaderValue::from_bytes(&last).expect("both were values"));
        let said = read(&joined);
        assert_eq!(said.client.expect("somebody").ip(), client, "added to the last field");
        if own.contains("proto") {
            assert_eq!((said.https, said.host.as_deref()), (true, Some("a.test")));
        }
    }
}

/// A line of a head.
fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}
