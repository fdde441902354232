//! The frames of a connection in both directions, as far as they have to be known: which streams are open, whether the
//! client lets anything be sent on them, and what all of it costs. hyper reads and writes them.
//!
//! Only heads of frames are read, settings and windows. No input or output happens here; how the bytes are cut makes no
//! difference.

use super::budget::Budget;
use super::cursor::{Cursor, Frame, Part, flag, kind};

/// The window that a connection begins with, and its streams until the client says otherwise.
const WINDOW: i64 = 65_535;
/// The setting that says how large the windows of streams are at first.
const INITIAL_WINDOW: u16 = 4;
/// A piece of a body below this is hardly one, unless it is the last.
const TINY: u32 = 16;

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    came: Cursor,
    went: Cursor,
    budget: Budget,
    /// Those whose answer is not sent.
    open: Vec<Stream>,
    /// How many there may be.
    most: usize,
    /// The one opened last.
    last: u32,
    /// Of whom a block of fields is coming in.
    block: Option<u32>,
    /// What may still be sent on all streams, and on a new one.
    window: i64,
    initial: i64,
    /// Bytes of answers that went.
    sent: u64,
    over: bool,
}

/// A stream that is not over.
#[derive(Debug)]
struct Stream {
    id: u32,
    /// What may still be sent on it.
    window: i64,
    /// Whether the head of its answer was sent.
    answered: bool,
}

impl Frames {
    /// `streams` may be open at once. Times are in milliseconds.
    pub(super) fn new(streams: usize, now: u64) -> Self {
        Frames {
            came: Cursor::default(),
            went: Cursor::default(),
            budget: Budget::new(now),
            open: Vec::new(),
            // hyper refuses what is above the limit: until it has, some more may be there.
            most: streams.saturating_mul(2).max(64),
            last: 0,
            block: None,
            window: WINDOW,
            initial: WINDOW,
            sent: 0,
            over: false,
        }
    }

    /// Reads what came from the client, behind the preface.
    pub(super) fn receive(&mut self, mut bytes: &[u8], now: u64) {
        while !self.over
            && let Some(part) = self.came.next(&mut bytes)
        {
            match part {
                Part::Head(frame) => self.meet(frame, now),
                Part::Value(frame, value) => self.learn(frame, value),
                Part::End(frame) => self.take(frame),
            }
        }
    }

    /// Reads what went to the client.
    pub(super) fn send(&mut self, mut bytes: &[u8], now: u64) {
        while let Some(part) = self.went.next(&mut bytes) {
            match part {
                Part::Head(frame) if frame.kind == kind::DATA => self.spend(frame),
                Part::Head(frame) if frame.kind == kind::RST_STREAM => self.over |= !self.budget.reset(now),
                Part::End(frame) => self.sent(frame),
                _ => {}
            }
        }
    }

    /// A frame begins to come in.
    fn meet(&mut self, frame: Frame, now: u64) {
        let paid = match frame.kind {
            kind::RST_STREAM => self.budget.reset(now),
            kind::DATA if frame.length >= TINY || frame.has(flag::END_STREAM) => true,
            kind::HEADERS => {
                self.block = Some(frame.stream);
                self.is_new(frame.stream) || self.budget.control(now)
            }
            _ => self.budget.control(now),
        };
        self.over |= !paid;
    }

    /// A frame is whole.
    fn take(&mut self, frame: Frame) {
        match frame.kind {
            kind::HEADERS | kind::CONTINUATION if frame.has(flag::END_HEADERS) => {
                if let Some(stream) = self.block.take().filter(|stream| self.is_new(*stream)) {
                    self.open(stream);
                }
            }
            kind::RST_STREAM => self.close(frame.stream),
            _ => {}
        }
    }

    fn is_new(&self, stream: u32) -> bool {
        stream > self.last && stream % 2 == 1
    }

    fn open(&mut self, id: u32) {
        self.last = id;
        self.budget.request();
        self.open.push(Stream { id, window: self.initial, answered: false });
        self.over |= self.open.len() > self.most;
    }

    fn close(&mut self, id: u32) {
        if let Some(at) = self.open.iter().position(|stream| stream.id == id) {
            self.open.swap_remove(at);
        }
    }

    /// The client says what may be sent.
    fn learn(&mut self, frame: Frame, value: [u8; 6]) {
        let [a, b, c, d, e, f] = value;
        if frame.kind == kind::WINDOW_UPDATE {
            let more = i64::from(u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff);
            match frame.stream {
                0 => self.window = self.window.saturating_add(more),
                id => self.widen(id, more),
            }
        } else if u16::from_be_bytes([a, b]) == INITIAL_WINDOW {
            let initial = i64::from(u32::from_be_bytes([c, d, e, f]));
            let more = initial - self.initial;
            self.initial = initial;
            self.open.iter_mut().for_each(|stream| stream.window = stream.window.saturating_add(more));
        }
    }

    fn widen(&mut self, id: u32, more: i64) {
        if let Some(stream) = self.open.iter_mut().find(|stream| stream.id == id) {
            stream.window = stream.window.saturating_add(more);
        }
    }

    /// A piece of an answer's body goes.
    fn spend(&mut self, frame: Frame) {
        self.window -= i64::from(frame.length);
        self.widen(frame.stream, -i64::from(frame.length));
        self.sent += u64::from(frame.length);
        self.budget.answered(frame.length);
    }

    /// A frame went.
    fn sent(&mut self, frame: Frame) {
        match frame.kind {
            kind::RST_STREAM => self.close(frame.stream),
            kind::HEADERS | kind::DATA if frame.has(flag::END_STREAM) => self.close(frame.stream),
            kind::HEADERS => {
                if let Some(stream) = self.open.iter_mut().find(|stream| stream.id == frame.stream) {
                    stream.answered = true;
                }
            }
            _ => {}
        }
    }

    /// Whether the connection costs more than it may.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a block of fields has begun and not ended.
    pub(super) fn is_in_block(&self) -> bool {
        self.block.is_some()
    }

    /// Whether a request is not answered to its end.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether there is an answer that the client lets nothing be sent of.
    pub(super) fn is_blocked(&self) -> bool {
        self.open.iter().any(|stream| stream.answered && stream.window.min(self.window) <= 0)
    }

    /// Whether a frame can be written behind what went.
    pub(super) fn is_between(&self) -> bool {
        self.went.is_between()
    }

    /// Bytes of answers that went so far.
    pub(super) fn bytes_sent(&self) -> u64 {
        self.sent
    }

    /// The stream that was opened last.
    pub(super) fn last(&self) -> u32 {
        self.last
    }
}
