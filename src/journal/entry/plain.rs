//! The two kinds of entries that a session is full of, read as we write them, in a fifth of the instructions that serde takes.
//!
//! Only what has the fields that most entries have, in the order in which they are written, is read here. All else is no
//! error but left to [`Entry`]'s own reader: fields that this version does not know, lengths that are not said, what is
//! damaged. So the format is what serde makes of [`Entry`]; a field that is not named here only takes longer.

use std::net::{IpAddr, SocketAddr};

use super::{Blob, Entry, Headers, Taken, Text, Verb};

/// Texts that are kept to be met again.
const KNOWN: usize = 8;

// Major types of CBOR.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Texts of the entries before.
#[derive(Default)]
pub(super) struct Known {
    texts: Vec<Text>,
    /// The one that makes room for another.
    oldest: usize,
}

impl Known {
    /// The text in these bytes, if they are one.
    fn text(&mut self, bytes: &[u8]) -> Option<Text> {
        if let Some(known) = self.texts.iter().find(|known| known.as_bytes() == bytes) {
            return Some(known.clone());
        }
        let text = Text::from(str::from_utf8(bytes).ok()?);
        if self.texts.len() < KNOWN {
            self.texts.push(text.clone());
        } else {
            self.texts[self.oldest] = text.clone();
            self.oldest = (self.oldest + 1) % KNOWN;
        }
        Some(text)
    }
}

/// The entry that these bytes begin with, and how many of them it is; `None` if it is not plain.
pub(super) fn read(bytes: &[u8], known: &mut Known) -> Option<(Entry, usize)> {
    let mut plain = Plain { rest: bytes, known };
    if plain.sized(MAP)? != 1 {
        return None;
    }
    let entry = match plain.chars()? {
        b"Hit" => Entry::Hit(plain.hit()?),
        b"Asked" => plain.asked()?,
        _ => return None,
    };
    Some((entry, bytes.len() - plain.rest.len()))
}

/// Checks that what is read here of entries, one after the other, is what serde reads of them.
#[cfg(any(test, continuity_fuzz))]
pub(in crate::journal) fn check(mut bytes: &[u8]) {
    let mut known = Known::default();
    loop {
        let (read, whole) = (read(bytes, &mut known), Entry::by_serde(bytes).ok());
        assert!(read.is_none() || read == whole, "{read:?} is {whole:?}");
        let Some((_, size)) = whole else { return };
        bytes = &bytes[size..];
    }
}

/// What is not read yet.
struct Plain<'b, 'k> {
    rest: &'b [u8],
    known: &'k mut Known,
}

impl<'b> Plain<'b, '_> {
    fn hit(&mut self) -> Option<Box<Taken>> {
        let mut taken = Box::new(Taken { method: self.known.text(b"GET")?, ..Taken::default() });
        let mut fields = Fields::default();
        for _ in 0..self.sized(MAP)? {
            match self.chars()? {
                b"at" if fields.comes(0) => taken.at = self.signed()?,
                b"step" if fields.comes(1) => taken.step = self.number()?,
                b"method" if fields.comes(2) => taken.method = self.text()?,
                b"path" if fields.comes(3) => taken.path = self.text()?,
                b"query" if fields.comes(4) => taken.query = str::from_utf8(self.chars()?).ok()?.to_owned(),
                b"body" if fields.comes(5) => taken.body = self.blob()?,
                b"headers" if fields.comes(6) => taken.headers = self.headers()?,
                b"peer" if fields.comes(7) => taken.peer = Some(self.address()?),
                b"https" if fields.comes(8) => taken.https = self.truth()?,
                b"answer" if fields.comes(9) => taken.answer = self.sized(UNSIGNED)?,
                b"value" if fields.comes(10) => taken.value = Some(self.blob()?),
                _ => return None,
            }
        }
        fields.came([0, 1, 3]).then_some(taken)
    }

    fn headers(&mut self) -> Option<Headers> {
        let mut headers = Headers::default();
        let mut fields = Fields::default();
        for _ in 0..self.sized(MAP)? {
            match self.chars()? {
                b"all" if fields.comes(0) => headers.all = self.truth()?,
                b"set" if fields.comes(1) => {
                    for _ in 0..self.sized(ARRAY)? {
                        self.array(2)?;
                        let name = str::from_utf8(self.chars()?).ok()?.to_owned();
                        headers.set.push((name, self.blob()?));
                    }
                }
                _ => return None,
            }
        }
        Some(headers)
    }

    fn asked(&mut self) -> Option<Entry> {
        let (mut verb, mut of, mut printed, mut place) = (None, Text::default(), 0, Text::default());
        let mut fields = Fields::default();
        for _ in 0..self.sized(MAP)? {
            match self.chars()? {
                b"verb" if fields.comes(0) => verb = Some(self.verb()?),
                b"of" if fields.comes(1) => of = self.text()?,
                b"printed" if fields.comes(2) => printed = self.sized(UNSIGNED)?,
                b"place" if fields.comes(3) => place = self.text()?,
                _ => return None,
            }
        }
        Some(Entry::Asked { verb: verb?, of, printed, place })
    }

    fn verb(&mut self) -> Option<Verb> {
        match self.chars()? {
            b"Next" => Some(Verb::Next),
            b"Choose" => Some(Verb::Choose),
            b"Ask" => Some(Verb::Ask),
            _ => None,
        }
    }

    fn address(&mut self) -> Option<SocketAddr> {
        if self.sized(MAP)? != 1 {
            return None;
        }
        let kind = self.chars()?;
        self.array(2)?;
        let ip = match kind {
            b"V4" => IpAddr::from(self.octets::<4>()?),
            // The rest of one of these is more than its address and port.
            _ => return None,
        };
        Some(SocketAddr::new(ip, self.number()?))
    }

    fn octets<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.array(COUNT as u64)?;
        let mut octets = [0; COUNT];
        for octet in &mut octets {
            *octet = self.number()?;
        }
        Some(octets)
    }

    fn array(&mut self, count: u64) -> Option<()> {
        (self.sized(ARRAY)? == count).then_some(())
    }

    /// Text that others have too.
    fn text(&mut self) -> Option<Text> {
        let chars = self.chars()?;
        self.known.text(chars)
    }

    fn chars(&mut self) -> Option<&'b [u8]> {
        let size = self.sized(TEXT)?;
        self.take(size)
    }

    fn blob(&mut self) -> Option<Blob> {
        let size = self.sized(BYTES)?;
        Some(Blob(self.take(size)?.to_vec()))
    }

    fn truth(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0xf4] => Some(false),
            [0xf5] => Some(true),
            _ => None,
        }
    }

    fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        self.sized(UNSIGNED)?.try_into().ok()
    }

    fn signed(&mut self) -> Option<i64> {
        match self.head()? {
            (UNSIGNED, number) => number.try_into().ok(),
            (NEGATIVE, number) => i64::try_from(number).ok().map(|number| !number),
            _ => None,
        }
    }

    /// A number, or how long something of this major type is.
    fn sized(&mut self, major: u8) -> Option<u64> {
        self.head().filter(|head| head.0 == major).map(|head| head.1)
    }

    fn head(&mut self) -> Option<(u8, u64)> {
        let first = *self.take(1)?.first()?;
        let number = match first & 0x1f {
            small @ 0..24 => u64::from(small),
            size @ 24..28 => {
                let bytes = self.take(1 << (size - 24))?;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        Some((first >> 5, number))
    }

    fn take(&mut self, size: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(size).ok()?)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Which fields of a map have come.
#[derive(Default)]
struct Fields(u16);

impl Fields {
    /// Whether this one comes in its place: behind those with lower numbers, and once.
    fn comes(&mut self, field: u16) -> bool {
        let ordered = self.0 >> field == 0;
        self.0 |= 1 << field;
        ordered
    }

    fn came<const COUNT: usize>(&self, all: [u16; COUNT]) -> bool {
        all.iter().all(|field| self.0 >> field & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Taken {
        Taken {
            at: 1_795_391_999_123_456,
            step: 70_000,
            method: "POST".into(),
            path: "/caf\u{e9}".into(),
            query: "a=1".to_owned(),
            body: Blob(vec![7; 300]),
            headers: Headers {
                all: true,
                gone: Vec::new(),
                set: vec![("host".to_owned(), Blob(b"a".to_vec())), ("x".to_owned(), Blob(vec![0xff]))],
            },
            peer: Some(([192, 0, 2, 1], 65_535).into()),
            https: true,
            answer: u64::MAX,
            value: Some(Blob(vec![0xf6])),
            ..Taken::default()
        }
    }

    fn asked(verb: Verb, of: &str, printed: u64, place: &str) -> Entry {
        Entry::Asked { verb, of: of.into(), printed, place: place.into() }
    }

    fn bytes_of(entry: &Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry.write(&mut bytes);
        bytes
    }

    fn by_serde(bytes: &[u8]) -> Option<(Entry, usize)> {
        Entry::by_serde(bytes).ok()
    }

    fn plain() -> Vec<Entry> {
        let get = || Taken { method: "GET".into(), path: "/".into(), at: -5, ..Taken::default() };
        vec![
            Entry::Hit(Box::new(full())),
            Entry::Hit(Box::new(get())),
            Entry::Hit(Box::new(Taken { at: i64::MIN, answer: 23, ..get() })),
            asked(Verb::Choose, "shop::Op", 0, "src/shop.rs:12:9"),
            asked(Verb::Next, "", 24, ""),
            asked(Verb::Ask, "shop::Address", u64::MAX, "src/shop.rs:1:1"),
        ]
    }

    #[test]
    fn what_most_entries_are_is_read_here_and_as_serde_reads_it() {
        let mut known = Known::default();
        for entry in plain() {
            let bytes = bytes_of(&entry);
            let read = read(&bytes, &mut known).expect("it is plain");
            assert_eq!(read, (entry, bytes.len()));
            assert_eq!(Some(read), by_serde(&bytes));
        }
    }

    /// Each byte of each entry replaced by each other one, and each entry cut off after each byte.
    #[test]
    fn what_is_read_here_of_broken_entries_is_what_serde_reads() {
        let mut both = 0;
        for entry in plain() {
            let bytes = bytes_of(&entry);
            for at in 0..bytes.len() {
                assert_eq!(read(&bytes[..at], &mut Known::default()), None, "it is cut off at {at}");
                for byte in 0..=u8::MAX {
                    let mut broken = bytes.clone();
                    broken[at] = byte;
                    if let Some(read) = read(&broken, &mut Known::default()) {
                        assert_eq!(Some(read), by_serde(&broken), "byte {at} is {byte:#x} in {entry}");
                        both += 1;
                    }
                }
            }
        }
        assert!(both > 10_000, "most values may be any: {both}");
    }

    #[test]
    fn what_is_not_plain_is_left_to_serde() {
        let hit = |change: fn(&mut Taken)| {
            let mut taken = full();
            change(&mut taken);
            Entry::Hit(Box::new(taken))
        };
        let entries = [
            hit(|taken| taken.scope = "a.b".to_owned()),
            hit(|taken| taken.headers.gone = vec![1]),
            hit(|taken| taken.peer = Some(([1_u16, 2, 3, 4, 5, 6, 7, 8], 9).into())),
            asked(Verb::Parts, "", 0, "here"),
            Entry::Told,
        ];
        for entry in entries {
            let bytes = bytes_of(&entry);
            assert_eq!(read(&bytes, &mut Known::default()), None);
            assert_eq!(by_serde(&bytes), Some((entry, bytes.len())));
        }
    }

    /// A field that another version has written is skipped, and one that is missing is missed.
    #[test]
    fn fields_that_nobody_knows_are_left_to_serde() {
        let later = b"\xa1\x65Asked\xa2\x64verb\x64Next\x65color\x63red";
        assert_eq!(read(later, &mut Known::default()), None);
        assert_eq!(by_serde(later), Some((asked(Verb::Next, "", 0, ""), later.len())));
        let twice = b"\xa1\x65Asked\xa2\x64verb\x64Next\x64verb\x64Next";
        assert_eq!((read(twice, &mut Known::default()), by_serde(twice)), (None, None));
        let without = b"\xa1\x63Hit\xa2\x62at\x01\x64step\x02";
        assert_eq!((read(without, &mut Known::default()), by_serde(without)), (None, None));
    }

    #[test]
    fn texts_that_come_again_are_kept_once() {
        let mut known = Known::default();
        let first = known.text(b"/").expect("it is text");
        assert!(std::ptr::eq(&*first, &*known.text(b"/").expect("it is text")));
        for nth in 0..20 {
            known.text(format!("/{nth}").as_bytes()).expect("it is text");
        }
        assert_eq!(known.texts.len(), KNOWN);
        assert_eq!(known.text(b"\xff"), None);
    }
}
