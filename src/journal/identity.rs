//! How a session tells apart what its visitor may have chosen: the arguments of effects, and values that it has seen.
//!
//! Who chooses both of two things must not be able to make them look like one: an order that looks like another one gets
//! that one's receipt. So nothing here is a hash that anybody can compute. Arguments are known by 128 bits of SipHash-2-4
//! under the session's [`Salt`]: a number from chance that is in the journal, and is told to nobody. It goes where the
//! entries go, into exports and backups, so that the session replays there; a secret of the journal's would not. Sessions
//! that began before format 3 have no salt, and keep the hash that they began with: what they have done is found.

use std::fmt;
use std::hash::Hasher;
use std::sync::LazyLock;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::entry::Blob;
use crate::cbor;
use crate::chance;
use crate::error::BoxError;

/// A session's own number from chance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt([u8; 16]);

impl Salt {
    pub(crate) fn new(bytes: [u8; 16]) -> Salt {
        Salt(bytes)
    }

    /// As it was written; `None`: the session has none.
    pub(super) fn read(written: &Blob) -> Option<Salt> {
        written.0.as_slice().try_into().ok().map(Salt)
    }

    /// As it is written.
    pub(super) fn written(salt: Option<Salt>) -> Blob {
        Blob(salt.map_or_else(Vec::new, |salt| salt.0.to_vec()))
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    // What is made of it is not for who reads logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

/// What the arguments of an effect are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Args {
    /// In a session without a salt: SipHash-1-3, under no key.
    Before(u64),
    Salted([u8; 16]),
}

impl Args {
    /// Those of an effect of a session with this salt.
    pub(crate) fn of<A: Serialize + ?Sized>(args: &A, salt: Option<Salt>) -> Result<Args, BoxError> {
        let Some(salt) = salt else {
            return Ok(Args::Before(hash_before(&cbor::to_vec_before(args)?)));
        };
        let hash = SipHasher24::new_with_key(&salt.0).hash(&cbor::to_vec(args)?);
        Ok(Args::Salted(hash.as_bytes()))
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Args::Before(hash) => write!(f, "{hash:016x}"),
            Args::Salted(hash) => write!(f, "{:032x}", u128::from_be_bytes(*hash)),
        }
    }
}

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Args::Before(hash) => serializer.serialize_u64(*hash),
            Args::Salted(hash) => serializer.serialize_bytes(hash),
        }
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes, or a number")
            }

            fn visit_u64<E: serde::de::Error>(self, hash: u64) -> Result<Args, E> {
                Ok(Args::Before(hash))
            }

            fn visit_bytes<E: serde::de::Error>(self, hash: &[u8]) -> Result<Args, E> {
                let of_length = hash.try_into().map(Args::Salted);
                of_length.map_err(|_| E::invalid_value(Unexpected::Bytes(hash), &self))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What was used for all of this before there were salts: the same in every process, and computed by whoever wants to.
pub(crate) fn hash_before(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes)
}

/// Under which values are told apart that only this process compares.
static PROCESS: LazyLock<SipHasher24> = LazyLock::new(|| {
    let mut key = [0; 16];
    chance::system(&mut key);
    SipHasher24::new_with_key(&key)
});

/// Tells these bytes from any others, as long as the process lives. It is not to be written, nor shown.
pub(super) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    let mut hasher = *PROCESS;
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_known_by_the_salt_of_their_session() {
        let of = |salt: u8, args: &str| Args::of(args, Some(Salt([salt; 16]))).expect("it is written");
        assert_eq!(of(1, "a card"), of(1, "a card"));
        assert_ne!(of(1, "a card"), of(1, "another"));
        assert_ne!(of(1, "a card"), of(2, "a card"), "so nobody can look for two that are alike");
        let Args::Salted(hash) = of(1, "a card") else { panic!("it has a salt") };
        let own = SipHasher24::new_with_key(&[1; 16]).hash(b"\x66a card").as_bytes();
        assert_eq!(hash, own, "SipHash-2-4 with 128 bits, over what is written of the arguments");
    }

    /// They were found in twelve minutes on one core.
    #[test]
    fn arguments_that_look_alike_without_a_key_do_not_with_one() {
        let twins = [9_541_310_435_661_506_504_u64, 12_658_462_983_202_500_697];
        let of = |salt| twins.map(|args| Args::of(&args, salt).expect("it is written"));
        let [one, other] = of(None);
        assert_eq!(one, other);
        for salt in 0..100 {
            let [one, other] = of(Some(Salt([salt; 16])));
            assert_ne!(one, other);
        }
    }

    #[test]
    fn sessions_from_before_know_their_arguments_as_they_did() {
        let args = ("card", 7_u32, ());
        // As the format says of those sessions: a unit is an empty list, and nothing is secret.
        let written = SipHasher13::new().hash(b"\x83\x64card\x07\x80");
        assert_eq!(Args::of(&args, None).expect("it is written"), Args::Before(written));
    }

    #[test]
    fn both_kinds_are_written_and_read() {
        for args in [Args::Before(7), Args::Before(u64::MAX), Args::Salted([9; 16])] {
            let written = minicbor_serde::to_vec(args).expect("it is written");
            assert_eq!(minicbor_serde::from_slice::<Args>(&written).expect("it is read"), args);
        }
        for odd in [&b"\x41\x01"[..], b"\x20", b"\xf6", b"\x61a"] {
            minicbor_serde::from_slice::<Args>(odd).expect_err("it is none");
        }
    }

    #[test]
    fn a_fingerprint_says_where_its_parts_end() {
        let of = |parts: &[&'static str]| fingerprint(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["abc"]), of(&["abc", ""]));
    }
}
