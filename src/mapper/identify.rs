//! Whose hit it is: the claims and labels of a hit, found by looking at it and at nothing else.

use std::borrow::Cow;

use http::{HeaderValue, header};
use siphasher::sip::SipHasher24;

use super::key::WIRE;
use super::label::Labels;
use crate::hit::Hit;

/// Valid-looking ids that are tried if a client sends several cookies of the name.
const CLAIMS: usize = 4;

/// Decides whose hit it is and which of their sessions it belongs to. Implement it if [`Map`] is not enough.
///
/// Pure: the same hit gives the same identity. It runs on each hit and must not block.
///
/// ```
/// use continuity::{Hit, Identity, Mapper};
///
/// /// Visitors by cookie; each shop (the first segment of the path) has its own session.
/// struct Shops;
///
/// impl Mapper for Shops {
///     fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>) {
///         identity.cookie(hit);
///         identity.label("shop", hit.path().split('/').nth(1).unwrap_or(""));
///     }
/// }
/// ```
pub trait Mapper: Send + Sync + 'static {
    /// Says to `identity` what the hit tells.
    fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>);
}

/// What a hit tells about its session: the visitor it claims, and labels that divide.
pub struct Identity<'h> {
    cookie_name: &'h str,
    /// What hashes labels; `None`: as they were hashed when nothing about it was secret.
    key: Option<&'h SipHasher24>,
    by_cookie: bool,
    /// The one id that is claimed, mostly.
    claim: Option<&'h [u8]>,
    rare: Option<Box<Rare<'h>>>,
}

/// What few flows and few hits tell.
#[derive(Default)]
struct Rare<'h> {
    more_claims: Vec<Cow<'h, [u8]>>,
    named: Option<Cow<'h, [u8]>>,
    labels: Option<Labels>,
    cut: Carried,
}

/// What pages of a session carry on in their links, and what programs are not shown.
#[derive(Debug, Default, Clone)]
pub(crate) struct Cut {
    /// The mapper names the visitor by a value of the hit.
    pub(crate) named: bool,
    /// The mapper reads the server's cookie.
    pub(crate) by_cookie: bool,
    carried: Option<Box<Carried>>,
}

#[derive(Debug, Default, Clone)]
struct Carried {
    visitor_param: Option<String>,
    params: Vec<(String, String)>,
}

impl Cut {
    /// The parameter that names the visitor, where one does.
    pub(crate) fn visitor_param(&self) -> Option<&str> {
        self.carried.as_ref()?.visitor_param.as_deref()
    }

    /// The parameters that links of the page carry on.
    pub(crate) fn params(&self) -> &[(String, String)] {
        self.carried.as_ref().map_or(&[], |carried| &carried.params)
    }

    /// Has links carry the visitor's id, in place of another.
    pub(crate) fn carry_visitor(&mut self, id: String) {
        if let Some(carried) = &mut self.carried
            && let Some(name) = &carried.visitor_param
        {
            carried.params.retain(|(param, _)| param != name);
            carried.params.push((name.clone(), id));
        }
    }
}

impl<'h> Identity<'h> {
    /// With labels that are hashed under this key.
    pub(crate) fn new(cookie_name: &'h str, key: &'h SipHasher24) -> Self {
        Identity { cookie_name, key: Some(key), by_cookie: false, claim: None, rare: None }
    }

    /// With labels as they were when there was no key: journals have sessions of those days.
    pub(crate) fn before(cookie_name: &'h str) -> Self {
        Identity { cookie_name, key: None, by_cookie: false, claim: None, rare: None }
    }

    /// The visitor is whom the server's cookie names. An id we did not issue counts as none.
    pub fn cookie(&mut self, hit: &'h Hit) {
        self.by_cookie = true;
        // Mostly there is one field with one cookie: no need to look for others.
        if let Some(field) = hit.only_cookie_field()
            && let Some(only) = value_of(field.as_bytes(), self.cookie_name)
            && only.len() == WIRE
            && self.claim.is_none()
        {
            self.claim = Some(only);
        } else if hit.has_cookies() {
            self.cookies(hit);
        }
    }

    #[inline(never)]
    fn cookies(&mut self, hit: &'h Hit) {
        for field in hit.headers().get_all(header::COOKIE) {
            values_in(field, self.cookie_name).for_each(|value| self.claim(value.into()));
        }
    }

    /// The visitor is whom this query or form parameter names: for browsers without cookies. Whoever sees the URL
    /// can take the session over; pages are sent with `Referrer-Policy: no-referrer`.
    pub fn param(&mut self, hit: &'h Hit, name: &str) {
        if let Some(value) = hit.param(name) {
            self.claim(match value {
                Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
                Cow::Owned(value) => Cow::Owned(value.into_bytes()),
            });
        }
        self.rare().cut.visitor_param = Some(name.to_owned());
    }

    /// The visitor is whoever sends this value, as it is: only for values that nobody else can send.
    pub fn named(&mut self, value: impl Into<Cow<'h, [u8]>>) {
        self.rare().named = Some(value.into());
    }

    /// Divides the visitor's sessions: hits with another value belong to another session.
    pub fn label(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let key = self.key;
        self.rare().labels.get_or_insert_with(|| Labels::new(key)).add(name.as_bytes(), value.as_ref());
    }

    /// Like [`label`](Self::label) by a query or form parameter, which the session's links carry on.
    pub fn label_param(&mut self, hit: &Hit, name: &str) {
        let value = hit.param(name).unwrap_or_default();
        self.label(name, value.as_bytes());
        if !value.is_empty() {
            self.rare().cut.params.push((name.to_owned(), value.into_owned()));
        }
    }

    fn claim(&mut self, value: Cow<'h, [u8]>) {
        let claims = &mut self.rare().more_claims;
        // What cannot be an id takes no place from what can.
        if value.len() == WIRE && claims.len() < CLAIMS {
            claims.push(value);
        }
    }

    fn rare(&mut self) -> &mut Rare<'h> {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn claims(&self) -> impl Iterator<Item = &[u8]> {
        let more = self.rare.as_ref().map_or(&[][..], |rare| &rare.more_claims);
        self.claim.into_iter().chain(more.iter().map(|claim| &**claim))
    }

    /// The one thing that most hits tell.
    pub(crate) fn only_claim(&self) -> Option<&[u8]> {
        self.claim.filter(|_| self.rare.is_none())
    }

    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.rare.as_ref()?.named.as_deref()
    }

    /// The session's label among the visitor's: the flow, and whatever divides it.
    #[inline]
    pub(crate) fn session_label(&self, flow: u64) -> u64 {
        self.rare.as_ref().map_or(flow, |rare| rare.session_label(flow))
    }

    pub(crate) fn into_cut(self) -> Cut {
        let named = self.name().is_some();
        Cut { named, by_cookie: self.by_cookie, carried: self.rare.map(Rare::into_carried) }
    }
}

impl Rare<'_> {
    #[inline(never)]
    fn session_label(&self, flow: u64) -> u64 {
        self.labels.map_or(flow, |labels| labels.session(flow))
    }

    #[inline(never)]
    #[expect(clippy::boxed_local, reason = "unboxed where it is called, most hits would go around that code")]
    fn into_carried(self: Box<Self>) -> Box<Carried> {
        Box::new(self.cut)
    }
}

impl std::fmt::Debug for Identity<'_> {
    // The claims are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("claims", &self.claims().count()).finish_non_exhaustive()
    }
}

/// The values of all cookies of this name, in the order they came.
#[cfg(feature = "cookies")]
pub(crate) fn cookies<'h>(hit: &'h Hit, name: &str) -> impl Iterator<Item = &'h str> {
    let values = hit.headers().get_all(header::COOKIE).iter().flat_map(move |field| values_in(field, name));
    values.filter_map(|value| str::from_utf8(value).ok())
}

fn values_in<'h>(field: &'h HeaderValue, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let pairs = field.as_bytes().split(|byte| *byte == b';');
    pairs.filter_map(move |pair| value_of(pair.trim_ascii(), name))
}

fn value_of<'h>(pair: &'h [u8], name: &str) -> Option<&'h [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[derive(Debug, Clone)]
enum By {
    Cookie,
    Param(String),
    Header(String),
    Address,
}

/// How hits map to sessions: one way to name the visitor, any number of labels that divide their sessions.
///
/// ```
/// use continuity::prelude::*;
/// # async fn chat(_: Request) -> Result<()> { Ok(()) }
/// // Each path of the flow is a session of its own.
/// let server = Server::new(Flow::new(chat).map(Map::by_cookie().path()));
/// ```
#[derive(Debug, Clone)]
pub struct Map {
    visitor: By,
    path: bool,
    labels: Vec<By>,
}

impl Map {
    fn by(visitor: By) -> Self {
        Map { visitor, path: false, labels: Vec::new() }
    }

    /// The visitor is whom the server's cookie names. The default.
    pub fn by_cookie() -> Self {
        Self::by(By::Cookie)
    }

    /// The visitor is whom a query or form parameter names, for browsers without cookies. Links of `choose` carry it
    /// on; in your own links and forms put [`Request::session_id`](crate::Request::session_id).
    pub fn by_param(name: impl Into<String>) -> Self {
        Self::by(By::Param(name.into()))
    }

    /// The visitor is whoever sends this header's value: for clients that authenticate themselves. A hit without it
    /// gets a session that nothing leads back to.
    pub fn by_header(name: impl Into<String>) -> Self {
        Self::by(By::Header(name.into()))
    }

    /// The visitor is whoever has this address: for machines on a network of your own.
    pub fn by_address() -> Self {
        Self::by(By::Address)
    }

    /// Divide by path.
    pub fn path(mut self) -> Self {
        self.path = true;
        self
    }

    /// Divide by a query or form parameter.
    pub fn param(mut self, name: impl Into<String>) -> Self {
        self.labels.push(By::Param(name.into()));
        self
    }

    /// Divide by a header.
    pub fn header(mut self, name: impl Into<String>) -> Self {
        self.labels.push(By::Header(name.into()));
        self
    }

    /// Divide by the client's address: a cookie taken elsewhere opens nothing there.
    pub fn address(mut self) -> Self {
        self.labels.push(By::Address);
        self
    }

    pub(crate) fn visitor_in_url(&self) -> bool {
        matches!(self.visitor, By::Param(_))
    }
}

impl Default for Map {
    fn default() -> Self {
        Map::by_cookie()
    }
}

impl Mapper for Map {
    fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>) {
        match &self.visitor {
            By::Cookie => identity.cookie(hit),
            By::Param(name) => identity.param(hit, name),
            By::Header(name) => {
                if let Some(value) = hit.headers().get(name) {
                    identity.named(value.as_bytes());
                }
            }
            By::Address if hit.peer().is_some() => identity.named(address(hit).into_bytes()),
            By::Address => {}
        }
        if self.path {
            identity.label("path", hit.path());
        }
        for label in &self.labels {
            match label {
                By::Param(name) => identity.label_param(hit, name),
                By::Header(name) => {
                    identity.label(name, hit.headers().get(name).map_or(&b""[..], |v| v.as_bytes()))
                }
                By::Address => identity.label("address", address(hit)),
                By::Cookie => {}
            }
        }
    }
}

fn address(hit: &Hit) -> String {
    hit.peer().map_or(String::new(), |peer| peer.ip().to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    static KEY: std::sync::LazyLock<SipHasher24> =
        std::sync::LazyLock::new(|| SipHasher24::new_with_key(&[7; 16]));

    fn hit(uri: &str, fields: &[(&str, &str)]) -> Box<Hit> {
        let mut request = Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Bytes::new()).expect("a request").into_parts();
        Hit::new(parts, body, from("192.0.2.7:1"), Back::nowhere())
    }

    fn claims(map: Map, hit: &Hit) -> Vec<String> {
        let mut identity = Identity::new("sid", &KEY);
        map.identify(hit, &mut identity);
        identity.claims().map(|claim| String::from_utf8_lossy(claim).into_owned()).collect()
    }

    fn label(map: &Map, hit: &Hit) -> u64 {
        let mut identity = Identity::new("sid", &KEY);
        map.identify(hit, &mut identity);
        identity.session_label(0)
    }

    /// What is as long as an id.
    fn id(digit: &str) -> String {
        digit.repeat(WIRE)
    }

    fn from(address: &str) -> Via {
        Via::peer(address.parse::<std::net::SocketAddr>().expect("an address"))
    }

    #[test]
    fn the_cookie_is_found_wherever_it_stands_and_when_the_head_has_changed() {
        let mine = format!("sid={}", id("1"));
        for before in [0, 1, 5, 300] {
            let names: Vec<String> = (0..before).map(|number| format!("x-{number}")).collect();
            let mut fields: Vec<_> = names.iter().map(|name| (&**name, "-")).collect();
            fields.extend([("content-type", "text/plain"), ("cookie", &*mine)]);
            let mut hit = hit("/", &fields);
            assert_eq!(claims(Map::by_cookie(), &hit), [id("1")], "after {before} others");
            // This takes a field out.
            hit.begin_anew(None);
            assert_eq!(claims(Map::by_cookie(), &hit), [id("1")], "after {before} others, later");
        }
    }

    #[test]
    fn all_cookies_of_the_name_are_claims() {
        let (first, second) =
            (format!("a=1; sid={};xsid=no", id("1")), format!("sid={}; sid=\"q\"", id("2")));
        let hit = hit("/", &[("cookie", &first), ("cookie", &second)]);
        assert_eq!(claims(Map::by_cookie(), &hit), [id("1"), id("2")]);
    }

    #[test]
    fn what_cannot_be_an_id_takes_no_place() {
        let hit = hit("/", &[("cookie", &format!("{}sid={}", "sid=x; ".repeat(100), id("1")))]);
        assert_eq!(claims(Map::by_cookie(), &hit), [id("1")]);
    }

    #[test]
    fn an_id_alone_or_among_others_is_the_same_claim() {
        let id = id("0");
        for cookie in [format!("sid={id}"), format!("a=1; sid={id}"), format!("sid={id}; a=1")] {
            assert_eq!(
                claims(Map::by_cookie(), &hit("/", &[("cookie", &cookie)])),
                std::slice::from_ref(&id),
                "{cookie}"
            );
        }
    }

    #[test]
    fn more_cookies_than_that_are_not_looked_at() {
        let hit = hit("/", &[("cookie", &format!("sid={}; ", id("1")).repeat(100))]);
        assert_eq!(claims(Map::by_cookie(), &hit).len(), CLAIMS);
    }

    #[test]
    fn a_parameter_can_claim_and_links_carry_it_on() {
        let hit = hit(&format!("/?sid={}&x=1", id("a")), &[]);
        assert_eq!(claims(Map::by_param("sid"), &hit), [id("a")]);
        let mut identity = Identity::new("sid", &KEY);
        Map::by_param("sid").param("x").identify(&hit, &mut identity);
        let cut = identity.into_cut();
        assert_eq!(cut.visitor_param(), Some("sid"));
        assert_eq!(cut.params(), [("x".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn labels_divide_by_path_parameter_header_and_address() {
        let plain = Map::by_cookie();
        assert_eq!(label(&plain, &hit("/a", &[])), label(&plain, &hit("/b?x=1", &[("h", "1")])));
        let cases = [
            (Map::by_cookie().path(), "/b", ("h", "0")),
            (Map::by_cookie().param("x"), "/a?x=1", ("h", "0")),
            (Map::by_cookie().header("h"), "/a", ("h", "1")),
        ];
        for (map, uri, field) in cases {
            assert_ne!(label(&map, &hit("/a", &[("h", "0")])), label(&map, &hit(uri, &[field])), "{map:?}");
            assert_eq!(label(&map, &hit(uri, &[field])), label(&map, &hit(uri, &[field])), "{map:?}");
        }
        let map = Map::by_cookie().address();
        let (parts, body) = Request::get("/").body(Bytes::new()).expect("ok").into_parts();
        let here = Hit::new(parts, body, from("192.0.2.8:9"), Back::nowhere());
        assert_ne!(label(&map, &hit("/", &[])), label(&map, &here));
    }

    #[test]
    fn flows_divide_with_and_without_labels() {
        let hit = hit("/a", &[]);
        for map in [Map::by_cookie(), Map::by_cookie().path()] {
            let mut identity = Identity::new("sid", &KEY);
            map.identify(&hit, &mut identity);
            assert_ne!(identity.session_label(0), identity.session_label(1));
        }
    }
}
