//! The way back of a hit: the response while it is made.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use crate::body::Body;
use crate::page::{Frames, allow_nothing};
use crate::server::BoxFuture;

/// Chunks that wait for a slow client before `flush` waits too.
const CHUNKS: usize = 4;

/// The header fields of a page.
static USUAL: LazyLock<HeaderMap> = LazyLock::new(|| {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
    .into_iter()
    .collect()
});

/// The response being made, and whom it goes to.
pub(crate) struct Reply {
    back: Back,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What was printed and not sent yet.
    pub(crate) out: String,
    pub(crate) title: Option<String>,
    /// Set where the response is not a page of ours: no layout around it.
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) raw: Option<Bytes>,
    pub(crate) sensitive: bool,
    /// It carries a new id: no store may keep it, whatever the program says.
    pub(crate) tells_id: bool,
    /// More was printed than a page holds.
    pub(crate) overflow: bool,
    stream: Option<Stream>,
    ready: Option<Ready>,
}

/// What was printed and set before a page that is chosen on: it belongs to the page.
#[derive(Default, Clone, PartialEq)]
pub(crate) struct Preface {
    out: String,
    title: Option<String>,
    content_type: Option<HeaderValue>,
    sensitive: bool,
    status: StatusCode,
    headers: HeaderMap,
}

impl Preface {
    pub(crate) fn printed(out: String) -> Self {
        Preface { out, ..Preface::default() }
    }
}

/// A response whose head is on its way.
struct Stream {
    chunks: mpsc::Sender<Bytes>,
    last: mpsc::OwnedPermit<Bytes>,
    tail: Cow<'static, str>,
}

/// How a response gets back to who waits for it.
enum Back {
    /// The call that brought the hit is still on this thread's stack: it looks on the desk.
    Desk(u64),
    Channel(oneshot::Sender<Response<Body>>),
    /// It was sent.
    Done,
}

/// Where a session that answers at once leaves its response for the call that brought the hit: no memory is allocated
/// and no other thread is told. One call at a time has it; a call within a session's run has it meanwhile.
struct Desk {
    call: u64,
    left: Left,
}

enum Left {
    Nothing,
    Response(Response<Body>),
    /// The session is still at it.
    Channel(oneshot::Receiver<Response<Body>>),
}

thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(Desk { call: 0, left: Left::Nothing }) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Gives the desk back to the call before, also if this one panics.
struct Before(Option<Desk>);

impl Before {
    fn give_back(mut self) -> Desk {
        let before = self.0.take().expect("given back once");
        DESK.replace(before)
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            DESK.replace(before);
        }
    }
}

/// What a request is answered with, once: the future an adapter awaits.
pub struct Answer(Way);

enum Way {
    /// The session has answered.
    Now(Option<Response<Body>>),
    /// The session will.
    Later(oneshot::Receiver<Response<Body>>),
    /// Something else does: a file, or an adapter that reads the body first.
    Aside(BoxFuture<Response<Body>>),
}

impl Answer {
    /// Brings a hit with this reply, and takes what is answered at once.
    pub(crate) fn to(bring: impl FnOnce(Reply)) -> Self {
        let call = CALLS.get() + 1;
        CALLS.set(call);
        let before = Before(Some(DESK.replace(Desk { call, left: Left::Nothing })));
        bring(Reply::new(Back::Desk(call)));
        match before.give_back().left {
            Left::Response(response) => Answer(Way::Now(Some(response))),
            Left::Channel(receiver) => Answer(Way::Later(receiver)),
            Left::Nothing => unreachable!("a reply answers, is deferred, or is dropped and answers"),
        }
    }

    /// An answer that is there.
    #[cfg(feature = "compression")]
    pub(crate) fn now(response: Response<Body>) -> Self {
        Answer(Way::Now(Some(response)))
    }

    /// Takes the response, if it is there.
    #[cfg(feature = "compression")]
    pub(crate) fn at_once(&mut self) -> Option<Response<Body>> {
        match &mut self.0 {
            Way::Now(response) => response.take(),
            _ => None,
        }
    }

    pub(crate) fn aside(answer: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Answer(Way::Aside(Box::pin(answer)))
    }
}

impl Future for Answer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Way::Now(response) => {
                Poll::Ready(response.take().expect("an answer is not polled after it was ready"))
            }
            Way::Later(answer) => {
                let answer = ready!(Pin::new(answer).poll(cx));
                Poll::Ready(answer.expect("a reply answers when it is dropped"))
            }
            Way::Aside(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl Reply {
    fn new(back: Back) -> Reply {
        Reply {
            back,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            out: String::new(),
            title: None,
            content_type: None,
            raw: None,
            sensitive: false,
            tells_id: false,
            overflow: false,
            stream: None,
            ready: None,
        }
    }

    /// A reply that nobody waits for.
    pub(crate) fn nowhere() -> Reply {
        Reply::new(Back::Done)
    }

    /// The call that brought the hit is about to return: from here on the answer goes through a channel.
    pub(crate) fn defer(&mut self) {
        let Back::Desk(call) = self.back else { return };
        let (sender, receiver) = oneshot::channel();
        self.back = Back::Channel(sender);
        leave(call, Left::Channel(receiver));
    }

    /// What the page that is chosen on has from what was printed and set before it, if anything was.
    pub(crate) fn preface(&self) -> Option<Box<Preface>> {
        let plain = self.out.is_empty() && self.title.is_none() && self.content_type.is_none();
        if plain && !self.sensitive && self.status == StatusCode::OK && self.headers.is_empty() {
            return None;
        }
        let mut headers = self.headers.clone();
        // Cookies belong to one response.
        headers.remove(header::SET_COOKIE);
        let preface = Preface {
            out: self.out.clone(),
            title: self.title.clone(),
            content_type: self.content_type.clone(),
            sensitive: self.sensitive,
            status: self.status,
            headers,
        };
        (preface != Preface::default()).then(|| Box::new(preface))
    }

    /// Begins another response for the same page.
    pub(crate) fn begin(&mut self, preface: &Preface) {
        let Preface { out, title, content_type, sensitive, status, headers } = preface.clone();
        (self.out, self.title, self.content_type) = (out, title, content_type);
        (self.sensitive, self.status) = (sensitive, status);
        self.headers.extend(headers);
    }

    /// Whether its head is on its way: too late for a status, a header or another page.
    pub(crate) fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends the head and what was printed; the chunk to send on, with the channel that has room for it or waits.
    pub(crate) fn flush(&mut self, frames: &Frames, mount: &str) -> (mpsc::Sender<Bytes>, Bytes) {
        if self.stream.is_none() {
            let (head, tail) = self.wrap(frames, mount);
            self.out.insert_str(0, &head);
            let (chunks, receiver) = mpsc::channel(CHUNKS);
            let last = chunks.clone().try_reserve_owned().expect("a new channel has room");
            self.send_body(Body::from(receiver));
            self.stream = Some(Stream { chunks, last, tail });
        }
        let stream = self.stream.as_ref().expect("made above");
        (stream.chunks.clone(), std::mem::take(&mut self.out).into())
    }

    /// Adds to what was printed, up to `limit` bytes.
    pub(crate) fn add(&mut self, text: String, limit: usize) {
        if self.out.len() + text.len() > limit {
            self.overflow = true;
        } else if self.out.is_empty() {
            self.out = text;
        } else {
            self.out.push_str(&text);
        }
    }

    /// Completes the response: [`send`](Self::send) sends it. With `keep` returns it as a page that can be given
    /// again, unless it was streamed.
    pub(crate) fn finish(&mut self, frames: &Frames, mount: &str, keep: bool) -> Option<Kept> {
        if let Some(Stream { chunks: _, last, tail }) = self.stream.take() {
            self.out.push_str(&tail);
            self.ready = Some(Ready::Tail(last, std::mem::take(&mut self.out).into()));
            return None;
        }
        let body = match self.raw.take() {
            Some(raw) => raw,
            None => {
                let (head, tail) = self.wrap(frames, mount);
                let mut page = String::with_capacity(head.len() + self.out.len() + tail.len());
                page.push_str(&head);
                page.push_str(&self.out);
                page.push_str(&tail);
                page.into()
            }
        };
        self.head();
        let kept = keep.then(|| Kept {
            status: self.status,
            headers: self.headers.clone(),
            sensitive: self.sensitive,
            body: body.clone(),
        });
        self.ready = Some(Ready::Whole(body));
        kept
    }

    /// Sends what [`finish`](Self::finish) has completed.
    pub(crate) fn send(&mut self) {
        match self.ready.take() {
            Some(Ready::Whole(body)) => self.send_body(Body::from(body)),
            Some(Ready::Tail(last, chunk)) => drop(last.send(chunk)),
            None => {}
        }
    }

    /// Answers with a page that was kept, and this hit's own cookies.
    pub(crate) fn repeat(&mut self, kept: &Kept) {
        let cookies: Vec<_> = self.headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        self.status = kept.status;
        self.headers = kept.headers.clone();
        for cookie in cookies {
            self.headers.append(header::SET_COOKIE, cookie);
        }
        if self.tells_id {
            forbid_keeping(&mut self.headers);
        }
        self.sensitive = kept.sensitive;
        self.send_body(Body::from(kept.body.clone()));
    }

    /// What stands before and after the printed text.
    fn wrap(&self, frames: &Frames, mount: &str) -> (Cow<'static, str>, Cow<'static, str>) {
        let whole = self.content_type.is_some() || self.status.is_redirection() || is_whole(&self.out);
        if whole { Default::default() } else { frames.around(mount, self.title.as_deref()) }
    }

    /// Fills in the header fields every response has.
    fn head(&mut self) {
        if self.headers.is_empty() {
            self.headers = USUAL.clone();
        } else {
            for (name, value) in &*USUAL {
                self.headers.entry(name).or_insert_with(|| value.clone());
            }
        }
        if let Some(kind) = self.content_type.take() {
            self.headers.insert(header::CONTENT_TYPE, kind);
        }
        if self.sensitive || self.tells_id {
            forbid_keeping(&mut self.headers);
        }
    }

    fn send_body(&mut self, body: Body) {
        if body.is_streamed() {
            self.head();
        }
        let back = std::mem::replace(&mut self.back, Back::Done);
        if matches!(back, Back::Done) {
            return;
        }
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = std::mem::take(&mut self.headers);
        #[cfg(feature = "compression")]
        if self.sensitive {
            response.extensions_mut().insert(crate::compress::Secret);
        }
        match back {
            Back::Desk(call) => leave(call, Left::Response(response)),
            // A client that has gone away is no concern of the session's.
            Back::Channel(sender) => drop(sender.send(response)),
            Back::Done => {}
        }
    }
}

/// No cache may keep it. What nobody may change stays so.
fn forbid_keeping(headers: &mut HeaderMap) {
    let said = headers.get(header::CACHE_CONTROL).map(|said| said.as_bytes().to_ascii_lowercase());
    let fixed = said.is_some_and(|said| said.windows(12).any(|word| word == b"no-transform"));
    let value = if fixed { "no-store, no-transform" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
}

/// Leaves something on the desk of the call that is on this thread's stack.
fn leave(call: u64, left: Left) {
    DESK.with_borrow_mut(|desk| {
        // Another call's desk: a response would go to another client.
        assert_eq!(desk.call, call, "a reply is deferred before its hit leaves the call that brought it");
        desk.left = left;
    });
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !matches!(self.back, Back::Done) {
            self.status = StatusCode::SERVICE_UNAVAILABLE;
            self.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            self.content_type = Some(HeaderValue::from_static("text/plain; charset=utf-8"));
            self.sensitive = true;
            allow_nothing(&mut self.headers);
            self.head();
            self.send_body(Body::from(Bytes::from_static(b"Please try again in a moment.\n")));
        }
    }
}

/// A complete response that was not sent yet.
enum Ready {
    Whole(Bytes),
    Tail(mpsc::OwnedPermit<Bytes>, Bytes),
}

/// Whether the program printed a whole document: then no layout goes around it.
fn is_whole(out: &str) -> bool {
    let start = out.trim_start().as_bytes();
    let begins = |with: &[u8]| start.len() >= with.len() && start[..with.len()].eq_ignore_ascii_case(with);
    begins(b"<!doctype") || begins(b"<html")
}

/// A response that can be given again.
#[derive(Debug)]
pub(crate) struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    sensitive: bool,
    body: Bytes,
}

impl Kept {
    pub(crate) fn bytes(&self) -> usize {
        self.body.len()
    }
}
