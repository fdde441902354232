//! Reading a page, and the report of what is not as it should be: what was looked for, what is there, the way there.

use std::fmt::Display;

use bytes::Bytes;

use super::browser::Browser;
use super::page::Page;
use crate::document::normal;

/// Reading. What is looked for and not found is a panic:
///
/// ```text
/// I looked for "Count: 2" on the page GET /?_t=…, but it says (status 200):
///
///     Count: 1
///     [++] [--]
///
/// How I got here: get / → follow "++"
/// ```
impl Browser {
    /// Demands that the page's visible text has this in it. Spaces and line ends count as one space; what fields hold
    /// is no text.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn hello(mut req: Request) -> Result<()> {
    ///     req.title("Greeting").print(html! { h1 { "Hello" } p { a href="/more" { "More" } " of this" } });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(hello);
    /// browser.get("/").await.shows("Hello More of this").shows_not("Goodbye").status(200);
    /// assert_eq!(browser.text(), "Hello\nMore of this");
    /// assert_eq!((browser.title(), browser.href("More")), ("Greeting".into(), "/more".into()));
    /// # }
    /// ```
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> &mut Self {
        self.demand(self.has_text(text), format_args!("I looked for {text:?}"))
    }

    /// Demands that the page's visible text does not have this in it.
    #[track_caller]
    pub fn shows_not(&mut self, text: &str) -> &mut Self {
        self.demand(!self.has_text(text), format_args!("I hoped not to see {text:?}"))
    }

    /// Demands that the response has this status.
    #[track_caller]
    pub fn status(&mut self, status: u16) -> &mut Self {
        self.demand(self.page().status.as_u16() == status, format_args!("I expected status {status}"))
    }

    /// Demands that the page has a field of this name, hidden ones included.
    #[track_caller]
    pub fn has_field(&mut self, name: &str) -> &mut Self {
        self.demand(self.page().document.has_field(name), format_args!("I looked for a field `{name}`"))
    }

    /// The page's title; empty if it has none.
    #[track_caller]
    pub fn title(&self) -> String {
        self.page().document.title.clone()
    }

    /// The page's visible text, in lines.
    #[track_caller]
    pub fn text(&self) -> String {
        self.page().document.text()
    }

    /// The response's body as it came.
    #[track_caller]
    pub fn html(&self) -> &str {
        &self.page().html
    }

    /// The response's body as it came, if it is no text.
    #[track_caller]
    pub fn body_bytes(&self) -> Bytes {
        self.page().body.clone()
    }

    /// The first header field of this name of the response, if it is text.
    #[track_caller]
    pub fn header_value(&self, name: &str) -> Option<String> {
        self.page().headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Path and query of the page.
    #[track_caller]
    pub fn url(&self) -> String {
        self.page().url().to_owned()
    }

    /// The texts of all links.
    #[track_caller]
    pub fn links(&self) -> Vec<String> {
        self.page().document.links().map(str::to_owned).collect()
    }

    /// Where the link with this text leads, as it stands there: see [`follow`](Self::follow).
    #[track_caller]
    pub fn href(&self, text: &str) -> String {
        self.found(self.page().document.link(text)).to_owned()
    }

    /// What the field of this name holds now. Of radio buttons, boxes and options it is the chosen one's value; empty
    /// if there is none.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        self.found(self.page().document.value(name))
    }

    #[track_caller]
    fn has_text(&self, text: &str) -> bool {
        normal(&self.text()).contains(&normal(text))
    }

    #[track_caller]
    fn demand(&mut self, holds: bool, what: impl Display) -> &mut Self {
        self.found(holds.then_some(()).ok_or(what));
        self
    }

    /// What was looked for, or the report that it is not there.
    #[track_caller]
    pub(super) fn found<T>(&self, found: Result<T, impl Display>) -> T {
        match found {
            Ok(found) => found,
            Err(what) => panic!("{}", self.report(what)),
        }
    }

    #[track_caller]
    fn report(&self, what: impl Display) -> String {
        let page = self.page();
        format!(
            "{what} on the page {}, but it says (status {}):\n\n{}\nHow I got here: {}\n",
            page.name(),
            page.status.as_u16(),
            page.sketch(),
            self.trail
        )
    }

    /// Why something is not done, with the page and the way there.
    #[track_caller]
    pub(super) fn refusal(&self, why: impl Display) -> String {
        let page = self.page();
        let (name, status) = (page.name(), page.status.as_u16());
        format!(
            "{why}.\n\nThis is the page {name} (status {status}):\n\n{}\nHow I got here: {}\n",
            page.sketch(),
            self.trail
        )
    }

    #[track_caller]
    pub(super) fn page(&self) -> &Page {
        let Some(page) = self.history.page() else { panic!("{NO_PAGE}") };
        page
    }

    #[track_caller]
    pub(super) fn page_mut(&mut self) -> &mut Page {
        let Some(page) = self.history.page_mut() else { panic!("{NO_PAGE}") };
        page
    }
}

const NO_PAGE: &str = "there is no page yet: begin with `browser.get(\"/\").await`";

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::prelude::*;

    async fn counter(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count += req
                .choose(|c| html! { h1 { "Count: " (count) } (c.link("++", 1)) " " (c.link("--", -1)) input name="n"; })
                .await?;
        }
    }

    fn report<T>(work: impl FnOnce() -> T) -> String {
        let panic = catch_unwind(AssertUnwindSafe(work)).err().expect("it panics");
        *panic.downcast::<String>().expect("a panic with a text")
    }

    #[tokio::test]
    async fn a_report_says_what_is_there_and_how_i_got_here() {
        let mut browser = Browser::new(counter);
        browser.get("/").await.follow("++").await.follow("++").await.fill("n", 7);
        browser.back().await;
        assert_eq!(
            report(|| browser.shows("Count: 2").title()),
            "I looked for \"Count: 2\" on the page GET /?_t=…, but it says (status 200):\n\n    \
             Count: 1\n    [++] [--] n=[]\n\nHow I got here: get / → follow \"++\" → follow \"++\" → \
             fill n=7 → back\n"
        );
        browser.forward().await;
        assert!(report(|| browser.status(404).title()).contains("n=[7]"));
    }

    #[tokio::test]
    async fn each_kind_of_loss_has_its_words() {
        let mut browser = Browser::new(counter);
        assert!(report(|| browser.text()).starts_with("there is no page yet"));
        browser.get("/").await;
        let begins = |report: String, with: &str| assert!(report.starts_with(with), "{report}");
        begins(
            report(|| browser.shows_not("Count").title()),
            "I hoped not to see \"Count\" on the page GET /,",
        );
        begins(report(|| browser.status(404).title()), "I expected status 404 on the page GET /,");
        begins(report(|| browser.has_field("x").title()), "I looked for a field `x` on");
        begins(report(|| browser.value("x")), "I looked for a field `x` on");
        begins(report(|| browser.fill("x", 1).title()), "I looked for a field `x` on");
        begins(report(|| drop(browser.follow("**"))), "I looked for a link \"**\" on");
        begins(report(|| drop(browser.submit())), "I looked for a form on");
        begins(report(|| drop(browser.submit_form(1))), "I looked for form 1 of 0 (counted from 0) on");
        begins(report(|| drop(browser.back())), "I looked for a page before this one on");
        begins(report(|| drop(browser.get("https://pay.test/"))), "https://pay.test/ leads away from");
    }

    #[tokio::test]
    async fn a_panic_names_the_line_of_the_test() {
        let mut browser = Browser::new(counter);
        browser.get("/").await;
        let (seen, told) = std::sync::mpsc::channel();
        let (others, here) = (std::panic::take_hook(), std::thread::current().id());
        std::panic::set_hook(Box::new(move |panic| match std::thread::current().id() == here {
            true => drop(seen.send(panic.location().map(|place| place.line()))),
            false => others(panic),
        }));
        report(|| browser.shows("Nothing").title());
        report(|| drop(browser.follow("Nothing")));
        let here = line!();
        drop(std::panic::take_hook());
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [Some(here - 2), Some(here - 1)]);
    }
}
