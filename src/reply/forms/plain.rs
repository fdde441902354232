//! Most of a page: text, and tags of elements that mean nothing for forms, written as most are. It is skipped at once.

use super::raw::Raw;

/// How many bytes to the first tag that is to be read closely, or to the end.
pub(super) fn skip(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(before) = text[at..].iter().position(|byte| *byte == b'<') {
        at += before;
        match tag(&text[at + 1..]) {
            Some(length) => at += 1 + length,
            None => return at,
        }
    }
    text.len()
}

/// The length of a tag behind its `<`, if it is complete, in small letters, and with no attributes but ` a` and ` a="b"`.
fn tag(text: &[u8]) -> Option<usize> {
    let start = usize::from(text.first() == Some(&b'/'));
    let name = &text[start..];
    let name = &name[..run(name, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))];
    if !name.first()?.is_ascii_lowercase() || has_meaning(name) {
        return None;
    }
    let mut at = start + name.len();
    loop {
        match text.get(at)? {
            b'>' => return Some(at + 1),
            b' ' => at += 1 + attribute(&text[at + 1..])?,
            _ => return None,
        }
    }
}

fn attribute(text: &[u8]) -> Option<usize> {
    let name = run(text, |byte| matches!(byte, b'a'..=b'z' | b'-'));
    match text[name..].strip_prefix(b"=\"") {
        _ if name == 0 => None,
        Some(value) => Some(name + 3 + value.iter().position(|byte| *byte == b'"')?),
        None => Some(name),
    }
}

/// Whether what follows is read in another way, or it is a form.
fn has_meaning(name: &[u8]) -> bool {
    let here = matches!(
        name,
        b"base"
            | b"form"
            | b"frameset"
            | b"math"
            | b"noscript"
            | b"plaintext"
            | b"select"
            | b"svg"
            | b"template"
    );
    here || Raw::is(name)
}

/// How many bytes in a row are such.
fn run(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !is(*byte)).unwrap_or(text.len())
}
