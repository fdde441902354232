//! One request with its answer, as part of a connection.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use tokio::time::Instant;

use super::params::Head;
use super::record::{self, kind};
use super::response::put_head;
use super::stdin::{Source, Stdin, stdin};
use crate::adapter::fault::Fault;
use crate::adapter::head;
use crate::body::Body;
use crate::engine::Engine;
use crate::reply::Answer;

/// Bytes that wait to be written before answers wait too.
pub(super) const FULL: usize = 64 * 1024;

/// A request and how far it is.
pub(super) struct Exchange {
    /// The web server uses the connection again.
    pub(super) keep: bool,
    /// Where its body goes.
    source: Option<Source>,
    /// Its answer has no body, whatever is in it.
    bare: bool,
    stage: Stage,
}

enum Stage {
    /// Its parameters come, since then.
    Begun(Instant),
    /// It can be brought to the engine.
    Asked(Box<(Head, Stdin)>),
    Awaited(Answer),
    /// The answer's body, and what was taken out of it and is not written.
    Sent(Body, Bytes),
}

impl Exchange {
    pub(super) fn new(keep: bool, now: Instant) -> Self {
        Exchange { keep, source: None, bare: false, stage: Stage::Begun(now) }
    }

    /// Since when its parameters are waited for.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match self.stage {
            Stage::Begun(since) => Some(since),
            _ => None,
        }
    }

    /// Its parameters are there. It is brought to the engine when it is polled: what has come of the body by then makes
    /// its way shorter.
    pub(super) fn ask(&mut self, head: Result<Head, Fault>, engine: &Engine) {
        match head {
            Ok(head) => {
                self.bare = head.parts.method == Method::HEAD;
                let (source, body) = stdin(head.length);
                self.source = Some(source);
                self.stage = Stage::Asked(Box::new((head, body)));
            }
            Err(fault) => {
                self.stage = Stage::Awaited(Answer::aside(ready(head::refuse(engine, fault))));
            }
        }
    }

    /// Where its body goes, once it has a head.
    pub(super) fn source(&mut self) -> Option<&mut Source> {
        self.source.as_mut()
    }

    /// Whether so much of its body waits to be read that no more is to be taken.
    pub(super) fn is_full(&self, cx: &Context<'_>) -> bool {
        self.source.as_ref().is_some_and(|source| source.is_full(cx))
    }

    /// Nothing more will come of it: a body that is not whole is broken. False if there is no request yet.
    pub(super) fn close(&mut self) -> bool {
        self.source = None;
        !matches!(self.stage, Stage::Begun(_))
    }

    /// The answer that the engine has still to give.
    pub(super) fn give_up(self) -> Option<Answer> {
        match self.stage {
            Stage::Awaited(answer) => Some(answer),
            _ => None,
        }
    }

    /// Bytes in memory that are still to be written.
    pub(super) fn unsent(&self) -> usize {
        match &self.stage {
            Stage::Sent(body, rest) => body.whole().map_or(0, |whole| whole.len()) + rest.len(),
            _ => 0,
        }
    }

    /// Goes on; ready with what it exits with when all of the answer is written.
    pub(super) fn poll(
        &mut self,
        id: u16,
        engine: &Engine,
        out: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<u32> {
        if matches!(self.stage, Stage::Asked(_)) {
            self.bring(engine);
        }
        match &mut self.stage {
            Stage::Awaited(answer) => {
                let response = ready!(Pin::new(answer).poll(cx));
                self.begin(response);
                self.send(id, out, cx)
            }
            Stage::Sent(..) => self.send(id, out, cx),
            Stage::Begun(_) | Stage::Asked(_) => Poll::Pending,
        }
    }

    fn bring(&mut self, engine: &Engine) {
        let stage = std::mem::replace(&mut self.stage, Stage::Sent(Body::from(Bytes::new()), Bytes::new()));
        if let Stage::Asked(asked) = stage {
            let (Head { parts, via, .. }, body) = *asked;
            self.stage = Stage::Awaited(engine.receive_parts(parts, body, via));
        }
    }

    fn begin(&mut self, response: Response<Body>) {
        let mut head = BytesMut::new();
        put_head(&mut head, &response);
        let bare =
            self.bare || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if bare { Body::from(Bytes::new()) } else { response.into_body() };
        self.stage = Stage::Sent(body, head.freeze());
    }

    /// Writes what there is, as long as there is room. An answer that breaks off exits with 1.
    fn send(&mut self, id: u16, out: &mut BytesMut, cx: &mut Context<'_>) -> Poll<u32> {
        let Stage::Sent(body, rest) = &mut self.stage else { return Poll::Pending };
        while out.len() < FULL {
            let some = rest.split_to(rest.len().min(FULL));
            record::put_stream(out, kind::STDOUT, id, &some);
            if !rest.is_empty() {
                continue;
            }
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => *rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Poll::Ready(1),
                None => return Poll::Ready(0),
            }
        }
        Poll::Pending
    }
}
