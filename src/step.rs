//! Sealed tokens: what a page's links and forms carry to say which step they belong to, and the value behind them.
//!
//! Nothing is kept per link. A token is in hexadecimal `step (4) · part (4) · value (CBOR) · tag (8)`, with the scope (8)
//! before the value where the page has components; the tag is SipHash-2-4 over session and all of it, under a key of
//! 128 bits that is fresh at each start. Signed, not hidden: do not put a secret behind a link. What a token means for
//! the session it comes to is decided by its verbs.

use std::hash::Hasher;

use minicbor_serde::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::{SipHasher13, SipHasher24};

use crate::error::Error;
use crate::hit::Hit;
use crate::mapper::key::{derive, random};

/// The parameter that carries the token, for literals.
macro_rules! param {
    () => {
        "_t"
    };
}
pub(crate) use param;

/// The parameter that carries the token.
pub(crate) const PARAM: &str = param!();
/// In a token's place: shows the page where the session is, and is no answer.
pub(crate) const HERE: &str = "here";
/// The part of a token that stands for a link, not for a form.
pub(crate) const LINK: u32 = 0;
/// In the part of a token that stands for a form that was printed, beside its number on the page.
const PRINTED: u32 = 1 << 31;
/// In a part's place: who comes by a URL of `return_url`. No token has it.
pub(crate) const RETURN: u32 = u32::MAX;

/// In a part: a scope follows.
const SCOPED: u32 = 1 << 27;
/// In the part of a token that names a page and is no answer to it: see [`address`](crate::address).
pub(crate) const PAGE: u32 = 1 << 26;

/// The session's serial stands in front of the bytes that are signed, and is not sent.
const SERIAL: usize = 8;
const HEAD: usize = SERIAL + 8;
const TAG: usize = 8;
const SCOPE: usize = 8;
const SMALL: usize = 72;

/// The bits of a part that say what an answer to its page does once the page is an old one.
const POLICY: u32 = 28;
const POLICIES: u32 = 0b111 << POLICY;

/// What a new answer to an old page does: one that was answered before, and to which a visitor came back.
///
/// The answer that was given then is a repeat, whatever the policy: it gets the page that it made, and runs nothing. Set for
/// all by [`Server::old_pages`](crate::Server::old_pages), for a flow by [`Flow::old_pages`](crate::Flow::old_pages), for
/// a page by [`Request::old_pages`](crate::Request::old_pages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldPages {
    /// The session goes on from there, on a branch of its own: locals are what they were. The page that was current stays
    /// so, in its own tab. Needs a journal, and is the default with one.
    Branch,
    /// The session goes back there and on; what came after is no part of its past. Needs a journal.
    Rewind,
    /// It is not applied: the current page is shown, with a notice. The default without a journal.
    Refuse,
    /// [`next`](crate::Request::next) takes it as the answer to the current page, whatever it came from. Other verbs
    /// refuse it.
    Latest,
}

impl OldPages {
    pub(crate) const ALL: [OldPages; 4] =
        [OldPages::Branch, OldPages::Rewind, OldPages::Refuse, OldPages::Latest];

    /// As it stands in a part.
    pub(crate) fn bits(policy: Option<OldPages>) -> u32 {
        policy.map_or(0, |policy| (policy as u32 + 1) << POLICY)
    }

    fn of_bits(part: u32) -> Option<OldPages> {
        Self::ALL.get(((part & POLICIES) >> POLICY).checked_sub(1)? as usize).copied()
    }
}

/// Makes and opens tokens; one a server.
pub(crate) struct Seal {
    key: SipHasher24,
    answers: SipHasher13,
}

/// What tells one answer from another. None: the hit carried no token of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered(u64);

impl Answered {
    pub(crate) const NONE: Answered = Answered(0);

    /// As it was written down.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// From what was written down.
    pub(crate) fn again(number: u64) -> Self {
        Answered(number)
    }

    pub(crate) fn is_some(self) -> bool {
        self != Answered::NONE
    }
}

/// Where a token belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) serial: u64,
    pub(crate) step: u32,
    /// [`LINK`], or the number of the form or callback on its page.
    pub(crate) part: u32,
    /// The component of the page that it is in; 0: the page has none.
    pub(crate) scope: u64,
}

impl Place {
    /// Bytes in front of the value.
    fn head(&self) -> usize {
        if self.scope == 0 { HEAD } else { HEAD + SCOPE }
    }
}

/// A token that we made for this session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) step: u32,
    /// [`LINK`], or the number of the form or callback on its page.
    pub(crate) part: u32,
    /// What a new answer does once the page is an old one, where the page has a policy of its own.
    pub(crate) old: Option<OldPages>,
    /// The component of the page that it is in; 0: the page has none.
    pub(crate) scope: u64,
    bytes: Bytes,
}

/// Most tokens are small: they need no memory of their own.
#[derive(Debug, PartialEq, Eq)]
enum Bytes {
    Small([u8; SMALL], usize),
    Large(Vec<u8>),
}

impl Seal {
    /// By a secret: what it makes is good for as long as that is.
    pub(crate) fn of(secret: &[u8]) -> Self {
        Seal {
            key: SipHasher24::new_with_key(&derive(secret, b"token")),
            answers: SipHasher13::new_with_key(&derive(secret, b"answer")),
        }
    }

    pub(crate) fn new() -> Self {
        let (mut key, mut answers) = ([0; 16], [0; 16]);
        random(&mut key);
        random(&mut answers);
        Seal { key: SipHasher24::new_with_key(&key), answers: SipHasher13::new_with_key(&answers) }
    }

    /// One that anybody can forge.
    #[cfg(any(test, continuity_fuzz))]
    pub(crate) fn of_bytes(key: [u8; 16]) -> Self {
        Seal { key: SipHasher24::new_with_key(&key), answers: SipHasher13::new_with_key(&key) }
    }

    /// Adds to `token` that of a value on a page. An error if the value is larger than `limit` bytes.
    pub(crate) fn seal<T: Serialize>(
        &self,
        place: Place,
        value: &T,
        limit: usize,
        token: &mut String,
    ) -> Result<(), Error> {
        let mut small = [0; SMALL];
        let mut room = &mut small[place.head()..SMALL - TAG];
        if value.serialize(&mut Serializer::new(&mut room)).is_ok() {
            let left = room.len();
            return self.seal_bytes(place, &mut small[..SMALL - left], limit, token);
        }
        self.seal_large(place, value, limit, token)
    }

    #[cold]
    fn seal_large<T: Serialize>(
        &self,
        place: Place,
        value: &T,
        limit: usize,
        token: &mut String,
    ) -> Result<(), Error> {
        let mut large = vec![0; place.head()];
        value
            .serialize(&mut Serializer::new(&mut large))
            .map_err(|error| Error::caused("the value cannot be sealed", error))?;
        large.extend_from_slice(&[0; TAG]);
        self.seal_bytes(place, &mut large, limit, token)
    }

    /// Adds to `token` that of a form that was printed: the `nth` of its page. Its place is session, step and policy. The session is named by its label, for those
    /// where the form may lead.
    pub(crate) fn seal_form(&self, place: (u64, u32, u32), nth: u32, label: u64, token: &mut String) {
        let (serial, step, old) = place;
        self.seal(
            Place { serial, step, part: PRINTED | old | nth, scope: 0 },
            &short(label),
            usize::MAX,
            token,
        )
        .expect("a number can be written, and no limit is too small for it");
    }

    /// Fills in what stands around the value.
    fn seal_bytes(
        &self,
        place: Place,
        bytes: &mut [u8],
        limit: usize,
        token: &mut String,
    ) -> Result<(), Error> {
        let (Place { serial, step, part, scope }, end) = (place, bytes.len() - TAG);
        let value = end - place.head();
        if value > limit {
            return Err(Error::new(format!("the value has {value} bytes; at most {limit}")));
        }
        bytes[..SERIAL].copy_from_slice(&serial.to_le_bytes());
        bytes[SERIAL..SERIAL + 4].copy_from_slice(&step.to_le_bytes());
        let part = if scope == 0 { part } else { part | SCOPED };
        bytes[SERIAL + 4..HEAD].copy_from_slice(&part.to_le_bytes());
        if scope != 0 {
            bytes[HEAD..HEAD + SCOPE].copy_from_slice(&scope.to_le_bytes());
        }
        let tag = self.key.hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&tag.to_le_bytes());
        let mut digits = [0; 2 * SMALL];
        for chunk in bytes[SERIAL..].chunks(SMALL) {
            let digits = &mut digits[..2 * chunk.len()];
            token.push_str(const_hex::encode_to_str(chunk, digits).expect("two digits a byte"));
        }
        Ok(())
    }

    /// Opens a token if we made it for this session.
    pub(crate) fn open(&self, serial: u64, wire: &str) -> Option<Token> {
        let mut token = Bytes::new(SERIAL + wire.len() / 2);
        let bytes = token.as_mut();
        bytes[..SERIAL].copy_from_slice(&serial.to_le_bytes());
        const_hex::decode_to_slice(wire, &mut bytes[SERIAL..]).ok()?;
        let end = bytes.len().checked_sub(TAG).filter(|end| *end >= HEAD)?;
        let tag = u64::from_le_bytes(bytes[end..].try_into().expect("a tag's length"));
        // One comparison of the whole: no time tells how much of a forged tag was right.
        if self.key.hash(&bytes[..end]) ^ tag != 0 {
            return None;
        }
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four of them"));
        let (step, part) = (number(SERIAL), number(SERIAL + 4));
        let old = OldPages::of_bits(part);
        let scope = match bytes.get(HEAD..HEAD + SCOPE).filter(|_| part & SCOPED != 0 && end >= HEAD + SCOPE)
        {
            Some(scope) => u64::from_le_bytes(scope.try_into().expect("eight of them")),
            None => 0,
        };
        Some(Token { step, part: part & !(SCOPED | POLICIES), old, scope, bytes: token })
    }

    /// What tells this answer from any other: its token, with all values that came with it.
    pub(crate) fn answer(&self, hit: &Hit, token: &Token) -> Answered {
        // Mostly there is nothing but the token.
        if !token.is_printed()
            && hit.body().is_empty()
            && hit.digest().is_none()
            && hit.query().len() == PARAM.len() + 1 + token.wire()
        {
            return Answered(token.tag().max(1));
        }
        self.answer_with_more(hit, token)
    }

    #[inline(never)]
    fn answer_with_more(&self, hit: &Hit, token: &Token) -> Answered {
        let mut hasher = self.answers;
        if token.is_printed() {
            // Its buttons may lead to different paths.
            hasher.write(hit.full_path().as_bytes());
            hasher.write_u8(0);
        }
        Self::answer_of_values(hasher, hit)
    }

    /// What tells this hit from one with any other values.
    pub(crate) fn answer_in_full(&self, hit: &Hit) -> Answered {
        Self::answer_of_values(self.answers, hit)
    }

    fn answer_of_values(mut hasher: SipHasher13, hit: &Hit) -> Answered {
        hasher.write(hit.query().as_bytes());
        hasher.write_u8(0);
        hasher.write(hit.body());
        if let Some(digest) = hit.digest() {
            hasher.write_u64(digest);
        }
        Answered(hasher.finish().max(1))
    }

    /// A start for what tells one form with files from another.
    #[cfg(feature = "multipart")]
    pub(crate) fn digest(&self) -> SipHasher13 {
        self.answers
    }

    /// The answer of a hit, if its token is of this session.
    pub(crate) fn answer_of(&self, serial: u64, hit: &Hit) -> Option<Answered> {
        let token = self.open(serial, hit.token()?)?;
        Some(self.answer(hit, &token))
    }
}

/// Whether a token may be that of a form that was printed: told by one digit, the first of the part's last byte.
pub(crate) fn may_be_printed(wire: &str) -> bool {
    wire.as_bytes().get(2 * (HEAD - SERIAL) - 2).is_some_and(|digit| *digit >= b'8')
}

/// Whether a token says that it belongs to a form that was printed by a session of another label. What says so was not
/// checked, and need not be: it is treated as none.
pub(crate) fn is_of_another(wire: &str, label: u64) -> bool {
    if !may_be_printed(wire) {
        return false;
    }
    let value = wire.len().checked_sub(2 * TAG).and_then(|end| wire.get(2 * (HEAD - SERIAL)..end));
    // A number of 32 bits has 5 bytes at most.
    let value = value.filter(|value| value.len() <= 10).and_then(|value| const_hex::decode(value).ok());
    let claimed = value.and_then(|value| minicbor_serde::from_slice::<u32>(&value).ok());
    claimed.is_some_and(|claimed| claimed != short(label))
}

/// A label in a form's token: whoever is told another one should see no more of it than they need.
fn short(label: u64) -> u32 {
    (label >> 32) as u32 ^ label as u32
}

impl Token {
    /// Whether it stands for a form that was printed.
    pub(crate) fn is_printed(&self) -> bool {
        self.part >= PRINTED
    }

    /// Its length as it came.
    fn wire(&self) -> usize {
        2 * (self.bytes.as_ref().len() - SERIAL)
    }

    fn tag(&self) -> u64 {
        let bytes = self.bytes.as_ref();
        u64::from_le_bytes(bytes[bytes.len() - TAG..].try_into().expect("a tag's length"))
    }

    /// The value behind the link, if it is of this type.
    pub(crate) fn value<T: DeserializeOwned>(&self) -> Option<T> {
        minicbor_serde::from_slice(self.value_bytes()).ok()
    }

    /// The value behind the link, in CBOR.
    #[inline]
    pub(crate) fn value_bytes(&self) -> &[u8] {
        let (bytes, scope) = (self.bytes.as_ref(), if self.scope == 0 { 0 } else { SCOPE });
        &bytes[HEAD + scope..bytes.len() - TAG]
    }
}

impl Bytes {
    fn new(length: usize) -> Self {
        if length <= SMALL { Bytes::Small([0; SMALL], length) } else { Bytes::Large(vec![0; length]) }
    }

    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Small(bytes, length) => &bytes[..*length],
            Bytes::Large(bytes) => bytes,
        }
    }

    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Bytes::Small(bytes, length) => &mut bytes[..*length],
            Bytes::Large(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    enum Op {
        Inc,
        Add { many: i64, what: String },
    }

    fn sealed<T: Serialize>(seal: &Seal, value: &T) -> Result<String, Error> {
        sealed_in(0, seal, value)
    }

    fn sealed_in<T: Serialize>(scope: u64, seal: &Seal, value: &T) -> Result<String, Error> {
        let mut token = String::new();
        seal.seal(Place { serial: 7, step: 3, part: LINK, scope }, value, 1024, &mut token).map(|()| token)
    }

    #[test]
    fn a_value_comes_back_as_it_went() {
        let seal = Seal::new();
        for op in [Op::Inc, Op::Add { many: -3, what: "ärger".into() }] {
            let token = sealed(&seal, &op).expect("small");
            let opened = seal.open(7, &token).expect("ours");
            assert_eq!((opened.step, opened.part), (3, LINK));
            assert_eq!(opened.value::<Op>(), Some(op));
        }
    }

    #[test]
    fn a_token_says_what_answers_to_its_page_do_when_it_is_old() {
        let seal = Seal::new();
        for policy in OldPages::ALL.map(Some).into_iter().chain([None]) {
            for scope in [0, 9] {
                let mut token = String::new();
                let place = Place { serial: 7, step: 3, part: 5 | OldPages::bits(policy), scope };
                seal.seal(place, &(), 1024, &mut token).expect("small");
                let opened = seal.open(7, &token).expect("ours");
                assert_eq!((opened.part, opened.old, opened.scope), (5, policy, scope));
            }
        }
    }

    #[test]
    fn a_token_says_which_part_it_is_of_and_is_as_long_as_before_where_it_is_of_none() {
        let seal = Seal::new();
        for op in [Op::Inc, Op::Add { many: -3, what: "x".repeat(100) }] {
            let (plain, scoped) =
                (sealed(&seal, &op).expect("small"), sealed_in(9, &seal, &op).expect("small"));
            assert_eq!(scoped.len() - plain.len(), 2 * SCOPE);
            let opened = seal.open(7, &scoped).expect("ours");
            assert_eq!((opened.step, opened.part, opened.scope), (3, LINK, 9));
            assert_eq!(opened.value::<Op>(), Some(op));
            assert_eq!(seal.open(7, &plain).expect("ours").scope, 0);
        }
    }

    #[test]
    fn a_token_is_of_one_session_and_one_server() {
        let seal = Seal::new();
        let token = sealed(&seal, &true).expect("small");
        assert!(seal.open(8, &token).is_none());
        assert!(Seal::new().open(7, &token).is_none());
        assert!(seal.open(7, "").is_none() && seal.open(7, "AAAA").is_none());
    }

    #[test]
    fn a_printed_forms_token_says_which_label_its_session_has() {
        let seal = Seal::new();
        for label in [0, 7, u64::MAX, 0x0123_4567_89ab_cdef] {
            let mut token = String::new();
            seal.seal_form((7, 3, 0), 2, label, &mut token);
            let opened = seal.open(7, &token).expect("ours");
            assert!(opened.is_printed() && opened.step == 3);
            assert!(!is_of_another(&token, label));
            assert!(is_of_another(&token, label ^ 1));
        }
        for other in [HERE.to_owned(), String::new(), "f".repeat(40), sealed(&seal, &7).expect("small")] {
            assert!(!is_of_another(&other, 1), "{other}");
        }
    }

    #[test]
    fn a_large_value_is_an_error() {
        let error = sealed(&Seal::new(), &"x".repeat(2000)).expect_err("too large");
        assert_eq!(error.to_string(), "the value has 2003 bytes; at most 1024");
    }
}
