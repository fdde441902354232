//! Which bytes may stand where, and runs of them.

/// Of tokens: methods, field names, names of chunk extensions.
pub(crate) const TOKEN: u8 = 1;
/// Of a path.
pub(crate) const PATH: u8 = 2;
/// Of a query.
pub(crate) const QUERY: u8 = 4;
/// Of field values: visible, blank, or not ASCII.
pub(crate) const VALUE: u8 = 8;
/// Of names of hosts, escapes left out. A comma is lawful, but is mostly two hosts that somebody joined.
pub(crate) const HOST: u8 = 16;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || among(byte, b"!#$%&'*+-.^_`|~") {
            class |= TOKEN;
        }
        if in_path(byte) {
            class |= PATH;
        }
        if in_query(byte) {
            class |= QUERY;
        }
        if in_value(byte) {
            class |= VALUE;
        }
        if byte.is_ascii_alphanumeric() || among(byte, b"-._~!$&'()*+;=") {
            class |= HOST;
        }
        classes[at] = class;
        at += 1;
    }
    classes
}

const fn among(byte: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

const fn in_path(byte: u8) -> bool {
    in_query(byte) & (byte != b'?') & (byte != b'`')
}

/// Browsers send some that are not in the grammar; what they escape themselves is refused.
const fn in_query(byte: u8) -> bool {
    (byte > b' ') & (byte < 0x7f) & (byte != b'"') & (byte != b'#') & (byte != b'<') & (byte != b'>')
}

const fn in_value(byte: u8) -> bool {
    (byte >= b' ') & (byte != 0x7f) | (byte == b'\t')
}

pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Where a run of a class ends.
pub(crate) fn run(bytes: &[u8], mut at: usize, class: u8) -> usize {
    let mut rest = bytes.get(at..).unwrap_or_default();
    // Eight at a time without a look at the end: fewer steps for the same.
    while let Some((some, after)) = rest.split_first_chunk::<8>() {
        for byte in some {
            if !is(*byte, class) {
                return at;
            }
            at += 1;
        }
        rest = after;
    }
    at + rest.iter().position(|byte| !is(*byte, class)).unwrap_or(rest.len())
}

pub(crate) fn run_of_path(bytes: &[u8], at: usize) -> usize {
    leap(bytes, at, PATH, |word| odd_in_query(word) | equal(word, b'?') | equal(word, b'`'))
}

pub(crate) fn run_of_query(bytes: &[u8], at: usize) -> usize {
    leap(bytes, at, QUERY, odd_in_query)
}

pub(crate) fn run_of_value(bytes: &[u8], at: usize) -> usize {
    leap(bytes, at, VALUE, |word| below(word, b' ') | equal(word, 0x7f))
}

fn odd_in_query(word: u64) -> u64 {
    // A bit apart: `"` and `#`, `<` and `>`.
    let pairs = equal(word & !ONES, b'"') | equal(word & !(ONES * 2), b'<');
    below(word, b'!') | equal(word, 0x7f) | word & HIGHS | pairs
}

/// A run of a class, eight bytes at a time. `odd` has the highest bit of each byte that is not in the class; it may
/// have others above the first, and those of bytes that are in the class but rare.
#[inline]
fn leap(bytes: &[u8], mut at: usize, class: u8, odd: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes.get(at..).unwrap_or_default();
    while let Some((some, after)) = rest.split_first_chunk() {
        let found = odd(u64::from_le_bytes(*some));
        if found == 0 {
            at += 8;
            rest = after;
            continue;
        }
        let first = found.trailing_zeros() as usize / 8;
        at += first;
        if !is(rest[first], class) {
            return at;
        }
        at += 1;
        rest = &rest[first + 1..];
    }
    run(bytes, at, class)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The highest bits of the bytes that are less than this one. Above the first there may be more.
fn below(word: u64, byte: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(byte)) & !word & HIGHS
}

/// The highest bits of the bytes that are this one. Above the first there may be more.
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// Without the blanks around it.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
