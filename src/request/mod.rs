//! What your code holds: the request, and its verbs.
//!
//! A [`Request`] is one pointer. The hit in hand lives with the session, so that a session that waits holds nothing of
//! the last one. Verbs that ask for a hit ([`next`](Request::next), [`choose`](Request::choose),
//! [`ask`](Request::ask) and what is built on them) complete the response; all else adds to it.

mod asking;
mod choices;
mod choose;
#[cfg(feature = "cookies")]
mod cookies;
mod drawing;
mod effect;
#[cfg(feature = "multipart")]
pub(crate) mod file;
mod form;
mod in_hand;
mod json;
mod params;
mod parts;
mod printed;
mod response;
mod returning;
pub(crate) mod secret;
#[cfg(feature = "files")]
mod send_file;
mod state;
#[cfg(feature = "multipart")]
mod upload;

use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;

pub use asking::Next;
pub use choices::{Callbacks, Choices};
pub use drawing::{Choice, Draws, DrawsForm, FromForm, IntoPage, StandsFor};
pub use effect::Key;
#[cfg(feature = "multipart")]
pub use file::UploadedFile;
pub use form::Form;
pub use params::FromParam;
pub(crate) use parts::apart;
pub use parts::{First, Layout, Parts, Slots};
pub use secret::Secret;
#[cfg(feature = "files")]
pub use send_file::SendFile;
pub use state::Shared;
#[cfg(feature = "multipart")]
pub use upload::Upload;

use crate::error::Error;
use crate::hit::{Hit, Via};
use crate::journal::recording::Completed;
use crate::journal::{Taken, Verb};
use crate::reply::Back;
use crate::session::queue::State;
use crate::session::{self, Session, Talk, Way};
use crate::step::{Answered, OldPages};

/// One visitor's requests, one after the other: what a session function is given.
///
/// ```
/// use continuity::prelude::*;
///
/// async fn greet(mut req: Request) -> Result<()> {
///     req.print(html! { form { "Your name " input name="name"; } });
///     let name: String = req.next().await?.param("name")?;
///     req.print(html! { "Hello, " (name) "!" });
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # #[cfg(feature = "test")] {
/// # use continuity::test::Browser;
/// # let mut browser = Browser::new(greet);
/// # browser.get("/").await.fill("name", "Ada").submit().await.shows("Hello, Ada!");
/// # } }
/// ```
pub struct Request {
    session: Arc<Session>,
}

impl Request {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Request { session }
    }

    /// Completes the response and waits for the visitor's next request. Parameters are the new request's then.
    ///
    /// Cancel-safe: a hit is taken only by the poll that returns it. Fails when the session is closing.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is the word for it, and returns a future")]
    pub fn next(&mut self) -> Next<'_> {
        Next::new(self, Location::caller())
    }

    /// The method of the hit in hand.
    pub fn method(&self) -> Method {
        self.hit(|hit| hit.method().clone())
    }

    /// The path below the flow's mount, beginning with `/`, as it came (not decoded).
    pub fn path(&self) -> String {
        self.hit(|hit| hit.path().to_owned())
    }

    /// Where the flow is mounted: what stands before [`path`](Self::path) in the URL; empty at the root.
    pub fn mount(&self) -> String {
        self.hit(|hit| hit.mount_path().to_owned())
    }

    /// The first header field of this name, if it is text. What proxies add (`X-Forwarded-For`) is shown as it came, from
    /// whomever: [`peer`](Self::peer) and [`is_https`](Self::is_https) are what to rely on.
    pub fn header(&self, name: &str) -> Option<String> {
        self.hit(|hit| hit.header(name).map(str::to_owned))
    }

    /// All header fields.
    pub fn headers(&self) -> http::HeaderMap {
        self.hit(|hit| hit.headers().clone())
    }

    /// The body as it came, of a form without its token; empty for a form with files (`multipart/form-data`): see `file`
    /// and [`param`](Self::param).
    pub fn body(&self) -> Bytes {
        self.hit(Hit::shown_body)
    }

    /// The path and query as they came, without what is not yours: the token, and what names the visitor.
    pub fn uri(&self) -> String {
        self.hit(|hit| match &*hit.shown(hit.query()) {
            "" => hit.full_path().to_owned(),
            query => [hit.full_path(), "?", query].concat(),
        })
    }

    /// The protocol's version.
    pub fn version(&self) -> http::Version {
        self.hit(|hit| hit.version())
    }

    /// The client's address: what a [trusted proxy](crate::Server::trust_proxies) says (port 0 if it does not say one),
    /// else whoever is connected. `None` where the protocol has none, and between hits.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.session.talk(|talk| talk.current.as_ref().and_then(|hit| hit.peer()))
    }

    /// Whether the visitor came over https: by what a [trusted proxy](crate::Server::trust_proxies) says.
    pub fn is_https(&self) -> bool {
        self.hit(Hit::is_https)
    }

    /// The visitor's id as the client holds it: put it into links and forms where the flow names its visitors by
    /// parameter ([`Map::by_param`](crate::Map::by_param)). Who has it is the visitor.
    pub fn session_id(&self) -> String {
        self.session.core.keys.sign(self.session.visitor())
    }

    /// Gives the visitor a new id, at login. The old one is dead at once, on all their sessions; it still opens the
    /// repeat of this very submit. Fails between hits, when the response has begun, where a mapper
    /// [names](crate::Identity::named) the visitor, and where the hit in hand is not
    /// [from the visitor](Self::is_from_visitor).
    pub fn rotate_id(&mut self) -> Result<(), Error> {
        self.before_head("rotate_id")?;
        if self.session.talk(|talk| talk.current.as_ref().is_some_and(|hit| hit.cut.named)) {
            return Err(Error::new("rotate_id: the mapper names this visitor; there is no id to change"));
        }
        if !self.is_from_visitor() {
            return Err(Error::new(
                "rotate_id: this hit came by `return_url` without the visitor's cookie: who brings it may be somebody else",
            ));
        }
        if self.session.is_replaying() {
            // It has the id that it was given then.
            return Ok(());
        }
        self.commit();
        let answer = self.session.talk(|talk| talk.applied);
        self.session.core.rotate(&self.session, answer);
        let session = self.session.clone();
        self.session.talk(|talk| {
            if let Some(hit) = &mut talk.current {
                session.core.reintroduce(&session, hit);
            }
        });
        Ok(())
    }

    /// What a new answer to the page that is shown next does once it is an old one: for this page in place of
    /// [`Server::old_pages`](crate::Server::old_pages). [`Branch`](OldPages::Branch) and [`Rewind`](OldPages::Rewind)
    /// are as [`Refuse`](OldPages::Refuse) without a journal.
    ///
    /// ```
    /// use continuity::OldPages;
    /// use continuity::prelude::*;
    ///
    /// async fn exam(mut req: Request) -> Result<()> {
    ///     req.old_pages(OldPages::Refuse);
    ///     let first: bool = req.confirm("Is the earth flat?").await?;
    ///     # let _ = first;
    ///     Ok(())
    /// }
    /// ```
    pub fn old_pages(&mut self, policy: OldPages) -> &mut Self {
        self.session.queue.lock().extra().old_pages = Some(policy);
        self
    }

    /// From here on nobody goes back: answers to pages before this point, and to those of other branches, are told so. With
    /// a journal; without one no old page is gone on from anyway, unless a policy says so.
    ///
    /// What is final stands before it: the payment, the submitted exam. [`rotate_id`](Self::rotate_id) does it too.
    pub fn commit(&mut self) -> &mut Self {
        self.session.commit();
        self
    }

    /// The program's own state of this type, given by [`Server::app`](crate::Server::app). Owned: it can go into
    /// `once` and `read`.
    ///
    /// # Panics
    /// If the server was given none of this type.
    pub fn app<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.session.core.app()
    }

    /// Where the program waits, for the log and for whoever looks in.
    fn stand_at(&self, place: &'static Location<'static>) {
        self.session.talk(|talk| talk.place = place);
    }

    /// Looks at the hit in hand; between hits at an empty one.
    fn hit<R>(&self, look: impl FnOnce(&Hit) -> R) -> R {
        let mut look = Some(look);
        let seen = self
            .session
            .talk(|talk| talk.current.as_deref().map(|hit| look.take().expect("called once")(hit)));
        seen.unwrap_or_else(|| {
            let (parts, body) = http::Request::new(Bytes::new()).into_parts();
            let empty = Hit::new(parts, body, Via::default(), Back::nowhere());
            look.take().expect("not called above")(&empty)
        })
    }

    /// Completes the response in hand, if there is one. Where a token led to its page, it can be repeated.
    fn complete(&mut self, place: &'static Location<'static>) -> Result<(), Error> {
        let (hit, applied) = {
            let mut state = self.session.queue.lock();
            state.answer();
            state.talk.place = place;
            (state.talk.current.take(), state.talk.applied)
        };
        if self.session.core.journal.is_some() {
            return self.complete_recorded(hit, applied.is_some(), place);
        }
        let Some(mut hit) = hit else { return Ok(()) };
        printed::seal_forms(&self.session, &mut hit, false);
        self.session.send_page(hit, applied.is_some())
    }

    /// Completes the response where there is a journal: it leaves when the step is written.
    fn complete_recorded(
        &mut self,
        hit: Option<Box<Hit>>,
        keep: bool,
        place: &'static Location<'static>,
    ) -> Result<(), Error> {
        let session = &self.session;
        let hit = session.within_limits(hit)?;
        match (session.complete_step(hit.as_deref(), Verb::Next, "", place), hit) {
            (Completed::Now, Some(mut hit)) => {
                printed::seal_forms(session, &mut hit, false);
                session.send_page(hit, keep)
            }
            // The page that the visitor sees: it can be shown again.
            (Completed::Arrived, Some(mut hit)) => {
                printed::seal_forms(session, &mut hit, false);
                drop(session.finish(hit, true));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes a hit: it is in hand now, and the last step is done.
    fn take(&mut self, mut hit: Box<Hit>, answer: Answered, taken: Option<Box<Taken>>) {
        let session = &self.session;
        let in_part = parts::here().inspect(|scope| scope.went_on()).is_some();
        let kept = {
            let mut state = session.queue.lock();
            if state.peek_extra().is_some() {
                put_behind(&mut state, &mut hit, in_part);
            }
            let Talk { current, step, applied, way, .. } = &mut state.talk;
            (*current, *applied, *way, *step) = (Some(hit), answer, Way::Ordinary, *step + 1);
            if let Some(taken) = taken {
                record(&mut state, *taken);
            }
            std::mem::take(&mut state.talk.kept)
        };
        if kept {
            session.core.kept.remove(session.serial);
        }
    }
}

/// The page is done, with all that belonged to it; what was printed since belongs to the response to `hit`.
#[inline(never)]
fn put_behind(state: &mut State<session::Parts>, hit: &mut Hit, in_part: bool) {
    if let Some(extra) = state.peek_extra() {
        extra.old_pages = None;
        if !in_part {
            extra.preface = None;
            hit.reply.out = std::mem::take(&mut extra.between);
        }
    }
    state.tidy();
}

/// Records a hit that is taken now.
#[inline(never)]
fn record(state: &mut State<session::Parts>, taken: Taken) {
    if let Some(tape) = state.peek_extra().and_then(|extra| extra.tape.as_mut()) {
        tape.grown = true;
        let step = tape.next_step();
        tape.take(Box::new(Taken { step, scope: parts::path(), ..taken }));
        tape.secrets = secret::collected();
        state.talk.step = step;
    }
}

/// While a session is rebuilt.
impl Request {
    /// Takes a hit that was taken before.
    fn take_again(&mut self, hit: Box<Hit>, taken: &Taken) {
        self.take(hit, Answered::again(taken.answer), None);
        self.session.talk(|talk| talk.step = taken.step);
        secret::collected();
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("session", &self.session.serial).finish_non_exhaustive()
    }
}
