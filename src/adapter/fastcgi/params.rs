//! The parameters of a request, which are those of CGI (RFC 3875), as the head of a request of HTTP.
//!
//! The path is what the client asked for (`REQUEST_URI`), as in HTTP: web servers do not agree on how they split and
//! decode it, and nothing here takes it apart. They become no environment, of nobody.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, Version};

use super::pairs::Pairs;
use crate::adapter::bytes::{run_of_path, run_of_query, trim};
use crate::adapter::fault::{self, Fault};
use crate::adapter::head::admit;
use crate::adapter::host::{is_host, is_odd_target};
use crate::hit::Via;
use crate::limits::Limits;

/// Bytes of a target, as in HTTP/1.1.
const TARGET: usize = 65_000;
/// Fields between the client and the web server, or that say what it has read and decoded by now; and `Proxy`, which
/// programs of CGI take for a variable of their own.
const HOPS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// A request without its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) via: Via,
    /// How long the body is; `None` if its end will tell.
    pub(super) length: Option<u64>,
}

/// What these parameters ask for, or what is wrong with it.
pub(super) fn read(params: &Bytes, limits: &Limits) -> Result<Head, Fault> {
    let mut told = Params::default();
    for pair in Pairs::new(params) {
        let (name, value) = pair.map_err(|_| fault::FIELD)?;
        told.take(params, name, value)?;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(told.method).map_err(|_| fault::LINE)?;
    parts.version = version(told.protocol);
    parts.uri = told.target(&parts.method)?;
    let length = told.length()?;
    let via = told.via();
    told.name_host(&parts)?;
    parts.headers = told.headers;
    admit(&mut parts, limits)?;
    Ok(Head { parts, via, length })
}

/// What the web server tells. What is not told is empty.
#[derive(Debug, Default)]
struct Params<'p> {
    method: &'p [u8],
    uri: &'p [u8],
    script: &'p [u8],
    path: &'p [u8],
    query: &'p [u8],
    protocol: &'p [u8],
    server: &'p [u8],
    server_port: &'p [u8],
    client: &'p [u8],
    client_port: &'p [u8],
    https: &'p [u8],
    length: &'p [u8],
    headers: HeaderMap,
}

impl<'p> Params<'p> {
    fn take(&mut self, all: &Bytes, name: &'p [u8], value: &'p [u8]) -> Result<(), Fault> {
        let place = match name {
            b"REQUEST_METHOD" => &mut self.method,
            b"REQUEST_URI" => &mut self.uri,
            b"SCRIPT_NAME" => &mut self.script,
            b"PATH_INFO" => &mut self.path,
            b"QUERY_STRING" => &mut self.query,
            b"SERVER_PROTOCOL" => &mut self.protocol,
            b"SERVER_NAME" => &mut self.server,
            b"SERVER_PORT" => &mut self.server_port,
            b"REMOTE_ADDR" => &mut self.client,
            b"REMOTE_PORT" => &mut self.client_port,
            b"HTTPS" => &mut self.https,
            // The same, said in two ways: they must not differ.
            b"CONTENT_LENGTH" | b"HTTP_CONTENT_LENGTH" => return self.take_length(value),
            b"CONTENT_TYPE" => return self.take_type(all, value),
            _ => return self.take_field(all, name, value),
        };
        // No client can say these: what a web server is told last is what was meant.
        *place = value;
        Ok(())
    }

    fn take_length(&mut self, value: &'p [u8]) -> Result<(), Fault> {
        if value.is_empty() {
            return Ok(());
        }
        if !self.length.is_empty() && self.length != value {
            return Err(fault::LENGTH);
        }
        self.length = value;
        Ok(())
    }

    /// Some web servers say it here and among the fields.
    fn take_type(&mut self, all: &Bytes, value: &[u8]) -> Result<(), Fault> {
        if !value.is_empty() {
            self.headers.insert(header::CONTENT_TYPE, field(all, value)?);
        }
        Ok(())
    }

    fn take_field(&mut self, all: &Bytes, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        let Some(name) = name.strip_prefix(b"HTTP_") else { return Ok(()) };
        let name: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
        let name = HeaderName::from_bytes(&name).map_err(|_| fault::FIELD)?;
        let value = field(all, value)?;
        if name == header::CONTENT_TYPE {
            self.headers.entry(name).or_insert(value);
        } else if !HOPS.contains(&name.as_str()) {
            self.headers.try_append(name, value).map_err(|_| fault::MANY_FIELDS)?;
        }
        Ok(())
    }

    fn target(&self, method: &Method) -> Result<Uri, Fault> {
        let target = if self.uri.is_empty() { self.joined() } else { Cow::Borrowed(self.uri) };
        if target.len() >= TARGET {
            return Err(fault::LONG_LINE);
        }
        if !is_path(&target) && !is_odd_target(method.as_str().as_bytes(), &target) {
            return Err(fault::TARGET);
        }
        Uri::try_from(&*target).map_err(|_| fault::TARGET)
    }

    /// The target, of a web server that has decoded it and does not tell what it was.
    fn joined(&self) -> Cow<'_, [u8]> {
        let mut target = String::new();
        for byte in [self.script, self.path].concat() {
            match byte {
                b'/' | b'-' | b'.' | b'_' | b'~' => target.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => target.push(char::from(byte)),
                byte => write!(target, "%{byte:02X}").expect("a string takes all"),
            }
        }
        if !target.starts_with('/') {
            target.insert(0, '/');
        }
        let query = [if self.query.is_empty() { &b""[..] } else { b"?" }, self.query];
        Cow::Owned([&[target.as_bytes()], &query[..]].concat().concat())
    }

    fn length(&self) -> Result<Option<u64>, Fault> {
        if self.length.is_empty() {
            return Ok(None);
        }
        let digits = self.length.iter().all(u8::is_ascii_digit);
        let length = str::from_utf8(self.length).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        length.filter(|length| *length <= i64::MAX as u64).map(Some).ok_or(fault::LENGTH)
    }

    fn via(&self) -> Via {
        let text = |bytes| str::from_utf8(bytes).ok();
        let ip = text(self.client).and_then(|ip| ip.parse().ok());
        let port = text(self.client_port).and_then(|port| port.parse().ok()).unwrap_or(0);
        let via = Via::peer(ip.map(|ip| SocketAddr::new(ip, port)));
        let https = self.https.eq_ignore_ascii_case(b"on") || self.https == b"1";
        if https { via.over_https() } else { via }
    }

    /// Where no field names the host, the web server's own name does. HTTP/1.0 needs none.
    fn name_host(&mut self, parts: &Parts) -> Result<(), Fault> {
        if self.headers.contains_key(header::HOST) || parts.uri.authority().is_some() {
            return Ok(());
        }
        let port = if self.server_port.is_empty() { &b""[..] } else { b":" };
        let host = [self.server, port, self.server_port].concat();
        if is_host(&host) {
            let host = HeaderValue::from_bytes(&host).map_err(|_| fault::HOST)?;
            self.headers.insert(header::HOST, host);
            return Ok(());
        }
        if parts.version <= Version::HTTP_10 { Ok(()) } else { Err(fault::HOST) }
    }
}

/// The value of a field. It shares the memory of them all.
fn field(all: &Bytes, value: &[u8]) -> Result<HeaderValue, Fault> {
    HeaderValue::from_maybe_shared(all.slice_ref(trim(value))).map_err(|_| fault::FIELD)
}

fn version(protocol: &[u8]) -> Version {
    match protocol {
        b"HTTP/0.9" => Version::HTTP_09,
        b"HTTP/1.0" => Version::HTTP_10,
        b"HTTP/2.0" | b"HTTP/2" => Version::HTTP_2,
        b"HTTP/3.0" | b"HTTP/3" => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

fn is_path(target: &[u8]) -> bool {
    let path = run_of_path(target, 0);
    let end = if target.get(path) == Some(&b'?') { run_of_query(target, path) } else { path };
    target.starts_with(b"/") && end == target.len()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    const GET: [(&str, &str); 4] = [
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/a/b?c=d"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_HOST", "shop.example"),
    ];

    fn bytes(params: &[(&str, &str)]) -> Bytes {
        let mut bytes = BytesMut::new();
        for (name, value) in params {
            for part in [name, value] {
                let length = u32::try_from(part.len()).expect("it is short") | 1 << 31;
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes.freeze()
    }

    fn read_all(params: &[(&str, &str)]) -> Result<Head, Fault> {
        read(&bytes(params), &Limits::default())
    }

    /// A GET with these changes: a name that is there already has another value.
    fn changed(changes: &[(&str, &str)]) -> Result<Head, Fault> {
        let kept = GET.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        read_all(&kept.chain(changes).copied().collect::<Vec<_>>())
    }

    fn status(changes: &[(&str, &str)]) -> u16 {
        changed(changes).err().map_or(200, |fault| fault.status)
    }

    #[test]
    fn parameters_become_a_head() {
        let head = changed(&[
            ("HTTP_ACCEPT_LANGUAGE", " de "),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "12"),
            ("REMOTE_ADDR", "2001:db8::1"),
            ("REMOTE_PORT", "4711"),
            ("HTTPS", "on"),
            ("DOCUMENT_ROOT", "/srv"),
        ])
        .expect("in order");
        assert_eq!((head.parts.method, head.parts.version), (Method::GET, Version::HTTP_11));
        assert_eq!((head.parts.uri.to_string(), head.length), ("/a/b?c=d".into(), Some(12)));
        let fields = [("host", "shop.example"), ("accept-language", "de"), ("content-type", "text/plain")];
        assert_eq!(head.parts.headers.len(), 3);
        assert!(
            fields.iter().all(|(name, value)| head.parts.headers[*name] == *value),
            "{:?}",
            head.parts.headers
        );
        assert_eq!(head.via.address().map(|peer| peer.to_string()).as_deref(), Some("[2001:db8::1]:4711"));
        assert!(head.via.is_https());
    }

    #[test]
    fn what_is_not_told_is_not_made_up() {
        let head = changed(&[("CONTENT_LENGTH", ""), ("CONTENT_TYPE", ""), ("HTTPS", "")]).expect("in order");
        assert_eq!((head.length, head.via.address(), head.via.is_https()), (None, None, false));
        assert!(!head.parts.headers.contains_key("content-type"));
        for (https, is) in [("on", true), ("ON", true), ("1", true), ("off", false), ("0", false)] {
            assert_eq!(changed(&[("HTTPS", https)]).expect("in order").via.is_https(), is, "{https}");
        }
        for client in ["unix:", "shop.example", "10.0.0.1:80", "10.0.0.256"] {
            assert_eq!(
                changed(&[("REMOTE_ADDR", client)]).expect("in order").via.address(),
                None,
                "{client}"
            );
        }
    }

    #[test]
    fn r53_what_http_refuses_is_refused_as_there() {
        for (changes, expected) in [
            (&[("REQUEST_METHOD", "TRACE")][..], 405),
            (&[("REQUEST_METHOD", "CONNECT"), ("REQUEST_URI", "a:1")], 405),
            (&[("REQUEST_METHOD", "")], 400),
            (&[("REQUEST_METHOD", "GE T")], 400),
            (&[("REQUEST_URI", "/a b")], 400),
            (&[("REQUEST_URI", "/a#b")], 400),
            (&[("REQUEST_URI", "/\u{e4}")], 400),
            (&[("REQUEST_URI", "/a\r\nX: y")], 400),
            (&[("REQUEST_URI", "a")], 400),
            (&[("REQUEST_URI", "*")], 400),
            (&[("REQUEST_URI", "*"), ("REQUEST_METHOD", "OPTIONS")], 200),
            (&[("REQUEST_URI", "http://shop.example/x")], 200),
            (&[("REQUEST_URI", "http://other.example/x")], 400),
            (&[("HTTP_HOST", "a/b")], 400),
            (&[("HTTP_HOST", "")], 400),
            (&[("HTTP_HOST", "a"), ("HTTP_HOST", "a")], 400),
            (&[("HTTP_X", "a\r\nY: z")], 400),
            (&[("HTTP_X", "a\0")], 400),
            (&[("HTTP_", "a")], 400),
            (&[("HTTP_X Y", "a")], 400),
            (&[("HTTP_X\r\n", "a")], 400),
            (&[("HTTP_EXPECT", "100-continue")], 200),
            (&[("HTTP_EXPECT", "a miracle")], 417),
            (&[("CONTENT_LENGTH", "-1")], 400),
            (&[("CONTENT_LENGTH", "1 ")], 400),
            (&[("CONTENT_LENGTH", "+1")], 400),
            (&[("CONTENT_LENGTH", "99999999999999999999")], 400),
            (&[("CONTENT_LENGTH", "9223372036854775808")], 400),
        ] {
            assert_eq!(status(changes), expected, "{changes:?}");
        }
        let long = "x".repeat(TARGET);
        assert_eq!(status(&[("REQUEST_URI", &format!("/{long}"))]), 414);
        let names: Vec<_> = (0..Limits::default().headers).map(|number| format!("HTTP_X{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!((status(&many), status(&many[1..])), (431, 200));
    }

    /// Who says a thing twice may mean to be read in two ways: `Content_Length` is the same parameter to a web server
    /// that lets it through.
    #[test]
    fn r53_what_is_said_in_two_ways_is_refused() {
        for (twice, expected) in [
            ([("CONTENT_LENGTH", "3"), ("HTTP_CONTENT_LENGTH", "3")], 200),
            ([("CONTENT_LENGTH", "3"), ("HTTP_CONTENT_LENGTH", "30")], 400),
            ([("HTTP_CONTENT_LENGTH", "3"), ("CONTENT_LENGTH", "")], 200),
            ([("CONTENT_LENGTH", "3"), ("CONTENT_LENGTH", "30")], 400),
        ] {
            assert_eq!(status(&twice), expected, "{twice:?}");
        }
        let types = [("HTTP_CONTENT_TYPE", "a/b"), ("CONTENT_TYPE", "c/d"), ("HTTP_CONTENT_TYPE", "e/f")];
        let head = changed(&types).expect("in order");
        assert_eq!(head.parts.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["c/d"]);
    }

    /// httpoxy (CVE-2016-5385): `Proxy` of a client is no setting of ours; nor is anything else of its connection.
    #[test]
    fn r53_fields_of_the_clients_connection_are_not_ours() {
        let hops = HOPS.map(|name| format!("HTTP_{}", name.to_uppercase().replace('-', "_")));
        let fields: Vec<_> = hops.iter().map(|name| (name.as_str(), "http://evil.example")).collect();
        let head = changed(&fields).expect("in order");
        assert_eq!(head.parts.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host"]);
        assert_eq!(std::env::var_os("HTTP_PROXY"), None, "parameters are no environment");
    }

    #[test]
    fn r53_without_the_target_it_is_made_of_its_parts() {
        for (script, path, query, target) in [
            ("/app", "/a b/\u{e4}?#", "c=d e", None),
            ("/app", "/a b/\u{e4}?#", "c=d", Some("/app/a%20b/%C3%A4%3F%23?c=d")),
            ("", "", "", Some("/")),
            ("", "/x", "", Some("/x")),
            ("app", "", "a=b", Some("/app?a=b")),
            // CVE-2019-11043: parts that do not fit each other are only put side by side.
            ("/index.php/\n", "", "", Some("/index.php/%0A")),
        ] {
            let parts =
                [("SCRIPT_NAME", script), ("PATH_INFO", path), ("QUERY_STRING", query), ("REQUEST_URI", "")];
            let head = changed(&parts).ok().map(|head| head.parts.uri.to_string());
            assert_eq!(head.as_deref(), target, "{script} {path} {query}");
        }
    }

    #[test]
    fn a_host_is_named_by_the_field_else_by_the_web_server() {
        let host = |changes: &[(&str, &str)]| {
            let kept = GET[..2].iter().chain(changes).copied().collect::<Vec<_>>();
            let head = read_all(&kept).map_err(|fault| fault.status)?;
            Ok(head.parts.headers.get("host").map(|host| host.to_str().expect("text").to_owned()))
        };
        let server = [("SERVER_NAME", "shop.example"), ("SERVER_PORT", "8080")];
        assert_eq!(host(&server), Ok(Some("shop.example:8080".into())));
        assert_eq!(host(&[server[0], server[1], ("HTTP_HOST", "a")]), Ok(Some("a".into())));
        assert_eq!(host(&[server[0]]), Ok(Some("shop.example".into())));
        assert_eq!((host(&[("SERVER_NAME", "a b")]), host(&[])), (Err(400), Err(400)));
        assert_eq!(host(&[("SERVER_PROTOCOL", "HTTP/1.0")]), Ok(None));
    }

    #[test]
    fn what_is_no_list_of_pairs_is_refused() {
        assert_eq!(
            read(&Bytes::from_static(b"\x0e\x03REQUEST"), &Limits::default()).err(),
            Some(fault::FIELD)
        );
        assert!(read(&Bytes::new(), &Limits::default()).is_err());
    }
}
