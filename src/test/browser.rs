//! The browser: goes where a visitor goes. Who the visitor is, what they fill in and what they
//! read is in `visitor.rs`, `filling.rs` and `reading.rs`.
//!
//! What a visitor looks for is looked for when a method is called, so that a panic names the line of the test; the
//! request is made when the result is awaited.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::client::Client;
use super::history::{Arrival, History, Trail};
use super::navigation::{Navigation, Source};
use super::page::Page;
use super::place::{Place, short};
use super::referrer::{Policy, Referrer};
use super::stream::Stream;
use crate::document::Leads;
use crate::flow::Flow;
use crate::journal::Memory;
use crate::server::Server;

/// A tab of a visitor's browser, with a server in memory behind it.
///
/// The server is at `http://localhost` unless [`at`](Self::at) says where; its sessions live until the last browser and stream of it is dropped. What a
/// method looks for and does not find is a panic that shows the page and the way there.
///
/// ```
/// use continuity::prelude::*;
/// use continuity::test::Browser;
///
/// async fn counter(mut req: Request) -> Result<()> {
///     let mut count = 0;
///     loop {
///         count += req.choose(|c| html! { h1 { "Count: " (count) } (c.link("++", 1)) " " (c.link("--", -1)) }).await?;
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut browser = Browser::new(counter);
/// browser.get("/").await.shows("Count: 0");
/// browser.follow("++").await.shows("Count: 1");
/// browser.follow("++").await.shows("Count: 2");
/// browser.back().await.shows("Count: 1");
/// browser.reload().await.shows("Count: 2");
/// # }
/// ```
pub struct Browser {
    pub(super) client: Client,
    pub(super) history: History,
    pub(super) trail: Trail,
    /// The other site that the next navigation comes from.
    pub(super) elsewhere: Option<String>,
    /// The visitor says yes if the next step sends a form again.
    pub(super) resubmits: bool,
    /// The next form is sent as it is.
    pub(super) unchecked: bool,
}

/// Visitors and tabs.
impl Browser {
    /// A visitor of a server with this flow and nothing else.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn new(flow: impl Into<Flow>) -> Self {
        Self::of(Server::new(flow))
    }

    /// A visitor of this server. Its adapters are not used.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// # async fn index(mut req: Request) -> Result<()> { req.print("Index"); Ok(()) }
    /// # async fn chat(mut req: Request) -> Result<()> { req.print("Chat"); Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::of(Server::new(index).mount("/chat", chat));
    /// browser.get("/chat").await.shows("Chat");
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime, and if the server cannot start.
    #[track_caller]
    pub fn of(server: Server) -> Self {
        Self::with(Client::new(server))
    }

    /// A visitor of a server with this flow and a journal in memory. After each page all sessions that wait are replayed
    /// beside themselves, twice; one that does not do what it did (another verb, other arguments, other printed output)
    /// is a panic that says so. Pages that are drawn by a closure are not compared: they may read anything.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn counter(mut req: Request) -> Result<()> {
    ///     let mut count = 0;
    ///     loop {
    ///         count += req.choose(|c| html! { "Count: " (count) " " (c.link("++", 1)) }).await?;
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::journaled(counter);
    /// browser.get("/").await.follow("++").await.shows("Count: 1");
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn journaled(flow: impl Into<Flow>) -> Self {
        Self::of(Server::new(flow).journal(Memory::new())).rehearsing()
    }

    /// The same, for the server that it visits: it needs a journal. See [`journaled`](Self::journaled).
    pub fn rehearsing(mut self) -> Self {
        self.client.rehearses = true;
        self
    }

    /// What the server has recorded is not replayed at its end. It is else, twice, when the last browser of a server with a
    /// journal is dropped or given another server: a session that does not do what it did is a panic then. For tests of
    /// programs that are not meant to.
    ///
    /// ```
    /// # use continuity::journal::Memory;
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn differs(mut req: Request) -> Result<()> {
    ///     req.inform("Now").await?;
    ///     req.print(html! { (format!("{:?}", std::time::SystemTime::now())) }).next().await?;
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::of(Server::new(differs).journal(Memory::new())).without_rehearsal();
    /// browser.get("/").await.follow("OK").await.status(200);
    /// # }
    /// ```
    pub fn without_rehearsal(self) -> Self {
        self.client.differs();
        self
    }

    /// Another tab of the same browser: same cookies, headers and address, its own empty history.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// # async fn counter(mut req: Request) -> Result<()> {
    /// #     let mut count = 0;
    /// #     loop { count += req.choose(|c| html! { "Count: " (count) " " (c.link("++", 1)) }).await?; }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(counter);
    /// browser.get("/").await.follow("++").await.shows("Count: 1");
    /// browser.new_tab().get("/").await.shows("Count: 1");
    /// browser.other().get("/").await.shows("Count: 0");
    /// # }
    /// ```
    pub fn new_tab(&self) -> Self {
        Self::with(self.client.clone())
    }

    /// The server's address from now on, as the visitor's browser has it: scheme, host, and a port if there is one. Default:
    /// `http://localhost`.
    ///
    /// Over https cookies are `Secure`. Over http to another machine browsers tell less of where a request comes from, so
    /// that is where a server has to do with less.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn flow(mut req: Request) -> Result<()> {
    ///     let site = req.header("sec-fetch-site").unwrap_or("not said".into());
    ///     req.print(html! { (req.header("host").unwrap_or_default()) ": " (site) });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(flow);
    /// browser.get("/").await.shows("localhost: none");
    /// browser.at("http://shop.example:8080").get("/").await.shows("shop.example:8080: not said");
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it is no origin.
    #[track_caller]
    pub fn at(&mut self, origin: &str) -> &mut Self {
        let Some(place) = Place::read(origin) else {
            panic!("{origin:?} is no origin: write one like \"https://shop.example\"");
        };
        self.client.place = place;
        self
    }

    /// Another visitor of the same server, who knows nothing of this one.
    pub fn other(&self) -> Self {
        Self::with(self.client.other())
    }

    /// Puts another server in the place of this one, for all browsers and tabs that are its clients, as after a restart.
    /// Cookies, pages and history stay.
    ///
    /// # Panics
    /// If the server cannot start.
    #[track_caller]
    pub fn restart(&mut self, server: Server) -> &mut Self {
        self.trail.add("restart".into());
        self.client.restart(server);
        self
    }

    /// How many sessions of the server are in memory and have not ended, of all visitors.
    pub fn sessions(&self) -> usize {
        self.client.sessions()
    }

    fn with(client: Client) -> Self {
        let (history, trail) = (History::default(), Trail::default());
        Browser { client, history, trail, elsewhere: None, resubmits: false, unchecked: false }
    }
}

/// Going somewhere. Redirects are followed, up to 10 of them; one that leads to another server is not, and is the
/// page then.
impl Browser {
    /// Types an address: a path, a query, or what a link on this page could say. As in browsers, the page's own
    /// address makes no new entry in the history.
    #[track_caller]
    pub fn get(&mut self, url: &str) -> Going<'_> {
        let source = self.source(None);
        let navigation = Navigation::get(self.resolve(url), source);
        self.trail.add(format!("get {}", short(url)));
        self.go(navigation)
    }

    /// Follows the link that has this text, or else the only one that has it in its text. Of several with the same
    /// text it is the first.
    #[track_caller]
    pub fn follow(&mut self, text: &str) -> Going<'_> {
        let href = self.found(self.page().document.link(text)).to_owned();
        self.trail.add(format!("follow {text:?}"));
        self.go_by_link(&href)
    }

    /// Follows the link or presses the button that has this text, or else the only one that has it in its text.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn question(mut req: Request) -> Result<()> {
    ///     let sure = req.choose(|c| html! { "Sure? " (c.button("Yes", true)) (c.link("No", false)) }).await?;
    ///     req.print(if sure { "Done" } else { "As you like" });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// Browser::new(question).get("/").await.click("Yes").await.shows("Done");
    /// # }
    /// ```
    #[track_caller]
    pub fn click(&mut self, text: &str) -> Going<'_> {
        let leads = self.found(self.page().document.target(text)).clone();
        match leads {
            Leads::Link(href) => {
                self.trail.add(format!("click {text:?}"));
                self.go_by_link(&href)
            }
            Leads::Button(at) => {
                let form = self.page().document.fields[at].form;
                let lost = || format!("I looked for the form of the button {text:?}");
                let form = self.found(form.ok_or_else(lost));
                self.send_form(form, Some(at), format!("click {text:?}"))
            }
        }
    }

    /// Sends the form last filled in, else the only one, as the Enter key does: with its first button.
    #[track_caller]
    pub fn submit(&mut self) -> Going<'_> {
        let form = self.found(self.page().document.form_in_hand());
        let button = self.page().document.default_button(form);
        self.send_form(form, button, "submit".into())
    }

    /// Sends a form by its place on the page, from 0.
    #[track_caller]
    pub fn submit_form(&mut self, form: usize) -> Going<'_> {
        self.form(form);
        let button = self.page().document.default_button(form);
        self.send_form(form, button, format!("submit form {form}"))
    }

    /// Sends these fields as a form of a page of this server would.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn double(mut req: Request) -> Result<()> {
    ///     let number: i64 = req.param("number")?;
    ///     req.print(number * 2);
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(double);
    /// browser.post("/", &[("number", "21")]).await.shows("42");
    /// browser.post("/", &[("number", "many")]).await.status(400);
    /// # }
    /// ```
    #[track_caller]
    pub fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Going<'_> {
        let source = self.source(self.here());
        let navigation = Navigation::post(self.resolve(url), fields, source);
        self.trail.add(format!("post {}", short(url)));
        self.go(navigation)
    }

    /// Sends a request as it is, for all that browsers do not do by themselves. Added are only a host and cookies, if
    /// it has none, and what [`header`](Self::header) said. Its redirects are not followed.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// # async fn hello(mut req: Request) -> Result<()> { req.print("Hello"); Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let request = http::Request::options("/").body(Default::default()).expect("a plain request");
    /// Browser::new(hello).send(request).await.status(204);
    /// # }
    /// ```
    #[track_caller]
    pub fn send(&mut self, request: http::Request<Bytes>) -> Going<'_> {
        let navigation = Navigation::raw(request);
        self.trail.add(format!("send {} {}", navigation.method, short(&navigation.url)));
        self.go(navigation)
    }

    /// Opens an address and reads the response while it is made. Leaves this tab where it is, and follows no
    /// redirects. The future borrows nothing.
    #[track_caller]
    pub fn open(&mut self, url: &str) -> impl Future<Output = Stream> + Send + use<> {
        let source = self.source(None);
        let navigation = Navigation::get(self.resolve(url), source);
        let client = self.client.clone();
        async move { Stream::new(client.exchange(&navigation).await, client) }
    }

    /// Lets time pass. With paused time it passes at once: it jumps to whatever happens next, to the last of it.
    pub fn wait(&mut self, time: Duration) -> Going<'_> {
        self.trail.add(format!("wait {time:?}"));
        Going::new(async move {
            let leap = self.client.leap();
            tokio::time::sleep(time).await;
            drop(leap);
            self
        })
    }

    #[track_caller]
    pub(super) fn resolve(&self, href: &str) -> String {
        let base = self.history.page().map_or("/", Page::url);
        match self.client.place.resolve(base, href) {
            Some(url) => url,
            None => self.leads_away(href),
        }
    }

    #[track_caller]
    fn leads_away(&self, what: &str) -> ! {
        panic!("{what} leads away from {}, and there is nothing else here", self.client.place.origin())
    }

    /// Where the next request comes from: the page of another site, if the test says so.
    fn source(&mut self, usual: Option<Referrer>) -> Source {
        match self.elsewhere.take() {
            Some(origin) => Source::Page(Referrer::Foreign { origin }),
            None => usual.map_or(Source::Typed, Source::Page),
        }
    }

    /// The page that is shown, or the server's first if there is none yet.
    fn here(&self) -> Option<Referrer> {
        let root = || Referrer::Own { url: "/".to_owned(), policy: Policy::default() };
        Some(self.history.page().map_or_else(root, Page::referrer))
    }

    #[track_caller]
    fn go_by_link(&mut self, href: &str) -> Going<'_> {
        let source = self.source(self.here());
        // A place on the same page is no request.
        if href.trim().starts_with('#') {
            return Going::new(async move { self });
        }
        self.go(Navigation::get(self.resolve(href), source))
    }

    #[track_caller]
    fn send_form(&mut self, form: usize, button: Option<usize>, step: String) -> Going<'_> {
        let objection = self.page().document.objection(form, button);
        if let Some(objection) = objection.filter(|_| !std::mem::take(&mut self.unchecked)) {
            panic!(
                "{}",
                self.refusal(format_args!(
                    "browsers do not send this form: {objection}; `unchecked()` sends it"
                ))
            );
        }
        let source = self.source(self.here());
        let page = self.page();
        let sent = Navigation::submit(&self.client.place, page.url(), &page.document, form, button, source);
        let Some(navigation) = sent else { self.leads_away("the form") };
        self.trail.add(step);
        self.go(navigation)
    }

    #[track_caller]
    pub(super) fn go(&mut self, navigation: Navigation) -> Going<'_> {
        let same = self.history.page().is_some_and(|page| page.url() == navigation.url);
        let arrival = if same && navigation.method == Method::GET { Arrival::InPlace } else { Arrival::Next };
        self.arrive(navigation, arrival)
    }

    #[track_caller]
    fn arrive(&mut self, navigation: Navigation, arrival: Arrival) -> Going<'_> {
        let place = Location::caller();
        Going::new(async move {
            let page = self.client.visit(navigation, place).await;
            self.history.arrive(page, arrival);
            self
        })
    }
}

/// On the way to a page: await it.
#[must_use = "a browser goes nowhere until this is awaited"]
pub struct Going<'b>(Pin<Box<dyn Future<Output = &'b mut Browser> + Send + 'b>>);

impl<'b> Going<'b> {
    pub(super) fn new(future: impl Future<Output = &'b mut Browser> + Send + 'b) -> Self {
        Going(Box::pin(future))
    }
}

impl<'b> Future for Going<'b> {
    type Output = &'b mut Browser;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Going<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Going").finish_non_exhaustive()
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = self.history.page().map(Page::name);
        f.debug_struct("Browser").field("page", &page).field("client", &self.client).finish_non_exhaustive()
    }
}
