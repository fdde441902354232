//! The page around its parts: shown when all of them wait, shown again, and asked whose a hit is.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use maud::Markup;

use super::super::asking::Standing;
use super::super::at_address::{Wanted, wanted};
use super::super::in_hand::InHand;
use super::layout::{Layout, Refused};
use super::scope::{Drawing, Given, Outcome, Scope, here};
use super::{Part, Slots};
use crate::error::BoxError;
use crate::hit::{Hit, Site};
use crate::journal::Verb;
use crate::page::Notice;
use crate::reply::{Kept, Preface};
use crate::session::Way;
use crate::session::addressed::Page;
use crate::step::{Answered, HERE, Token};

/// What a hit means to the page.
enum Verdict {
    /// It may be this part's.
    For(usize, Token),
    Redraw(Option<Notice>),
    /// It is no answer to this page.
    Old(Token, Answered),
    /// It asks for a page that is not drawn: see [`Wanted::Aside`].
    Aside(Option<Arc<Kept>>),
}

type Whose = Result<(usize, Token), Option<Notice>>;

/// A page that is all of the response.
impl<T, F: Fn(&Slots<'_>) -> Markup> Layout<'_, T, F> {
    /// All parts wait: the step is complete. A page that is a part itself says so to the page it is on.
    pub(super) fn rest(&mut self, cx: &mut Context<'_>) -> Result<(), BoxError> {
        let of: Vec<_> = self.parts.iter().filter_map(|part| part.scope.asks_newly()).collect();
        let of = of.join(", ");
        match here() {
            None => self.complete(&of, cx)?,
            Some(scope) => scope.ask(of),
        }
        Ok(())
    }

    /// Shows the page as the response in hand.
    fn complete(&mut self, of: &str, cx: &mut Context<'_>) -> Result<(), BoxError> {
        let (session, place) = (self.session().clone(), self.place);
        let (hit, step) = {
            let mut state = session.queue.lock();
            state.answer();
            state.talk.place = place;
            (state.talk.current.take(), state.talk.step)
        };
        if !std::mem::replace(&mut self.shown, true) {
            self.preface = self.preface_of(hit.as_deref());
        }
        if session.is_replaying() {
            session.complete_step(None, Verb::Parts, of, place);
            return Ok(());
        }
        let page = match hit {
            Some(hit) => Some(self.page_of(hit, step, cx)?),
            // There is no response to show it with: the next hit is shown it.
            None => None,
        };
        let page = session.within_limits(page)?;
        session.complete_step(page.as_deref(), Verb::Parts, of, place);
        page.map_or(Ok(()), |hit| session.send_step(hit, Page::Drawn))?;
        Ok(())
    }

    /// What was printed and set before the page, in this response or since the last one.
    fn preface_of(&self, hit: Option<&Hit>) -> Option<Box<Preface>> {
        let mut state = self.session().queue.lock();
        match hit {
            Some(hit) => hit.reply.preface(),
            None => {
                let between = state.peek_extra().map(|extra| std::mem::take(&mut extra.between));
                between.filter(|text| !text.is_empty()).map(|text| Box::new(Preface::printed(text)))
            }
        }
    }

    /// Draws the page into the response in hand.
    fn page_of(&mut self, mut hit: Box<Hit>, step: u32, cx: &mut Context<'_>) -> Result<Box<Hit>, BoxError> {
        let session = self.session().clone();
        let notice = hit.reply.take_notice();
        let hand = InHand::new(&session, hit);
        let drawing = Drawing { step, cut: hand.hit().cut.clone() };
        let page = self.draw(drawing, notice, None, cx)?;
        let mut hit = hand.release();
        hit.reply.add(page, session.core.limits.page);
        Ok(hit)
    }

    /// Waits for a hit that a part takes.
    pub(super) fn ask_visitor(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match ready!(self.asking.replayed(cx)) {
            Err(_) => return self.closes(),
            Ok(Some((mut hit, taken))) => {
                self.begin_response(&mut hit);
                return self.replay(hit, taken, cx);
            }
            Ok(None) => {}
        }
        loop {
            match self.asking.poll(cx) {
                Poll::Pending if self.has_moved(cx)? => {
                    self.session().queue.unask();
                    return self.goes_on();
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return self.closes(),
                Poll::Ready(Ok((hit, standing))) => {
                    if ready!(self.consider(hit, &standing, cx)?) {
                        return self.goes_on();
                    }
                }
            }
        }
    }

    /// Gives a hit to the part that it is of, or shows it the page. Whether a part took it; pending: it belongs to another
    /// page, and the session is brought there.
    fn consider(
        &mut self,
        mut hit: Box<Hit>,
        standing: &Standing,
        cx: &mut Context<'_>,
    ) -> Result<Poll<bool>, BoxError> {
        if hit.pass().is_some() {
            // No part can have asked for it, and whoever brings it may be a stranger to the page.
            self.session().core.tell_returned(&mut hit, false);
            self.asking.answer(hit);
            return Ok(Poll::Ready(false));
        }
        let (mut hit, whose) = match self.whose(hit, standing) {
            Poll::Ready(Some(whose)) => whose,
            Poll::Ready(None) => return Ok(Poll::Ready(false)),
            Poll::Pending => return Ok(Poll::Pending),
        };
        self.begin_response(&mut hit);
        let (hit, notice, wrong) = match whose {
            Ok((at, token)) => match self.deliver(at, Given::Hit(hit, token), cx)? {
                None => return Ok(Poll::Ready(true)),
                Some((hit, None)) => (hit, Some(Notice::Outdated), None),
                Some((hit, Some(wrong))) => (hit, None, Some((at, wrong))),
            },
            Err(notice) => (hit, notice, None),
        };
        self.redraw(hit, standing.step, notice, wrong, cx)?;
        Ok(Poll::Ready(false))
    }

    /// The part that a hit may be of, or what is to be said; `None`: it was answered. Pending: it belongs to another page.
    fn whose(&mut self, hit: Box<Hit>, standing: &Standing) -> Poll<Option<(Box<Hit>, Whose)>> {
        let whose = match self.verdict(&hit, standing) {
            Verdict::For(at, token) => Ok((at, token)),
            Verdict::Redraw(notice) => Err(notice),
            Verdict::Aside(kept) => {
                return Poll::Ready(self.asking.answer_aside(hit, kept));
            }
            Verdict::Old(token, answer) => {
                let session = self.session();
                return match session.turn_to(hit, token.step, session.policy_of(&token), answer) {
                    Ok(()) => Poll::Pending,
                    Err(hit) => Poll::Ready(Some((hit, Err(Some(Notice::of_old(answer)))))),
                };
            }
        };
        Poll::Ready(Some((hit, whose)))
    }

    fn verdict(&self, hit: &Hit, standing: &Standing) -> Verdict {
        let (session, none) = (self.session(), Verdict::Redraw(None));
        let wire = hit.token();
        match wanted(session, wire, standing.step) {
            None => {}
            Some(Wanted::Here(notice)) => return Verdict::Redraw(notice),
            Some(Wanted::Elsewhere(token)) => return Verdict::Old(token, Answered::NONE),
            Some(Wanted::Aside(kept)) => return Verdict::Aside(kept),
        }
        let Some(wire) = wire.filter(|_| hit.site() == Site::Same) else { return none };
        let seal = &session.core.seal;
        let Some(token) = seal.open(session.serial, wire) else {
            return Verdict::Redraw((wire != HERE).then_some(Notice::Outdated));
        };
        let answer = seal.answer(hit, &token);
        let known = standing.way == Way::Answered && session.was_answered(answer);
        if token.step == standing.step
            && !known
            && let Some(at) = self.find(token.scope)
        {
            Verdict::For(at, token)
        } else if answer == standing.applied {
            none
        } else {
            Verdict::Old(token, answer)
        }
    }

    /// Draws the page for a hit that nobody took.
    fn redraw(
        &mut self,
        hit: Box<Hit>,
        step: u32,
        notice: Option<Notice>,
        wrong: Option<(usize, String)>,
        cx: &mut Context<'_>,
    ) -> Result<(), BoxError> {
        let (session, is_wrong) = (self.session().clone(), wrong.is_some());
        // While the page is drawn the hit is in the session's hand: if drawing fails, the failure answers it.
        let hand = InHand::new(&session, hit);
        let drawing = Drawing { step, cut: hand.hit().cut.clone() };
        let page = self.draw(drawing, notice, wrong, cx)?;
        let mut hit = hand.release();
        hit.reply.out.push_str(&page);
        if is_wrong {
            hit.reply.status = StatusCode::UNPROCESSABLE_ENTITY;
            let tried = session.core.seal.answer_of(session.serial, &hit).unwrap_or(Answered::NONE);
            self.asking.answer_try(hit, step, tried.number());
        } else {
            self.asking.answer_here(hit, step, notice);
        }
        Ok(())
    }

    /// What stands before the page is in each response.
    fn begin_response(&self, hit: &mut Hit) {
        if let Some(preface) = &self.preface {
            hit.reply.begin(preface);
        }
    }
}

/// Drawing, and a page that is a part of another.
impl<T, F: Fn(&Slots<'_>) -> Markup> Layout<'_, T, F> {
    /// Waits for what the page gives that this one is a part of.
    pub(super) fn ask_page(&mut self, scope: &Scope, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            match scope.given(cx) {
                None if self.has_moved(cx)? => {}
                None => return Poll::Pending,
                Some(Given::Draw(drawing)) => {
                    let drawing = Drawing { step: drawing.step, cut: drawing.cut.clone() };
                    scope.say(match self.draw(drawing, None, None, cx) {
                        Ok(page) => Outcome::Drawn(scope.with_printed(&page)),
                        Err(error) => Outcome::Failed(error),
                    });
                    continue;
                }
                Some(Given::Hit(hit, token)) => {
                    if let Some(refused) = self.pass_on(hit, token, cx)? {
                        scope.say(refused);
                        continue;
                    }
                }
                Some(Given::Before(hit, taken)) => ready!(self.replay(hit, taken, cx))?,
                Some(Given::Told) => {
                    scope.goes_on();
                    return self.closes();
                }
            }
            scope.goes_on();
            return self.goes_on();
        }
    }

    /// Gives a hit to the part inside that it is of. `None`: that took it.
    fn pass_on(
        &mut self,
        hit: Box<Hit>,
        token: Token,
        cx: &mut Context<'_>,
    ) -> Result<Option<Outcome>, BoxError> {
        let step = token.step;
        let Some(at) = self.find(token.scope) else { return Ok(Some(Outcome::Refused(hit, None))) };
        let Some((hit, wrong)) = self.deliver(at, Given::Hit(hit, token), cx)? else { return Ok(None) };
        Ok(Some(self.refuse((hit, wrong), at, step, cx)))
    }

    fn refuse(&mut self, (hit, wrong): Refused, at: usize, step: u32, cx: &mut Context<'_>) -> Outcome {
        let (Some(wrong), session) = (wrong, self.session().clone()) else {
            return Outcome::Refused(hit, None);
        };
        let hand = InHand::new(&session, hit);
        let drawing = Drawing { step, cut: hand.hit().cut.clone() };
        match self.draw(drawing, None, Some((at, wrong)), cx) {
            Ok(page) => Outcome::Refused(hand.release(), Some(self.with_printed(&page))),
            Err(error) => Outcome::Failed(error),
        }
    }

    fn with_printed(&self, page: &str) -> String {
        here().map_or_else(|| page.to_owned(), |scope| scope.with_printed(page))
    }

    /// Draws all parts, and the page around them. One may have drawn itself, to tell what is wrong.
    fn draw(
        &mut self,
        drawing: Drawing,
        notice: Option<Notice>,
        mut wrong: Option<(usize, String)>,
        cx: &mut Context<'_>,
    ) -> Result<String, BoxError> {
        let (session, drawing) = (self.session().clone(), Arc::new(drawing));
        let mut fragments = Vec::with_capacity(self.parts.len());
        for (at, part) in self.parts.iter_mut().enumerate() {
            fragments.push(match wrong.take_if(|(own, _)| *own == at) {
                Some((_, page)) => page,
                None => part.draw(&drawing, cx)?,
            });
        }
        let names = self.parts.iter().map(|part| &*part.name);
        let slots = Slots::new(names.zip(fragments).collect(), &session, notice);
        let mut page = (self.page)(&slots).into_string();
        if let Some(error) = slots.failed.take() {
            return Err(error.into());
        }
        if !slots.placed.get() && notice.is_some() {
            page.insert_str(0, &slots.notice().into_string());
        }
        Ok(page)
    }
}

impl<T> Part<'_, T> {
    /// What it shows. One that has ended shows what it printed last.
    fn draw(&mut self, drawing: &Arc<Drawing>, cx: &mut Context<'_>) -> Result<String, BoxError> {
        if self.running.is_none() {
            return Ok(self.scope.with_printed(""));
        }
        self.scope.give(Given::Draw(drawing.clone()), cx.waker());
        self.poll(cx)?;
        match self.scope.outcome() {
            Some(Outcome::Drawn(page)) => Ok(page),
            Some(Outcome::Failed(error)) => Err(error),
            // It does not look: something else came to it.
            Some(Outcome::Refused(..)) | None => Ok(self.scope.with_printed("")),
        }
    }
}
