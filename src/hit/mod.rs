//! One incoming request with its reply. Dropping it unanswered answers it (503), so each is answered exactly once.

mod returning;
mod shown;
mod signs;
mod via;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use tokio::sync::mpsc;

use crate::address::names_page;
use crate::body::Body;
#[cfg(feature = "multipart")]
use crate::intake::multipart::Sent;
use crate::mapper::Cut;
use crate::mapper::forwarded::{Forwarded, Proxies};
use crate::mapper::returns::Pass;
use crate::page::{Frames, Notice};
use crate::reply::{Back, Complete, Kept, Ready, Reply};
#[cfg(feature = "multipart")]
use crate::request::file::UploadedFile;
use crate::step;
pub(crate) use signs::Signs;
pub use via::Via;

/// One incoming request, whatever protocol brought it: what mappers and predicates look at.
pub struct Hit {
    parts: Parts,
    signs: Signs,
    body: Bytes,
    fields: Fields,
    via: Via,
    /// What the trusted proxy says that brought it.
    forwarded: Option<Box<Forwarded>>,
    /// Bytes of the path that name the flow.
    mount: usize,
    /// Parameters that name the visitor or the session: pages carry them on, programs do not see them.
    pub(crate) cut: Cut,
    /// How it came, if it was by a URL of `return_url`.
    pass: Option<Box<Pass>>,
    /// It has been worked on for longer than a session may be idle.
    pub(crate) overtime: bool,
    /// Its page was looked for: if that is not here, it is nowhere.
    pub(crate) told: bool,
    /// That of its session, once it is mapped: the token of a form that one of another label printed counts as none.
    pub(crate) label: Option<u64>,
    pub(crate) reply: Reply,
}

/// How the body is read as parameters.
enum Fields {
    None,
    Urlencoded,
    #[cfg(feature = "multipart")]
    Multipart(Box<Sent>),
}

/// Where a hit comes from, by what the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// From a page of this very origin, typed, bookmarked, or from a client that does not say.
    Same,
    /// From a page of another origin.
    Cross,
}

impl Hit {
    /// A hit with a reply that goes back to who brought it.
    pub(crate) fn new(parts: Parts, body: Bytes, via: Via, back: Back) -> Box<Hit> {
        let signs = Signs::read(&parts.headers);
        let fields = if signs.urlencoded { Fields::Urlencoded } else { Fields::None };
        // In place: it is too large to be made here and moved there.
        Box::write(
            Box::new_uninit(),
            Hit {
                parts,
                signs,
                body,
                fields,
                via,
                forwarded: None,
                mount: 0,
                cut: Cut::default(),
                pass: None,
                overtime: false,
                told: false,
                label: None,
                reply: Reply::new(back),
            },
        )
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path below the flow's mount, beginning with `/`, as it came (not decoded).
    pub fn path(&self) -> &str {
        match &self.full_path()[self.mount..] {
            "" => "/",
            path => path,
        }
    }

    /// The whole path, as it came.
    pub fn full_path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The query, without `?`, as it came; empty if there is none.
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or("")
    }

    /// All header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The first field of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The field with the cookies, if there is one and no more, and it is where it was when the head was read.
    pub(crate) fn only_cookie_field(&self) -> Option<&HeaderValue> {
        // To walk there is less than to look it up.
        let (name, field) = self.parts.headers.iter().nth(usize::from(self.signs.cookie_at))?;
        (self.signs.cookie_fields == 1 && *name == header::COOKIE).then_some(field)
    }

    pub(crate) fn has_cookies(&self) -> bool {
        self.signs.cookie_fields > 0
    }

    /// The body as it came; empty for a form with files (`multipart/form-data`), which is taken apart as it comes in.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The protocol's version.
    pub fn version(&self) -> http::Version {
        self.parts.version
    }

    /// The client's address: what a trusted proxy says, else whoever is connected. Port 0 where a proxy does not say.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.via.peer
    }

    /// Whether the client came over https: by what a trusted proxy says, else as the adapter saw it.
    pub fn is_https(&self) -> bool {
        self.via.https
    }

    /// The host and port that the client asked: by what a trusted proxy says, else by the request itself.
    pub fn host(&self) -> Option<&str> {
        let forwarded = self.forwarded.as_ref().and_then(|forwarded| forwarded.host.as_deref());
        let host = forwarded.or_else(|| self.header("host"));
        host.or_else(|| self.parts.uri.authority().map(|host| host.as_str()))
    }

    /// Parameters in order: those of the body, then those of the query.
    pub fn params(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let (body, fields): (&[u8], &[(String, String)]) = match &self.fields {
            Fields::None => (b"", &[]),
            Fields::Urlencoded => (&self.body, &[]),
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => (b"", &sent.fields),
        };
        fields
            .iter()
            .map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value)))
            .chain(form_urlencoded::parse(body))
            .chain(form_urlencoded::parse(self.query().as_bytes()))
    }

    /// The first parameter of this name.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.params().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn has_more_params_than(&self, count: usize) -> bool {
        // Each takes a byte at least: small hits need not be counted. Fields were counted when they came in.
        let bytes = self.query().len() + self.body.len() + self.fields_sent();
        // What says where a form stands is not the form's.
        let counts = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| {
            name != step::PARAM || !(names_page(value) || value == step::HERE)
        };
        bytes > count && self.params().filter(counts).nth(count).is_some()
    }

    /// Whether the method promises to change nothing (GET, HEAD, OPTIONS, TRACE).
    pub fn is_safe(&self) -> bool {
        self.parts.method.is_safe()
    }

    /// Where the hit comes from, by `Sec-Fetch-Site`, else by comparing `Origin` with [`host`](Self::host).
    pub fn site(&self) -> Site {
        let same = match self.signs.site {
            Some(site) => site == Site::Same,
            None if self.signs.origin => self.header("origin").is_some_and(|origin| self.is_own(origin)),
            None => true,
        };
        if same { Site::Same } else { Site::Cross }
    }

    /// Takes the client's address, scheme and host from what a trusted peer says.
    pub(crate) fn look_behind(&mut self, proxies: &Proxies) {
        if let Some(forwarded) = proxies.read(&self.via, &self.parts.headers) {
            (self.via.peer, self.via.https) = (forwarded.client, forwarded.https);
            self.forwarded = Some(Box::new(forwarded));
        }
    }

    /// What proxies say of who it is does not fit together.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.forwarded.as_ref().is_some_and(|forwarded| forwarded.doubtful)
    }

    /// The host that was asked, where a trusted proxy says it.
    pub(crate) fn forwarded_host(&self) -> Option<&str> {
        self.forwarded.as_ref()?.host.as_deref()
    }

    /// Says which host was asked, where the proxy that said so is not here any more.
    pub(crate) fn asked_host(&mut self, host: Option<String>) {
        if host.is_some() {
            let Via { peer: client, https, .. } = self.via;
            self.forwarded = Some(Box::new(Forwarded { client, doubtful: false, https, host }));
        }
    }

    /// Whether the body is read as parameters.
    pub(crate) fn is_urlencoded(&self) -> bool {
        matches!(self.fields, Fields::Urlencoded)
    }

    /// Makes it a first hit at its path, with a notice: nothing that came with it is left.
    #[cold]
    pub(crate) fn begin_anew(&mut self, notice: Option<Notice>) {
        self.parts.method = Method::GET;
        self.parts.uri = self.own_path().parse().unwrap_or_default();
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            self.parts.headers.remove(name);
        }
        (self.body, self.fields) = (Bytes::new(), Fields::None);
        if notice.is_some() {
            self.reply.rare().notice = notice;
        }
    }

    pub(crate) fn signs(&self) -> &Signs {
        &self.signs
    }

    /// The token of the page this hit comes from.
    ///
    /// Our tokens need no encoding, so they are looked for as they stand.
    #[inline]
    pub(crate) fn token(&self) -> Option<&str> {
        let token = self.token_and_more()?;
        let more = signs::any(token.as_bytes(), |byte| byte == b'&');
        let token = if more { token.split('&').next()? } else { token };
        let disowned =
            step::may_be_printed(token) && self.label.is_some_and(|label| step::is_of_another(token, label));
        // A form that stands at the address of its page, and has no token of its own, sends that along.
        let of_page = names_page(token) && !self.is_safe();
        (!disowned && !of_page).then_some(token)
    }

    /// The same, perhaps with what stands behind it.
    fn token_and_more(&self) -> Option<&str> {
        let of_body = match &self.fields {
            Fields::None => None,
            Fields::Urlencoded => str::from_utf8(&self.body).ok().and_then(token_and_more),
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => {
                sent.fields.iter().find(|(name, _)| name == step::PARAM).map(|(_, value)| &**value)
            }
        };
        of_body.or_else(|| token_and_more(self.query()))
    }

    /// The same place as a link of our own, without what others have put into its query.
    pub(crate) fn own_link(&self) -> String {
        let mut link = self.own_path();
        if !self.cut.params().is_empty() {
            link.push('?');
            link = form_urlencoded::Serializer::for_suffix(link, self.own_path().len() + 1)
                .extend_pairs(self.cut.params())
                .finish();
        }
        link
    }

    /// The same place as a link of our own, with this in a token's place.
    pub(crate) fn own_link_to(&self, token: &str) -> String {
        let mut link = self.own_path();
        let path = link.len() + 1;
        link.push('?');
        form_urlencoded::Serializer::for_suffix(link, path)
            .append_pair(step::PARAM, token)
            .extend_pairs(self.cut.params())
            .finish()
    }

    /// Completes the reply: see [`Reply::complete`].
    pub(crate) fn finish(mut self: Box<Self>, frames: &Frames, keep: bool) -> (Ready, Option<Arc<Kept>>) {
        let mount = &self.parts.uri.path()[..self.mount];
        match self.reply.complete(frames, mount, keep) {
            Complete::Whole(kept) => (Ready::Whole(self), kept),
            Complete::Tail(last, chunk) => (Ready::Tail(last, chunk), None),
        }
    }

    /// The reply, once it is complete; in the memory of the request's head.
    pub(crate) fn into_response(mut self: Box<Self>) -> Response<Body> {
        self.reply.take_response(self.parts.headers)
    }

    /// Sends what was printed so far: see [`Reply::flush`].
    pub(crate) fn flush(&mut self, frames: &Frames) -> (mpsc::Sender<Bytes>, Bytes) {
        let mount = &self.parts.uri.path()[..self.mount];
        self.reply.flush(frames, mount)
    }

    /// The path as this server has it: without what leads here through another one.
    pub(crate) fn local_path(&self) -> &str {
        self.via.local(self.full_path())
    }

    /// The bytes of the path that lead here through another server.
    pub(crate) fn prefix(&self) -> usize {
        self.via.prefix(self.full_path())
    }

    /// Its flow is found by so many bytes of the path that this server has.
    pub(crate) fn mount(&mut self, bytes: usize) {
        self.mount = self.prefix() + bytes;
    }

    pub(crate) fn mount_path(&self) -> &str {
        &self.full_path()[..self.mount]
    }

    /// The same path as a link of our own: one slash in front, so that it stays on this host.
    pub(crate) fn own_path(&self) -> String {
        ["/", self.full_path().trim_start_matches(['/', '\\'])].concat()
    }

    /// It may change something, and does not come from a page of ours.
    pub(crate) fn is_submit_from_elsewhere(&self) -> bool {
        !self.is_safe() && self.site() == Site::Cross
    }

    /// What tells a form with files from any other; its body is not kept.
    pub(crate) fn digest(&self) -> Option<u64> {
        match &self.fields {
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => Some(sent.digest),
            _ => None,
        }
    }

    fn fields_sent(&self) -> usize {
        match &self.fields {
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => sent.fields.len(),
            _ => 0,
        }
    }

    /// The files that came; `None` if it was no form with files.
    #[cfg(feature = "multipart")]
    pub(crate) fn files(&self) -> Option<&[UploadedFile]> {
        match &self.fields {
            Fields::Multipart(sent) => Some(&sent.files),
            _ => None,
        }
    }

    /// What a form with files has brought.
    #[cfg(feature = "multipart")]
    pub(crate) fn sent(&self) -> Option<&Sent> {
        match &self.fields {
            Fields::Multipart(sent) => Some(sent),
            _ => None,
        }
    }

    #[cfg(feature = "multipart")]
    pub(crate) fn set_sent(&mut self, sent: Sent) {
        self.fields = Fields::Multipart(Box::new(sent));
    }

    #[inline(never)]
    fn is_own(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        // A page of plain HTTP may have been written by anyone on the line.
        let as_safe = !self.is_https() || scheme == "https";
        as_safe && Some(authority) == self.host()
    }
}

#[inline]
fn token_and_more(pairs: &str) -> Option<&str> {
    if pairs.is_empty() {
        return None;
    }
    // Mostly it stands first: links of ours begin with it.
    let own = concat!(step::param!(), "=");
    let first = pairs.strip_prefix(own);
    first.or_else(|| pairs.split('&').skip(1).find_map(|pair| pair.strip_prefix(own)))
}

/// What caps count as one address: IPv4 whole, IPv6 by its /64.
pub(crate) fn address_block(ip: IpAddr) -> Option<u64> {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return None;
    }
    Some(match ip {
        IpAddr::V4(v4) => u64::from(u32::from(v4)),
        IpAddr::V6(v6) => u64::try_from(u128::from(v6) >> 64).expect("64 bits are left"),
    })
}

impl std::fmt::Debug for Hit {
    // No query, header or body: they hold ids and secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hit")
            .field("method", self.method())
            .field("path", &self.full_path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::reply::Back;

    fn hit(request: http::request::Builder, body: &'static str) -> Box<Hit> {
        let (parts, body) = request.body(Bytes::from(body)).expect("a request").into_parts();
        Hit::new(parts, body, Via::default(), Back::nowhere())
    }

    #[test]
    fn parameters_are_those_of_the_body_then_of_the_query() {
        let request = Request::post("/?a=1&b=%C3%A4")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let hit = hit(request, "a=2&a=3+4");
        let all: Vec<_> = hit.params().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["a=2", "a=3 4", "a=1", "b=ä"]);
        assert_eq!(hit.param("a").as_deref(), Some("2"));
    }

    #[test]
    fn a_site_is_told_by_fetch_metadata_else_by_origin() {
        let site = |name: &str, value: &str| {
            hit(Request::post("/").header("host", "shop.test:81").header(name, value), "").site()
        };
        assert_eq!(site("sec-fetch-site", "same-origin"), Site::Same);
        assert_eq!(site("sec-fetch-site", "none"), Site::Same);
        assert_eq!(site("sec-fetch-site", "same-site"), Site::Cross);
        assert_eq!(site("sec-fetch-site", "cross-site"), Site::Cross);
        assert_eq!(site("origin", "http://shop.test:81"), Site::Same);
        assert_eq!(site("origin", "http://shop.test"), Site::Cross);
        assert_eq!(site("origin", "null"), Site::Cross);
        assert_eq!(site("x-nothing", "said"), Site::Same);
    }

    #[test]
    fn addresses_are_counted_by_v4_and_v6_block_and_loopback_is_exempt() {
        let block = |text: &str| address_block(text.parse().expect("an address"));
        assert_eq!(block("127.0.0.1"), None);
        assert_eq!(block("::1"), None);
        assert_eq!(block("::ffff:127.0.0.1"), None);
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff::2"));
        assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
        assert_ne!(block("192.0.2.1"), block("192.0.2.2"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
    }
}
