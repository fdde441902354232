//! The verbs in a part of a page: they are given their hits by the page, and draw themselves when it is drawn.

use std::any::type_name;
use std::task::{Context, Poll, ready};

use maud::Markup;

use super::super::Request;
use super::super::asking::{Asking, Next};
use super::super::choices::Choices;
use super::super::choose::{Choose, Open, to_write};
use super::super::in_hand::InHand;
use super::scope::{Drawing, Given, Outcome, Scope};
use crate::address::action;
use crate::error::Error;
use crate::hit::Hit;
use crate::journal::Verb;
use crate::reply::Forms;
use crate::step::{LINK, Place, Token};

impl<'a> Next<'a> {
    #[inline(never)]
    pub(crate) fn poll_in_part(
        &mut self,
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Poll<Result<&'a mut Request, Error>> {
        loop {
            match ready!(self.asking.poll_in_part(scope, Verb::Next, "", cx))? {
                Given::Draw(drawing) => scope.say(printed(&self.asking, scope, &drawing)),
                Given::Hit(hit, token) if token.part != LINK => {
                    let answer = self.asking.session().core.seal.answer(&hit, &token);
                    let taken = self.asking.to_write(answer);
                    return Poll::Ready(Ok(self.asking.taken(hit, answer, taken)));
                }
                Given::Hit(hit, _) => scope.say(Outcome::Refused(hit, None)),
                Given::Before(hit, taken) => return Poll::Ready(Ok(self.asking.taken_then(hit, &taken))),
                Given::Told => {}
            }
        }
    }
}

/// What was printed, its forms with their tokens.
fn printed(asking: &Asking<'_>, scope: &Scope, drawing: &Drawing) -> Outcome {
    let session = asking.session();
    let (core, old, mut failed) = (&session.core, session.old_bits(), None);
    let mut page = scope.with_printed("");
    let mut query = form_urlencoded::Serializer::new(String::new());
    let action = action(&query.extend_pairs(drawing.cut.params()).finish());
    Forms::default().add(&mut page, core.limits.page, &action, |nth, token| {
        let (serial, step, part) = (session.serial, drawing.step, (nth + 1) | old);
        let place = Place { serial, step, part, scope: scope.id() };
        failed = core.seal.seal(place, &(), core.limits.token, token).err();
    });
    failed.map_or(Outcome::Drawn(page), |error| Outcome::Failed(error.into()))
}

impl<T, F, K> Choose<'_, T, F, K>
where
    F: Fn(&Choices<'_, T>) -> Markup,
    K: Open<T>,
{
    #[inline(never)]
    pub(crate) fn poll_in_part(&mut self, scope: &Scope, cx: &Context<'_>) -> Poll<Result<T, Error>> {
        loop {
            match ready!(self.asking.poll_in_part(scope, K::VERB, type_name::<T>(), cx))? {
                Given::Draw(drawing) => {
                    let old = self.asking.session().old_bits();
                    scope.say(match self.draw((drawing.step, old), &drawing.cut, None, None) {
                        Ok((page, _)) => Outcome::Drawn(scope.with_printed(&page)),
                        Err(error) => Outcome::Failed(error.into()),
                    });
                }
                Given::Hit(hit, token) => {
                    if let Some(value) = self.consider_in_part(scope, hit, &token) {
                        return Poll::Ready(Ok(value));
                    }
                }
                Given::Before(hit, taken) => {
                    return match self.again(hit, &taken) {
                        Some(value) => Poll::Ready(Ok(value)),
                        None => Poll::Pending,
                    };
                }
                Given::Told => {}
            }
        }
    }

    /// Takes a hit and returns its value, or says why not.
    fn consider_in_part(&mut self, scope: &Scope, hit: Box<Hit>, token: &Token) -> Option<T> {
        let session = self.asking.session();
        let answer = session.core.seal.answer(&hit, token);
        if token.part == LINK {
            let Some(value) = K::open(token) else {
                scope.say(Outcome::Refused(hit, None));
                return None;
            };
            let taken = to_write(session, answer, token);
            self.asking.taken(hit, answer, taken);
            return Some(value);
        }
        let hand = InHand::new(session, hit);
        match self.draw(
            (token.step, session.old_bits()),
            &hand.hit().cut,
            None,
            Some((token.part, hand.hit())),
        ) {
            Err(error) => scope.say(Outcome::Failed(error.into())),
            Ok((page, None)) => scope.say(Outcome::Refused(hand.release(), Some(scope.with_printed(&page)))),
            Ok((_, Some(value))) => {
                let hit = hand.release();
                self.take_value(hit, answer, token.part, &value);
                return Some(value);
            }
        }
        None
    }
}
