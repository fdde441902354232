//! Names with their values, as parameters and management records have them (FastCGI 1.0, 3.4).
//!
//! A length is one byte, or four whose first bit is set. It is held against what is there before anything is done with
//! it: a length alone costs no memory, and no sum of two can wrap.

use bytes::{BufMut, BytesMut};

use super::record::Broken;

/// The pairs in these bytes, up to one that is not whole.
#[derive(Debug, Clone)]
pub(super) struct Pairs<'b>(&'b [u8]);

impl<'b> Pairs<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Pairs(bytes)
    }

    fn read(&mut self) -> Option<(&'b [u8], &'b [u8])> {
        let (name, rest) = length(self.0)?;
        let (value, rest) = length(rest)?;
        let (name, rest) = rest.split_at_checked(name)?;
        let (value, rest) = rest.split_at_checked(value)?;
        self.0 = rest;
        Some((name, value))
    }
}

impl<'b> Iterator for Pairs<'b> {
    type Item = Result<(&'b [u8], &'b [u8]), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let pair = self.read();
        if pair.is_none() {
            self.0 = &[];
        }
        Some(pair.ok_or(Broken("a name or a value is longer than what came")))
    }
}

/// A length and what is behind it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return Some((usize::from(*first), rest));
    }
    let (long, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_be_bytes(*long) & 0x7fff_ffff).ok()?, rest))
}

/// Writes a pair. Ours are short.
pub(super) fn put(to: &mut BytesMut, name: &[u8], value: &[u8]) {
    for part in [name, value] {
        let length = u8::try_from(part.len()).ok().filter(|length| length & 0x80 == 0);
        to.put_u8(length.expect("names and values of ours are short"));
    }
    to.put_slice(name);
    to.put_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As web servers write them, short or long.
    fn written(name: &[u8], value: &[u8], long: (bool, bool)) -> Vec<u8> {
        let length = |part: &[u8], long| {
            let length = u32::try_from(part.len()).expect("it is short");
            if long || length > 127 { (length | 1 << 31).to_be_bytes().to_vec() } else { vec![length as u8] }
        };
        [&length(name, long.0), &length(value, long.1), name, value].concat()
    }

    #[test]
    fn pairs_are_read_as_the_specification_writes_them() {
        let bytes = b"\x04\x01HOSTa\x80\x00\x00\x01\x00N\x00\x00\x01\x80\x00\x00\x02Vxy";
        let pairs: Result<Vec<(&[u8], &[u8])>, _> = Pairs::new(bytes).collect();
        assert_eq!(pairs, Ok(vec![(&b"HOST"[..], &b"a"[..]), (b"N", b""), (b"", b""), (b"V", b"xy")]));
    }

    /// CVE-2025-23016: lengths whose sum wraps in 32 bits, and lengths of more than there is.
    #[test]
    fn r53_a_length_of_more_than_there_is_is_an_error_and_costs_nothing() {
        for bytes in [
            &b"\x05\x00HOST"[..],
            b"\x04\x02HOSTa",
            b"\xff\xff\xff\xff\xff\xff\xff\xffHOST",
            b"\xff\xff\xff\xff\x01",
            b"\x80\x00\x00",
            b"\x80",
            b"\x01",
            b"\x00",
            b"\x01\xff\xff\xff\xffa",
        ] {
            let pairs: Vec<_> = Pairs::new(bytes).collect();
            assert!(matches!(pairs[..], [Err(_)]), "{bytes:x?}: {pairs:?}");
        }
        // What stood before it was whole.
        let pairs: Vec<_> = Pairs::new(b"\x01\x01ab\x01\x09a").collect();
        assert!(matches!(pairs[..], [Ok((b"a", b"b")), Err(_)]), "{pairs:?}");
    }

    #[test]
    fn ours_are_read_back() {
        let mut out = BytesMut::new();
        put(&mut out, b"FCGI_MAX_REQS", b"100");
        assert_eq!(
            Pairs::new(&out).collect::<Result<Vec<_>, _>>(),
            Ok(vec![(&b"FCGI_MAX_REQS"[..], &b"100"[..])])
        );
    }

    proptest! {
        #[test]
        fn any_pairs_are_read_as_they_were_written(
            pairs in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>(), any::<(bool, bool)>()), 0..20),
        ) {
            let bytes: Vec<u8> = pairs.iter().flat_map(|(name, value, long)| written(name, value, *long)).collect();
            let read: Result<Vec<_>, _> = Pairs::new(&bytes).collect();
            let read = read.expect("they are whole");
            prop_assert_eq!(read.len(), pairs.len());
            for ((name, value), pair) in read.iter().zip(&pairs) {
                prop_assert_eq!((*name, *value), (&pair.0[..], &pair.1[..]));
            }
        }

        #[test]
        fn whatever_comes_reading_ends(bytes in any::<Vec<u8>>()) {
            let pairs: Vec<_> = Pairs::new(&bytes).collect();
            prop_assert!(pairs.iter().rev().skip(1).all(Result::is_ok), "an error is the last");
        }
    }
}
