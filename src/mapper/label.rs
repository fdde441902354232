//! Labels: what divides a visitor's sessions, as one number.
//!
//! Visitors choose some of them, and links of others can: nobody must be able to make two that look alike, or one that looks
//! like a flow's. So they are hashed under a key of the server's, or the journal's. 64 bits are enough: nobody sees the hash
//! but the 32 bits of it that the forms of one visitor carry, and only sessions of that visitor are told apart by it.

use std::hash::Hasher;

use siphasher::sip::{SipHasher13, SipHasher24};

/// The labels of a hit so far.
#[derive(Clone, Copy)]
pub(super) enum Labels {
    Keyed(SipHasher24),
    /// As they were hashed when nothing about it was secret: journals have sessions of those days.
    Before(SipHasher13),
}

impl Labels {
    pub(super) fn new(key: Option<&SipHasher24>) -> Labels {
        key.map_or_else(|| Labels::Before(SipHasher13::new()), |key| Labels::Keyed(*key))
    }

    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let hasher = self.hasher();
        for part in [name, value] {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
    }

    /// The label of the session in this flow.
    pub(super) fn session(mut self, flow: u64) -> u64 {
        let hasher = self.hasher();
        hasher.write_u64(flow);
        hasher.finish()
    }

    fn hasher(&mut self) -> &mut dyn Hasher {
        match self {
            Labels::Keyed(hasher) => hasher,
            Labels::Before(hasher) => hasher,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: Option<u8>, labels: &[(&str, &str)]) -> u64 {
        let key = key.map(|key| SipHasher24::new_with_key(&[key; 16]));
        let mut all = Labels::new(key.as_ref());
        labels.iter().for_each(|(name, value)| all.add(name.as_bytes(), value.as_bytes()));
        all.session(7)
    }

    #[test]
    fn a_label_depends_on_a_key_that_no_visitor_knows() {
        let labels = [("path", "/shop"), ("x", "1")];
        assert_eq!(label(Some(1), &labels), label(Some(1), &labels));
        assert_ne!(label(Some(1), &labels), label(Some(2), &labels));
        assert_ne!(label(Some(1), &labels), label(Some(1), &[("path", "/shopx"), ("", "1")]));
    }

    #[test]
    fn labels_of_sessions_from_before_are_what_they_were() {
        let mut then = SipHasher13::new();
        for part in ["path", "/shop"] {
            then.write_usize(part.len());
            then.write(part.as_bytes());
        }
        then.write_u64(7);
        assert_eq!(label(None, &[("path", "/shop")]), then.finish());
    }
}
