//! Going to another site and coming back: the URL that leads back into the session, and the verbs that wait for it.

use std::panic::Location;
use std::task::Poll;

use maud::{Markup, PreEscaped, Render, html};

use super::Request;
use super::asking::{Asking, Standing};
use super::choices::Choices;
use super::choose::{ByValue, Choose, Open};
use super::in_hand::InHand;
use crate::error::Error;
use crate::hit::Hit;
use crate::mapper::returns::PARAM;
use crate::session::{Session, Way};
use crate::step::{Answered, OldPages, RETURN};

impl Request {
    /// An absolute URL of this flow that leads back into this step from anywhere, once and without a cookie: for another
    /// site that the visitor is sent to, to pay or to log in.
    ///
    /// Whoever opens it, by GET or POST and with parameters of their own, resumes the verb that asks next: plain
    /// [`next`](Self::next), [`returned`](Self::returned), or `choose` on a page with [`Choices::on_return`]. The same
    /// once more is a repeat; with other parameters, or when the step is over, it changes nothing. Who holds it can do that
    /// and no more: verify what the parameters say, and see [`is_from_visitor`](Self::is_from_visitor). Asked for again in
    /// the same step it is the same. Parameters of your own can be added: `format!("{url}&cancelled=1")`.
    ///
    /// Fails between hits, where the hit in hand names no host, and where the visitor is known by a parameter
    /// ([`Map::by_param`](crate::Map::by_param)): nobody would come back as themselves. Hand it to `once` in its closure, not
    /// in its arguments.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn pay(mut req: Request) -> Result<()> {
    ///     let back = req.return_url()?;
    ///     req.leave_for(&format!("https://pay.example/order/7?return={}", Escaped(&back)))?;
    ///     req.returned("Waiting for your payment").await?;
    ///     let payment: String = req.param("payment")?;
    ///     // … and ask the gateway, in `once` or `read`, whether that was paid.
    ///     req.print(html! { "Thank you. Payment " (payment) });
    ///     Ok(())
    /// }
    /// # struct Escaped<'a>(&'a str);
    /// # impl std::fmt::Display for Escaped<'_> {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    /// #         self.0.bytes().try_for_each(|byte| write!(f, "%{byte:02X}"))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// let mut browser = Browser::new(pay);
    /// browser.get("/").await;
    /// let back = browser.sent_with("return");
    /// browser.from_site("https://pay.example").get(&format!("{back}&payment=P7")).await.shows("Payment P7");
    /// # } }
    /// ```
    pub fn return_url(&self) -> Result<String, Error> {
        let made = self.session.talk(|talk| {
            let hit = talk.current.as_deref().ok_or("there is no hit in hand, so no host that was asked")?;
            let host = hit.host().filter(|host| is_host(host));
            let host = host.ok_or("the hit in hand names no host: HTTP/1.0 names none, and behind a proxy it has to be passed on; `return_state` needs none")?;
            let scheme = if hit.is_https() { "https" } else { "http" };
            Ok(([scheme, "://", host].concat(), hit.own_path(), hit.cut.params().to_vec()))
        });
        let (mut url, path, params) = made.map_err(|why: &str| Error::new(format!("return_url: {why}")))?;
        let capability = self.capability("return_url")?;
        url.push_str(&path);
        url.push('?');
        let start = url.len();
        let mut query = form_urlencoded::Serializer::for_suffix(url, start);
        Ok(query.append_pair(PARAM, &capability).extend_pairs(params).finish())
    }

    /// What [`return_url`](Self::return_url) carries, alone: for sites that want the URL to be always the same, and bring
    /// a parameter `state` back to it, as OAuth does. That URL is a path of this flow.
    pub fn return_state(&self) -> Result<String, Error> {
        self.capability("return_state")
    }

    /// Shows a page until somebody comes by [`return_url`](Self::return_url); parameters are theirs then. Any other hit is
    /// shown the page. For a page with ways on of its own, see [`Choices::on_return`].
    ///
    /// What was sent as the response before, like [`leave_for`](Self::leave_for), stays the response; the page is for who
    /// comes by hand.
    #[track_caller]
    pub fn returned(&mut self, page: impl Render) -> impl Future<Output = Result<(), Error>> {
        self.choose_at::<_, _, ByValue>(Location::caller(), move |c| html! { (page) (c.on_return(())) })
    }

    /// Whether the hit in hand brought what names the visitor, like their cookie. All do but those by
    /// [`return_url`](Self::return_url), which may come from anybody who holds it, or from a server: then
    /// [`rotate_id`](Self::rotate_id) fails, since it is not known who would be logged in.
    pub fn is_from_visitor(&self) -> bool {
        self.hit(|hit| hit.pass().is_none_or(|pass| pass.own))
    }

    fn capability(&self, verb: &str) -> Result<String, Error> {
        let (session, (step, flow)) = (&self.session, self.session.talk(|talk| (talk.step, talk.flow)));
        let core = &session.core;
        if core.flow(flow).in_url {
            return Err(Error::new(format!(
                "{verb}: visitors of this flow are known by a parameter, and nobody would come back as themselves: name them by cookie"
            )));
        }
        // Found by its number when it is not in memory: so it has to be in the journal.
        let stands_for = session.ledger(|ledger| {
            ledger.grown |= ledger.stands_for.is_none();
            ledger.stands_for
        });
        let stands_for = stands_for.flatten();
        if stands_for.is_none() {
            core.returns.note(session);
        }
        Ok(core.returns.seal(stands_for.unwrap_or(session.serial), step))
    }
}

impl<T> Choices<'_, T> {
    /// What the page's choice is when somebody comes by [`return_url`](Request::return_url) while it is shown. Prints
    /// nothing. Without it a page is shown again.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// enum Way { Back, Cancel }
    ///
    /// async fn pay(mut req: Request) -> Result<()> {
    ///     let gateway = format!("https://pay.example/?state={}", req.return_state()?);
    ///     match req.choose(|c| html! {
    ///         a href=(gateway) { "To the payment" } " " (c.link("Not now", Way::Cancel)) (c.on_return(Way::Back))
    ///     }).await? {
    ///         Way::Back => req.print("Welcome back"),
    ///         Way::Cancel => req.print("Another time"),
    ///     };
    ///     Ok(())
    /// }
    /// ```
    pub fn on_return(&self, value: T) -> Markup {
        if self.used(RETURN).is_some() {
            *self.value.borrow_mut() = Some(value);
        }
        PreEscaped(String::new())
    }
}

/// What a hit by a capability means to a verb that waits.
enum Meaning {
    /// It is what the step waits for.
    Take(Answered),
    /// It led to the page that is shown.
    Again,
    Late,
}

impl Meaning {
    fn of(hit: &Hit, standing: &Standing) -> Option<(Meaning, bool)> {
        let pass = hit.pass()?;
        let meaning = if pass.step == standing.step && standing.way != Way::Answered {
            Meaning::Take(pass.answer)
        } else if pass.answer == standing.applied {
            Meaning::Again
        } else {
            Meaning::Late
        };
        Some((meaning, pass.own))
    }

    /// The hit again, unless its step is on another branch. It never begins one.
    fn elsewhere(&self, session: &Session, hit: Box<Hit>) -> Option<Box<Hit>> {
        match (self, hit.pass().copied()) {
            (Meaning::Late, Some(pass)) => {
                session.turn_to(hit, pass.step, OldPages::Refuse, pass.answer).err()
            }
            _ => Some(hit),
        }
    }
}

impl Asking<'_> {
    /// A hit that is to be judged, or with an answer to be taken. One by a capability whose step is over is answered; one
    /// whose step is on another branch is pending, and the session is brought there.
    pub(super) fn admit(
        &mut self,
        hit: Box<Hit>,
        standing: &Standing,
    ) -> Poll<Option<(Box<Hit>, Option<Answered>)>> {
        let Some((meaning, own)) = Meaning::of(&hit, standing) else { return Poll::Ready(Some((hit, None))) };
        let session = self.session();
        let Some(mut hit) = meaning.elsewhere(session, hit) else { return Poll::Pending };
        match meaning {
            Meaning::Take(answer) => return Poll::Ready(Some((hit, Some(answer)))),
            Meaning::Again if own => {
                session.queue.answered();
                session.core.repeat(session, hit);
            }
            Meaning::Again | Meaning::Late => {
                session.core.tell_returned(&mut hit, matches!(meaning, Meaning::Again));
                self.answer(hit);
            }
        }
        Poll::Ready(None)
    }
}

impl<T, F, K> Choose<'_, T, F, K>
where
    F: Fn(&Choices<'_, T>) -> Markup,
    K: Open<T>,
{
    /// Decides on a hit by a capability: takes it if the page says what it means.
    pub(super) fn consider_return(
        &mut self,
        hit: Box<Hit>,
        standing: &Standing,
    ) -> Result<Poll<Option<T>>, Error> {
        let Some((meaning, own)) = Meaning::of(&hit, standing) else { return Ok(Poll::Ready(None)) };
        let Some(hit) = meaning.elsewhere(self.asking.session(), hit) else { return Ok(Poll::Pending) };
        let (mut hit, value) = match meaning {
            Meaning::Take(_) => {
                let session = self.asking.session().clone();
                let hand = InHand::new(&session, hit);
                let (_, value) =
                    self.draw((standing.step, 0), &hand.hit().cut, None, Some((RETURN, hand.hit())))?;
                (hand.release(), value)
            }
            Meaning::Again | Meaning::Late => (hit, None),
        };
        if let (Some(value), Meaning::Take(answer)) = (value, &meaning) {
            self.take_value(hit, *answer, RETURN, &value);
            return Ok(Poll::Ready(Some(value)));
        }
        if own && !matches!(meaning, Meaning::Late) {
            return self.redraw(hit, standing, None, None).map(Poll::Ready);
        }
        self.asking.session().core.tell_returned(&mut hit, true);
        self.asking.answer(hit);
        Ok(Poll::Ready(None))
    }
}

/// A host as it can stand in a URL.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}
