//! One keep-alive connection with at most one request on its way.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use super::page::{self, Answer};

const ROOM: usize = 16 * 1024;

/// What the request on its way is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand {
    /// The visitor's index; `None` for one who comes for the first time.
    pub(crate) visitor: Option<usize>,
    /// From when on its latency counts.
    pub(crate) since: Instant,
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
    filled: usize,
    pub(crate) errand: Option<Errand>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, poll: &Poll, token: usize) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(token), Interest::READABLE)?;
        Ok(Self { stream, bytes: vec![0; ROOM], filled: 0, errand: None })
    }

    pub(crate) fn send(&mut self, errand: Errand, request: &[u8]) -> Result<(), String> {
        let written = self.stream.write(request).map_err(|error| format!("send a request: {error}"))?;
        if written != request.len() {
            return Err(
                "send a request: the socket takes no more, though nothing else is on its way".to_owned()
            );
        }
        self.errand = Some(errand);
        self.filled = 0;
        Ok(())
    }

    /// Reads what has come; the answer, once it is complete.
    ///
    /// One `read` a call is enough: bytes that come after it make a new event.
    pub(crate) fn receive(&mut self) -> Result<Option<(Errand, Answer<'_>)>, String> {
        match self.stream.read(&mut self.bytes[self.filled..]) {
            Ok(0) => return Err("the server closed a connection, or its answer is too long".to_owned()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(format!("read an answer: {error}")),
        }
        let Some(errand) = self.errand else {
            return Err("the server sent something unasked".to_owned());
        };
        let Some(answer) = page::answer(&self.bytes[..self.filled])? else { return Ok(None) };
        self.errand = None;
        Ok(Some((errand, answer)))
    }
}
