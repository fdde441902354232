//! Ids of visitors: 128 bits from the operating system, with a MAC, so that a forged one costs no look-up.
//!
//! On the wire an id is 48 hexadecimal digits: its 16 bytes, and 8 bytes of SipHash-2-4 under the server's key.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24Wide};
use zeroize::Zeroizing;

use crate::chance::Chance;

/// Characters of an id on the wire.
pub(crate) const WIRE: usize = 48;
const BYTES: usize = 24;
/// Bits of an id that say its shard. The table finds sessions by others.
pub(crate) const SHARD_BITS: u32 = 12;

/// Whom a cookie names.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct VisitorId(pub(crate) [u64; 2]);

impl VisitorId {
    /// In place of an id that is not known.
    pub(crate) const NOBODY: VisitorId = VisitorId([0, 0]);

    /// A fresh one.
    pub(crate) fn fresh(chance: &Chance) -> Self {
        Self::from_bytes(chance.bytes())
    }

    /// A fresh one in the same shard.
    pub(crate) fn fresh_beside(self, chance: &Chance) -> Self {
        let VisitorId([low, high]) = Self::fresh(chance);
        let rest = u64::MAX >> SHARD_BITS;
        VisitorId([self.0[0] & !rest | low & rest, high])
    }

    /// The part of all visitors that this one is in, in memory and in the numbers of their sessions. It stays when the id is
    /// rotated.
    pub(crate) fn shard(self) -> u16 {
        u16::try_from(self.0[0] >> (64 - SHARD_BITS)).expect("so many bits are left")
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        VisitorId(split(bytes))
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }
}

fn split(bytes: [u8; 16]) -> [u64; 2] {
    let (low, high) = bytes.split_at(8);
    [low, high].map(|half| u64::from_le_bytes(half.try_into().expect("half of 16 is 8")))
}

/// The keys ids are signed with: the newest signs, all of them verify.
#[derive(Clone)]
pub(crate) struct Keys {
    signing: SipHasher24,
    older: Vec<SipHasher24>,
    naming: SipHasher24Wide,
    labels: SipHasher24,
}

impl Keys {
    /// Keys from the program's secrets, oldest first; none: the journal's, else a fresh one. What is named is named by the
    /// journal's for ever. The secrets are wiped out of memory with who has them; what is derived stays while we run.
    pub(crate) fn new(secrets: &[Zeroizing<Vec<u8>>], journal: Option<&[u8]>, chance: &Chance) -> Self {
        let fresh: Zeroizing<[u8; 32]> = Zeroizing::new(chance.bytes());
        let fallback = journal.unwrap_or(&*fresh);
        let newest: &[u8] = secrets.last().map_or(fallback, |newest| newest);
        Keys {
            signing: SipHasher24::new_with_key(&derive(newest, b"visitor id")),
            older: secrets
                .iter()
                .rev()
                .skip(1)
                .map(|secret| SipHasher24::new_with_key(&derive(secret, b"visitor id")))
                .collect(),
            naming: SipHasher24Wide::new_with_key(&derive(journal.unwrap_or(newest), b"named visitor")),
            labels: SipHasher24::new_with_key(&derive(journal.unwrap_or(newest), b"label")),
        }
    }

    /// The id as a client may hold it.
    pub(crate) fn sign(&self, id: VisitorId) -> String {
        let mut wire = String::with_capacity(WIRE);
        self.sign_to(id, &mut wire);
        wire
    }

    /// Adds the id as a client may hold it.
    pub(crate) fn sign_to(&self, id: VisitorId, wire: &mut String) {
        let (mut bytes, mut digits) = ([0; BYTES], [0; WIRE]);
        bytes[..16].copy_from_slice(&id.to_bytes());
        bytes[16..].copy_from_slice(&self.signing.hash(&id.to_bytes()).to_le_bytes());
        wire.push_str(const_hex::encode_to_str(bytes, &mut digits).expect("two digits a byte"));
    }

    /// The id if one of our keys signed it.
    pub(crate) fn verify(&self, wire: &[u8]) -> Option<VisitorId> {
        let mut bytes = [0; BYTES];
        if wire.len() != WIRE || const_hex::decode_to_slice(wire, &mut bytes).is_err() {
            return None;
        }
        let (id, mac) = bytes.split_at(16);
        let mac = u64::from_le_bytes(mac.try_into().expect("24 - 16 is 8"));
        let signed = self.signing.hash(id) == mac || self.older.iter().any(|key| key.hash(id) == mac);
        signed.then(|| VisitorId::from_bytes(id.try_into().expect("split at 16")))
    }

    /// What hashes the labels that a mapper divides by: visitors choose some of them.
    pub(crate) fn labels(&self) -> &SipHasher24 {
        &self.labels
    }

    /// The visitor that a value (a header, an address) names, where a mapper says that it identifies.
    pub(crate) fn name(&self, value: &[u8]) -> VisitorId {
        VisitorId::from_bytes(self.naming.hash(value).as_bytes())
    }
}

/// A key for one purpose out of a secret of any length.
pub(crate) fn derive(secret: &[u8], purpose: &[u8]) -> [u8; 16] {
    let mut key = [0; 16];
    let (head, rest) = secret.split_at(secret.len().min(16));
    key[..head.len()].copy_from_slice(head);
    let mut hasher = SipHasher24Wide::new_with_key(&key);
    hasher.write(rest);
    hasher.write_u8(0);
    hasher.write(purpose);
    hasher.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[Zeroizing<Vec<u8>>]) -> Keys {
        Keys::new(secrets, None, &Chance::default())
    }

    #[test]
    fn a_rotated_id_is_another_one_in_the_same_shard() {
        let chance = Chance::default();
        for _ in 0..100 {
            let old = VisitorId::fresh(&chance);
            let new = old.fresh_beside(&chance);
            assert!(old.shard() == new.shard() && old.shard() < 1 << SHARD_BITS);
            assert!(old.0[0] != new.0[0] && old.0[1] != new.0[1], "all else of it is fresh");
        }
    }

    #[test]
    fn an_id_comes_back_from_the_wire() {
        let keys = keys(&[]);
        let id = VisitorId::fresh(&Chance::default());
        let wire = keys.sign(id);
        assert_eq!(wire.len(), WIRE);
        assert!(keys.verify(wire.as_bytes()) == Some(id));
    }

    #[test]
    fn every_changed_character_is_refused() {
        let keys = keys(&[]);
        let wire = keys.sign(VisitorId::fresh(&Chance::default())).into_bytes();
        for at in 0..wire.len() {
            let mut forged = wire.clone();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert!(keys.verify(&forged).is_none(), "character {at}");
        }
        for odd in [&b""[..], b"1", &wire[1..], b"\"quoted\"", &[0xff; WIRE]] {
            assert!(keys.verify(odd).is_none());
        }
    }

    #[test]
    fn an_older_key_verifies_and_the_newest_signs() {
        let (old, new) = (Zeroizing::new(vec![1; 32]), Zeroizing::new(vec![2; 32]));
        let id = VisitorId::fresh(&Chance::default());
        let before = keys(std::slice::from_ref(&old)).sign(id);
        let both = keys(&[old, new.clone()]);
        assert!(both.verify(before.as_bytes()) == Some(id));
        assert_eq!(both.sign(id), keys(std::slice::from_ref(&new)).sign(id));
        assert!(keys(&[new]).verify(before.as_bytes()).is_none());
    }
}
