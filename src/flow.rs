//! A flow: a session function, where it is mounted, whose hits are whose in it, and which hits count.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use siphasher::sip::SipHasher13;

use crate::error::BoxError;
use crate::hit::Hit;
use crate::journal::Divergence;
use crate::mapper::{Identity, Map, Mapper, Purpose};
use crate::request::Request;
use crate::session::Task;
use crate::step::OldPages;

type Predicate = Box<dyn Fn(&Hit) -> Purpose + Send + Sync>;

/// A session function with what is particular to it. A plain function is one by itself.
///
/// ```
/// use continuity::prelude::*;
/// # async fn index(_: Request) -> Result<()> { Ok(()) }
/// # async fn chat(_: Request) -> Result<()> { Ok(()) }
/// let server = Server::new(index).mount("/chat", Flow::new(chat).map(Map::by_cookie().path()));
/// ```
pub struct Flow {
    start: Box<dyn Fn(Request) -> Task + Send + Sync>,
    mount: String,
    /// What divides a visitor's sessions by flow, in every process that has the mount.
    pub(crate) label: u64,
    /// `None`: by the server's cookie, one session a visitor.
    map: Option<Box<dyn Mapper>>,
    /// `None`: [`Purpose::of`].
    purpose: Option<Predicate>,
    /// What new answers to its old pages do, where that is not as for the whole server.
    pub(crate) old_pages: Option<OldPages>,
    /// What becomes of its sessions that the program does not replay any more, where that is not as for the whole server.
    pub(crate) on_divergence: Option<Divergence>,
    /// The visitor's id stands in URLs.
    pub(crate) in_url: bool,
    /// Whether forms that are printed get tokens; `None`: as the server says.
    form_tokens: Option<bool>,
}

impl Flow {
    /// A flow of this session function: `async fn(Request) -> Result<(), impl Into<BoxError>>`.
    pub fn new<F, Fut, E>(function: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Flow {
            start: Box::new(move |request| Box::pin(Running { function: function(request) })),
            mount: String::new(),
            label: 0,
            map: None,
            purpose: None,
            old_pages: None,
            on_divergence: None,
            in_url: false,
            form_tokens: None,
        }
    }

    /// Which hits belong to which session: [`Map`], or a [`Mapper`] of your own ([`map_with`](Self::map_with)).
    pub fn map(mut self, map: Map) -> Self {
        self.in_url = map.visitor_in_url();
        self.map_with(map)
    }

    /// Which hits belong to which session, by your own rule.
    pub fn map_with(mut self, mapper: impl Mapper) -> Self {
        self.map = Some(Box::new(mapper));
        self
    }

    /// Which hits resume, start and prolong sessions, in place of [`Purpose::of`].
    pub fn purpose(mut self, purpose: impl Fn(&Hit) -> Purpose + Send + Sync + 'static) -> Self {
        self.purpose = Some(Box::new(purpose));
        self
    }

    /// What a new answer to an old page of this flow does: see [`Server::old_pages`](crate::Server::old_pages).
    pub fn old_pages(mut self, policy: OldPages) -> Self {
        self.old_pages = Some(policy);
        self
    }

    /// What becomes of a session of this flow that the program does not replay any more: see
    /// [`Server::on_divergence`](crate::Server::on_divergence).
    pub fn on_divergence(mut self, policy: Divergence) -> Self {
        self.on_divergence = Some(policy);
        self
    }

    /// Whether forms that this flow prints get tokens by themselves, in place of what
    /// [`Server::form_tokens`](crate::Server::form_tokens) says. Not for a page that stays open while scripts send its form
    /// again and again: after the first time it is an old page.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn notes(mut req: Request) -> Result<()> {
    ///     req.print(html! { form method="post" target="saved" { textarea name="text" {} } iframe name="saved" {} });
    ///     for saved in 1.. {
    ///         let text: String = req.next().await?.param("text")?;
    ///         req.print(html! { "Saved " (saved) " times, " (text.len()) " bytes" });
    ///     }
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// let server = Server::new(Flow::new(notes).form_tokens(false));
    /// # let mut browser = Browser::of(server);
    /// # browser.get("/").await.fill("text", "a").submit().await.shows("Saved 1 times, 1 bytes");
    /// # browser.back().await.fill("text", "ab").submit().await.shows("Saved 2 times, 2 bytes");
    /// # } }
    /// ```
    pub fn form_tokens(mut self, form_tokens: bool) -> Self {
        self.form_tokens = Some(form_tokens);
        self
    }

    /// Says what holds where the flow itself does not.
    pub(crate) fn default_form_tokens(&mut self, form_tokens: bool) {
        self.form_tokens.get_or_insert(form_tokens);
    }

    pub(crate) fn has_form_tokens(&self) -> bool {
        self.form_tokens != Some(false)
    }

    pub(crate) fn mounted(mut self, path: &str) -> Self {
        self.mount = path.trim_end_matches('/').to_owned();
        self.label = SipHasher13::new().hash(self.mount.as_bytes());
        self
    }

    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    pub(crate) fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&*self.mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) fn start_with(&self, request: Request) -> Task {
        (self.start)(request)
    }

    pub(crate) fn purpose_of(&self, hit: &Hit) -> Purpose {
        match &self.purpose {
            None => Purpose::of(hit),
            Some(purpose) => purpose(hit),
        }
    }

    pub(crate) fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>) {
        match &self.map {
            None => identity.cookie(hit),
            Some(map) => map.identify(hit, identity),
        }
    }
}

impl<F, Fut, E> From<F> for Flow
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn from(function: F) -> Self {
        Flow::new(function)
    }
}

pin_project! {
    /// The running function, its error made ours.
    struct Running<F> {
        #[pin]
        function: F,
    }
}

impl<F: Future<Output = Result<(), E>>, E: Into<BoxError>> Future for Running<F> {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().function.poll(cx).map_err(Into::into)
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("mount", &self.mount).finish_non_exhaustive()
    }
}
