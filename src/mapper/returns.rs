//! Returns: hits that another site sends back by a URL which the program has handed out. They need no cookie.
//!
//! A capability says one thing: this session, this step. It is masked and signed (SIV: SipHash-2-4-128 over both, under
//! keys of its own), so that it tells its holder nothing, is no token, and no token is one. Nothing is kept of it: asked
//! for twice in a step it is the same, and when the step is over it is worth nothing. What is kept is where the session
//! is, so that it is found without its visitor: here while it is in memory, in the journal by its number.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, Weak};

use http::HeaderValue;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::key::{VisitorId, derive};
use super::{Identity, Purpose};
use crate::chance::Chance;
use crate::engine::Core;
use crate::hit::Hit;
use crate::journal::rebuilding::Recall;
use crate::page::Notice;
use crate::session::Session;
use crate::session::drive::Refused;
use crate::session::queue::Message;
use crate::step::{Answered, HERE};

/// The parameter that carries a capability in a URL of ours.
pub(crate) const PARAM: &str = "_r";
/// The parameter that carries one where the other site wants the URL to be always the same.
pub(crate) const STATE: &str = "state";
/// Characters of a capability: session (8), step (4) and tag (16) in hexadecimal.
pub(crate) const WIRE: usize = 56;

const PLACE: usize = 12;
/// Sessions that are noted before it is looked which of them are gone.
const FEW: usize = 64;

/// What a hit by a capability says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) serial: u64,
    /// The step that it resumes.
    pub(crate) step: u32,
    /// Tells it from the same with other parameters.
    pub(crate) answer: Answered,
    /// It brought what names the session's visitor.
    pub(crate) own: bool,
}

/// Makes and opens capabilities, and finds the sessions that asked for one.
pub(crate) struct Returns {
    tag: SipHasher24,
    mask: SipHasher24,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    sessions: HashMap<u64, Weak<Session>>,
    room: usize,
}

impl Returns {
    /// By a secret: what it makes is good for as long as that is. None: a fresh one.
    pub(crate) fn new(secret: Option<&[u8]>, chance: &Chance) -> Self {
        let fresh: [u8; 32] = chance.bytes();
        let secret = secret.unwrap_or(&fresh);
        Returns {
            tag: SipHasher24::new_with_key(&derive(secret, b"return")),
            mask: SipHasher24::new_with_key(&derive(secret, b"return mask")),
            noted: Mutex::default(),
        }
    }

    /// The capability of a session's step.
    pub(crate) fn seal(&self, serial: u64, step: u32) -> String {
        let mut bytes = [0; WIRE / 2];
        bytes[..8].copy_from_slice(&serial.to_le_bytes());
        bytes[8..PLACE].copy_from_slice(&step.to_le_bytes());
        let tag = self.tag.hash(&bytes[..PLACE]).as_bytes();
        self.turn(&mut bytes[..PLACE], &tag);
        bytes[PLACE..].copy_from_slice(&tag);
        const_hex::encode(bytes)
    }

    /// Session and step, if we made it.
    pub(crate) fn open(&self, wire: &str) -> Option<(u64, u32)> {
        let mut bytes = [0; WIRE / 2];
        const_hex::decode_to_slice(wire, &mut bytes).ok()?;
        let (place, tag) = bytes.split_at_mut(PLACE);
        self.turn(place, tag);
        let made = self.tag.hash(place).as_u128();
        let tag = u128::from_le_bytes((&*tag).try_into().expect("28 - 12 is 16"));
        // One comparison of the whole: no time tells how much of a forged tag was right.
        if made.to_le() ^ tag != 0 {
            return None;
        }
        let (serial, step) = place.split_at(8);
        let serial = u64::from_le_bytes(serial.try_into().expect("split at 8"));
        Some((serial, u32::from_le_bytes(step.try_into().expect("12 - 8 is 4"))))
    }

    /// Masks a place, or shows it again.
    fn turn(&self, place: &mut [u8], tag: &[u8]) {
        let mut hasher = self.mask;
        hasher.write(tag);
        for (byte, mask) in place.iter_mut().zip(hasher.finish128().as_bytes()) {
            *byte ^= mask;
        }
    }

    /// The session may be looked for by its number from here on.
    pub(crate) fn note(&self, session: &Arc<Session>) {
        let mut noted = self.noted.lock().expect("no code panics while it holds the returns");
        noted.sessions.insert(session.serial, Arc::downgrade(session));
        if noted.sessions.len() > noted.room {
            noted.sessions.retain(|_, there| there.strong_count() > 0);
            noted.room = FEW.max(2 * noted.sessions.len());
        }
    }

    /// A session that was noted, if it is in memory.
    fn session(&self, serial: u64) -> Option<Arc<Session>> {
        let noted = self.noted.lock().expect("no code panics while it holds the returns");
        noted.sessions.get(&serial)?.upgrade()
    }

    /// What a hit carries: a capability of ours, or with `Some(None)` what only looks like one.
    fn read(&self, hit: &Hit) -> Option<Option<(u64, u32)>> {
        let (name, wire) = hit.capability()?;
        let opened = self.open(&wire);
        // What `state` is otherwise is the program's.
        (opened.is_some() || name == PARAM).then_some(opened)
    }
}

impl Core {
    /// Brings a hit to the session whose capability it carries. A hit that carries none comes back.
    #[cold]
    pub(super) fn map_return(self: &Arc<Self>, flow: u16, mut hit: Box<Hit>) -> Option<Box<Hit>> {
        match self.flow(flow).purpose_of(&hit) {
            Purpose::Visit => {}
            Purpose::Crawl if self.returns.read(&hit).is_some() => return self.give_up_return(hit),
            _ => return Some(hit),
        }
        if hit.pass().is_none() {
            let (serial, step) = match self.returns.read(&hit) {
                Some(Some(place)) => place,
                Some(None) => return self.give_up_return(hit),
                None => return Some(hit),
            };
            let answer = self.seal.answer_in_full(&hit);
            hit.came_back(Pass { serial, step, answer, own: false });
        }
        let pass = *hit.pass().expect("it has one by now");
        let (ids, label) = self.claims_of(flow, &mut hit);
        let session = self.returns.session(pass.serial);
        match session.filter(|session| session.visitor() != VisitorId::NOBODY) {
            // Its links would carry the visitor's id.
            _ if hit.cut.visitor_param().is_some() => return self.give_up_return(hit),
            Some(session) if session.talk(|talk| talk.flow) != flow => return self.give_up_return(hit),
            Some(session) => self.deliver_return(&session, &ids, label, hit),
            None if self.journal.is_some() => self.recall(Recall { ids, known: None, flow, label, hit }),
            None => return self.give_up_return(hit),
        }
        None
    }

    /// What the hit carries opens nothing, or nothing any more.
    fn give_up_return(&self, hit: Box<Hit>) -> Option<Box<Hit>> {
        self.expire(hit);
        None
    }

    /// The ids that a hit proves, and the label of the session that it would belong to.
    fn claims_of(&self, flow: u16, hit: &mut Box<Hit>) -> (Vec<VisitorId>, u64) {
        let mut identity = Identity::new(self.cookie.name(hit.is_https()), self.keys.labels());
        self.flow(flow).identify(hit, &mut identity);
        let label = identity.session_label(self.flow(flow).label);
        let named = identity.name().map(|name| self.keys.name(name));
        let ids = match named {
            Some(id) => vec![id],
            None => identity.claims().filter_map(|claim| self.keys.verify(claim)).collect(),
        };
        hit.cut = identity.into_cut();
        (ids, label)
    }

    /// Nobody is told an id here, but the visitor whose login this very hit was.
    fn deliver_return(
        self: &Arc<Self>,
        session: &Arc<Session>,
        ids: &[VisitorId],
        label: u64,
        mut hit: Box<Hit>,
    ) {
        let here = label == session.label;
        let pass = hit.pass().expect("it is a return");
        let rotated = here && self.rotated_by_return(ids, pass.answer, session);
        hit.set_own(rotated || here && ids.contains(&session.visitor()));
        if rotated {
            self.introduce(session.visitor(), &mut hit);
        }
        if self.table.use_again(session, self.clock.now()) {
            self.release_address(session);
        }
        match session.attend(session.send(Message::Hit(hit))) {
            None => {}
            Some(Refused::Full(hit)) => self.busy(hit, "What came before is still being worked on."),
            Some(Refused::Closed(hit)) => self.deliver_return_late(session, hit),
        }
    }

    /// A return to a session that takes no more.
    #[cold]
    pub(super) fn deliver_return_late(self: &Arc<Self>, session: &Arc<Session>, mut hit: Box<Hit>) {
        let (ended, decided, applied, flow) = {
            let state = session.queue.lock();
            (state.has_ended(), state.is_dying(), state.talk.applied, state.talk.flow)
        };
        if session.tape(|tape| tape.stays || !decided) == Some(true) {
            // It leaves memory: when it has done so, it comes back for this.
            let (ids, label) = self.claims_of(flow, &mut hit);
            return self.recall(Recall { ids, known: None, flow, label, hit });
        }
        let pass = *hit.pass().expect("it is a return");
        if !ended || pass.answer != applied {
            self.expire(hit);
        } else if pass.own {
            self.repeat(session, hit);
        } else {
            self.tell_returned(&mut hit, true);
            self.finish(hit);
        }
    }

    /// What it brings was received before, or is too late. Whoever brings it sees no page of the session; a link leads
    /// the visitor on.
    pub(crate) fn tell_returned(&self, hit: &mut Hit, again: bool) {
        let onward = if again { hit.own_link_to(HERE) } else { hit.own_link() };
        self.notify(hit, Notice::Returned, Some(&onward));
    }
}

/// What the answer to a return says: its URL is told to nobody.
pub(crate) const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Seal;

    #[test]
    fn a_capability_comes_back_as_it_went_and_no_other_does() {
        let returns = Returns::new(Some(&[7; 32]), &Chance::default());
        let wire = returns.seal(0x3c_0000_0007, 5);
        assert_eq!((wire.len(), returns.open(&wire)), (WIRE, Some((0x3c_0000_0007, 5))));
        assert_eq!(
            wire,
            Returns::new(Some(&[7; 32]), &Chance::default()).seal(0x3c_0000_0007, 5),
            "by the same secret the same"
        );
        for at in 0..WIRE {
            let mut forged = wire.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("digits");
            assert_eq!(returns.open(&forged), None, "character {at}");
        }
        assert_eq!(Returns::new(None, &Chance::default()).open(&wire), None);
        assert_eq!((returns.open(""), returns.open("é")), (None, None));
    }

    #[test]
    fn a_capability_tells_nothing_of_session_and_step() {
        let returns = Returns::new(None, &Chance::default());
        let wires: Vec<_> = (0..100).map(|step| returns.seal(1, step)).collect();
        assert!(wires.iter().all(|wire| !wire.contains("00000000")), "no number shows through");
        let first: std::collections::HashSet<_> = wires.iter().map(|wire| &wire[..16]).collect();
        assert_eq!(first.len(), 100, "the same session looks different each time");
    }

    #[test]
    fn a_capability_is_no_token_and_a_token_no_capability() {
        let (secret, mut token) = ([7; 32], String::new());
        let (seal, returns) = (Seal::of(&secret), Returns::new(Some(&secret), &Chance::default()));
        assert!(seal.open(1, &returns.seal(1, 2)).is_none());
        // A value as long as it takes.
        for length in 0..24 {
            token.clear();
            seal.seal(
                crate::step::Place { serial: 1, step: 2, part: 0, scope: 0 },
                &"x".repeat(length),
                1024,
                &mut token,
            )
            .expect("small");
            assert_eq!(returns.open(&token), None);
        }
    }

    #[tokio::test]
    async fn sessions_that_are_gone_are_not_noted_for_ever() {
        async fn leaves(req: crate::Request) -> crate::Result<()> {
            req.return_state()?;
            Ok(())
        }
        let server = crate::Server::new(leaves).into_engine().expect("it starts");
        for _ in 0..10 * FEW {
            server.0.answer(http::Request::new(bytes::Bytes::new()), None).await;
        }
        let noted = server.0.0.returns.noted.lock().expect("not poisoned").sessions.len();
        assert!((1..=2 * FEW).contains(&noted), "{noted}");
    }
}
