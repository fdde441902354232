//! What every way into a server promises, as a test: for who writes an [`Adapter`](crate::Adapter) or puts a front before
//! one.
//!
//! The same scripts run against each [`Door`], through real bytes: sessions, forms, header fields, uploads, streams, limits,
//! the end. What a protocol cannot carry it [`lacks`](Door::lacks), with a reason; all else holds, or [`contract`] panics
//! with what does not. A [`Report`] is a column of the table in `docs/doors.md`.
//!
//! It needs real time, and a runtime with at least two threads where the door's client blocks.

mod checks;
mod client;
mod program;
mod report;
mod visitor;

use std::any::Any;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use client::{Client, Reading};
pub use report::{Finding, Report};

use crate::error::BoxError;
use crate::server::{Bound, BoxFuture, Server};
use program::Stage;
use visitor::Visitor;

/// How long one script may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way into a server, as its clients have it: an adapter, perhaps with a front before it.
pub trait Door: Send + Sync {
    /// What it is called in the table.
    fn name(&self) -> String;

    /// Puts this server behind the door, and says how it is reached.
    fn open(&self, server: Server) -> BoxFuture<Result<Open, BoxError>>;

    /// What the protocol or the front cannot carry, each with its reason.
    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        Vec::new()
    }
}

/// A server behind a door. Dropped, it stops.
pub struct Open {
    client: Box<dyn Fn() -> Box<dyn Client> + Send + Sync>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

impl Open {
    /// Serves a server whose adapter listens; `client` makes a client of it, with connections of its own.
    pub fn serving<C: Client>(bound: Bound, client: impl Fn() -> C + Send + Sync + 'static) -> Open {
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(bound.run_until(async move { drop(stopped.await) }));
        Open::hosted(stop, served, client)
    }

    /// What another server serves: it stops when it is told or `stop` is dropped, and `served` ends then.
    pub fn hosted<C: Client>(
        stop: oneshot::Sender<()>,
        served: JoinHandle<()>,
        client: impl Fn() -> C + Send + Sync + 'static,
    ) -> Open {
        let client = Box::new(move || Box::new(client()) as Box<dyn Client>);
        Open { client, stop: Some(stop), served: Some(served), kept: Vec::new() }
    }

    /// Keeps something until the server is over: a front's process, a folder.
    pub fn keeping(mut self, thing: impl Any + Send + Sync) -> Open {
        self.kept.push(Box::new(thing));
        self
    }

    /// Somebody new.
    fn visitor(&self) -> Visitor {
        Visitor::new((self.client)())
    }

    /// The same visitor, with another client.
    fn tab(&self, of: &Visitor) -> Visitor {
        of.on((self.client)())
    }

    /// Tells the server to stop.
    fn stop(&mut self) {
        self.stop = None;
    }

    async fn end(mut self) {
        self.stop();
        if let Some(served) = self.served.take() {
            // Who holds an answer back is not waited for.
            drop(tokio::time::timeout(PATIENCE, served).await);
        }
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

/// What a script needs: the server, and who decides when its sessions go on.
struct Case {
    open: Open,
    stage: Stage,
}

/// What a script found wrong.
type Found = Result<(), BoxError>;

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $feature:ident = $name:literal, $check:path;)+) => {
        /// What a door carries: a row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Feature {
            $($(#[doc = $doc])+ $feature,)+
        }

        impl Feature {
            /// All of them, in the table's order.
            pub const ALL: &[Feature] = &[$(Feature::$feature,)+];

            /// What the table calls it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Feature::$feature => $name,)+
                }
            }

            fn check(self, case: Case) -> BoxFuture<Found> {
                match self {
                    $(Feature::$feature => Box::pin($check(case)),)+
                }
            }
        }
    };
}

features! {
    /// Links of a page lead on, and each visitor has a session of their own.
    Sessions = "sessions, links that stand for values", checks::sessions::links_lead_on;
    /// Many visitors at once, none of whom gets another's page.
    Crowd = "many visitors at once", checks::sessions::nobody_gets_anothers_page;
    /// Forms with one field, whatever is written into it.
    Forms = "forms", checks::sessions::what_is_written_arrives;
    /// A link that is followed twice applies once.
    Repeats = "double clicks and old pages", checks::sessions::a_click_applies_once;
    /// A session that fails ends alone, with a page.
    Errors = "error pages", checks::sessions::a_failure_is_a_page;
    /// Methods other than GET, with any bytes as their body.
    Methods = "methods and bodies of any bytes", checks::heads::methods_and_bodies_arrive;
    /// Header fields of requests and responses, several cookies among them.
    Fields = "header fields, several cookies", checks::heads::fields_arrive_both_ways;
    /// The path and the query as the client sent them.
    Targets = "path and query as they were sent", checks::heads::targets_arrive_as_they_were_sent;
    /// A response's status, and redirects.
    Statuses = "status and redirects", checks::heads::statuses_arrive;
    /// HEAD and OPTIONS, which resume nothing.
    Questions = "HEAD and OPTIONS", checks::heads::questions_resume_nothing;
    /// The client's address.
    Address = "the client's address", checks::heads::the_address_is_the_clients;
    /// That it came encrypted: `Secure` cookies with the prefix `__Host-`.
    Encryption = "https: `Secure`, `__Host-`", checks::heads::what_comes_encrypted_is_known_to;
    /// What comes from another site answers no verb.
    Sites = "cross-site submits refused", checks::heads::other_sites_answer_nothing;
    /// Forms with files.
    Uploads = "files sent by visitors", checks::bodies::files_arrive;
    /// Bodies and forms above their limits are refused, 413.
    Sizes = "too large a body is 413", checks::bodies::large_bodies_are_refused;
    /// Large responses arrive whole.
    Pages = "large pages", checks::bodies::large_pages_arrive_whole;
    /// What a session flushes arrives while it goes on.
    Flush = "what is flushed is seen at once", checks::streams::what_is_flushed_is_seen_at_once;
    /// A client that does not read stops the session that streams to it.
    Pressure = "back-pressure", checks::streams::who_does_not_read_is_waited_for;
    /// A client that goes away never cancels a session.
    Leaving = "a client may go away", checks::streams::who_goes_away_cancels_nothing;
    /// Hits to a busy session wait in line, up to a limit.
    Lines = "hits wait in line, then 503", checks::streams::hits_wait_in_line_up_to_a_limit;
    /// More header fields, or larger ones, than a head may have are refused.
    Heads = "too large a head is 431", checks::heads::large_heads_are_refused;
    /// What is in flight when the server stops is answered.
    Stopping = "a stop answers what is in flight", checks::streams::a_stop_answers_what_is_in_flight;
}

/// Checks that a door keeps its promises; panics with those that it does not keep.
///
/// ```
/// # #[cfg(feature = "tower")] mod example {
/// # use continuity::prelude::*;
/// use continuity::test::door::{Client, Door, Feature, Open, Reading, contract};
/// # use continuity::BoxError;
/// # use http_body_util::BodyExt;
/// # use std::pin::Pin;
/// # use tower_service::Service;
/// # type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
///
/// /// A server that is called, without a socket.
/// struct Called;
///
/// # #[derive(Clone)] struct Caller(continuity::Mounted);
/// impl Door for Called {
///     fn name(&self) -> String {
///         "called".into()
///     }
///
///     fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
///         Box::pin(async move {
///             let service = server.try_into_service()?;
///             let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
///             let caller = Caller(service.clone());
///             let served = tokio::spawn(async move { drop(stopped.await); service.close().await });
///             Ok(Open::hosted(stop, served, move || caller.clone()))
///         })
///     }
///
///     fn lacks(&self) -> Vec<(Feature, &'static str)> {
///         vec![(Feature::Address, "there is no connection"), (Feature::Encryption, "there is no line")]
///     }
/// }
///
/// impl Client for Caller {
///     fn ask(&mut self, request: http::Request<bytes::Bytes>) -> BoxFuture<'_, Result<http::Response<Reading>, BoxError>> {
///         let called = self.0.call(request.map(http_body_util::Full::new));
///         Box::pin(async move { Ok(called.await?.map(Reading::of)) })
///     }
/// }
///
/// pub async fn test() {
///     contract(&Called).await;
/// }
/// # }
/// # #[cfg(feature = "tower")] #[tokio::main] async fn main() { example::test().await }
/// # #[cfg(not(feature = "tower"))] fn main() {}
/// ```
pub async fn contract(door: &dyn Door) -> Report {
    let report = Report::of(door).await;
    let broken = report.broken();
    assert!(broken.is_empty(), "{} does not keep what it promises:\n{broken}", report.door());
    report
}

/// Runs one script against a server of its own.
async fn found(door: &dyn Door, feature: Feature) -> Found {
    let stage = Stage::default();
    let open = door.open(program::server(stage.clone())).await?;
    let checked = feature.check(Case { open, stage });
    tokio::time::timeout(PATIENCE, checked).await.unwrap_or_else(|_| Err("it hangs".into()))
}
