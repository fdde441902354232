//! One connection: a line comes, an answer goes, and that is all.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::WORDS;
use super::answer::{Answer, onward};
use super::menu::Place;
use super::selector::{LONGEST, Selector};
use super::text::Stuffing;
use super::visit::Asker;
use crate::adapter::Stop;
use crate::adapter::socket::{Stream, linger};
use crate::body::Body;
use crate::engine::Engine;
use crate::limits::Limits;

/// A line at its longest: selector, words, what Gopher+ adds, and the line's end.
const LINE: usize = LONGEST + WORDS + 64;

/// What a client says, or why it is not heard.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Vec<u8>),
    Refused(&'static str),
    /// It has gone, or the server stops.
    Gone,
}

/// Answers the one request of a connection.
pub(super) async fn converse(
    mut stream: Stream,
    peer: Option<SocketAddr>,
    engine: Engine,
    place: Place,
    mut stop: Stop,
) {
    let line = stop.until(read(&mut stream, engine.limits())).await.unwrap_or(Line::Gone);
    let asker = Asker { engine: &engine, peer, place: &place };
    let answer = match line {
        Line::Gone => return,
        Line::Refused(why) => Answer::error(why, &place),
        Line::Whole(line) => answer(&line, &asker).await,
    };
    let mut sending = Sending::new(stream, engine.limits());
    match sending.send(answer).await {
        Ok(()) => linger(sending.stream).await,
        Err(error) => tracing::debug!(?peer, %error, "a connection ended early"),
    }
}

async fn answer(line: &[u8], asker: &Asker<'_>) -> Answer {
    let mut fields = line.split(|byte| *byte == b'\t');
    let (wire, words) = (fields.next().unwrap_or_default(), fields.next());
    let place = asker.place;
    if wire.len() > LONGEST {
        return Answer::error("A selector has at most 255 characters.", place);
    }
    if let Some(url) = wire.strip_prefix(b"URL:") {
        return onward(url, place);
    }
    let Some(mut selector) = Selector::read(wire) else {
        return Answer::error("This is no selector: one is a path, like /.", place);
    };
    if let Some(words) = words {
        if words.len() > WORDS {
            return Answer::error("These are too many words.", place);
        }
        selector.fill(words);
    }
    Answer::of(asker.visit(selector).await, place).await
}

/// Reads up to the end of the line. What comes after it is nobody's.
async fn read(stream: &mut Stream, limits: &Limits) -> Line {
    let mut line = Vec::new();
    let (first, last) = (Instant::now() + limits.first_byte, Instant::now() + limits.head_time);
    while !line.contains(&b'\n') {
        let deadline = if line.is_empty() { first.min(last) } else { last };
        let room = LINE - line.len();
        if room == 0 {
            return Line::Refused("This line is too long.");
        }
        match timeout_at(deadline, (&mut *stream).take(room as u64).read_buf(&mut line)).await {
            Ok(Ok(0) | Err(_)) => return Line::Gone,
            Ok(Ok(_)) => {}
            Err(_) if line.is_empty() => return Line::Gone,
            Err(_) => return Line::Refused("This took too long."),
        }
    }
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    line.truncate(end);
    if line.ends_with(b"\r") {
        line.pop();
    }
    Line::Whole(line)
}

/// An answer on its way to a client, who has to read it in time.
struct Sending {
    stream: Stream,
    /// How long it may read nothing.
    pause: Duration,
    rate: usize,
    sent: usize,
    waited: Duration,
}

impl Sending {
    fn new(stream: Stream, limits: &Limits) -> Self {
        let (sent, waited) = (0, Duration::ZERO);
        Sending { stream, pause: limits.write_time, rate: limits.rate.max(1), sent, waited }
    }

    async fn send(&mut self, answer: Answer) -> io::Result<()> {
        match answer {
            Answer::Whole(bytes) => self.write(&bytes).await,
            Answer::Raw(body) => self.raw(body).await,
            Answer::Text(body) => self.text(body).await,
        }?;
        self.stream.flush().await
    }

    async fn raw(&mut self, mut body: Body) -> io::Result<()> {
        while let Some(frame) = body.frame().await.transpose()? {
            self.write(frame.data_ref().map_or(&[], |data| data)).await?;
        }
        Ok(())
    }

    async fn text(&mut self, mut body: Body) -> io::Result<()> {
        let mut stuffing = Stuffing::new();
        let mut out = Vec::new();
        while let Some(frame) = body.frame().await.transpose()? {
            out.clear();
            stuffing.add(frame.data_ref().map_or(&[], |data| data), &mut out);
            self.write(&out).await?;
        }
        out.clear();
        stuffing.end(&mut out);
        self.write(&out).await
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let begun = Instant::now();
            let written = timeout(self.patience(), self.stream.write(bytes)).await;
            let written = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.waited += begun.elapsed();
            self.sent += written;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// How long the next write may take.
    fn patience(&self) -> Duration {
        let earned = Duration::from_secs(self.sent as u64 / self.rate as u64);
        self.pause.min((self.pause + earned).saturating_sub(self.waited))
    }
}
