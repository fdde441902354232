//! HTTP/2: hyper behind budgets of our own.
//!
//! A connection is HTTP/2 if it begins so (`preface`). Its bytes pass `wire`, which has `frames` count what they cost;
//! requests come in at the `door` and are counted as `work`. One that costs too much is told to calm down and ends.

mod budget;
mod cursor;
mod door;
mod frames;
#[cfg(test)]
mod frames_tests;
mod preface;
mod wire;
mod work;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use hyper::rt::Executor;
use hyper::server::conn::http2;
use tokio::io::{AsyncRead, ReadBuf};

use super::connection::{Begun, House, refuse};
use super::deadlines::{Phase, Watched, order};
use super::fault;
use super::{Stream, linger};
use crate::hit::Via;
use crate::limits::Limits;
use cursor::kind;
use door::Door;
use preface::{Choice, PREFACE, choose};
use wire::{Line, Wire};

/// Bytes of bodies that a client may send before anybody reads them: of one, and of all of a connection.
const STREAM_WINDOW: u32 = 128 * 1024;
const WINDOW: u32 = 512 * 1024;
/// Bytes of an answer that hyper keeps for a client that does not read.
const SEND_BUFFER: usize = 32 * 1024;
/// Streams that may be reset before hyper itself ends the connection; the budget is smaller.
const RESETS: usize = 512;

/// What can be agreed on with TLS, and which is liked best.
pub(super) const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Why a connection ends (RFC 9113 7).
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
enum Reason {
    NoError = 0,
    EnhanceYourCalm = 11,
}

/// How the life of a connection ends.
enum End {
    /// hyper is done, or the connection is broken.
    Done(hyper::Result<()>),
    /// It is told so.
    Tell(Reason),
    /// The client does not read: what is not sent is thrown away.
    Abort,
}

/// Where streams run: the tasks of the runtime.
#[derive(Debug, Clone)]
struct Tasks;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, stream: F) {
        drop(tokio::spawn(stream));
    }
}

type Connection = http2::Connection<Wire, Door, Tasks>;

/// What hyper is told of HTTP/2, once a listener.
pub(super) struct Settings(http2::Builder<Tasks>);

impl Settings {
    pub(super) fn new(limits: &Limits) -> Self {
        let capped = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut builder = http2::Builder::new(Tasks);
        builder
            .max_concurrent_streams(capped(limits.streams))
            .max_header_list_size(capped(limits.head))
            .max_frame_size(16 * 1024)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_pending_accept_reset_streams(limits.streams)
            .max_local_error_reset_streams(RESETS)
            // The sweep keeps the time.
            .keep_alive_interval(None);
        Settings(builder)
    }
}

/// What the first bytes of a connection are.
enum Start {
    Chosen(Choice),
    /// They do not come.
    Late,
    Gone,
}

/// Serves a connection if it is one of HTTP/2. If not, gives it back with what was read of it.
pub(super) async fn receive(
    begun: Option<Begun>,
    via: Via,
    house: &House,
    watched: &Arc<Watched>,
) -> Option<Begun> {
    let (mut stream, mut first) = begun?;
    match poll_fn(|cx| begin(&mut stream, &mut first, watched, cx)).await {
        Start::Chosen(Choice::Http2) => serve(stream, via, house, watched).await,
        Start::Chosen(_) => return Some((stream, first)),
        Start::Late => refuse(stream, &house.engine, fault::SLOW, false).await,
        Start::Gone => {}
    }
    None
}

/// Reads until it is clear what the connection speaks, and no further than the preface.
fn begin(stream: &mut Stream, first: &mut Vec<u8>, watched: &Watched, cx: &mut Context<'_>) -> Poll<Start> {
    let orders = watched.orders();
    if orders & (order::LEAVE | order::CLOSE) != 0 {
        return Poll::Ready(Start::Gone);
    }
    if orders & order::SLOW != 0 {
        return Poll::Ready(Start::Late);
    }
    let chosen = read(stream, first, cx);
    if chosen.is_pending() {
        watched.wait_for(Phase::Head);
    }
    chosen.map(|chosen| chosen.map_or(Start::Gone, Start::Chosen))
}

fn read(stream: &mut Stream, first: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<Choice>> {
    while choose(first) == Choice::Unclear {
        let mut bytes = [0; PREFACE.len()];
        let mut read = ReadBuf::new(&mut bytes[first.len()..]);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            // hyper sees the end itself.
            return Poll::Ready(Ok(Choice::Http1));
        }
        first.extend_from_slice(read.filled());
    }
    Poll::Ready(Ok(choose(first)))
}

async fn serve(stream: Stream, via: Via, house: &House, watched: &Arc<Watched>) {
    let line = Arc::new(Line::default());
    let wire = Wire::new(stream, line.clone(), watched.clone(), house.engine.limits().streams);
    let mut connection = house.http2.0.serve_connection(wire, Door::new(house.engine.clone(), via));
    let mut leaves = false;
    let end = poll_fn(|cx| drive(&mut connection, &mut leaves, watched, cx)).await;
    // hyper hands no stream back; `Wire` leaves it when it is dropped.
    drop(connection);
    let mut stream = line.stream().expect("hyper has dropped its wire");
    match end {
        End::Abort => stream.set_zero_linger(),
        End::Tell(reason) => {
            tracing::debug!(
                peer = via.address().map(tracing::field::display),
                ?reason,
                "a connection is ended"
            );
            if tell(&line, &mut stream, reason).is_ok() {
                rest(&line, stream).await;
            }
        }
        End::Done(done) => {
            if let Err(error) = done {
                tracing::debug!(peer = via.address().map(tracing::field::display), %error, "a connection ended early");
            }
            rest(&line, stream).await;
        }
    }
}

/// One poll of hyper's, between what the sweep and the budgets say.
fn drive(
    connection: &mut Connection,
    leaves: &mut bool,
    watched: &Watched,
    cx: &mut Context<'_>,
) -> Poll<End> {
    let orders = watched.orders();
    if orders != 0
        && let Some(end) = obey(orders, connection, leaves, watched)
    {
        return Poll::Ready(end);
    }
    match Pin::new(connection).poll(cx) {
        Poll::Ready(done) => Poll::Ready(End::Done(done)),
        Poll::Pending if watched.is_faulty() => Poll::Ready(End::Tell(Reason::EnhanceYourCalm)),
        Poll::Pending => Poll::Pending,
    }
}

/// Does what the sweep has ordered, unless it is so no longer.
#[cold]
fn obey(orders: u8, connection: &mut Connection, leaves: &mut bool, watched: &Watched) -> Option<End> {
    let told = |order: u8| orders & order != 0;
    let idle = watched.phase() == Phase::Idle;
    if told(order::ABORT) {
        return Some(End::Abort);
    }
    if watched.phase() == Phase::Head && told(order::SLOW) {
        return Some(End::Tell(Reason::EnhanceYourCalm));
    }
    // Who was told and does not say that it has heard is not waited for.
    if *leaves && idle && told(order::REST | order::CLOSE) {
        return Some(End::Tell(Reason::NoError));
    }
    if !*leaves && (told(order::LEAVE) || idle && told(order::CLOSE)) {
        *leaves = true;
        // Says that it goes, waits until the client has heard it, and says which requests it has still taken.
        Pin::new(connection).graceful_shutdown();
    }
    // The sweep need not say again that nothing happens, unless that is waited for.
    watched.rest(idle && !*leaves);
    None
}

/// Says that the connection ends, and why, if that can be said between two frames.
fn tell(line: &Line, stream: &mut Stream, reason: Reason) -> io::Result<()> {
    if !line.between.load(Relaxed) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let mut frame = [0; 17];
    (frame[2], frame[3]) = (8, kind::GOAWAY);
    frame[9..13].copy_from_slice(&line.last.load(Relaxed).to_be_bytes());
    frame[13..].copy_from_slice(&(reason as u32).to_be_bytes());
    match stream.try_write(&frame)? {
        17 => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// Lets the client read what it was told last.
async fn rest(line: &Line, mut stream: Stream) {
    match line.ended.load(Relaxed) {
        true => stream.say_goodbye(),
        false => linger(stream).await,
    }
}
