//! The requests of a connection with a server behind them, and no socket.

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::Semaphore;

use super::*;
use crate::error::Result;
use crate::request::Request;
use crate::server::{Owned, Server};

const KEEP: &[u8] = b"\x00\x01\x01\0\0\0\0\0";

/// A connection, as a web server sees it.
struct Front {
    requests: Requests,
    /// What came back and is not looked at.
    back: BytesMut,
    _server: Owned,
}

impl Front {
    fn new(server: Server) -> Front {
        let server = server.into_engine().expect("a server");
        Front { requests: Requests::new(server.0.clone()), back: BytesMut::new(), _server: server }
    }

    /// Sends records and lets all go on that can.
    fn send(&mut self, records: &[(u8, u16, &[u8])]) -> std::result::Result<(), Broken> {
        let mut bytes = BytesMut::new();
        records.iter().for_each(|(kind, id, content)| record::put(&mut bytes, *kind, *id, content));
        self.requests.push(&bytes);
        self.go_on()
    }

    fn go_on(&mut self) -> std::result::Result<(), Broken> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let all = self.requests.read(Instant::now(), &cx)?;
            let worked = self.requests.work(&mut cx);
            self.back.extend_from_slice(self.requests.out());
            self.requests.written(self.requests.out().len());
            if all && !worked {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, id: u16, path: &str, fields: &[(&str, &str)]) -> std::result::Result<(), Broken> {
        self.send(&[(kind::BEGIN_REQUEST, id, KEEP)])?;
        self.params(id, path, fields)?;
        self.send(&[(kind::STDIN, id, b"")])
    }

    fn params(&mut self, id: u16, path: &str, fields: &[(&str, &str)]) -> std::result::Result<(), Broken> {
        let mut params = BytesMut::new();
        let usual = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", path), ("HTTP_HOST", "shop.example")];
        let kept = usual.iter().filter(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        kept.chain(fields)
            .for_each(|(name, value)| pairs::put(&mut params, name.as_bytes(), value.as_bytes()));
        self.send(&[(kind::PARAMS, id, &params), (kind::PARAMS, id, b"")])
    }

    /// What came back since, without what belongs to no request: STDOUT as text, and how each request ended.
    fn told(&mut self) -> Vec<(u16, String)> {
        let mut told: Vec<(u16, String)> = Vec::new();
        while let Some(record) = record::take(&mut self.back).expect("in order") {
            let text = match record.kind {
                kind::STDOUT => String::from_utf8(record.content.to_vec()).expect("text"),
                kind::END_REQUEST => format!("ended {:?}", &record.content[..5]),
                kind => format!("kind {kind}: {:?}", record.content),
            };
            match told.last_mut().filter(|(id, last)| *id == record.id && !last.starts_with("ended")) {
                Some((_, last)) if record.kind == kind::STDOUT => last.push_str(&text),
                _ => told.push((record.id, text)),
            }
        }
        told
    }
}

const COMPLETE: &str = "ended [0, 0, 0, 0, 0]";

async fn counts(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let names: Vec<_> = req.headers().keys().map(|name| name.as_str().to_owned()).collect();
        req.print(format!("visit {visit} of {} with {}", req.path(), names.join(" "))).next().await?;
    }
    Ok(())
}

/// Waits for a permit before it answers anything but the first hit.
async fn waits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        req.print(format!("visit {visit}")).next().await?;
        req.app::<Arc<Semaphore>>().acquire().await?.forget();
    }
    Ok(())
}

fn cookie(text: &str) -> String {
    let (_, after) = text.split_once("set-cookie: ").expect("a cookie");
    after.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_request_is_answered_and_ended() {
    let mut front = Front::new(Server::new(counts));
    front.ask(7, "/a?b", &[]).expect("in order");
    let told = front.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].1.contains("\r\nStatus: 200 OK\r\n") && told[0].1.contains("visit 1 of /a"), "{told:?}");
    assert_eq!(told[1], (7, COMPLETE.into()));
    assert!(front.requests.is_idle() && !front.requests.is_over());
}

/// CVE-2011-2766: what one request says, the next one of the connection does not.
#[tokio::test]
async fn r53_nothing_of_a_request_is_left_for_the_next() {
    let mut front = Front::new(Server::new(counts));
    front.ask(1, "/", &[("HTTP_X_SECRET", "1"), ("HTTP_AUTHORIZATION", "Basic x")]).expect("in order");
    assert!(front.told()[0].1.contains("x-secret"));
    front.ask(1, "/", &[]).expect("in order");
    assert!(front.told()[0].1.contains("with host"));
}

#[tokio::test]
async fn r53_values_are_told_once_each() {
    let mut front = Front::new(Server::new(counts).limits(|limits| limits.streams = 12));
    let mut names = BytesMut::new();
    for name in ["FCGI_MPXS_CONNS", "FCGI_MAX_REQS", "FCGI_WHATEVER", "FCGI_MAX_REQS"] {
        pairs::put(&mut names, name.as_bytes(), b"");
    }
    front.send(&[(kind::GET_VALUES, 0, &names), (99, 0, b"?")]).expect("in order");
    let values = record::take(&mut front.back).expect("in order").expect("whole");
    assert_eq!((values.kind, values.id), (kind::GET_VALUES_RESULT, 0));
    let values: Vec<_> = Pairs::new(&values.content).map(|pair| pair.expect("in order")).collect();
    assert_eq!(values, [(&b"FCGI_MAX_REQS"[..], &b"12"[..]), (b"FCGI_MPXS_CONNS", b"1")]);
    let unknown = record::take(&mut front.back).expect("in order").expect("whole");
    assert_eq!((unknown.kind, unknown.id, &unknown.content[..]), (11, 0, &[99, 0, 0, 0, 0, 0, 0, 0][..]));
    assert!(front.send(&[(kind::GET_VALUES, 0, b"\xff\xff\xff\xff")]).is_err());
}

#[tokio::test]
async fn r53_other_roles_and_too_many_requests_are_refused_and_the_rest_goes_on() {
    let gate = Arc::new(Semaphore::new(0));
    let mut front = Front::new(Server::new(waits).app(gate.clone()).limits(|limits| limits.streams = 2));
    front.ask(1, "/", &[]).expect("in order");
    let own = cookie(&front.told()[0].1);
    front.ask(1, "/", &[("HTTP_COOKIE", &own)]).expect("in order");
    front.send(&[(kind::BEGIN_REQUEST, 2, b"\x00\x02\x01\0\0\0\0\0")]).expect("in order");
    assert_eq!(front.told(), [(2, "ended [0, 0, 0, 0, 3]".into())]);
    front.send(&[(kind::BEGIN_REQUEST, 2, KEEP), (kind::BEGIN_REQUEST, 3, KEEP)]).expect("in order");
    assert_eq!(front.told(), [(3, "ended [0, 0, 0, 0, 2]".into())]);
    // Its number is free again, and what still comes of it is passed over.
    front.send(&[(kind::PARAMS, 3, b"rest"), (kind::STDIN, 3, b"")]).expect("in order");
    gate.add_permits(1);
    tokio::task::yield_now().await;
    front.go_on().expect("in order");
    let told = front.told();
    assert!(told[0].1.contains("visit 2") && told[1] == (1, COMPLETE.into()), "{told:?}");
    let mut one = Front::new(Server::new(counts).limits(|limits| limits.streams = 1));
    one.send(&[(kind::BEGIN_REQUEST, 1, KEEP), (kind::BEGIN_REQUEST, 2, KEEP)]).expect("in order");
    assert_eq!(one.told(), [(2, "ended [0, 0, 0, 0, 1]".into())], "one at a time");
}

#[tokio::test]
async fn r54_a_request_given_up_is_ended_its_session_and_the_other_requests_go_on() {
    let gate = Arc::new(Semaphore::new(0));
    let mut front = Front::new(Server::new(waits).app(gate.clone()).limits(|limits| limits.streams = 3));
    front.ask(1, "/", &[]).expect("in order");
    let own = cookie(&front.told()[0].1);
    front.ask(1, "/", &[("HTTP_COOKIE", &own)]).expect("in order");
    front.ask(2, "/", &[("HTTP_COOKIE", &own)]).expect("in order");
    front.send(&[(kind::ABORT_REQUEST, 1, b"")]).expect("in order");
    assert_eq!(front.told(), [(1, COMPLETE.into())]);
    // Given up, it counts until its session has answered.
    front.send(&[(kind::BEGIN_REQUEST, 3, KEEP), (kind::BEGIN_REQUEST, 4, KEEP)]).expect("in order");
    assert_eq!(front.told(), [(4, "ended [0, 0, 0, 0, 2]".into())]);
    gate.add_permits(2);
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    front.go_on().expect("in order");
    let told = front.told();
    // The first hit was taken by its session, although nobody heard of it.
    assert!(told[0].1.contains("visit 3") && told[1] == (2, COMPLETE.into()), "{told:?}");
    front.send(&[(kind::ABORT_REQUEST, 3, b""), (kind::ABORT_REQUEST, 3, b"")]).expect("in order");
    assert_eq!(front.told(), [(3, COMPLETE.into())], "one that had not asked yet");
    assert!(front.requests.is_idle() && front.requests.given_up.is_empty());
}

#[tokio::test]
async fn r54_whatever_is_refused_is_ended() {
    let mut front = Front::new(Server::new(counts).limits(|limits| limits.head = 100));
    for (fields, status) in [
        (&[("REQUEST_METHOD", "TRACE")][..], "405"),
        (&[("HTTP_HOST", "a b")], "400"),
        (&[("HTTP_X", "0123456789012345678901234567890123456789")], "431"),
    ] {
        front.ask(1, "/", fields).expect("in order");
        let told = front.told();
        assert!(told[0].1.contains(&format!("\r\nStatus: {status} ")), "{told:?}");
        assert!(told[0].1.contains("<!DOCTYPE html>") && told[1] == (1, COMPLETE.into()), "{told:?}");
    }
}

#[tokio::test]
async fn r54_a_connection_that_is_not_kept_ends_with_its_request() {
    for (flags, over) in [(0u8, true), (1, false), (0xff, false)] {
        let mut front = Front::new(Server::new(counts));
        front.send(&[(kind::BEGIN_REQUEST, 1, &[0, 1, flags, 0, 0, 0, 0, 0])]).expect("in order");
        front.params(1, "/", &[]).expect("in order");
        assert!(!front.requests.is_over());
        front.send(&[(kind::STDIN, 1, b"")]).expect("in order");
        assert_eq!((front.requests.is_over(), front.told()[1].1.as_str()), (over, COMPLETE));
    }
}

#[tokio::test]
async fn a_head_has_no_body_but_its_length() {
    let mut front = Front::new(Server::new(counts));
    front.ask(1, "/healthz", &[("REQUEST_METHOD", "HEAD")]).expect("in order");
    let told = front.told();
    assert!(told[0].1.ends_with("\r\n\r\n") && told[0].1.contains("content-length: "), "{told:?}");
}

#[tokio::test]
async fn a_body_comes_in_pieces_and_is_as_long_as_was_said() {
    async fn echo(req: Request) -> Result<()> {
        let mut req = req;
        req.print(format!("{} bytes", req.body().len()));
        Ok(())
    }
    for (length, sent, expected) in [
        ("6", 6, "6 bytes"),
        ("6", 9, "6 bytes"),
        ("", 9, "9 bytes"),
        ("7", 3, "Status: 400 "),
        ("99999999", 3, "Status: 413 "),
    ] {
        let mut front = Front::new(Server::new(echo));
        front.send(&[(kind::BEGIN_REQUEST, 1, KEEP)]).expect("in order");
        front.params(1, "/", &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", length)]).expect("in order");
        for _ in 0..sent {
            front.send(&[(kind::STDIN, 1, b"x")]).expect("in order");
        }
        front.send(&[(kind::STDIN, 1, b"")]).expect("in order");
        let told = front.told();
        assert!(told[0].1.contains(expected) && told.len() == 2, "{length:?} {sent}: {told:?}");
    }
}
