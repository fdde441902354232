//! The way back of a hit: the response while it is made.

mod answer;
mod forms;
#[cfg(all(any(test, continuity_fuzz), feature = "http", feature = "files", feature = "multipart"))]
pub(crate) use forms::fuzz;
pub(crate) mod spare;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::mpsc;

pub use answer::Answer;
pub(crate) use answer::{Back, Call, Outcome, Ready};
pub(crate) use forms::Forms;

use crate::body::Body;
use crate::mapper::returns::NO_REFERRER;
use crate::page::{Frames, Notice};

/// Chunks that wait for a slow client before `flush` waits too.
const CHUNKS: usize = 4;

/// What each page's head says, made when this is compiled: to check it again for each page costs.
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The response being made, and whom it goes to. Dropped unfinished, it answers 503.
pub(crate) struct Reply {
    back: Back,
    pub(crate) status: StatusCode,
    pub(crate) sensitive: bool,
    /// It goes to who came by a URL that nobody else is to see.
    pub(crate) returned: bool,
    /// More was printed than a page holds.
    pub(crate) overflow: bool,
    /// What was printed and not sent yet.
    pub(crate) out: String,
    /// Tells the visitor a new id.
    pub(crate) introduction: Option<HeaderValue>,
    /// Set when it is complete.
    body: Option<Body>,
    rare: Option<Box<Rare>>,
}

/// What few responses have.
#[derive(Default)]
pub(crate) struct Rare {
    /// Set by the program, or for this page alone.
    pub(crate) headers: HeaderMap,
    pub(crate) title: Option<String>,
    /// Set where the response is not a page of ours: no layout around it.
    pub(crate) content_type: Option<HeaderValue>,
    /// What stands on top of the page.
    pub(crate) notice: Option<Notice>,
    /// The body, in place of what was printed.
    pub(crate) raw: Option<Box<Raw>>,
    stream: Option<Stream>,
    /// How far forms were looked for in what was sent.
    forms: Option<Box<Forms>>,
}

/// A response whose head is on its way.
struct Stream {
    chunks: mpsc::Sender<Bytes>,
    last: mpsc::OwnedPermit<Bytes>,
    tail: Cow<'static, str>,
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

impl Reply {
    #[inline]
    pub(crate) fn new(back: Back) -> Reply {
        Reply {
            back,
            status: StatusCode::OK,
            sensitive: false,
            returned: false,
            overflow: false,
            out: String::new(),
            introduction: None,
            body: None,
            rare: None,
        }
    }

    /// See [`Back::defer`].
    pub(crate) fn defer(&mut self) {
        self.back.defer();
    }

    /// What few responses have, allocated now.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What is to stand on top of the page.
    pub(crate) fn take_notice(&mut self) -> Option<Notice> {
        self.rare.as_mut()?.notice.take()
    }

    #[cfg(feature = "files")]
    pub(crate) fn content_type(&self) -> Option<&HeaderValue> {
        self.rare.as_ref()?.content_type.as_ref()
    }

    /// What the page that is chosen on has from what was printed and set before it, if anything was.
    pub(crate) fn preface(&self) -> Option<Box<Preface>> {
        if self.out.is_empty() && !self.sensitive && self.status == StatusCode::OK && self.rare.is_none() {
            return None;
        }
        self.make_preface()
    }

    #[inline(never)]
    fn make_preface(&self) -> Option<Box<Preface>> {
        let rare = self.rare.as_deref();
        let mut headers = rare.map(|rare| rare.headers.clone()).unwrap_or_default();
        // Cookies belong to one response, and so does being sent elsewhere: the page is for who comes by hand.
        headers.remove(header::SET_COOKIE);
        headers.remove(header::LOCATION);
        let status = if self.status.is_redirection() { StatusCode::OK } else { self.status };
        let preface = Preface {
            out: self.out.clone(),
            title: rare.and_then(|rare| rare.title.clone()),
            content_type: rare.and_then(|rare| rare.content_type.clone()),
            sensitive: self.sensitive,
            status,
            headers,
        };
        (preface != Preface::default()).then(|| Box::new(preface))
    }

    /// Begins another response for the same page.
    #[cold]
    pub(crate) fn begin(&mut self, preface: &Preface) {
        let Preface { out, title, content_type, sensitive, status, headers } = preface.clone();
        (self.out, self.sensitive, self.status) = (out, sensitive, status);
        if title.is_some() || content_type.is_some() || !headers.is_empty() {
            let rare = self.rare();
            (rare.title, rare.content_type) = (title, content_type);
            rare.headers.extend(headers);
        }
    }

    /// Begins the response anew; its header fields stay.
    #[cold]
    pub(crate) fn restart(&mut self, status: StatusCode) {
        (self.status, self.sensitive, self.overflow) = (status, true, false);
        self.out.clear();
        if let Some(rare) = &mut self.rare {
            (rare.title, rare.content_type, rare.raw) = (None, None, None);
        }
    }

    /// Nothing of what was made so far leaves: no page, no header field, no id.
    #[cold]
    pub(crate) fn discard(&mut self) {
        (self.introduction, self.body, self.rare) = (None, None, None);
        self.out.clear();
    }

    /// Whether its head is on its way: too late for a status, a header or another page.
    pub(crate) fn is_streaming(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.stream.is_some())
    }

    /// Sends the head and what was printed; the chunk to send on, with the channel that has room for it or waits.
    #[cold]
    pub(crate) fn flush(&mut self, frames: &Frames, mount: &str) -> (mpsc::Sender<Bytes>, Bytes) {
        if !self.is_streaming() {
            let (head, tail) = self.wrap(frames, mount);
            self.out.insert_str(0, &head);
            let (chunks, receiver) = mpsc::channel(CHUNKS);
            let last = chunks.clone().try_reserve_owned().expect("a new channel has room");
            let response = self.respond(HeaderMap::new(), Body::from(receiver));
            self.take_back().answer(Outcome::response(response));
            self.rare().stream = Some(Stream { chunks, last, tail });
        }
        let out = std::mem::take(&mut self.out).into();
        let stream = self.rare().stream.as_ref().expect("made above");
        (stream.chunks.clone(), out)
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

    /// Whether forms have to be looked for in what was printed and not sent yet. With `more` the page goes on.
    pub(crate) fn may_have_forms(&self, more: bool) -> bool {
        more || self.is_streaming() || Forms::may_be_in(&self.out)
    }

    /// Gives the forms of a page their tokens, in what was printed and not sent yet: `token` writes that of a form by its
    /// number. With `more` the page goes on.
    pub(crate) fn add_tokens(&mut self, limit: usize, more: bool, token: impl FnMut(u32, &mut String)) {
        let rare = self.rare.as_deref();
        if self.status.is_redirection() || rare.is_some_and(|rare| !rare.is_html()) {
            return;
        }
        let mut forms = self.rare.as_mut().and_then(|rare| rare.forms.take()).unwrap_or_default();
        forms.add(&mut self.out, limit, token);
        if more {
            self.rare().forms = Some(forms);
        }
    }

    /// Adds to what was printed, while there is room for it.
    pub(crate) fn add_quietly(&mut self, text: String, limit: usize) {
        let before = self.overflow;
        self.add(text, limit);
        self.overflow = before;
    }

    /// Completes the response. With `keep` returns it also as a page that can be given again, unless it was streamed.
    pub(crate) fn complete(&mut self, frames: &Frames, mount: &str, keep: bool) -> Complete {
        if self.rare.is_some() || keep {
            return self.complete_rare(frames, mount, keep);
        }
        let plain = self.plain_page(frames);
        self.body = Some(plain.unwrap_or_else(|| self.page(frames, mount)).into());
        Complete::Whole(None)
    }

    #[inline(never)]
    fn complete_rare(&mut self, frames: &Frames, mount: &str, keep: bool) -> Complete {
        if let Some(Stream { chunks: _, last, tail }) = self.rare().stream.take() {
            self.out.push_str(&tail);
            return Complete::Tail(last, std::mem::take(&mut self.out).into());
        }
        let body = match self.rare().raw.take() {
            Some(raw) => self.take_raw(*raw),
            None => self.page(frames, mount).into(),
        };
        let kept = if keep { self.kept(&body) } else { None };
        self.body = Some(body);
        Complete::Whole(kept)
    }

    /// What is no page brings its own head.
    fn take_raw(&mut self, raw: Raw) -> Body {
        self.status = raw.status.unwrap_or(self.status);
        self.rare().headers.extend(raw.headers);
        raw.body
    }

    /// The response as it can be given again: not one to a condition or a range, which the next hit may lack.
    fn kept(&self, body: &Body) -> Option<Arc<Kept>> {
        use StatusCode as S;
        let asked = [S::PARTIAL_CONTENT, S::NOT_MODIFIED, S::PRECONDITION_FAILED, S::RANGE_NOT_SATISFIABLE];
        let body = body.whole().filter(|_| !asked.contains(&self.status))?;
        let mut headers = HeaderMap::new();
        self.fill(&mut headers);
        if let Some(introduction) = &self.introduction {
            headers.append(header::SET_COOKIE, introduction.clone());
        }
        Some(Arc::new(Kept {
            status: self.status,
            headers,
            #[cfg(feature = "compression")]
            sensitive: self.sensitive,
            body,
        }))
    }

    /// The bytes of the body, where it is there at once.
    #[cfg(feature = "http2")]
    fn size(&self) -> usize {
        self.body.as_ref().and_then(Body::whole).map_or(0, |whole| whole.len())
    }

    /// The response, once it is complete. `headers` is memory for its fields.
    pub(crate) fn take_response(&mut self, headers: HeaderMap) -> Response<Body> {
        let body = self.body.take().unwrap_or_else(|| Bytes::new().into());
        self.respond(headers, body)
    }

    pub(crate) fn take_back(&mut self) -> Back {
        std::mem::replace(&mut self.back, Back::nowhere())
    }

    /// What was printed as a page like most: nothing was set for it, and no layout is asked.
    fn plain_page(&mut self, frames: &Frames) -> Option<Bytes> {
        let (head, tail) = frames.plain()?;
        if self.status.is_redirection() || is_whole(&self.out) {
            return None;
        }
        let page = [head, &self.out, tail].concat().into();
        spare::give(std::mem::take(&mut self.out));
        Some(page)
    }

    #[inline(never)]
    fn page(&self, frames: &Frames, mount: &str) -> Bytes {
        let (head, tail) = self.wrap(frames, mount);
        [&*head, &*self.out, &*tail].concat().into()
    }

    /// The answer with a page that was kept, and this hit's own cookies.
    pub(crate) fn repeat(mut self, kept: &Kept) -> Ready {
        let mut response = Response::new(kept.body.clone().into());
        *response.status_mut() = kept.status;
        let headers = response.headers_mut();
        headers.clone_from(&kept.headers);
        if let Some(rare) = &self.rare {
            for cookie in rare.headers.get_all(header::SET_COOKIE) {
                headers.append(header::SET_COOKIE, cookie.clone());
            }
        }
        if let Some(introduction) = self.introduction.take() {
            headers.append(header::SET_COOKIE, introduction);
            keep_private(headers);
        }
        #[cfg(feature = "compression")]
        if kept.sensitive {
            response.extensions_mut().insert(crate::compress::Secret);
        }
        Ready::Again(self.take_back(), Outcome::response(response))
    }

    /// What stands before and after the printed text.
    fn wrap(&self, frames: &Frames, mount: &str) -> (Cow<'static, str>, Cow<'static, str>) {
        let rare = self.rare.as_deref();
        let other = rare.is_some_and(|rare| rare.content_type.is_some()) || self.status.is_redirection();
        if other || is_whole(&self.out) {
            return Default::default();
        }
        frames.around(mount, rare.and_then(|rare| rare.title.as_deref()))
    }

    fn respond(&mut self, mut headers: HeaderMap, body: Body) -> Response<Body> {
        headers.clear();
        self.fill(&mut headers);
        if let Some(introduction) = self.introduction.take() {
            headers.append(header::SET_COOKIE, introduction);
        }
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        // What it is made with is empty and holds no memory: there is nothing to drop.
        std::mem::forget(std::mem::replace(response.headers_mut(), headers));
        #[cfg(feature = "compression")]
        if self.sensitive {
            response.extensions_mut().insert(crate::compress::Secret);
        }
        response
    }

    /// Fills an empty map with the header fields, all but what depends on the body and what tells a new id.
    fn fill(&self, headers: &mut HeaderMap) {
        let secret = self.sensitive || self.returned;
        headers.append(header::CONTENT_TYPE, HTML);
        headers.append(header::CACHE_CONTROL, if secret { NO_STORE } else { PRIVATE });
        headers.append(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if let Some(rare) = &self.rare {
            rare.fill(headers);
            if secret {
                forbid_keeping(headers);
            } else if self.introduction.is_some() {
                keep_private(headers);
            }
        }
        if self.returned {
            headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        }
    }
}

impl Rare {
    /// Whether what was printed is sent as HTML.
    fn is_html(&self) -> bool {
        let kind = self.content_type.as_ref().map(HeaderValue::as_bytes);
        let kind = kind.map(|kind| kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
        self.raw.is_none() && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(b"text/html"))
    }

    #[inline(never)]
    fn fill(&self, headers: &mut HeaderMap) {
        for name in self.headers.keys() {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if let Some(kind) = &self.content_type {
            headers.insert(header::CONTENT_TYPE, kind.clone());
        }
    }
}

/// What became of a response that was completed.
pub(crate) enum Complete {
    /// It is whole, and can be given again if it was to be kept.
    Whole(Option<Arc<Kept>>),
    /// Its head was sent before: this is the last of its body.
    Tail(mpsc::OwnedPermit<Bytes>, Bytes),
}

/// No cache may keep it. What nobody may change stays so.
#[inline(never)]
fn forbid_keeping(headers: &mut HeaderMap) {
    let said = headers.get(header::CACHE_CONTROL).map(|said| said.as_bytes().to_ascii_lowercase());
    let fixed = said.is_some_and(|said| said.windows(12).any(|word| word == b"no-transform"));
    let value = if fixed { "no-store, no-transform" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
}

/// It tells a visitor who they are: their browser may keep it, so that Back shows it, and nobody else.
fn keep_private(headers: &mut HeaderMap) {
    let said = headers.get(header::CACHE_CONTROL).map(|said| said.as_bytes().to_ascii_lowercase());
    let said = said.unwrap_or_default();
    let says = |word: &[u8]| said.split(|byte| *byte == b',').any(|part| part.trim_ascii() == word);
    let value = match (says(b"no-store"), says(b"no-transform")) {
        (true, _) => return forbid_keeping(headers),
        (false, true) => HeaderValue::from_static("private, no-cache, no-transform"),
        (false, false) => PRIVATE,
    };
    headers.insert(header::CACHE_CONTROL, value);
}

/// Whether the program printed a whole document: then no layout goes around it.
fn is_whole(out: &str) -> bool {
    let start = out.as_bytes().trim_ascii_start();
    // Most pages begin with another element.
    matches!(start, [b'<', b'!' | b'h' | b'H', b'd' | b'D' | b't' | b'T', ..]) && {
        let begins =
            |with: &[u8]| start.len() >= with.len() && start[..with.len()].eq_ignore_ascii_case(with);
        begins(b"<!doctype") || begins(b"<html")
    }
}

/// A response that is no page: bytes, or a file with the head that belongs to it.
pub(crate) struct Raw {
    /// In place of the reply's.
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl From<Bytes> for Box<Raw> {
    fn from(bytes: Bytes) -> Self {
        Box::new(Raw { status: None, headers: HeaderMap::new(), body: bytes.into() })
    }
}

/// A response that can be given again.
#[derive(Debug)]
pub(crate) struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    #[cfg(feature = "compression")]
    sensitive: bool,
    body: Bytes,
}

impl Kept {
    pub(crate) fn bytes(&self) -> usize {
        self.body.len()
    }
}
