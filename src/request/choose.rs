//! `choose`: shows a page, waits, and returns the value behind the link, button or form that was used.
//!
//! A choice's value is data, sealed into its link; nothing is kept per link. The page is drawn by its closure as often
//! as needed: when it is shown, when it is shown again, and to find the form or callback that was used. So a page
//! closure reads and draws; what changes the world stands after the `await`.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use maud::{Markup, Render, html};
use serde::de::DeserializeOwned;

use super::asking::{Asking, Standing};
use super::choices::{Callback, Callbacks, Choices};
use super::drawing::{Choice, Draws, IntoPage};
use super::in_hand::InHand;
use super::{Request, params, parts};
use crate::error::Error;
use crate::hit::{Hit, Site};
use crate::journal::recording::Completed;
use crate::journal::{Blob, Taken, Verb};
use crate::mapper::Cut;
use crate::page::Notice;
use crate::reply::Preface;
use crate::session::{Session, Way};
use crate::step::{Answered, HERE, LINK, OldPages, Token};

impl Request {
    /// Shows a page and returns the value behind the link, button or form that the visitor uses on it.
    ///
    /// Any other hit is shown the page again, with a notice if it came from an older page. What was printed before
    /// belongs to the page. Fails when the session is closing, when a value cannot be sealed, and with the page.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// enum Op { Inc, Set(Number) }
    /// #[derive(Serialize, Deserialize)]
    /// struct Number { number: i64 }
    ///
    /// async fn counter(mut req: Request) -> Result<()> {
    ///     let mut count = 0;
    ///     loop {
    ///         count = match req.choose(|c| html! {
    ///             h1 { "Count: " (count) }
    ///             (c.link("++", Op::Inc))
    ///             (c.form(Op::Set, |f| html! { (f.number("number")) button { "Set" } }))
    ///         }).await? {
    ///             Op::Inc => count + 1,
    ///             Op::Set(Number { number }) => number,
    ///         };
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn choose<T, F>(&mut self, page: F) -> impl Future<Output = Result<T, Error>>
    where
        T: Choice,
        F: Draws<T>,
    {
        self.choose_at::<_, _, ByValue>(Location::caller(), move |c| page(c).into_markup())
    }

    /// Asks a yes-or-no question on a page of its own.
    #[track_caller]
    pub fn confirm(&mut self, question: impl Render) -> impl Future<Output = Result<bool, Error>> {
        self.choose_at::<_, _, ByValue>(Location::caller(), move |c| {
            html! { p { (question) } (c.link("Yes", true)) " " (c.link("No", false)) }
        })
    }

    /// Tells something on a page of its own, until the visitor goes on.
    #[track_caller]
    pub fn inform(&mut self, message: impl Render) -> impl Future<Output = Result<(), Error>> {
        self.choose_at::<_, _, ByValue>(Location::caller(), move |c| {
            html! { p { (message) } (c.link("OK", ())) }
        })
    }

    /// Shows a page whose links run code on `state`; waits, and runs what is behind the one that was used.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn counter(mut req: Request) -> Result<()> {
    ///     let mut count = 0;
    ///     loop {
    ///         req.callbacks(&mut count, |c, count| html! {
    ///             "Count: " (count) (c.link("++", |count| *count += 1)) (c.link("--", |count| *count -= 1))
    ///         }).await?;
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn callbacks<S, F>(&mut self, state: &mut S, page: F) -> impl Future<Output = Result<(), Error>>
    where
        F: Fn(&Callbacks<'_, '_, S>, &S) -> Markup,
    {
        let place = Location::caller();
        async move {
            let draw = |choices: &Choices<'_, Callback<S>>| page(&Callbacks(choices), state);
            let callback = self.choose_at::<_, _, ByPart>(place, draw).await?;
            callback(state);
            Ok(())
        }
    }

    pub(super) fn choose_at<T, F, K>(
        &mut self,
        place: &'static Location<'static>,
        page: F,
    ) -> Choose<'_, T, F, K>
    where
        F: Fn(&Choices<'_, T>) -> Markup,
    {
        Choose { asking: Asking::new(self, place), page, kind: PhantomData }
    }
}

/// How the value of a link is found: it is sealed in the token.
pub(super) enum ByValue {}

/// How the value of a link is found: the page is drawn again, up to the link.
pub(super) enum ByPart {}

/// How the value of a form is found: it is decoded from what was filled in.
pub(super) enum ByForm {}

/// Opens what is sealed in a link; says what is written of a value, and makes it of that again.
pub(super) trait Open<T> {
    #[doc(hidden)]
    const VERB: Verb;

    #[doc(hidden)]
    fn open(token: &Token) -> Option<T>;

    /// The value in CBOR, where that is what is written of it.
    #[doc(hidden)]
    fn write(value: &T) -> Option<Blob>;

    /// The value again; `None` if its page has to be drawn to find it.
    #[doc(hidden)]
    fn again(taken: &Taken, hit: &Hit) -> Option<Result<T, Error>>;
}

impl<T: Choice> Open<T> for ByValue {
    const VERB: Verb = Verb::Choose;

    fn open(token: &Token) -> Option<T> {
        token.value()
    }

    fn write(value: &T) -> Option<Blob> {
        Blob::of(value).ok()
    }

    fn again(taken: &Taken, _: &Hit) -> Option<Result<T, Error>> {
        let value = taken.value.as_ref().and_then(|value| value.open().ok());
        Some(value.ok_or_else(|| Error::new("the value that was chosen cannot be read any more")))
    }
}

impl<T: DeserializeOwned> Open<T> for ByForm {
    const VERB: Verb = Verb::Ask;

    fn open(_: &Token) -> Option<T> {
        None
    }

    fn write(_: &T) -> Option<Blob> {
        None
    }

    fn again(_: &Taken, hit: &Hit) -> Option<Result<T, Error>> {
        Some(params::decode(hit))
    }
}

impl<T> Open<T> for ByPart {
    const VERB: Verb = Verb::Callbacks;

    fn open(_: &Token) -> Option<T> {
        None
    }

    fn write(_: &T) -> Option<Blob> {
        None
    }

    fn again(_: &Taken, _: &Hit) -> Option<Result<T, Error>> {
        None
    }
}

/// The future of [`Request::choose`].
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Choose<'a, T, F, K> {
    pub(super) asking: Asking<'a>,
    page: F,
    kind: PhantomData<fn() -> (T, K)>,
}

impl<T, F, K> Unpin for Choose<'_, T, F, K> {}

impl<T, F, K> Drop for Choose<'_, T, F, K> {
    fn drop(&mut self) {
        if self.asking.is_given_up() && parts::here().is_none_or(|scope| !scope.is_closed()) {
            // Links of the page that was given up are not links of the next one.
            self.asking.session().skip_step();
        }
    }
}

impl<T, F, K> Future for Choose<'_, T, F, K>
where
    F: Fn(&Choices<'_, T>) -> Markup,
    K: Open<T>,
{
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(scope) = parts::here() {
            return this.poll_in_part(&scope, cx);
        }
        if let Some(place) = this.asking.begins() {
            let shown = this.show_first(place);
            this.asking.failed(shown)?;
        }
        let replayed = ready!(this.asking.replayed(cx));
        if let Some((hit, taken)) = this.asking.failed(replayed)? {
            return match this.again(hit, &taken) {
                Some(value) => Poll::Ready(Ok(value)),
                None => Poll::Pending,
            };
        }
        loop {
            let asked = ready!(this.asking.poll(cx));
            let considered = asked.and_then(|(hit, standing)| this.consider(hit, &standing));
            if let Some(value) = ready!(this.asking.failed(considered)?) {
                return Poll::Ready(Ok(value));
            }
        }
    }
}

/// What a hit means to a page that is drawn by a closure.
enum Verdict<T> {
    Take(T, Answered, Option<Box<Taken>>),
    /// A form or a callback of the page was used: draw the page to find it.
    Find(u32, Answered),
    Redraw(Option<Notice>),
    /// It is no answer to this page.
    Old(Token, Answered),
}

impl<T, F, K> Choose<'_, T, F, K>
where
    F: Fn(&Choices<'_, T>) -> Markup,
    K: Open<T>,
{
    /// Shows the page as the response in hand. What was printed and set so far is part of it.
    fn show_first(&mut self, place: &'static Location<'static>) -> Result<(), Error> {
        let session = self.asking.session();
        let (hit, step, old) = {
            let mut state = session.queue.lock();
            state.answer();
            state.talk.place = place;
            let old = state.peek_extra().and_then(|extra| extra.old_pages);
            (state.talk.current.take(), state.talk.step, OldPages::bits(old))
        };
        let journaled = session.core.journal.is_some();
        if journaled && session.is_replaying() {
            self.show_again(hit, place);
            return Ok(());
        }
        let page = match hit {
            Some(hit) => Some(self.page_of(hit, (step, old))?),
            None => self.between_hits(step).map(|()| None)?,
        };
        let page = if journaled { session.within_limits(page)? } else { page };
        if journaled {
            session.complete_step(page.as_deref(), K::VERB, type_name::<T>(), place);
        }
        page.map_or(Ok(()), |hit| session.send_page(hit, false))
    }

    /// Draws the page into the response in hand.
    fn page_of(&self, mut hit: Box<Hit>, step: (u32, u32)) -> Result<Box<Hit>, Error> {
        let session = self.asking.session();
        let notice = hit.reply.take_notice();
        let hand = InHand::new(session, hit);
        let (page, _) = self.draw(step, &hand.hit().cut, notice, None)?;
        let mut hit = hand.release();
        if let Some(preface) = hit.reply.preface() {
            session.queue.lock().extra().preface = Some(preface);
        }
        hit.reply.add(page, session.core.limits.page);
        Ok(hit)
    }

    /// The page was shown when this happened: now it is not drawn, before somebody asks for it.
    #[inline(never)]
    fn show_again(&self, hit: Option<Box<Hit>>, place: &'static Location<'static>) {
        let session = self.asking.session();
        let completed = session.complete_step(None, K::VERB, type_name::<T>(), place);
        if completed == Completed::Arrived
            && let Some(hit) = hit
            && let Some(preface) = hit.reply.preface()
        {
            session.queue.lock().extra().preface = Some(preface);
        }
    }

    /// The value that was taken here then. `None`: it cannot be found any more.
    #[inline(never)]
    pub(super) fn again(&mut self, hit: Box<Hit>, taken: &Taken) -> Option<T> {
        let value = match K::again(taken, &hit) {
            Some(value) => value,
            None => self.find_again(&hit, taken),
        };
        match value {
            Ok(value) => {
                self.asking.taken_then(hit, taken);
                Some(value)
            }
            Err(error) => {
                self.asking.session().diverge(&error.to_string());
                None
            }
        }
    }

    fn find_again(&self, hit: &Hit, taken: &Taken) -> Result<T, Error> {
        let step = self.asking.session().talk(|talk| talk.step);
        let used = taken.part.map(|part| (part, hit));
        let (_, value) = self.draw((step, 0), &hit.cut, None, used)?;
        value.ok_or_else(|| Error::new("the callback that was used is not on the page any more"))
    }

    /// There is no response to show the page with: the next hit is shown it, with what was printed since.
    #[inline(never)]
    fn between_hits(&self, step: u32) -> Result<(), Error> {
        self.draw((step, 0), &Cut::default(), None, None)?;
        let mut state = self.asking.session().queue.lock();
        if let Some(extra) = state.peek_extra().filter(|extra| !extra.between.is_empty()) {
            extra.preface = Some(Box::new(Preface::printed(std::mem::take(&mut extra.between))));
        }
        Ok(())
    }

    /// Decides on a hit: takes it and returns its value, or shows it the page. Pending: it belongs to another page, and the
    /// session is brought there.
    fn consider(&mut self, hit: Box<Hit>, standing: &Standing) -> Result<Poll<Option<T>>, Error> {
        if hit.pass().is_some() {
            return self.consider_return(hit, standing);
        }
        let value = match verdict::<T, K>(self.asking.session(), &hit, standing) {
            Verdict::Take(value, answer, taken) => {
                self.asking.taken(hit, answer, taken);
                Some(value)
            }
            Verdict::Find(part, answer) => self.redraw(hit, standing, None, Some((part, answer)))?,
            Verdict::Redraw(notice) => self.redraw(hit, standing, notice, None)?,
            Verdict::Old(token, answer) => {
                let session = self.asking.session();
                match session.turn_to(hit, token.step, session.policy_of(&token), answer) {
                    Ok(()) => return Ok(Poll::Pending),
                    Err(hit) => self.redraw(hit, standing, Some(Notice::Outdated), None)?,
                }
            }
        };
        Ok(Poll::Ready(value))
    }

    /// Takes a hit whose value was found on the page.
    pub(super) fn take_value(&mut self, hit: Box<Hit>, answer: Answered, part: u32, value: &T) {
        let taken = self.asking.to_write(answer);
        let taken = taken.map(|taken| Box::new(Taken { value: K::write(value), part: Some(part), ..*taken }));
        self.asking.taken(hit, answer, taken);
    }

    /// Draws the page again, to find what was used on it or to show it.
    #[inline(never)]
    pub(super) fn redraw(
        &mut self,
        hit: Box<Hit>,
        standing: &Standing,
        notice: Option<Notice>,
        used: Option<(u32, Answered)>,
    ) -> Result<Option<T>, Error> {
        let session = self.asking.session();
        // While the page is drawn the hit is in the session's hand: if drawing fails, the failure answers it.
        let hand = InHand::new(session, hit);
        let submitted = used.map(|(part, _)| (part, hand.hit()));
        let step = (standing.step, session.old_bits());
        let (page, value) = self.draw(step, &hand.hit().cut, notice, submitted)?;
        let mut hit = hand.release();
        if let (Some(value), Some((part, answer))) = (value, used) {
            self.take_value(hit, answer, part, &value);
            return Ok(Some(value));
        }
        if let Some(preface) = session.queue.lock().peek_extra().and_then(|extra| extra.preface.as_ref()) {
            hit.reply.begin(preface);
        }
        if used.is_some() {
            hit.reply.status = StatusCode::UNPROCESSABLE_ENTITY;
        }
        hit.reply.out.push_str(&page);
        self.asking.answer(hit);
        Ok(None)
    }

    pub(super) fn draw(
        &self,
        (step, old): (u32, u32),
        cut: &Cut,
        notice: Option<Notice>,
        submitted: Option<(u32, &Hit)>,
    ) -> Result<(String, Option<T>), Error> {
        let choices = Choices {
            session: self.asking.session(),
            step,
            old,
            scope: parts::here().map_or(0, |scope| scope.id()),
            cut,
            notice,
            placed: Cell::new(false),
            parts: Cell::new(LINK),
            submitted,
            value: RefCell::new(None),
            failed: RefCell::new(None),
        };
        let mut page = (self.page)(&choices).into_string();
        if let Some(error) = choices.failed.take() {
            return Err(error);
        }
        if !choices.placed.get() && notice.is_some() {
            page.insert_str(0, &choices.notice().into_string());
        }
        Ok((page, choices.value.take()))
    }
}

fn verdict<T, K: Open<T>>(session: &Session, hit: &Hit, standing: &Standing) -> Verdict<T> {
    if hit.site() == Site::Cross {
        return Verdict::Redraw(None);
    }
    let Some(wire) = hit.token() else { return Verdict::Redraw(None) };
    let seal = &session.core.seal;
    let Some(token) = seal.open(session.serial, wire) else {
        return Verdict::Redraw((wire != HERE).then_some(Notice::Outdated));
    };
    let answer = seal.answer(hit, &token);
    // A form that was printed is none of the page that is chosen on, and neither is what is in a part.
    let here = token.step == standing.step && !token.is_printed() && token.scope == 0;
    if here && standing.way == Way::Answered && session.was_answered(answer) {
        Verdict::Old(token, answer)
    } else if here && token.part != LINK {
        Verdict::Find(token.part, answer)
    } else if here && let Some(value) = K::open(&token) {
        Verdict::Take(value, answer, to_write(session, answer, &token))
    } else if answer == standing.applied {
        Verdict::Redraw(None)
    } else if here {
        Verdict::Redraw(Some(Notice::Outdated))
    } else {
        Verdict::Old(token, answer)
    }
}

/// What is to be written of a link that was followed, where there is a journal.
#[inline]
pub(super) fn to_write(session: &Session, answer: Answered, token: &Token) -> Option<Box<Taken>> {
    session.core.journal.as_ref()?;
    Some(written(session, answer, token))
}

#[inline(never)]
fn written(session: &Session, answer: Answered, token: &Token) -> Box<Taken> {
    let value = Some(Blob(token.value_bytes().to_vec()));
    Box::new(Taken { at: session.core.clock.micros(), answer: answer.number(), value, ..Taken::default() })
}
