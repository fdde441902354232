//! A web server's side of FastCGI, that sends what it is told to, right or wrong.

use std::collections::BTreeMap;

use continuity::FastCgi;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::client::Reply;

pub const BEGIN: u8 = 1;
pub const ABORT: u8 = 2;
pub const END: u8 = 3;
pub const PARAMS: u8 = 4;
pub const STDIN: u8 = 5;
pub const STDOUT: u8 = 6;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection.
pub struct Web {
    stream: Box<dyn Wire>,
    unread: Vec<u8>,
    /// What came of requests that were not asked for yet: STDOUT, and how they ended.
    came: BTreeMap<u16, (Vec<u8>, Option<Vec<u8>>)>,
}

/// A FastCGI door on a port of loopback.
pub fn any_port() -> FastCgi {
    FastCgi::on("127.0.0.1:0")
}

impl Web {
    /// To an address as the server tells it.
    pub async fn connect(address: &str) -> Web {
        let stream: Box<dyn Wire> = match address.strip_prefix("unix:") {
            Some(path) => Box::new(UnixStream::connect(path).await.expect("somebody listens")),
            None => Box::new(TcpStream::connect(address).await.expect("somebody listens")),
        };
        Web { stream, unread: Vec::new(), came: BTreeMap::new() }
    }

    /// From this address of loopback.
    pub async fn connect_from(ip: &str, address: &str) -> Web {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{ip}:0").parse().expect("an address")).expect("an address of loopback");
        let stream = socket.connect(address.parse().expect("an address")).await.expect("somebody listens");
        Web { stream: Box::new(stream), unread: Vec::new(), came: BTreeMap::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .expect("sent in time")
            .expect("the server reads");
    }

    pub async fn record(&mut self, kind: u8, id: u16, content: &[u8]) {
        self.send(&record(kind, id, content)).await;
    }

    /// Begins a request with these parameters beside the usual ones, and sends none of its body.
    pub async fn begin(&mut self, id: u16, line: &str, more: &[(&str, &str)]) {
        let begun = record(BEGIN, id, &[0, 1, 1, 0, 0, 0, 0, 0]);
        self.send(&[begun, record(PARAMS, id, &params(line, more)), record(PARAMS, id, b"")].concat()).await;
    }

    /// A whole request and its answer.
    pub async fn ask(&mut self, line: &str, more: &[(&str, &str)], body: &[u8]) -> Reply {
        self.begin(1, line, more).await;
        for piece in body.chunks(60_000) {
            self.record(STDIN, 1, piece).await;
        }
        self.record(STDIN, 1, b"").await;
        self.reply(1).await
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        self.ask(&format!("GET {target}"), &[], b"").await
    }

    pub async fn get_as(&mut self, cookie: &str, target: &str) -> Reply {
        self.ask(&format!("GET {target}"), &[("HTTP_COOKIE", cookie)], b"").await
    }

    /// The answer to this request, when it is whole.
    pub async fn reply(&mut self, id: u16) -> Reply {
        let (out, end) = self.outcome(id).await;
        assert_eq!(end[..5], [0; 5], "it is complete: {}", String::from_utf8_lossy(&out));
        reply(&out)
    }

    /// What a request comes to: its STDOUT, and what it ends with.
    pub async fn outcome(&mut self, id: u16) -> (Vec<u8>, Vec<u8>) {
        loop {
            if let Some((out, Some(end))) = self.came.get_mut(&id).map(|(out, end)| (out, end.take())) {
                let out = std::mem::take(out);
                self.came.remove(&id);
                return (out, end);
            }
            assert!(self.receive().await, "the connection ends, request {id} did not");
        }
    }

    /// Reads until this much of a request's STDOUT is there.
    pub async fn out(&mut self, id: u16, until: &str) -> String {
        loop {
            let out = self.came.get(&id).map_or(&b""[..], |(out, _)| out);
            let text = String::from_utf8_lossy(out).into_owned();
            if text.contains(until) {
                return text;
            }
            assert!(self.receive().await, "the connection ends before {until:?}: {text}");
        }
    }

    /// Whether the server closes the connection, whatever it says before.
    pub async fn is_closed(&mut self) -> bool {
        while self.receive().await {}
        true
    }

    /// Takes in one record; false at the end.
    async fn receive(&mut self) -> bool {
        loop {
            if let Some((kind, id, content)) = self.take() {
                let (out, end) = self.came.entry(id).or_default();
                match kind {
                    STDOUT => out.extend(content),
                    END => *end = Some(content),
                    kind => panic!("a record of kind {kind}"),
                }
                return true;
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            if !matches!(read.expect("the server answers or closes in time"), Ok(1..)) {
                return false;
            }
        }
    }

    fn take(&mut self) -> Option<(u8, u16, Vec<u8>)> {
        let [1, kind, id @ .., high, low, padding, _] = *self.unread.first_chunk::<8>()? else {
            panic!("no record: {:?}", self.unread)
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let whole = 8 + length + usize::from(padding);
        if self.unread.len() < whole {
            return None;
        }
        let record: Vec<u8> = self.unread.drain(..whole).collect();
        Some((kind, u16::from_be_bytes(id), record[8..8 + length].to_vec()))
    }
}

pub fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("it fits into a record").to_be_bytes();
    [&[1, kind], &id.to_be_bytes()[..], &length, &[0, 0], content].concat()
}

/// `GET /path` with what web servers tell of it.
pub fn params(line: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let usual = [
        ("REQUEST_METHOD", method),
        ("REQUEST_URI", target),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_HOST", "localhost"),
    ];
    let mut bytes = Vec::new();
    for (name, value) in usual.iter().chain(more) {
        bytes.extend(pair(name.as_bytes(), value.as_bytes()));
    }
    bytes
}

/// A parameter, with long lengths.
fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("it is short") | 1 << 31;
    [&length(name).to_be_bytes()[..], &length(value).to_be_bytes(), name, value].concat()
}

/// A request of HTTP as a web server passes it on, over TLS, on a connection for it alone.
pub fn whole_request(request: &http::Request<bytes::Bytes>) -> Vec<u8> {
    let mut bytes = record(BEGIN, 1, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let mut told: Vec<(String, &[u8])> = vec![
        ("REQUEST_METHOD".into(), request.method().as_str().as_bytes()),
        ("REMOTE_ADDR".into(), b"127.0.0.1"),
        ("HTTPS".into(), b"on"),
    ];
    let (target, length) = (request.uri().to_string(), request.body().len().to_string());
    told.extend([("REQUEST_URI".into(), target.as_bytes()), ("CONTENT_LENGTH".into(), length.as_bytes())]);
    for (name, value) in request.headers() {
        let name = name.as_str().to_uppercase().replace('-', "_");
        told.push((format!("HTTP_{name}"), value.as_bytes()));
    }
    let pairs: Vec<u8> = told.iter().flat_map(|(name, value)| pair(name.as_bytes(), value)).collect();
    pairs.chunks(60_000).for_each(|piece| bytes.extend(record(PARAMS, 1, piece)));
    bytes.extend(record(PARAMS, 1, b""));
    request.body().chunks(60_000).for_each(|piece| bytes.extend(record(STDIN, 1, piece)));
    bytes.extend(record(STDIN, 1, b""));
    bytes
}

/// An answer as CGI has it.
fn reply(out: &[u8]) -> Reply {
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let (status, fields) = head_of(&out[..end]);
    Reply { status, fields, body: out[end + 4..].to_vec() }
}

/// Status and fields of an answer's head.
pub fn head_of(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let head = str::from_utf8(head).expect("a text");
    let field =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let mut fields: Vec<_> = head.split("\r\n").map(|line| field(line).expect("a field")).collect();
    let (name, status) = fields.pop().expect("a status");
    assert_eq!(name, "status");
    (status[..3].parse().expect("a number"), fields)
}
