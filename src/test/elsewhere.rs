//! Other sites: where a page sends the browser, and what comes from there.

use http::header;

use super::browser::{Browser, Going};
use super::navigation::Navigation;
use super::place::short;

/// Round trips to another site, which a test plays itself: it reads where the browser is sent, and comes back
/// [`from_site`](Browser::from_site).
///
/// ```
/// # use continuity::prelude::*;
/// # use continuity::test::Browser;
/// async fn pay(mut req: Request) -> Result<()> {
///     let state = req.return_state()?;
///     req.leave_for(&format!("https://pay.example/7?state={state}"))?;
///     req.returned("Waiting for your payment").await?;
///     req.print(html! { "Paid: " (req.param::<String>("code")?) });
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut browser = Browser::new(pay);
/// browser.get("/").await;
/// assert!(browser.sent_to().starts_with("https://pay.example/7?"));
/// let back = format!("/?state={}&code=ok", browser.sent_with("state"));
/// browser.get("/").await.shows("Waiting for your payment");
/// browser.from_site("https://pay.example").get(&back).await.shows("Paid: ok");
/// # }
/// ```
impl Browser {
    /// The address of another site that the page sends the browser to: it stays here, for there is nothing else.
    #[track_caller]
    pub fn sent_to(&self) -> String {
        let page = self.page();
        let location = page.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let away = location
            .filter(|to| page.status.is_redirection() && self.client.place.resolve("/", to).is_none());
        self.found(away.ok_or("I looked for the way to another site")).to_owned()
    }

    /// The parameter of this name of [`sent_to`](Self::sent_to).
    #[track_caller]
    pub fn sent_with(&self, name: &str) -> String {
        let to = self.sent_to();
        let query = to.split_once('?').map_or("", |(_, query)| query);
        let value = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        let value = value.map(|(_, value)| value.into_owned());
        self.found(value.ok_or_else(|| format!("I looked for the parameter `{name}` of {to}")))
    }

    /// Sends these fields as a server does, and not as a browser: no cookies, no origin, none of what browsers say of
    /// themselves. What it is answered is the page then.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// # async fn pay(mut req: Request) -> Result<()> {
    /// #     let state = req.return_state()?;
    /// #     req.leave_for(&format!("https://pay.example/7?state={state}"))?;
    /// #     req.returned("Waiting for your payment").await?;
    /// #     req.choose(|c| html! { "Paid " (c.link("Go on", ())) }).await?;
    /// #     Ok(())
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(pay);
    /// browser.get("/").await;
    /// let state = browser.sent_with("state");
    /// browser.other().notify("/", &[("state", &state), ("paid", "yes")]).await.status(200);
    /// browser.get("/").await.shows("Paid");
    /// # }
    /// ```
    #[track_caller]
    pub fn notify(&mut self, url: &str, fields: &[(&str, &str)]) -> Going<'_> {
        let navigation = Navigation::by_server(self.resolve(url), fields);
        self.trail.add(format!("notify {}", short(url)));
        self.go(navigation)
    }
}
