//! A client that sends what it is told to, right or wrong, and reads answers as RFC 9112 has them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::PATIENCE;

/// What a connection goes through.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// One answer.
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to an address, or to a Unix socket (`unix:` and its path).
    pub async fn connect(address: &str) -> Client {
        if let Some(path) = address.strip_prefix("unix:") {
            return Client::over(UnixStream::connect(path).await.expect("somebody listens"));
        }
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.expect("connected in time");
        let stream = stream.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket has the option");
        Client::over(stream)
    }

    /// Over whatever carries bytes.
    pub fn over(stream: impl Stream + 'static) -> Client {
        Client { stream: Box::new(stream), unread: Vec::new() }
    }

    /// A request of one line and a host, with these further fields (each with its CRLF).
    pub async fn ask(&mut self, line: &str, fields: &str) {
        self.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await;
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        self.ask(&format!("GET {target}"), "").await;
        self.reply().await
    }

    /// A GET of a visitor who has this cookie.
    pub async fn get_as(&mut self, cookie: &str, target: &str) -> Reply {
        self.ask(&format!("GET {target}"), &format!("Cookie: {cookie}\r\n")).await;
        self.reply().await
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the server reads");
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("sent in time")
    }

    /// Says that nothing more will be sent.
    pub async fn end(&mut self) {
        self.stream.shutdown().await.expect("the connection is there");
    }

    /// The whole answer.
    pub async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        let empty = reply.status < 200 || matches!(reply.status, 204 | 304);
        if reply.is_chunked() {
            while let Some(chunk) = self.chunk().await {
                reply.body.extend(chunk);
            }
        } else if let Some(length) = reply.field("content-length").filter(|_| !empty) {
            let length = length.parse().expect("a length is a number");
            reply.body = self.take(length).await;
        } else if !empty {
            reply.body = self.rest().await;
        }
        reply
    }

    /// The head of an answer.
    pub async fn head(&mut self) -> Reply {
        let line = self.line().await;
        let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = rest.and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
        let mut fields = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return Reply { status, fields, body: Vec::new() };
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?}"));
            fields.push((name.to_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next chunk of an answer; `None` after the last one.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await;
        let length = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a size: {line:?}"));
        let chunk = self.take(length).await;
        assert_eq!(self.line().await, "", "a chunk ends with its size");
        (length > 0).then_some(chunk)
    }

    /// Reads so many bytes and keeps none.
    pub async fn skip(&mut self, bytes: usize) {
        drop(self.take(bytes).await);
    }

    /// All that comes before the server closes. A reset closes too.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.read().await {}
        std::mem::take(&mut self.unread)
    }

    /// Whether the connection ends by a reset, which may cost a client what it has not read yet.
    pub async fn is_reset(&mut self) -> bool {
        loop {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            match read.expect("the server closes in time") {
                Ok(0) => return false,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }

    /// Whether nothing comes for so long, not even the end.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        self.unread.is_empty() && timeout(time, self.stream.read_buf(&mut self.unread)).await.is_err()
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end + 2).await;
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            let more = self.read().await;
            assert!(more, "the end, in a line: {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            let more = self.read().await;
            assert!(more, "the end, {} bytes before it", length - self.unread.len());
        }
        self.unread.drain(..length).collect()
    }

    /// Reads what is there; false at the end.
    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        matches!(read.expect("the server answers or closes in time"), Ok(1..))
    }
}

impl Reply {
    /// The field of this name; there is one at most.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| &**value);
        let first = found.next();
        assert_eq!(found.next(), None, "{name} is there twice");
        first
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a text")
    }

    /// The visitor's cookie, as they send it back.
    pub fn cookie(&self) -> &str {
        let cookie = self.field("set-cookie").expect("a new visitor gets a cookie");
        cookie.split(';').next().expect("there is a first part")
    }

    pub fn is_chunked(&self) -> bool {
        self.field("transfer-encoding") == Some("chunked")
    }

    /// Whether the server says that it closes the connection.
    pub fn is_last(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status)?;
        self.fields.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}
