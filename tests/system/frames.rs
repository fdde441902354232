//! A client of HTTP/2 that sends what frames it is told to, right or wrong, and reads frames.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::PATIENCE;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const NO_ERROR: u32 = 0;
pub const ENHANCE_YOUR_CALM: u32 = 11;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it is sent.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A frame whose payload is a number.
pub fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// Settings as they are sent.
pub fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let all = all.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(SETTINGS, 0, 0, &all.collect::<Vec<_>>())
}

/// Fields as they are sent: literals that nobody remembers.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.bytes());
        }
    }
    block
}

/// A number of RFC 7541 5.1, with seven bits in its first byte.
fn length(block: &mut Vec<u8>, mut number: usize) {
    if number < 127 {
        return block.push(u8::try_from(number).expect("small"));
    }
    block.push(127);
    number -= 127;
    while number > 127 {
        block.push(u8::try_from(number % 128).expect("small") | 128);
        number /= 128;
    }
    block.push(u8::try_from(number).expect("small"));
}

/// What a GET begins with.
pub const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")];

/// A GET, with these further fields.
pub fn get(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[&GET, fields].concat()))
}

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// What a reset, or the end of a connection, gives as its reason.
    pub fn reason(&self) -> u32 {
        let last = self.payload.get(if self.kind == GOAWAY { 4..8 } else { 0..4 }).expect("it has a reason");
        u32::from_be_bytes(last.try_into().expect("four bytes"))
    }

    /// The status of an answer, which comes first in its block.
    pub fn status(&self) -> u16 {
        assert_eq!(self.kind, HEADERS, "{self:?}");
        // Changes of the table's size come before it.
        let mut block = self.payload.iter().copied().skip_while(|byte| byte & 0xe0 == 0x20);
        match block.next().expect("a status") {
            byte @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)],
            0x08 | 0x18 | 0x48 => {
                let length = block.next().expect("a length");
                let value: Vec<u8> = block.take(usize::from(length & 0x7f)).collect();
                if length & 0x80 == 0 { digits(&value) } else { digits(&unpacked(&value)) }
            }
            other => panic!("not the first status of a connection: {other:#x}"),
        }
    }
}

fn digits(text: &[u8]) -> u16 {
    str::from_utf8(text).expect("digits").parse().expect("a status")
}

/// Three digits in Huffman's code of RFC 7541.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect();
    let value = |bits: &[bool]| bits.iter().fold(0, |value, bit| value * 2 + u8::from(*bit));
    let mut at = 0;
    let mut digits = Vec::new();
    while digits.len() < 3 {
        let short = value(&bits[at..at + 5]);
        let (digit, length) = if short < 3 { (short, 5) } else { (value(&bits[at..at + 6]) - 22, 6) };
        digits.push(b'0' + digit);
        at += length;
    }
    digits
}

/// One connection.
pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Raw {
    /// Connects, and begins as a client should.
    pub async fn connect(address: &str) -> Raw {
        Raw::with(address, &[]).await
    }

    /// The same with settings.
    pub async fn with(address: &str, all: &[(u16, u32)]) -> Raw {
        let mut raw = Raw::bare(address).await;
        raw.send([PREFACE, &settings(all)].concat()).await;
        raw
    }

    /// Connects, and says nothing.
    pub async fn bare(address: &str) -> Raw {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.expect("connected in time");
        let stream = stream.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket has the option");
        Raw { stream, unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the server reads");
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("sent in time")
    }

    /// The next frame; `None` at the end, or at a reset.
    pub async fn next(&mut self) -> Option<Frame> {
        self.fill(9).await?;
        let length = u32::from_be_bytes([0, self.unread[0], self.unread[1], self.unread[2]]);
        let length = usize::try_from(length).expect("small");
        self.fill(9 + length).await?;
        let frame: Vec<u8> = self.unread.drain(..9 + length).collect();
        let stream = u32::from_be_bytes(frame[5..9].try_into().expect("four bytes"));
        Some(Frame { kind: frame[3], flags: frame[4], stream, payload: frame[9..].to_vec() })
    }

    /// The next frame of one of these kinds; `None` at the end.
    pub async fn until(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// The reason in the last GOAWAY before the end.
    pub async fn end(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                reason = Some(frame.reason());
            }
        }
        reason
    }

    /// Whether no frame comes for so long, nor the end.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.next()).await.is_err()
    }

    async fn fill(&mut self, length: usize) -> Option<()> {
        while self.unread.len() < length {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            read.expect("the server answers or closes in time").ok().filter(|read| *read > 0)?;
        }
        Some(())
    }
}
