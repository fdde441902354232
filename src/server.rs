//! The server: wires adapters, flows and limits together. The only way to start.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use maud::Markup;
use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::adapter::{Adapter, Listening, Stop};
use crate::engine::{Clock, Core, Engine};
use crate::error::Error;
use crate::flow::Flow;
use crate::journal::{Divergence, Journal, Store};
use crate::limits::Limits;
use crate::log::Gate;
use crate::mapper::cookie::SessionCookie;
use crate::mapper::forwarded::Proxies;
use crate::mapper::key::Keys;
use crate::mapper::reap::{Addresses, Dying, TICK};
use crate::mapper::returns::Returns;
use crate::mapper::rotate::Rotated;
use crate::page::{Frames, Page, Pages};
use crate::session::kept::KeptPages;
use crate::session::table::Table;
use crate::session::watch as watcher;
use crate::step::{OldPages, Seal};

/// Where monitors of the service ask whether it lives.
const HEALTH: &str = "/healthz";
/// Bytes of a key that is a key.
const KEY: usize = 32;

/// A server: one or several flows behind any number of adapters.
///
/// ```no_run
/// use continuity::prelude::*;
///
/// async fn hello(mut req: Request) -> Result<()> {
///     req.print("Hello, world!");
///     Ok(())
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     Server::new(hello).listen(Http::on(8080)).run().await
/// }
/// ```
#[must_use = "a server does nothing until it runs"]
pub struct Server {
    flows: Vec<Flow>,
    apps: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    cookie: Option<String>,
    proxies: Vec<String>,
    health: String,
    keys: Vec<Zeroizing<Vec<u8>>>,
    journal: Option<Arc<dyn Store>>,
    /// What to take for the system's time, in microseconds since 1970.
    pub(crate) wall: Option<i64>,
    secrets: Vec<String>,
    old_pages: Option<OldPages>,
    on_divergence: Divergence,
    frames: Frames,
    pages: Pages,
    form_tokens: bool,
    limits: Limits,
    #[cfg(feature = "files")]
    files: Option<crate::files::Files>,
    #[cfg(feature = "multipart")]
    upload_dir: Option<std::path::PathBuf>,
    #[cfg(feature = "compression")]
    compress: bool,
    adapters: Vec<Box<dyn Adapter>>,
}

impl Server {
    /// A server whose visitors all run this flow, whatever the path: a session function, or a [`Flow`].
    /// It takes its request and nothing else: what all sessions share is given by [`app`](Self::app).
    pub fn new(
        flow: impl Into<Flow>, // `async fn(Request) -> Result<()>`: what all sessions share is given by `Server::app`
    ) -> Self {
        Server {
            flows: vec![flow.into()],
            apps: HashMap::new(),
            cookie: None,
            proxies: Vec::new(),
            health: HEALTH.to_owned(),
            keys: Vec::new(),
            journal: None,
            wall: None,
            secrets: Vec::new(),
            old_pages: None,
            on_divergence: Divergence::default(),
            frames: Frames::default(),
            pages: Pages::default(),
            form_tokens: true,
            limits: Limits::default(),
            #[cfg(feature = "files")]
            files: None,
            #[cfg(feature = "multipart")]
            upload_dir: None,
            #[cfg(feature = "compression")]
            compress: true,
            adapters: Vec::new(),
        }
    }

    /// Another flow, for this path and all below it. A visitor has a session in each.
    pub fn mount(mut self, path: &str, flow: impl Into<Flow>) -> Self {
        self.flows.push(flow.into().mounted(path));
        self
    }

    /// State of the program's own, one value a type: [`Request::app`](crate::Request::app).
    pub fn app<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.apps.insert(TypeId::of::<T>(), Arc::new(state));
        self
    }

    /// A way in.
    pub fn listen(mut self, adapter: impl Adapter) -> Self {
        self.adapters.push(Box::new(adapter));
        self
    }

    /// The name of the visitors' cookie. Default: `sid_` and the first adapter's port, or the name of its Unix socket
    /// (`sid_app` at `/run/app.sock`), so that two servers of one host do not take each other's. Over https the server puts `__Host-` in front.
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.cookie = Some(name.into());
        self
    }

    /// Proxies in front, by address or network (`"10.0.0.0/8"`, `"::1"`), and `"unix"` for whoever connects to a Unix socket
    /// of this server. What they say in `Forwarded`, else in
    /// `X-Forwarded-For`, `-Proto` and `-Host` is believed: the client's address, whether it came over https, and the
    /// host it asked. From others these fields change nothing. Default: none.
    ///
    /// A proxy must remove or overwrite what clients send under these names; `docs/deploying.md` has a configuration of
    /// nginx that does. Text that is no address and no network is an error when the server starts.
    pub fn trust_proxies<T: Into<String>>(mut self, proxies: impl IntoIterator<Item = T>) -> Self {
        self.proxies.extend(proxies.into_iter().map(Into::into));
        self
    }

    /// A secret to sign visitors' ids with, 32 bytes or more (`openssl rand -hex 32`). Several can be given, oldest
    /// first: the last one signs, all verify. Default: a fresh one at each start.
    pub fn key(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.keys.push(secret.as_ref().to_vec().into());
        self
    }

    /// Where sessions are recorded, so that no visitor loses their place: see [`journal`](crate::journal).
    ///
    /// ```no_run
    /// use continuity::prelude::*;
    ///
    /// # async fn checkout(_: Request) -> Result<()> { Ok(()) }
    /// #[tokio::main]
    /// async fn main() -> Result<()> {
    /// #   let store = continuity::journal::Memory::new();
    ///     Server::new(checkout).journal(store).listen(Http::on(8080)).run().await
    /// }
    /// ```
    pub fn journal(mut self, store: impl Store) -> Self {
        self.journal = Some(Arc::new(store));
        self
    }

    /// Parameters that never reach the journal, whatever the program makes of them. It reads them as
    /// [`Secret`](crate::Secret).
    pub fn secrets<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.secrets.extend(names.into_iter().map(Into::into));
        self
    }

    /// What a new answer to an old page does: see [`OldPages`]. Default: [`Branch`](OldPages::Branch) with a journal,
    /// [`Refuse`](OldPages::Refuse) without.
    ///
    /// ```
    /// use continuity::OldPages;
    /// use continuity::prelude::*;
    /// # async fn exam(_: Request) -> Result<()> { Ok(()) }
    /// let server = Server::new(exam).old_pages(OldPages::Refuse);
    /// ```
    pub fn old_pages(mut self, policy: OldPages) -> Self {
        self.old_pages = Some(policy);
        self
    }

    /// What becomes of a session whose recorded steps the program does not do any more: see [`Divergence`]. Default:
    /// [`Truncate`](Divergence::Truncate).
    pub fn on_divergence(mut self, policy: Divergence) -> Self {
        self.on_divergence = policy;
        self
    }

    /// What is around every page. The default has doctype, charset and viewport, and nothing else. Documents that
    /// begin with `<!doctype` or `<html` are left as they are.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # async fn hello(_: Request) -> Result<()> { Ok(()) }
    /// let server = Server::new(hello).layout(|page| html! {
    ///     (maud::DOCTYPE)
    ///     html lang="en" {
    ///         head { meta charset="utf-8"; title { (page.title().unwrap_or("My shop")) } }
    ///         body { main { (page.body()) } }
    ///     }
    /// });
    /// ```
    pub fn layout(mut self, layout: impl Fn(&Page<'_>) -> Markup + Send + Sync + 'static) -> Self {
        self.frames = Frames::new(layout);
        self
    }

    /// The pages visitors meet when something is not as it should be.
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages = pages;
        self
    }

    /// Whether forms that programs print get tokens by themselves, so that a double click and a reload of what they led to
    /// are known as such: see `docs/sessions.md`. Default: yes. A flow can have a rule of its own:
    /// [`Flow::form_tokens`].
    pub fn form_tokens(mut self, form_tokens: bool) -> Self {
        self.form_tokens = form_tokens;
        self
    }

    /// Changes bounds and timeouts: see [`Limits`].
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// The path that answers `ok` and starts no session. Default: `/healthz`.
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.health = path.into();
        self
    }

    /// Serves the files of a folder, at paths whose last segment has a dot in it: a path of the disk, or
    /// [`Files`](crate::Files) with rules of their own. The folder has to be there when the server starts.
    #[cfg(feature = "files")]
    pub fn files(mut self, files: impl Into<crate::files::Files>) -> Self {
        self.files = Some(files.into());
        self
    }

    /// Where files are kept while they are uploaded, in a private folder of this server's own that it makes there. In the
    /// file system where they are saved, saving copies nothing. Default: where the system keeps temporary files, which
    /// may be in memory.
    #[cfg(feature = "multipart")]
    pub fn upload_dir(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.upload_dir = Some(folder.into());
        self
    }

    /// Whether pages are compressed (brotli, gzip) for clients that ask. Default: yes. Only whole texts of 1 KiB and
    /// more are, and nothing that is sensitive, has a `Content-Encoding`, or says `Cache-Control: no-transform`.
    #[cfg(feature = "compression")]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Opens all adapters: their addresses are known then, and clients wait in line until it runs.
    pub async fn bind(mut self) -> Result<Bound, Error> {
        if self.adapters.is_empty() {
            return Err(Error::new("the server has no way in: add one, like `.listen(Http::on(8080))`"));
        }
        let mut listening = Vec::new();
        for adapter in std::mem::take(&mut self.adapters) {
            listening.push(adapter.bind().await?);
        }
        if self.cookie.is_none() {
            self.cookie = listening.first().map(|first| SessionCookie::name_at(&first.address()));
        }
        Ok(Bound { engine: self.into_engine()?, listening })
    }

    /// The server without its adapters: for tests, and for serving its hits yourself. Call it on a tokio runtime.
    pub(crate) fn into_engine(self) -> Result<Owned, Error> {
        let core = self.into_core()?;
        core.count_deaths();
        core.start_reaper();
        watcher::enrol(&core);
        Ok(Owned(Engine(core)))
    }

    /// What the parts of the server share; nothing of it runs yet.
    pub(crate) fn into_core(mut self) -> Result<Arc<Core>, Error> {
        self.check()?;
        // The root first; of the mounts the longest first, so that the first that fits is the right one.
        self.flows[1..].sort_by_key(|flow| std::cmp::Reverse(flow.mount().len()));
        self.flows.iter_mut().for_each(|flow| flow.default_form_tokens(self.form_tokens));
        let idle_unkept = self.limits.idle;
        let journal = self.open_journal();
        let secret = journal.as_ref().map(Journal::secret);
        Ok(Arc::new(Core {
            keys: Keys::new(&self.keys, secret),
            seal: secret.map_or_else(Seal::new, Seal::of),
            returns: Returns::new(secret),
            clock: Clock::new(journal.as_ref().map_or(0, |journal| journal.start), self.wall),
            old_pages: self.old_pages.unwrap_or(if journal.is_some() {
                OldPages::Branch
            } else {
                OldPages::Refuse
            }),
            on_divergence: self.on_divergence,
            journal,
            idle_unkept,
            kept: KeptPages::new(self.limits.kept_page, self.limits.kept_pages),
            flows: self.flows,
            apps: self.apps,
            cookie: SessionCookie::new(self.cookie.as_deref().unwrap_or("sid")),
            proxies: Proxies::new(&self.proxies)?,
            health: self.health,
            frames: self.frames,
            pages: self.pages,
            #[cfg(feature = "files")]
            files: self.files.map(crate::files::Files::serve).transpose()?,
            #[cfg(feature = "compression")]
            compress: self.compress,
            #[cfg(feature = "multipart")]
            arrivals: Arc::default(),
            #[cfg(feature = "multipart")]
            spool: crate::intake::spool::Spool::new(self.upload_dir, &self.limits),
            table: Table::new(&self.limits),
            limits: self.limits,
            addresses: Addresses::default(),
            dying: Dying::default(),
            pace: Arc::default(),
            rotated: Rotated::default(),
            gate: Gate::default(),
            runtime: tokio::runtime::Handle::current(),
        }))
    }

    /// With a journal other clocks hold.
    fn open_journal(&mut self) -> Option<Journal> {
        let journal = Journal::open(self.journal.take()?, std::mem::take(&mut self.secrets), &self.limits);
        self.limits.idle = self.limits.idle_journaled;
        self.limits.lifetime = self.limits.lifetime_journaled;
        Some(journal)
    }

    fn check(&self) -> Result<(), Error> {
        self.cookie.as_deref().map_or(Ok(()), SessionCookie::check)?;
        if let Some(at) = self.keys.iter().position(|key| key.len() < KEY) {
            return Err(Error::new(format!(
                "key {}: a key has at least {KEY} bytes; `openssl rand -hex 32` makes one",
                at + 1
            )));
        }
        if self.flows.iter().any(|flow| flow.in_url) {
            tracing::warn!(
                "visitors are named by a parameter: whoever sees such a URL can take the session over"
            );
        }
        let policies = self.flows.iter().filter_map(|flow| flow.old_pages).chain(self.old_pages);
        for policy in policies.filter(|_| self.journal.is_none()) {
            if matches!(policy, OldPages::Branch | OldPages::Rewind) {
                return Err(Error::new(format!(
                    "old_pages: {policy:?} replays what was recorded; give the server a journal, like `.journal(Sqlite::open(\"shop.db\")?)`"
                )));
            }
        }
        #[cfg(feature = "multipart")]
        if let Some(folder) = self.upload_dir.as_deref().filter(|folder| !folder.is_dir()) {
            return Err(Error::new(format!("upload_dir {}: there is no such folder", folder.display())));
        }
        self.check_mounts()
    }

    /// Whether it can be a service of another server.
    #[cfg(feature = "tower")]
    pub(crate) fn check_mountable(&self) -> Result<(), Error> {
        if self.cookie.is_none() {
            return Err(Error::new(
                "a mounted server needs a cookie of its own: name it, like `.cookie(\"shop_sid\")`",
            ));
        }
        if !self.adapters.is_empty() {
            return Err(Error::new("a mounted server listens where its host does: leave out `listen`"));
        }
        let on_runtime = tokio::runtime::Handle::try_current().map(drop);
        on_runtime.map_err(|error| Error::caused("a mounted server is made on a tokio runtime", error))
    }

    fn check_mounts(&self) -> Result<(), Error> {
        let mut mounts: Vec<_> = self.flows[1..].iter().map(Flow::mount).collect();
        mounts.sort_unstable();
        for (at, mount) in mounts.iter().enumerate() {
            if !mount.starts_with('/') {
                return Err(Error::new(format!(
                    "mount {mount:?}: a mount is a path like \"/shop\"; the root is `Server::new`"
                )));
            }
            if at > 0 && mounts[at - 1] == *mount {
                return Err(Error::new(format!("mount {mount:?} is there twice")));
            }
        }
        if self.flows.len() > usize::from(u16::MAX) {
            return Err(Error::new("a server has at most 65535 flows"));
        }
        Ok(())
    }
}

/// An engine with its sessions: they end when it is dropped.
pub(crate) struct Owned(pub(crate) Engine);

impl Owned {
    #[cfg(feature = "tower")]
    pub(crate) fn engine(&self) -> &Engine {
        &self.0
    }

    /// Removes what was being uploaded to servers that were killed.
    pub(crate) fn tidy_uploads(&self) {
        #[cfg(feature = "multipart")]
        self.0.0.tidy_uploads();
    }

    /// Parks all sessions, or tells them that they end and lets them clean up.
    pub(crate) async fn close(&self) {
        let core = &self.0.0;
        if core.journal.is_some() {
            core.park_all().await;
        }
        core.tell(core.table.drain());
        let grace = tokio::time::Instant::now() + core.limits.grace;
        while core.anyone_dying() && tokio::time::Instant::now() < grace {
            tokio::time::sleep(TICK / 20).await;
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.0.end_all();
    }
}

/// A server whose adapters listen.
#[must_use = "a server does nothing until it runs"]
pub struct Bound {
    engine: Owned,
    listening: Vec<Box<dyn Listening>>,
}

impl Bound {
    /// Where it can be reached, an address for each adapter, in their order: `127.0.0.1:8080`.
    pub fn addresses(&self) -> Vec<String> {
        self.listening.iter().map(|adapter| adapter.address()).collect()
    }

    /// Serves until `stop` is ready; then as after a signal.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let Bound { engine, listening } = self;
        engine.tidy_uploads();
        let (stopping, told) = watch::channel(false);
        let mut adapters = JoinSet::new();
        for adapter in listening {
            adapters.spawn(adapter.serve(engine.0.clone(), Stop::new(told.clone())));
        }
        stop.await;
        tracing::info!(sessions = engine.0.sessions(), "stopping");
        stopping.send_replace(true);
        let drained = async { while adapters.join_next().await.is_some() {} };
        if tokio::time::timeout(engine.0.limits().drain, drained).await.is_err() {
            tracing::warn!("some answers were not sent in time");
        }
        engine.close().await;
    }
}

/// What adapters return: boxed, so that any can stand beside any other.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("flows", &self.flows)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
