//! Connections of FastCGI, whatever comes: how bytes are cut makes no difference, each request goes its way once, and a
//! head that is let through is one that HTTP would let through.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;

use super::params;
use super::reader::{Event, Reader};
use super::record::Broken;
use crate::fuzz::pieces;
use crate::limits::Limits;

/// Bytes that parameters may have here.
const HEAD: usize = 512;
/// What params may be refused with.
const FAULTS: [u16; 5] = [400, 405, 414, 417, 431];

/// All that a web server sends on a connection.
pub(crate) fn stream(bytes: &[u8]) {
    let whole = events([bytes]);
    assert_eq!(events(pieces(bytes)), whole, "in pieces");
    assert_eq!(events(bytes.chunks(1)), whole, "byte by byte");
    follow(&whole.0);
}

/// What a connection comes to. Requests are ended as soon as nothing more can come of them.
fn events<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> (Vec<Event>, Option<Broken>) {
    let (mut reader, mut events) = (Reader::new(HEAD), Vec::new());
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(event)) => {
                    if let Event::End { id } | Event::Head { id, params: None } = event {
                        reader.end(id);
                    }
                    events.push(event);
                }
                Ok(None) => break,
                Err(broken) => return (events, Some(broken)),
            }
        }
    }
    (events, None)
}

/// Each request begins, has its head, then its body, and is over, in this order.
fn follow(events: &[Event]) {
    // Whether those that are open have their heads.
    let mut open: BTreeMap<u16, bool> = BTreeMap::new();
    for event in events {
        match event {
            Event::Asked(_) | Event::Unknown(_) => {}
            Event::Begin { id, .. } => {
                assert_ne!(*id, 0);
                assert_eq!(open.insert(*id, false), None, "it is open already");
            }
            Event::Head { id, params: Some(params) } => {
                assert_eq!(open.insert(*id, true), Some(false), "it has no head yet");
                head(params);
            }
            Event::Head { id, params: None } => assert_eq!(open.remove(id), Some(false)),
            Event::Body { id, bytes } => {
                assert_eq!(open.get(id), Some(&true), "it has its head");
                assert!(!bytes.is_empty());
            }
            Event::End { id } => assert_eq!(open.remove(id), Some(true), "it has its head"),
            Event::Abort { id } => assert!(open.remove(id).is_some(), "it is open"),
        }
    }
}

/// Parameters, whatever they are.
fn head(params: &Bytes) {
    assert!(params.len() <= HEAD);
    let limits = Limits { headers: 5, ..Limits::default() };
    match params::read(params, &limits) {
        Err(fault) => assert!(FAULTS.contains(&fault.status), "{fault:?}"),
        Ok(head) => {
            let (parts, headers) = (&head.parts, &head.parts.headers);
            assert!(!matches!(parts.method, Method::TRACE | Method::CONNECT));
            assert!(parts.uri.path().starts_with('/') || parts.uri.path() == "*", "{}", parts.uri);
            assert!(parts.uri.authority().is_none() && !parts.uri.to_string().contains(['#', '"', ' ']));
            assert!(headers.len() <= limits.headers + 1, "one more if the web server names the host");
            for name in ["host", "cookie", "content-type"] {
                assert!(headers.get_all(name).iter().count() <= 1, "{name}");
            }
            for name in ["connection", "transfer-encoding", "proxy", "content-length"] {
                assert!(!headers.contains_key(name), "{name}");
            }
            let plain = |byte: &u8| *byte >= b' ' && *byte != 0x7f || *byte == b'\t';
            assert!(headers.values().all(|value| value.as_bytes().iter().all(plain)));
        }
    }
}
