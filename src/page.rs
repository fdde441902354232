//! What is around a program's output: the layout, and the pages a visitor meets when something is not as it should be.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, PreEscaped, html};

use crate::step::Answered;

/// Doctype, charset and viewport: what makes a page a page.
macro_rules! head {
    ($title:expr) => {
        concat!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>",
            $title,
        )
    };
}
const MIDDLE: &str = "</title></head><body>";
const UNTITLED: &str = head!("Continuity</title></head><body>");
const TAIL: &str = "</body></html>";
/// Where the body goes while a layout is drawn.
const MARK: &str = "<!--continuity:body-->";

/// What a layout is given.
#[derive(Debug)]
pub struct Page<'a> {
    mount: &'a str,
    title: Option<&'a str>,
}

impl Page<'_> {
    /// What the program set by [`Request::title`](crate::Request::title), if it did.
    pub fn title(&self) -> Option<&str> {
        self.title
    }

    /// Where the page's flow is mounted: empty at the root.
    pub fn mount(&self) -> &str {
        self.mount
    }

    /// The place of the program's output. Use it once.
    pub fn body(&self) -> Markup {
        PreEscaped(MARK.into())
    }
}

type Draw<T> = Arc<dyn Fn(&T) -> Markup + Send + Sync>;

type LayoutFn = Arc<dyn Fn(&Page<'_>) -> Markup + Send + Sync>;

/// The layout of a server.
#[derive(Clone, Default)]
pub(crate) struct Frames(Option<LayoutFn>);

impl Frames {
    pub(crate) fn new(layout: impl Fn(&Page<'_>) -> Markup + Send + Sync + 'static) -> Self {
        Frames(Some(Arc::new(layout)))
    }

    pub(crate) fn are_built_in(&self) -> bool {
        self.0.is_none()
    }

    /// What stands before and after the body of a page without a title, where no layout is asked.
    pub(crate) fn plain(&self) -> Option<(&'static str, &'static str)> {
        self.0.is_none().then_some((UNTITLED, TAIL))
    }

    /// What stands before and after a page's body.
    pub(crate) fn around(&self, mount: &str, title: Option<&str>) -> (Cow<'static, str>, Cow<'static, str>) {
        let Some(layout) = &self.0 else {
            let Some(title) = title else { return (UNTITLED.into(), TAIL.into()) };
            let title = html! { (title) }.into_string();
            return ([head!(""), &title, MIDDLE].concat().into(), TAIL.into());
        };
        let page = Page { mount, title };
        let page = guarded("the layout", || layout(&page), || page.body()).into_string();
        match page.split_once(MARK) {
            Some((head, tail)) => (head.to_owned().into(), tail.to_owned().into()),
            None => {
                tracing::error!("the layout does not contain the page's body");
                (page.into(), Cow::Borrowed(""))
            }
        }
    }
}

/// The header fields of a page that needs nothing from anywhere, and nobody else has a use for.
pub(crate) fn allow_nothing(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}

/// Why a visitor gets an error page.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem<'a> {
    /// The response's status.
    pub status: StatusCode,
    /// What the visitor may know.
    pub message: &'a str,
    /// What the log has the rest under, where there is more to know.
    pub id: Option<&'a str>,
    /// Where the visitor can start again, if the session is over.
    pub start: Option<&'a str>,
    /// Where the visitor can go back to the page they were on, if the session waits there.
    pub back: Option<&'a str>,
}

/// What a visitor is told about the page they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Shown on the current page: the answer came from an older one and was not applied.
    Outdated,
    /// A page of its own: the answer came from an older page; the current one was printed and cannot be drawn again.
    OutdatedPrinted,
    /// Shown on the current page, or with a link to it where that was printed: the page that the visitor went back to is not
    /// kept, and cannot be made again.
    NotKept,
    /// A page of its own: this was received and applied once; the page it made is no longer kept.
    Received,
    /// A page of its own, with a link to where the session is: what the answered page belonged to is done for good.
    Committed,
    /// A page of its own, with a link to go on: the visitor comes from another site.
    FromElsewhere,
    /// A page of its own, with a link to go on: what another site sent was received before, or came too late.
    Returned,
    /// Shown on a first page: what the visitor came from is gone, and was not applied.
    StartedAgain,
    /// Shown on the page that the visitor comes to: what came after it cannot be gone on from any more.
    Truncated,
    /// A page of its own, with a link to a new beginning: where the visitor was cannot be restored.
    Unrestorable,
}

impl Notice {
    /// What is said to somebody whose page is not found: they have answered it, or only asked for it.
    pub(crate) fn of_old(answer: Answered) -> Notice {
        if answer.is_some() { Notice::Outdated } else { Notice::NotKept }
    }
}

/// The pages and notices that are not the program's own; replace those you like.
///
/// ```
/// use continuity::prelude::*;
/// # async fn hello(_: Request) -> Result<()> { Ok(()) }
/// let pages = Pages::default().expired(|start| html! { p { "Gone. " a href=(start) { "From the beginning" } } });
/// let server = Server::new(hello).pages(pages);
/// ```
#[derive(Clone)]
pub struct Pages {
    built_in: bool,
    error: Arc<dyn Fn(&Problem<'_>) -> Markup + Send + Sync>,
    expired: Draw<str>,
    notice: Draw<Notice>,
}

impl Pages {
    /// Errors: 400, 403, 404, 405, 413, 431, 500, 503.
    pub fn error(mut self, draw: impl Fn(&Problem<'_>) -> Markup + Send + Sync + 'static) -> Self {
        self.error = Arc::new(draw);
        self.built_in = false;
        self
    }

    /// The session of a page is over. `draw` gets the path at which a new one starts; show it as a link.
    pub fn expired(mut self, draw: impl Fn(&str) -> Markup + Send + Sync + 'static) -> Self {
        self.expired = Arc::new(draw);
        self.built_in = false;
        self
    }

    /// What a visitor is told about the page they came from.
    pub fn notice(mut self, draw: impl Fn(&Notice) -> Markup + Send + Sync + 'static) -> Self {
        self.notice = Arc::new(draw);
        self.built_in = false;
        self
    }

    pub(crate) fn are_built_in(&self) -> bool {
        self.built_in
    }

    pub(crate) fn draw_error(&self, problem: &Problem<'_>) -> Markup {
        let plain = || html! { h1 { (problem.status) } p { (problem.message) } };
        guarded("the error page", || (self.error)(problem), plain)
    }

    pub(crate) fn draw_expired(&self, start: &str) -> Markup {
        guarded("the expired page", || (self.expired)(start), || html! { a href=(start) { "Start again" } })
    }

    pub(crate) fn draw_notice(&self, notice: Notice) -> Markup {
        guarded("the notice", || (self.notice)(&notice), || html! { p { (notice_text(notice)) } })
    }

    /// A notice as a page of its own, with one same-site link where there is a way on.
    pub(crate) fn notice_page(&self, notice: Notice, onward: Option<&str>) -> Markup {
        html! {
            (self.draw_notice(notice))
            @if let Some(href) = onward { p { a href=(href) { "Go on" } } }
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Pages {
            built_in: true,
            error: Arc::new(|problem| {
                html! {
                    h1 { (problem.status.canonical_reason().unwrap_or("Error")) }
                    p { (problem.message) }
                    @if let Some(id) = problem.id { p { small { "Reference: " code { (id) } } } }
                    @if let Some(back) = problem.back { p { a href=(back) { "Back to where you were" } } }
                    @if let Some(start) = problem.start { p { a href=(start) { "Start again" } } }
                }
            }),
            expired: Arc::new(|start| {
                html! {
                    h1 { "This page has expired" }
                    p { "What it belonged to is over, and nothing was changed." }
                    p { a href=(start) { "Start again" } }
                }
            }),
            notice: Arc::new(|notice| {
                html! { p role="status" { (notice_text(*notice)) } }
            }),
        }
    }
}

/// What the program draws; if that panics, what we draw. No page is worth a connection.
fn guarded(what: &str, draw: impl FnOnce() -> Markup, plain: impl FnOnce() -> Markup) -> Markup {
    catch_unwind(AssertUnwindSafe(draw)).unwrap_or_else(|_| {
        tracing::error!(what, "drawing panicked");
        plain()
    })
}

fn notice_text(notice: Notice) -> &'static str {
    match notice {
        Notice::Outdated => "That came from an older page and was not applied. This is where you are now.",
        Notice::OutdatedPrinted => {
            "That came from an older page and was not applied. Go back to the page you were on to continue."
        }
        Notice::Truncated => {
            "This site was changed while you were away. This is the last page that you can go on from."
        }
        Notice::Committed => "What that page belonged to is done, and going back does not change it.",
        Notice::NotKept => "The page you went back to is not kept. This is where you are now.",
        Notice::Received => "This was already received. Go back to the page you were on to continue.",
        Notice::StartedAgain => "That page had expired, and nothing was applied. This is the beginning.",
        Notice::Unrestorable => {
            "Where you were cannot be restored. It is kept for those who look after this site; you can begin anew."
        }
        Notice::Returned => "This was received before, or it came too late. Nothing was changed now.",
        Notice::FromElsewhere => "You come from another site. Your place here is kept.",
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
