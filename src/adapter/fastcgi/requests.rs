//! The requests of one connection: what comes for them, and what is to be written back. No input or output.
//!
//! They take turns in writing. One that is given up counts until the engine has answered it, or a web server could have
//! any amount of work done by giving up what it asks for.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Instant;

use super::exchange::{Exchange, FULL};
use super::pairs::{self, Pairs};
use super::params;
use super::reader::{Event, Reader, Role};
use super::record::{self, Broken, Status, kind};
use crate::adapter::fault;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::reply::Answer;

/// What is open on a connection.
pub(super) struct Requests {
    engine: Engine,
    reader: Reader,
    open: BTreeMap<u16, Exchange>,
    given_up: Vec<Answer>,
    /// What is to be written.
    out: BytesMut,
    /// Whose turn it is to write first.
    turn: u16,
    /// No more begin.
    leaving: bool,
    /// Of a request that is over more may still come.
    unread: bool,
}

impl Requests {
    pub(super) fn new(engine: Engine) -> Self {
        let reader = Reader::new(engine.limits().head);
        let (open, given_up, out) = (BTreeMap::new(), Vec::new(), BytesMut::new());
        Requests { engine, reader, open, given_up, out, turn: 0, leaving: false, unread: false }
    }

    pub(super) fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    /// More came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// Does what came, unless somebody has to read or write first; whether that was all.
    pub(super) fn read(&mut self, now: Instant, cx: &Context<'_>) -> Result<bool, Broken> {
        while !self.is_full(cx) {
            match self.reader.next()? {
                Some(event) => self.take(event, now)?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Goes on with answers; whether any of it is new.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) -> bool {
        let (before, mut over) = (self.out.len(), Vec::new());
        let turns =
            [(Bound::Included(self.turn), Bound::Unbounded), (Bound::Unbounded, Bound::Excluded(self.turn))];
        for turn in turns {
            for (id, exchange) in self.open.range_mut(turn) {
                if let Poll::Ready(exit) = exchange.poll(*id, &self.engine, &mut self.out, cx) {
                    over.push((*id, exit));
                }
            }
        }
        over.iter().for_each(|(id, exit)| self.end(*id, *exit));
        self.turn = self.open.range(self.turn.wrapping_add(1)..).next().map_or(0, |(id, _)| *id);
        self.given_up.retain_mut(|answer| Pin::new(answer).poll(cx).is_pending());
        self.out.len() > before
    }

    /// What is to be written.
    pub(super) fn out(&self) -> &[u8] {
        &self.out
    }

    /// So much of it is.
    pub(super) fn written(&mut self, bytes: usize) {
        self.out.advance(bytes);
        if self.out.is_empty() {
            // A connection that rests has no memory.
            self.out = BytesMut::new();
        }
    }

    /// Lets no more requests begin.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// The web server sends no more: what is whole is answered.
    pub(super) fn close(&mut self) {
        self.leaving = true;
        self.open.retain(|_, exchange| exchange.close());
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.out.is_empty()
    }

    /// Whether something may still come that nobody wants.
    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Whether all is answered that will be.
    pub(super) fn is_over(&self) -> bool {
        self.leaving && self.is_idle()
    }

    /// When parameters have been waited for for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = self.open.values().filter_map(Exchange::waits_since).min()?;
        Some(since + self.engine.limits().head_time)
    }

    /// Refuses what takes too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let limit = self.engine.limits().head_time;
        for (id, exchange) in &mut self.open {
            if exchange.waits_since().is_some_and(|since| since + limit <= now) {
                exchange.ask(Err(fault::SLOW), &self.engine);
                self.reader.refuse(*id);
            }
        }
    }

    fn is_full(&self, cx: &Context<'_>) -> bool {
        self.out.len() >= FULL || self.open.values().any(|exchange| exchange.is_full(cx))
    }

    fn take(&mut self, event: Event, now: Instant) -> Result<(), Broken> {
        match event {
            Event::Asked(names) => self.tell(&names)?,
            Event::Unknown(kind) => {
                record::put(&mut self.out, kind::UNKNOWN_TYPE, 0, &[kind, 0, 0, 0, 0, 0, 0, 0]);
            }
            Event::Begin { id, keep, role } => self.begin(id, keep, role, now),
            Event::Head { id, params } => self.ask(id, params),
            Event::Body { id, bytes } => {
                if let Some(source) = self.open.get_mut(&id).and_then(Exchange::source) {
                    source.push(bytes);
                }
            }
            Event::End { id } => {
                if let Some(source) = self.open.get_mut(&id).and_then(Exchange::source) {
                    source.close();
                }
            }
            Event::Abort { id } => self.abort(id),
        }
        Ok(())
    }

    fn begin(&mut self, id: u16, keep: bool, role: Role, now: Instant) {
        match self.refusal(role) {
            None => drop(self.open.insert(id, Exchange::new(keep, now))),
            Some(status) => {
                record::put_end(&mut self.out, id, 0, status);
                self.unread |= !self.reader.end(id);
                self.leaving |= !keep;
            }
        }
    }

    /// Why a request is not taken.
    fn refusal(&self, role: Role) -> Option<Status> {
        let limits = self.engine.limits();
        let unsent = || self.open.values().map(Exchange::unsent).sum::<usize>();
        if role != Role::Responder {
            Some(Status::UnknownRole)
        } else if limits.streams <= 1 && !self.open.is_empty() {
            Some(Status::CannotMultiplex)
        } else if self.leaving
            || self.open.len() + self.given_up.len() >= limits.streams.max(1)
            || unsent() > limits.page
        {
            Some(Status::Overloaded)
        } else {
            None
        }
    }

    fn ask(&mut self, id: u16, params: Option<Bytes>) {
        let Some(exchange) = self.open.get_mut(&id) else { return };
        let params = params.ok_or(fault::LARGE_HEAD);
        let head = params.and_then(|params| params::read(&params, self.engine.limits()));
        exchange.ask(head, &self.engine);
    }

    /// The hit is given up; what its session makes of it is the session's.
    fn abort(&mut self, id: u16) {
        let Some(exchange) = self.open.remove(&id) else { return };
        record::put_end(&mut self.out, id, 0, Status::Complete);
        (self.leaving, self.unread) = (self.leaving || !exchange.keep, true);
        self.given_up.extend(exchange.give_up());
    }

    /// All of an answer is written. One that broke off is not told to have come to its end.
    fn end(&mut self, id: u16, exit: u32) {
        let Some(exchange) = self.open.remove(&id) else { return };
        if exit == 0 {
            record::put(&mut self.out, kind::STDOUT, id, b"");
        }
        record::put_end(&mut self.out, id, exit, Status::Complete);
        self.unread |= !self.reader.end(id);
        self.leaving |= !exchange.keep;
    }

    /// Tells the values that are known of those that are asked for, once each.
    fn tell(&mut self, names: &[u8]) -> Result<(), Broken> {
        let limits = self.engine.limits();
        // Web servers take it as what one connection takes.
        let known = [
            (&b"FCGI_MAX_CONNS"[..], limits.connections),
            (b"FCGI_MAX_REQS", limits.streams.max(1)),
            (b"FCGI_MPXS_CONNS", usize::from(limits.streams > 1)),
        ];
        let mut asked = [false; 3];
        for pair in Pairs::new(names) {
            let (name, _) = pair?;
            known.iter().zip(&mut asked).for_each(|((known, _), asked)| *asked |= *known == name);
        }
        let mut values = BytesMut::new();
        for ((name, value), _) in known.iter().zip(asked).filter(|(_, asked)| *asked) {
            pairs::put(&mut values, name, value.to_string().as_bytes());
        }
        record::put(&mut self.out, kind::GET_VALUES_RESULT, 0, &values);
        Ok(())
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
