//! Going over the same ground: reload, back and forward. What a page allows is kept, the rest is asked for again; and a
//! form is not sent again before the visitor has said yes.

use std::panic::Location;

use super::browser::{Browser, Going};
use super::history::Arrival;

/// Going over the same ground, as browsers do: the buttons Back and Forward show a page as it was left, with what was
/// filled in, even one that is `no-cache`. One that is `no-store` is asked for again.
///
/// To ask again for what a POST has made is to send its form again, so browsers ask the visitor first, who mostly does not
/// know what to say. Here that is a panic, unless the test says yes by [`resubmitting`](Self::resubmitting).
impl Browser {
    /// Asks again for this page.
    ///
    /// # Panics
    /// If a POST made it, and nobody said [`resubmitting`](Self::resubmitting).
    #[track_caller]
    pub fn reload(&mut self) -> Going<'_> {
        self.travel(0, "reload", true)
    }

    /// The page before this one.
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
    /// browser.back().await.shows("Count: 0");
    /// browser.forward().await.shows("Count: 1");
    /// # }
    /// ```
    #[track_caller]
    pub fn back(&mut self) -> Going<'_> {
        self.travel(-1, "back", false)
    }

    /// The page that was left by [`back`](Self::back).
    #[track_caller]
    pub fn forward(&mut self) -> Going<'_> {
        self.travel(1, "forward", false)
    }

    /// So many pages on, or back if it is less than 0, as from the menu of the button: the pages between are not asked for.
    #[track_caller]
    pub fn jump(&mut self, pages: isize) -> Going<'_> {
        self.travel(pages, &format!("jump {pages}"), false)
    }

    /// The page before this one, where a browser has kept nothing of it: it asks for it again.
    #[track_caller]
    pub fn back_reloading(&mut self) -> Going<'_> {
        self.travel(-1, "back_reloading", true)
    }

    /// Says yes if the next step is one where browsers ask whether to send a form again.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn guests(mut req: Request) -> Result<()> {
    ///     for count in 0.. {
    ///         req.print(html! { (count) " guests" form method="post" { button { "One more" } } }).next().await?;
    ///     }
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(guests);
    /// browser.get("/").await.click("One more").await.shows("1 guests");
    /// browser.resubmitting().reload().await.shows("1 guests");
    /// # }
    /// ```
    pub fn resubmitting(&mut self) -> &mut Self {
        self.resubmits = true;
        self
    }

    #[track_caller]
    fn travel(&mut self, by: isize, step: &str, afresh: bool) -> Going<'_> {
        let place = Location::caller();
        let yes = std::mem::take(&mut self.resubmits);
        let which = if by < 0 { "before" } else { "after" };
        let there = self.history.beside(by).ok_or_else(|| format!("I looked for a page {which} this one"));
        let there = if by == 0 { self.page() } else { self.found(there) };
        let again = (afresh || there.is_not_stored()).then(|| there.navigation.clone());
        if again.as_ref().is_some_and(|navigation| !navigation.method.is_safe()) && !yes {
            panic!("{}", self.refusal(format_args!(
                "browsers ask here: to show {} they have to send the form again. A program leads away from such a page by a \
                 redirect (`req.redirect`); `resubmitting().{step}` says yes", there.name()
            )));
        }
        self.trail.add(step.to_owned());
        Going::new(async move {
            let page = match again {
                Some(navigation) => Some(self.client.visit(navigation, place).await),
                None => None,
            };
            self.history.go(by);
            page.into_iter().for_each(|page| self.history.arrive(page, Arrival::InPlace));
            self
        })
    }
}
