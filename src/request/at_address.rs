//! Hits that ask for a page by its address. Whatever else they bring, they are no answer: nothing is taken.

use std::sync::Arc;

use super::asking::Asking;
use crate::address::{Shown, names_page};
use crate::hit::Hit;
use crate::page::Notice;
use crate::reply::Kept;
use crate::session::Session;
use crate::step::Token;

/// What such a hit means to a verb that waits.
pub(super) enum Wanted {
    /// The page where the session is, with what is said on it.
    Here(Option<Notice>),
    /// Another page of the session.
    Elsewhere(Token),
    /// A form with what was wrong in it, as it was shown; `None`: a page of a session that is over.
    Aside(Option<Arc<Kept>>),
}

/// What a hit asks for by an address. `None`: its token names no page.
#[inline]
pub(super) fn wanted(session: &Session, wire: Option<&str>, step: u32) -> Option<Wanted> {
    let wire = wire.filter(|wire| names_page(wire))?;
    Some(look_up(session, wire, step))
}

#[inline(never)]
fn look_up(session: &Session, wire: &str, step: u32) -> Wanted {
    let Some(token) = session.core.seal.open(session.serial, wire) else { return Wanted::Aside(None) };
    let Some(shown) = token.shown() else { return Wanted::Aside(None) };
    if let Shown::Try(tried) = shown
        && let Some(page) = session.core.kept.get_try(session.serial, tried)
    {
        return Wanted::Aside(Some(page));
    }
    match shown {
        _ if token.step != step => Wanted::Elsewhere(token),
        Shown::Outdated => Wanted::Here(Some(Notice::Outdated)),
        Shown::Page | Shown::First | Shown::Try(_) => Wanted::Here(None),
    }
}

impl Asking<'_> {
    /// Answers a hit that was not taken with the page where the session is. A connection that runs the session is let go
    /// before the next hit.
    pub(super) fn answer_here(&mut self, hit: Box<Hit>, step: u32, notice: Option<Notice>) {
        let session = self.session();
        session.queue.answered();
        let shown = if notice.is_some() { Shown::Outdated } else { Shown::Page };
        session.answer_here(hit, step, shown);
    }

    /// The same for a form that was sent with something wrong in it.
    pub(super) fn answer_try(&mut self, hit: Box<Hit>, step: u32, tried: u64) {
        let session = self.session();
        session.queue.answered();
        session.answer_try(hit, step, tried);
    }

    /// The same for a hit that is shown a page which is kept, or is told that its own is over: it is no answer.
    #[cold]
    pub(super) fn answer_aside<T>(&mut self, hit: Box<Hit>, kept: Option<Arc<Kept>>) -> Option<T> {
        let session = self.session();
        session.queue.answered();
        match kept {
            Some(page) => session.release(hit.reply.show_kept(&page)),
            None => session.core.expire(hit),
        }
        None
    }
}
