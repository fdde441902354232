//! Pages that get an address: what a form has made, and what nobody may keep.
//!
//! Their response sends the browser to an address that names the page by its step (`303 See Other`), where it asks by GET.
//! Only where the page can be found again: drawn by its closure, kept, or made once more by replay.

use std::sync::Arc;

use super::{Session, Way};
use crate::address::Shown;
use crate::error::Error;
use crate::hit::Hit;
use crate::reply::{Kept, Ready};
use crate::step::HERE;

/// How a page is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// A closure draws it.
    Drawn,
    /// It was printed; with `true` a token led to it, and it is kept.
    Printed(bool),
}

impl Session {
    /// Completes the page of a step that is done, and sends it. An error, with the hit in hand again, if it has grown
    /// too large.
    #[inline]
    pub(crate) fn send_step(self: &Arc<Self>, hit: Box<Hit>, page: Page) -> Result<(), Error> {
        if hit.may_need_address() {
            return self.send_step_to_its_address(hit, page);
        }
        self.send_page(hit, page == Page::Printed(true))
    }

    #[inline(never)]
    fn send_step_to_its_address(self: &Arc<Self>, hit: Box<Hit>, page: Page) -> Result<(), Error> {
        let hit = self.within_page(Some(hit))?.expect("there was one");
        let ready = match self.address_of_step(&hit) {
            Some(address) if page == Page::Drawn => self.lead_to(hit, &address),
            Some(address) => {
                let ready = self.finish(hit, true);
                if self.finds_again() { ready.lead_to(&address) } else { ready }
            }
            None => self.finish(hit, page == Page::Printed(true)),
        };
        self.release(ready);
        Ok(())
    }

    /// The address of the page of the step that the hit in hand has made, if it is to get one.
    pub(crate) fn address_of_step(&self, hit: &Hit) -> Option<String> {
        let (step, led, fleeting) =
            self.talk(|talk| (talk.step, talk.applied.is_some(), talk.way == Way::Fleeting));
        let needs =
            if hit.is_post() { led } else { is_asked_for_without_address(hit) && hit.reply.sensitive };
        if !needs || fleeting || hit.pass().is_some() || !hit.reply.is_page() {
            return None;
        }
        let newcomer = hit.reply.introduction.is_some() && step == 1;
        let shown = if newcomer { Shown::First } else { Shown::Page };
        Some(self.address(hit, step, shown))
    }

    /// Answers a hit that was not taken, with the page where the session is.
    pub(crate) fn answer_here(self: &Arc<Self>, hit: Box<Hit>, step: u32, shown: Shown) {
        let needs = hit.may_need_address() && (hit.is_post() || is_asked_for_without_address(&hit));
        let ready = if needs && hit.pass().is_none() && hit.reply.is_page() {
            let address = self.address(&hit, step, shown);
            self.lead_to(hit, &address)
        } else {
            self.finish(hit, false)
        };
        self.release(ready);
    }

    /// Answers a form that was sent with something wrong in it, with the form that says so.
    pub(crate) fn answer_try(self: &Arc<Self>, hit: Box<Hit>, step: u32, tried: u64) {
        let address = self.address(&hit, step, Shown::Try(tried));
        let is_sent = hit.is_post() && hit.pass().is_none();
        let (mut ready, page) = hit.finish(&self.core.frames, is_sent);
        if page.is_some_and(|page| self.core.kept.keep_try(self.serial, tried, page)) {
            ready = ready.lead_to(&address);
        }
        self.release(ready);
    }

    /// The answer with a page that was made before.
    pub(crate) fn show_again(self: &Arc<Self>, mut hit: Box<Hit>, page: &Kept) -> Ready {
        if hit.token().is_some_and(crate::address::names_page) {
            return hit.reply.show_kept(page);
        }
        let alone = !hit.is_post() && !(is_asked_for_without_address(&hit) && page.is_stored_by_nobody());
        if alone || hit.pass().is_some() || !page.is_page() {
            return hit.reply.repeat(page);
        }
        let address = self.address(&hit, self.talk(|talk| talk.step), Shown::Page);
        hit.reply.lead_to_kept(&address, page);
        self.finish(hit, false)
    }

    /// Whether a page that was printed is there when it is asked for.
    fn finds_again(&self) -> bool {
        self.talk(|talk| talk.kept) || self.tape(|tape| tape.turns()) == Some(true)
    }

    /// The address of a page of this session.
    pub(crate) fn address(&self, hit: &Hit, step: u32, shown: Shown) -> String {
        hit.address_of(&self.core.seal.seal_page(self.serial, step, shown), shown)
    }

    fn lead_to(self: &Arc<Self>, mut hit: Box<Hit>, address: &str) -> Ready {
        hit.reply.lead_to(address);
        self.finish(hit, false)
    }
}

/// Whether nothing in the address says which page it is, so that Back would find another one there.
fn is_asked_for_without_address(hit: &Hit) -> bool {
    hit.token().is_none_or(|token| token == HERE)
}
