//! What all parts of a running server share, and the handle that adapters bring their hits to.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;

use crate::body::Body;
use crate::flow::Flow;
use crate::hit::{Hit, Via};
use crate::journal::{Divergence, Journal};
use crate::limits::Limits;
use crate::log::{Gate, Line};
use crate::mapper::cookie::SessionCookie;
use crate::mapper::forwarded::{DOUBTFUL, Proxies};
use crate::mapper::key::{Keys, random};
use crate::mapper::pace::Pace;
use crate::mapper::reap::{Addresses, Dying};
use crate::mapper::returns::Returns;
use crate::mapper::rotate::Rotated;
use crate::page::{self, Frames, Notice, Pages, Problem};
use crate::reply::{Answer, Back, Call, Ready};
use crate::session::kept::KeptPages;
use crate::session::table::Table;
use crate::step::{self, OldPages, Seal};

/// A running server without its sockets: brings hits to sessions. Cheap to clone; what an
/// [`Adapter`](crate::Adapter) is given.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Core>);

pub(crate) struct Core {
    pub(crate) limits: Limits,
    /// The root's flow first, the longest mounts next.
    pub(crate) flows: Vec<Flow>,
    pub(crate) apps: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    pub(crate) cookie: SessionCookie,
    pub(crate) proxies: Option<Proxies>,
    pub(crate) health: String,
    pub(crate) keys: Keys,
    pub(crate) seal: Seal,
    pub(crate) frames: Frames,
    pub(crate) pages: Pages,
    #[cfg(feature = "files")]
    pub(crate) files: Option<Arc<crate::files::Served>>,
    #[cfg(feature = "compression")]
    pub(crate) compress: bool,
    pub(crate) table: Table,
    pub(crate) kept: KeptPages,
    pub(crate) addresses: Addresses,
    pub(crate) dying: Dying,
    pub(crate) pace: Arc<Pace>,
    pub(crate) rotated: Rotated,
    pub(crate) returns: Returns,
    #[cfg(feature = "multipart")]
    pub(crate) arrivals: Arc<crate::intake::arrivals::Arrivals>,
    #[cfg(feature = "multipart")]
    pub(crate) spool: Arc<crate::intake::spool::Spool>,
    pub(crate) journal: Option<Journal>,
    /// What new answers to old pages do, where flow and page do not say.
    pub(crate) old_pages: OldPages,
    /// What becomes of sessions that the program does not replay any more, where the flow does not say.
    pub(crate) on_divergence: Divergence,
    /// How long those may be idle that a journal cannot keep as they are.
    pub(crate) idle_unkept: Duration,
    pub(crate) clock: Clock,
    pub(crate) gate: Gate,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// Seconds of the server's life, or of its journal's, by the runtime's monotonic clock; moved on by the reaper.
pub(crate) struct Clock {
    start: Instant,
    /// The second it began with: with a journal, one that no server on it has seen.
    first: u32,
    now: AtomicU32,
    /// Microseconds since 1970 at the start, by the system's clock.
    wall: i64,
}

impl Clock {
    /// `wall`: what to take for the system's time.
    pub(crate) fn new(first: u32, wall: Option<i64>) -> Self {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = wall.unwrap_or_else(|| i64::try_from(system.as_micros()).unwrap_or(i64::MAX));
        Clock { start: Instant::now(), first, now: AtomicU32::new(first), wall }
    }

    /// Microseconds since 1970: the system's time at the start, and what went by since. A system's clock that is set
    /// meanwhile changes nothing.
    pub(crate) fn micros(&self) -> i64 {
        let gone = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.wall.saturating_add(gone)
    }

    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn tick(&self) -> u32 {
        let now = self.second();
        self.now.store(now, Ordering::Relaxed);
        now
    }

    /// The second that it is, not the one when it was moved last.
    pub(crate) fn second(&self) -> u32 {
        let gone = u32::try_from(self.start.elapsed().as_secs()).unwrap_or(u32::MAX);
        self.first.saturating_add(gone)
    }

    /// When this second begins.
    pub(crate) fn at(&self, second: u32) -> Instant {
        self.start + Duration::from_secs(u64::from(second.saturating_sub(self.first)))
    }
}

impl Engine {
    /// Brings one request to its session; the future is ready when the session has answered. The body is whole; `via` is
    /// how it came: the address of who is connected, the client or a proxy, or more ([`Via`]).
    ///
    /// A session that waits runs within this call; a form with files is taken apart first, when the future is awaited. Dropping the future gives up the answer, not the session.
    pub fn answer(&self, request: Request<Bytes>, via: impl Into<Via>) -> Answer {
        let (head, body) = request.into_parts();
        self.answer_parts(head, body, via.into())
    }

    /// [`answer`](Self::answer) for adapters that have the parts: moving them twice costs.
    pub(crate) fn answer_parts(&self, head: Parts, body: Bytes, via: Via) -> Answer {
        match Access::of(&head) {
            None => self.serve(head, body, via),
            Some(access) => access.log(self.serve(head, body, via)),
        }
    }

    pub(crate) fn serve(&self, head: Parts, body: Bytes, via: Via) -> Answer {
        #[cfg(feature = "compression")]
        if self.0.compress {
            let wanted = crate::compress::wanted(&head.headers);
            return crate::compress::on_its_way(self.find(head, body, via), wanted, &self.0.runtime);
        }
        self.find(head, body, via)
    }

    /// Finds what answers: the health path, a file, a session.
    fn find(&self, head: Parts, body: Bytes, via: Via) -> Answer {
        let core = &self.0;
        let path = via.local(head.uri.path());
        if path == core.health {
            return health();
        }
        #[cfg(feature = "files")]
        if let Some(files) = core.files.as_ref().filter(|files| files.wants(path)) {
            return files.answer(head, body, via, self.clone());
        }
        self.bring(head, body, via)
    }

    /// Brings what is no file to its session.
    pub(crate) fn bring(&self, head: Parts, body: Bytes, via: Via) -> Answer {
        #[cfg(feature = "multipart")]
        if !body.is_empty() && crate::intake::multipart::wants(&self.0, &head, &via) {
            return self.take_apart(head, body, via);
        }
        let (call, back) = Call::begin();
        self.0.map_checked(self.0.hit(head, body, via, back));
        call.end()
    }

    #[cfg(feature = "multipart")]
    #[inline(never)]
    fn take_apart(&self, head: Parts, body: Bytes, via: Via) -> Answer {
        let body = http_body_util::Full::new(body);
        Answer::aside(crate::intake::multipart::receive(self.clone(), head, body, via))
    }

    /// The bounds this server was given: adapters keep those on heads, bodies and connections.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// A page for what an adapter refuses by itself.
    pub fn refusal(&self, status: StatusCode, message: &str) -> Response<Body> {
        let body = self.0.problem_page(status, message);
        let mut response = Response::new(Body::from(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.0.guard(headers);
        response
    }

    /// How many sessions are alive.
    pub fn sessions(&self) -> usize {
        self.0.table.alive()
    }
}

/// A line of the access log, if anybody reads it.
pub(crate) struct Access {
    started: Instant,
    method: Method,
    path: String,
}

impl Access {
    pub(crate) fn of(head: &Parts) -> Option<Access> {
        let read = tracing::enabled!(target: "continuity::access", tracing::Level::DEBUG);
        read.then(|| Access::begin(head))
    }

    #[cold]
    fn begin(head: &Parts) -> Access {
        Access { started: Instant::now(), method: head.method.clone(), path: head.uri.path().to_owned() }
    }

    /// Writes the line when there is an answer.
    #[cold]
    pub(crate) fn log(self, answer: Answer) -> Answer {
        Answer::aside(async move {
            let response = answer.await;
            let Access { started, method, path } = self;
            tracing::debug!(
                target: "continuity::access", %method, path = %Line(path), status = response.status().as_u16(),
                micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), "hit"
            );
            response
        })
    }
}

#[cold]
fn health() -> Answer {
    let mut response = Response::new(Body::from(Bytes::from_static(b"ok\n")));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page::allow_nothing(headers);
    Answer::aside(std::future::ready(response))
}

impl Core {
    /// A hit, from whom it is by what trusted proxies say.
    pub(crate) fn hit(&self, head: Parts, body: Bytes, via: Via, back: Back) -> Box<Hit> {
        let mut hit = Hit::new(head, body, via, back);
        if let Some(proxies) = &self.proxies {
            hit.look_behind(proxies);
        }
        hit
    }

    /// Brings a hit to its session, unless it has more parameters than a hit may have, or comes from nobody knows where.
    pub(crate) fn map_checked(self: &Arc<Self>, hit: Box<Hit>) {
        if hit.has_more_params_than(self.limits.params) {
            self.refuse(hit, StatusCode::BAD_REQUEST, "The form has too many fields.");
        } else if hit.is_doubtful() {
            self.refuse(hit, StatusCode::BAD_REQUEST, DOUBTFUL);
        } else {
            self.map(hit);
        }
    }

    pub(crate) fn flow(&self, flow: u16) -> &Flow {
        &self.flows[usize::from(flow)]
    }

    /// The flow whose mount is the longest that fits.
    pub(crate) fn route(&self, hit: &mut Hit) -> u16 {
        let path = hit.local_path();
        let mounted = self.flows.iter().skip(1).position(|flow| flow.holds(path));
        let flow = mounted.map_or(0, |at| at + 1);
        hit.mount(self.flows[flow].mount().len());
        u16::try_from(flow).expect("counted when the server was built")
    }

    /// Completes a reply that is a page of ours, and sends it.
    pub(crate) fn finish(&self, hit: Box<Hit>) {
        hit.finish(&self.frames, false).0.send();
    }

    /// Answers with an error page of ours.
    #[cold]
    pub(crate) fn refuse(&self, hit: Box<Hit>, status: StatusCode, message: &str) {
        self.draw_problem(hit, &Problem { status, message, id: None, start: None, back: None }).send();
    }

    /// Answers 503 and says when to come again.
    #[cold]
    pub(crate) fn busy(&self, mut hit: Box<Hit>, message: &str) {
        hit.reply.rare().headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        self.refuse(hit, StatusCode::SERVICE_UNAVAILABLE, message);
    }

    /// Answers for a step that could not be written: it did not happen.
    #[cold]
    pub(crate) fn undone(&self, ready: Ready) {
        const UNDONE: &str =
            "This could not be written down, so it did not happen. Please try again in a moment.";
        match ready {
            Ready::Whole(mut hit) => {
                hit.reply.discard();
                self.busy(hit, UNDONE);
            }
            // Dropped, it answers 503, or breaks off.
            other => drop(other),
        }
    }

    /// What is answered for a session that has failed; the log has the rest under `id`. With `back` it waits where it
    /// was before.
    #[cold]
    pub(crate) fn fail(
        &self,
        hit: Box<Hit>,
        status: StatusCode,
        message: &str,
        id: Option<&str>,
        back: bool,
    ) -> Ready {
        let (start, here) = (hit.own_path(), hit.own_link_to(step::HERE));
        let (start, back) = if back { (None, Some(&*here)) } else { (Some(&*start), None) };
        self.draw_problem(hit, &Problem { status, message, id, start, back })
    }

    /// The session of the page this hit comes from is over.
    #[cold]
    pub(crate) fn expire(&self, mut hit: Box<Hit>) {
        (hit.reply.status, hit.reply.sensitive) = (StatusCode::GONE, true);
        hit.reply.out = self.pages.draw_expired(&hit.own_path()).into_string();
        self.guard(&mut hit.reply.rare().headers);
        self.finish(hit);
    }

    /// Makes a notice the page, with a way on if there is one.
    #[cold]
    pub(crate) fn notify(&self, hit: &mut Hit, notice: Notice, onward: Option<&str>) {
        hit.reply.out = self.pages.notice_page(notice, onward).into_string();
        self.guard(&mut hit.reply.rare().headers);
    }

    #[cold]
    fn draw_problem(&self, mut hit: Box<Hit>, problem: &Problem<'_>) -> Ready {
        let reply = &mut hit.reply;
        if !reply.is_streaming() {
            reply.restart(problem.status);
            self.guard(&mut reply.rare().headers);
        }
        reply.out.push_str(&self.pages.draw_error(problem).into_string());
        hit.finish(&self.frames, false).0
    }

    /// Built-in pages need nothing from anywhere, so they get nothing. Replaced ones are the program's.
    fn guard(&self, headers: &mut HeaderMap) {
        if self.frames.are_built_in() && self.pages.are_built_in() {
            page::allow_nothing(headers);
        }
    }

    fn problem_page(&self, status: StatusCode, message: &str) -> String {
        let (head, tail) = self.frames.around("", status.canonical_reason());
        let body = self
            .pages
            .draw_error(&Problem { status, message, id: None, start: None, back: None })
            .into_string();
        [&*head, &*body, &*tail].concat()
    }

    /// A short name for an error, on the page and in the log.
    pub(crate) fn error_id(&self) -> String {
        let mut bytes = [0; 4];
        random(&mut bytes);
        format!("{:08x}", u32::from_le_bytes(bytes))
    }

    /// The program's own value of this type.
    pub(crate) fn app<T: Any + Send + Sync>(&self) -> Arc<T> {
        let app = self.apps.get(&TypeId::of::<T>()).unwrap_or_else(|| {
            panic!(
                "the server has no app state of type `{}`: give it by `Server::app`",
                std::any::type_name::<T>()
            )
        });
        app.clone().downcast().expect("stored under its type")
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}
