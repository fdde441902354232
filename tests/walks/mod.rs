//! Walks of visitors with the buttons of their browser, on pages of all kinds: whatever page they go back to, they see
//! that page, and what they do there applies to what they see. Real browsers walk them, and the kit's.

mod flows;
mod model;

use flows::{ACCOUNT, KINDS, Kind};
pub use flows::{Place, server};
pub use model::Walker;

/// What a visitor does. Each page has settled when a verb is done, as far as the browser knows.
pub trait Visit {
    /// Types an address: a path of the server.
    async fn open(&mut self, path: &str);
    /// Follows the link with this text.
    async fn follow(&mut self, text: &str);
    /// Presses the button with this text.
    async fn press(&mut self, text: &str);
    /// Types into the field of this name, in place of what is there.
    async fn fill(&mut self, name: &str, text: &str);
    /// What the field of this name holds.
    async fn value(&mut self, name: &str) -> String;
    /// Goes so many pages back or forward, at once.
    async fn go(&mut self, pages: i32);
    async fn reload(&mut self);
    /// Goes on in another tab at the same page.
    async fn duplicate(&mut self);
    /// Comes back to the tab that was duplicated.
    async fn leave_duplicate(&mut self);
    /// Is somebody whom the server has never seen.
    async fn forget(&mut self);
    /// What a reader sees, once it has `text` in it, or when patience is over.
    async fn reads(&mut self, text: &str) -> String;
}

/// All walks of one visitor, one after the other. The ones that went wrong, each with what was seen.
pub async fn walk_all<V: Visit>(visitor: &mut V, places: &[Place]) -> Vec<String> {
    let mut wrong = Vec::new();
    for place in places {
        for kind in KINDS {
            for (sensitive, known) in [(false, false), (true, false), (true, true)] {
                let mut walker = Walker::new(visitor, place, kind, sensitive);
                walker.begin(known).await;
                let walked = if place.journaled {
                    there_and_back(&mut walker).await
                } else {
                    no_way_on(&mut walker).await
                };
                wrong.extend(walked.and(walker.sent_what_was_sent()).err());
            }
        }
        for sensitive in [false, true] {
            let mut walker = Walker::new(visitor, place, Kind::Asked, sensitive);
            let walked = wrong_tries(&mut walker).await;
            wrong.extend(walked.and(walker.sent_what_was_sent()).err());
            let mut walker = Walker::new(visitor, place, Kind::Linked, sensitive);
            wrong.extend(to_the_end(&mut walker).await.err());
        }
        for leave in ["Log out", "Log out and end"] {
            let mut walker = Walker::new(visitor, place, Kind::Linked, true);
            wrong.extend(after_the_logout(&mut walker, leave).await.err());
        }
    }
    wrong
}

type Walked = Result<(), String>;

/// Back, forward, several pages at once, reloads, another way on and a duplicated tab: with a journal.
async fn there_and_back<V: Visit>(walker: &mut Walker<'_, V>) -> Walked {
    walker.answer("a").await?;
    walker.go(-1).await?;
    if walker.kind == Kind::Followed {
        // What carries no token is an answer to where the session is.
        walker.go(1).await?;
    }
    walker.answer("b").await?;
    walker.answer("a").await?;
    walker.go(-2).await?;
    walker.go(1).await?;
    if walker.kind != Kind::Followed {
        walker.reload().await?;
        walker.answer("b").await?;
        walker.go(-1).await?;
    }
    walker.go(-1).await?;
    walker.go(2).await?;
    walker.reload_current().await?;
    walker.duplicate().await?;
    walker.answer("b").await?;
    walker.leave_duplicate().await?;
    walker.go(-1).await
}

/// The same without a journal: a page that is not kept is the current one with a notice, and nothing but that is gone on
/// from.
async fn no_way_on<V: Visit>(walker: &mut Walker<'_, V>) -> Walked {
    walker.answer("a").await?;
    walker.answer("b").await?;
    walker.go(-1).await?;
    walker.go(1).await?;
    walker.reload_current().await?;
    walker.answer("a").await?;
    walker.go(-2).await?;
    walker.go(2).await?;
    walker.duplicate().await?;
    walker.answer("b").await?;
    walker.leave_duplicate().await
}

/// A form that was sent with something wrong in it is a page like others, with what was typed.
async fn wrong_tries<V: Visit>(walker: &mut Walker<'_, V>) -> Walked {
    walker.begin(false).await;
    walker.answer("a").await?;
    walker.tries("zzz").await?;
    walker.reload_try("zzz").await?;
    walker.go_to_form(-1).await?;
    walker.go_to_try(1, "zzz").await?;
    walker.answer("b").await?;
    walker.go_to_try(-1, "zzz").await?;
    walker.go_to_form(-1).await?;
    walker.go(-1).await?;
    walker.go(3).await
}

/// The last page of a session that is over is found, and older ones say that it is, unless the browser has kept them.
async fn to_the_end<V: Visit>(walker: &mut Walker<'_, V>) -> Walked {
    walker.begin(true).await;
    walker.answer("a").await?;
    walker.visitor.press("End").await;
    walker.sees("Goodbye from a").await?;
    walker.visitor.reload().await;
    walker.sees("Goodbye from a").await?;
    walker.visitor.go(-1).await;
    walker.sees(if walker.sensitive { "has expired" } else { "Trail: a." }).await?;
    walker.visitor.go(1).await;
    walker.sees("Goodbye from a").await
}

/// Nothing private comes back when somebody has logged out, and until then all of it does.
async fn after_the_logout<V: Visit>(walker: &mut Walker<'_, V>, leave: &str) -> Walked {
    walker.visitor.forget().await;
    walker.visitor.open(&walker.path_of(ACCOUNT)).await;
    walker.sees("Welcome").await?;
    walker.visitor.press("Log in").await;
    walker.sees("Secret 1 of Ada").await?;
    walker.visitor.follow("Next").await;
    walker.sees("Secret 2 of Ada").await?;
    if walker.journaled {
        walker.visitor.go(-1).await;
        walker.sees("Secret 1 of Ada").await?;
        walker.visitor.go(1).await;
        walker.sees("Secret 2 of Ada").await?;
    }
    walker.visitor.press(leave).await;
    walker.sees("Goodbye").await?;
    for pages in [-1, -1, 1, 1] {
        walker.visitor.go(pages).await;
        walker.sees_no_secret().await?;
    }
    walker.sees("Goodbye").await
}
