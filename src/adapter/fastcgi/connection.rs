//! One connection of a web server: it is read as far as its requests can take it, and written as far as it takes it.
//!
//! All its requests are of one task. Who does not read is waited for only so long: the time to write is one for the
//! connection, whichever request's answer is in the way.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::requests::Requests;
use crate::adapter::Stop;
use crate::adapter::socket::{Stream, linger};
use crate::engine::Engine;
use crate::limits::Limits;

/// Bytes that are read at once.
const BUFFER: usize = 16 * 1024;

thread_local! {
    static BYTES: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// A connection while it is served.
struct Connection {
    stream: Stream,
    stop: Stop,
    requests: Requests,
    /// What was read is not all done.
    waiting: bool,
    /// The web server sends no more.
    ended: bool,
    /// Nothing has ever been asked.
    fresh: bool,
    /// Since when nothing is asked.
    idle: Option<Instant>,
    stall: Stall,
    alarm: Pin<Box<Sleep>>,
}

/// How a connection ends.
#[derive(Debug, PartialEq)]
enum End {
    /// All is answered.
    Done,
    /// Nobody uses it, or nobody is there.
    Close,
    /// What is not written is thrown away.
    Abort,
}

/// How long, in all, it could not be written on.
#[derive(Debug, Default)]
struct Stall {
    since: Option<Instant>,
    blocked: Duration,
    /// Bytes that were written after it.
    went: u64,
}

/// All requests of one connection.
pub(super) async fn converse(stream: Stream, engine: Engine, stop: Stop) {
    let now = Instant::now();
    let alarm = Box::pin(sleep_until(now + engine.limits().first_byte));
    let mut connection = Box::new(Connection {
        stream,
        stop,
        requests: Requests::new(engine),
        waiting: false,
        ended: false,
        fresh: true,
        idle: Some(now),
        stall: Stall::default(),
        alarm,
    });
    let end = poll_fn(|cx| connection.poll(cx)).await;
    match end {
        End::Done if !connection.ended && connection.requests.is_unread() => linger(connection.stream).await,
        End::Done | End::Close => {}
        End::Abort => connection.stream.set_zero_linger(),
    }
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if Pin::new(&mut self.stop).poll(cx).is_ready() {
            self.requests.leave();
        }
        loop {
            let went_on = match self.go_on(cx) {
                Ok(went_on) => went_on,
                Err(error) => {
                    tracing::debug!(%error, "a connection of a web server ended early");
                    return Poll::Ready(End::Close);
                }
            };
            if let Some(end) = self.end() {
                return Poll::Ready(end);
            }
            if !went_on {
                return self.keep_time(cx);
            }
        }
    }

    /// Reads, works and writes what can be; whether anything could.
    fn go_on(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let read = self.read(cx)?;
        let worked = self.requests.work(cx);
        let wrote = self.write(cx)?;
        Ok(read || worked || wrote)
    }

    fn end(&mut self) -> Option<End> {
        if !self.requests.is_idle() {
            (self.fresh, self.idle) = (false, None);
        } else if self.requests.is_over() {
            let answered = self.idle.is_none();
            return Some(if answered { End::Done } else { End::Close });
        } else if self.idle.is_none() {
            self.idle = Some(Instant::now());
        }
        None
    }

    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let now = Instant::now();
        if self.waiting {
            self.waiting = !self.understand(now, cx)?;
        }
        let mut some = false;
        while !self.waiting && !self.ended {
            let Poll::Ready(came) = self.receive(cx)? else { break };
            if came == 0 {
                self.ended = true;
                self.requests.close();
            } else {
                self.waiting = !self.understand(now, cx)?;
            }
            some = true;
        }
        Ok(some)
    }

    fn understand(&mut self, now: Instant, cx: &Context<'_>) -> io::Result<bool> {
        self.requests.read(now, cx).map_err(|broken| io::Error::new(io::ErrorKind::InvalidData, broken.0))
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        BYTES.with_borrow_mut(|bytes| {
            let mut read = ReadBuf::new(bytes);
            let Poll::Ready(polled) = Pin::new(&mut self.stream).poll_read(cx, &mut read) else {
                return Ok(Poll::Pending);
            };
            polled?;
            self.requests.push(read.filled());
            Ok(Poll::Ready(read.filled().len()))
        })
    }

    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut some = false;
        while !self.requests.out().is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.requests.out()) {
                Poll::Ready(written) => {
                    let written = written?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    self.stall.end(written);
                    self.requests.written(written);
                    some = true;
                }
                Poll::Pending => {
                    self.stall.begin();
                    break;
                }
            }
        }
        Ok(some)
    }

    /// Ends what takes too long, and waits for what is next to.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let now = Instant::now();
            if self.stall.due(self.requests.limits()).is_some_and(|due| due <= now) {
                return Poll::Ready(End::Abort);
            }
            if self.unused_until().is_some_and(|due| due <= now) {
                return Poll::Ready(End::Close);
            }
            if self.requests.due().is_some_and(|due| due <= now) {
                self.requests.expire(now);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let due = [self.stall.due(self.requests.limits()), self.unused_until(), self.requests.due()];
            let Some(due) = due.into_iter().flatten().min() else { return Poll::Pending };
            // Often it comes too early, and is set again then: that is cheaper than to set it each time.
            if due < self.alarm.deadline() || self.alarm.is_elapsed() {
                self.alarm.as_mut().reset(due);
            }
            ready!(self.alarm.as_mut().poll(cx));
        }
    }

    fn unused_until(&self) -> Option<Instant> {
        let limits = self.requests.limits();
        let wait = if self.fresh { limits.first_byte } else { limits.keep_alive };
        self.idle.map(|since| since + wait)
    }
}

impl Stall {
    fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn end(&mut self, written: usize) {
        if let Some(since) = self.since.take() {
            self.blocked += since.elapsed();
            self.went = self.went.saturating_add(written as u64);
        }
    }

    /// When nobody is to be waited for any longer: it takes nothing for too long, or too little.
    fn due(&self, limits: &Limits) -> Option<Instant> {
        let since = self.since?;
        let rate = u64::try_from(limits.rate.max(1)).unwrap_or(u64::MAX);
        let earned = limits.write_time + Duration::from_millis(self.went.saturating_mul(1000) / rate);
        Some(since + limits.write_time.min(earned.saturating_sub(self.blocked)))
    }
}
