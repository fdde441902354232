//! Finds or starts the session of a hit. Start reading at [`Core::map`].
//!
//! Mapping never waits, and runs none of the program's code but the predicate, the mapper and, on the task that
//! brought the hit, the session itself.

pub(crate) mod cookie;
pub(crate) mod forwarded;
#[cfg(all(any(test, continuity_fuzz), feature = "http", feature = "files", feature = "multipart"))]
pub(crate) mod fuzz;
pub(crate) mod identify;
pub(crate) mod key;
pub(crate) mod network;
pub(crate) mod pace;
pub(crate) mod purpose;
pub(crate) mod reap;
pub(crate) mod returns;
pub(crate) mod rotate;

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use crate::engine::Core;
use crate::hit::{Hit, address_block};
use crate::journal::rebuilding::Recall;
use crate::page::Notice;
use crate::session::drive::Refused;
use crate::session::table::{Found, Full};
use crate::session::{Session, Way};
pub(crate) use identify::Cut;
pub use identify::{Identity, Map, Mapper};
use key::VisitorId;
pub use purpose::Purpose;

/// What is said to who sends what changes something from another site.
pub(crate) const FROM_ELSEWHERE: &str = "This form was sent from another site.";

/// Whose hit it is, after the claims were checked.
enum Whose {
    /// A session that was there; with `true` this is its second hit.
    Session(Arc<Session>, bool),
    /// The session whose id this very submit rotated.
    Rotated(Arc<Session>),
    /// A visitor with other sessions, or one whom the mapper names.
    Visitor(VisitorId),
    /// Ids that are ours, with the visitor who has other sessions in memory: the journal may have theirs.
    Perhaps(Vec<VisitorId>, Option<VisitorId>),
    Nobody,
}

impl Core {
    /// Brings a hit to its session. It is answered sooner or later, whatever happens.
    pub(crate) fn map(self: &Arc<Self>, mut hit: Box<Hit>) {
        let flow = self.route(&mut hit);
        if hit.may_be_return() {
            let Some(other) = self.map_return(flow, hit) else { return };
            hit = other;
        }
        if hit.is_submit_from_elsewhere() {
            return self.refuse(hit, StatusCode::FORBIDDEN, FROM_ELSEWHERE);
        }
        let purpose = self.flow(flow).purpose_of(&hit);
        match purpose {
            Purpose::Visit | Purpose::Crawl => {}
            other => return self.answer_aside(hit, other),
        }
        let mut identity = Identity::new(self.cookie.name(hit.is_https()));
        self.flow(flow).identify(&hit, &mut identity);
        let label = identity.session_label(self.flow(flow).label);
        let crawls = purpose == Purpose::Crawl;
        let whose = if crawls { Whose::Nobody } else { self.whose(&identity, label, &hit) };
        (hit.cut, hit.label) = (identity.into_cut(), Some(label));
        match whose {
            Whose::Session(session, grew) => self.deliver_known(&session, grew, hit),
            Whose::Rotated(session) => self.deliver_rotated(&session, hit),
            Whose::Perhaps(ids, known) => self.recall(Recall { ids, known, flow, label, hit }),
            _ if hit.token().is_some() => self.expire(hit),
            _ if crawls => self.show_around(flow, label, hit),
            Whose::Visitor(visitor) => self.start(Some(visitor), flow, label, hit),
            Whose::Nobody => self.start(None, flow, label, hit),
        }
    }

    /// The visitor whom a hit proves to be, for hits whose body is still to come. Resumes and prolongs nothing.
    #[cfg(feature = "multipart")]
    pub(crate) fn proven(&self, hit: &mut Hit) -> Option<VisitorId> {
        let flow = self.route(hit);
        let mut identity = Identity::new(self.cookie.name(hit.is_https()));
        self.flow(flow).identify(hit, &mut identity);
        let id = match identity.name() {
            Some(name) => Some(self.keys.name(name)),
            None => identity.claims().find_map(|claim| self.keys.verify(claim)),
        };
        id.filter(|id| self.journal.is_some() || self.table.knows(*id))
    }

    fn whose(&self, identity: &Identity<'_>, label: u64, hit: &Hit) -> Whose {
        if let Some(claim) = identity.only_claim()
            && let Some(id) = self.keys.verify(claim)
            && let Found::Session(session, grew) = self.table.find(id, label, self.clock.now())
        {
            return Whose::Session(session, grew);
        }
        self.whose_else(identity, label, hit)
    }

    #[inline(never)]
    fn whose_else(&self, identity: &Identity<'_>, label: u64, hit: &Hit) -> Whose {
        let now = self.clock.now();
        let mut visitor = None;
        if let Some(name) = identity.name() {
            let named = self.keys.name(name);
            return match self.table.find(named, label, now) {
                Found::Session(session, grew) => Whose::Session(session, grew),
                _ if self.journal.is_some() => Whose::Perhaps(vec![named], Some(named)),
                Found::Visitor | Found::Nobody => Whose::Visitor(named),
            };
        }
        let ids: Vec<_> = identity.claims().filter_map(|claim| self.keys.verify(claim)).collect();
        for &id in &ids {
            match self.table.find(id, label, now) {
                Found::Session(session, grew) => return Whose::Session(session, grew),
                Found::Visitor => visitor = visitor.or(Some(id)),
                Found::Nobody => {}
            }
        }
        if let Some(session) = self.rotated(identity, hit) {
            return Whose::Rotated(session);
        }
        if self.journal.is_some() && !ids.is_empty() {
            return Whose::Perhaps(ids, visitor);
        }
        visitor.map_or(Whose::Nobody, Whose::Visitor)
    }

    #[inline]
    pub(crate) fn deliver_known(self: &Arc<Self>, session: &Arc<Session>, grew: bool, hit: Box<Hit>) {
        if grew {
            self.release_address(session);
        }
        self.deliver(session, hit);
    }

    pub(crate) fn deliver(self: &Arc<Self>, session: &Arc<Session>, mut hit: Box<Hit>) {
        self.carry_visitor(session.visitor(), &mut hit);
        match session.attend(session.send(crate::session::queue::Message::Hit(hit))) {
            None => {}
            Some(Refused::Full(hit)) => self.busy(hit, "Your last requests are still being worked on."),
            Some(Refused::Closed(hit)) => self.deliver_late(session, hit),
        }
    }

    /// A hit for a session that takes no more: its tombstone answers, or a new session does.
    #[cold]
    fn deliver_late(self: &Arc<Self>, session: &Arc<Session>, hit: Box<Hit>) {
        if hit.pass().is_some() {
            return self.deliver_return_late(session, hit);
        }
        let (ended, decided, applied, flow) = {
            let state = session.queue.lock();
            (state.has_ended(), state.is_dying(), state.talk.applied, state.talk.flow)
        };
        if session.tape(|tape| tape.stays || !decided) == Some(true) {
            // It leaves memory, or it is about to be said whether it does.
            let (ids, label) = (vec![session.visitor()], session.label);
            return self.recall(Recall { ids, known: None, flow, label, hit });
        }
        if hit.token().is_some() {
            let answer = self.seal.answer_of(session.serial, &hit);
            if ended && answer == Some(applied) {
                return self.repeat(session, hit);
            }
            return self.expire(hit);
        }
        self.table.remove(session);
        self.kept.remove(session.serial);
        let visitor = session.visitor();
        let known = ended || self.table.knows(visitor);
        self.start(known.then_some(visitor), flow, session.label, hit);
    }

    /// Starts a session with its first hit.
    #[inline(never)]
    pub(crate) fn start(
        self: &Arc<Self>,
        visitor: Option<VisitorId>,
        flow: u16,
        label: u64,
        mut hit: Box<Hit>,
    ) {
        let address = self.counted_as(&hit);
        if !self.addresses.count(address, self.limits.newborns_per_address) {
            return self.busy(hit, "Too many new visitors come from your network.");
        }
        let id = visitor.unwrap_or_else(VisitorId::fresh);
        if visitor.is_none() {
            self.introduce(id, &mut hit);
        }
        self.carry_visitor(id, &mut hit);
        let session = Session::new(self.clone(), id, label, (flow, Way::Ordinary), hit);
        if address.is_some() {
            session.queue.lock().extra().address = address;
        }
        match self.table.admit(&session, &self.limits) {
            Ok(None) => {
                session.begin(flow, Way::Ordinary);
                self.shed_newborns();
            }
            Ok(Some(other)) => self.deliver(&other, self.take_back(&session)),
            Err(full) => self.busy(self.take_back(&session), full.reason()),
        }
    }

    /// The first hit of a session that was not let in. Nobody is told of its visitor.
    #[cold]
    fn take_back(&self, session: &Session) -> Box<Hit> {
        self.release_address(session);
        let mut hit = session.talk(|talk| talk.current.take()).expect("it was made with its first hit");
        hit.reply.introduction = None;
        hit
    }

    /// What a newborn of this hit counts as. Loopback and trusted proxies are exempt: they speak for many.
    fn counted_as(&self, hit: &Hit) -> Option<u64> {
        let ip = hit.peer()?.ip();
        let is_proxy = self.proxies.as_ref().is_some_and(|proxies| proxies.trusts(ip));
        if is_proxy { None } else { address_block(ip) }
    }

    /// A first page for a crawler, from a session that is not kept.
    #[inline(never)]
    fn show_around(self: &Arc<Self>, flow: u16, label: u64, mut hit: Box<Hit>) {
        let id = VisitorId::fresh();
        self.carry_visitor(id, &mut hit);
        Session::new(self.clone(), id, label, (flow, Way::Fleeting), hit).begin(flow, Way::Fleeting);
    }

    /// Tells a visitor their id.
    pub(crate) fn introduce(&self, visitor: VisitorId, hit: &mut Hit) {
        if hit.cut.by_cookie {
            let sign = |cookie: &mut String| self.keys.sign_to(visitor, cookie);
            hit.reply.introduction = Some(self.cookie.tell(hit.is_https(), sign));
        }
    }

    /// Tells a visitor their new id, in place of one that this response told already.
    pub(crate) fn reintroduce(&self, session: &Session, hit: &mut Hit) {
        self.introduce(session.visitor(), hit);
        self.carry_visitor(session.visitor(), hit);
    }

    /// Links of the page carry the visitor's id where it stands in the URL, and tell it to no other site.
    #[inline]
    fn carry_visitor(&self, visitor: VisitorId, hit: &mut Hit) {
        if hit.cut.visitor_param().is_some() {
            self.carry_in_url(visitor, hit);
        }
    }

    #[cold]
    fn carry_in_url(&self, visitor: VisitorId, hit: &mut Hit) {
        hit.cut.carry_visitor(self.keys.sign(visitor));
        hit.reply.rare().headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }

    /// The page that the last submit of a session made, if it is still kept.
    pub(crate) fn repeat(&self, session: &Arc<Session>, mut hit: Box<Hit>) {
        let ready = match session.made_page().or_else(|| self.kept.get(session.serial)) {
            Some(page) => hit.reply.repeat(&page),
            None => {
                self.notify(&mut hit, Notice::Received, None);
                hit.finish(&self.frames, false).0
            }
        };
        session.release(ready);
    }

    #[inline(never)]
    pub(crate) fn release_address(&self, session: &Session) {
        let address = session.queue.lock().peek_extra().and_then(|extra| extra.address.take());
        self.addresses.release(address);
    }
}

impl Full {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Full::Visitor => "You have too many sessions open here. Close some, or wait a while.",
            Full::Server => "There are too many visitors at the moment.",
        }
    }
}
