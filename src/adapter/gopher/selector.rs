//! Selectors: whose hit it is, what is asked for, and what a form sends, in 255 characters.
//!
//! `@` visitor kind `/path;query!form`: the visitor's id in 32 characters, a letter where the path does not say what comes,
//! and the form's fields where it is posted. A selector without `@` is a newcomer's. What is a URL's is written so that
//! clients leave it alone, which do not agree on `%`, `?`, `#` and `+`: `~` is the percent sign, `;` the question mark.
//! Ids and tokens, which are hexadecimal, are written in base64.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::kind::Kind;

/// Characters of a selector, by RFC 1436.
pub(super) const LONGEST: usize = 255;
/// Characters of a visitor's id.
const ID: usize = 32;
/// Bytes of it.
const ID_BYTES: usize = 24;
/// Digits of a value that is worth another coding.
const DIGITS: usize = 16;

/// What a selector says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    /// The visitor's id, as their cookie would have it.
    pub(super) visitor: Option<String>,
    /// What comes, where the path does not say it.
    pub(super) kind: Option<Kind>,
    /// Path and query.
    pub(super) url: String,
    /// What a form posts, as in a query.
    pub(super) form: Option<String>,
}

impl Selector {
    pub(super) fn get(visitor: Option<&str>, url: String) -> Self {
        Selector { visitor: visitor.map(str::to_owned), kind: None, url, form: None }
    }

    /// Reads one. `None`: it is none of ours, but a request of another protocol.
    pub(super) fn read(wire: &[u8]) -> Option<Self> {
        let (visitor, kind, rest) = match wire.strip_prefix(b"@") {
            Some(rest) => read_head(rest)?,
            None => (None, None, wire),
        };
        if !rest.starts_with(b"/") && rest.contains(&b' ') {
            return None;
        }
        let (url, form) = split(rest, b"!");
        let (path, query) = split(url, b";?");
        let mut text = String::new();
        if !path.starts_with(b"/") {
            text.push('/');
        }
        read_part(path, &mut text);
        if let Some(query) = query {
            text.push('?');
            read_pairs(query, &mut text);
        }
        let form = form.map(|pairs| {
            let mut form = String::new();
            read_pairs(pairs, &mut form);
            form
        });
        Some(Selector { visitor, kind, url: text, form })
    }

    /// Puts the words that were typed where the form leaves room for them: into the last field, if it is empty.
    pub(super) fn fill(&mut self, words: &[u8]) {
        let fields = match &mut self.form {
            Some(form) => form,
            None if self.url.contains('?') => &mut self.url,
            None => return,
        };
        if fields.ends_with('=') {
            fields.extend(form_urlencoded::byte_serialize(words));
        }
    }

    /// What comes, as far as the selector tells.
    pub(super) fn expects(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::of_path(self.path()))
    }

    pub(super) fn path(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// The selector as it is sent; longer than [`LONGEST`] it cannot be used.
    pub(super) fn write(&self) -> String {
        let mut wire = String::new();
        let id = self.visitor.as_deref().and_then(pack_id);
        if id.is_some() || self.kind.is_some() {
            wire.push('@');
            wire.extend(id);
            wire.extend(self.kind.map(Kind::letter));
        }
        let (path, query) =
            self.url.split_once('?').map_or((&*self.url, None), |(path, query)| (path, Some(query)));
        write_part(path, "~2B", &mut wire);
        for (mark, pairs) in [(';', query), ('!', self.form.as_deref())] {
            if let Some(pairs) = pairs {
                wire.push(mark);
                write_pairs(pairs, &mut wire);
            }
        }
        wire
    }
}

/// What stands between the `@` and the path.
fn read_head(rest: &[u8]) -> Option<(Option<String>, Option<Kind>, &[u8])> {
    let (head, rest) = rest.split_at(rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len()));
    let (id, kind) = if head.len() >= ID { head.split_at(ID) } else { (&b""[..], head) };
    let kind = match kind {
        [] => None,
        [letter] => Some(Kind::of_letter(*letter)?),
        _ => return None,
    };
    let id = BASE64.decode(id).ok().filter(|id| id.len() == ID_BYTES).map(const_hex::encode);
    Some((id, kind, rest))
}

fn pack_id(id: &str) -> Option<String> {
    let bytes = const_hex::decode(id).ok().filter(|bytes| bytes.len() == ID_BYTES)?;
    Some(BASE64.encode(bytes))
}

/// What is before the first of these marks, and what is after it.
fn split<'w>(wire: &'w [u8], marks: &[u8]) -> (&'w [u8], Option<&'w [u8]>) {
    match wire.iter().position(|byte| marks.contains(byte)) {
        Some(at) => (&wire[..at], Some(&wire[at + 1..])),
        None => (wire, None),
    }
}

fn read_pairs(pairs: &[u8], text: &mut String) {
    for (at, pair) in pairs.split(|byte| *byte == b'&').enumerate() {
        if at > 0 {
            text.push('&');
        }
        let (name, value) = split(pair, b"=");
        read_part(name, text);
        if let Some(value) = value {
            text.push('=');
            read_value(value, text);
        }
    }
}

fn read_value(value: &[u8], text: &mut String) {
    match value.strip_prefix(b"*").map(|packed| BASE64.decode(packed)) {
        Some(Ok(bytes)) => text.push_str(&const_hex::encode(bytes)),
        _ => read_part(value, text),
    }
}

/// Whether a byte is written there by its code.
fn is_code(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
}

/// Any bytes, as they can stand in a URL.
fn read_part(wire: &[u8], text: &mut String) {
    for (at, byte) in wire.iter().enumerate() {
        match byte {
            b'~' | b'%' if is_code(wire, at) => text.push('%'),
            b'~' => text.push('~'),
            byte if byte.is_ascii_graphic() && !b"\"#%<>?[\\]^`{|}".contains(byte) => {
                text.push(char::from(*byte))
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn write_pairs(pairs: &str, wire: &mut String) {
    for (at, pair) in pairs.split('&').enumerate() {
        if at > 0 {
            wire.push('&');
        }
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        write_part(name, "~20", wire);
        if let Some(value) = value {
            wire.push('=');
            write_value(value, wire);
        }
    }
}

fn write_value(value: &str, wire: &mut String) {
    let is_packed =
        value.len() >= DIGITS && value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    match const_hex::decode(value) {
        Ok(bytes) if is_packed => {
            wire.push('*');
            BASE64.encode_string(bytes, wire);
        }
        _ => write_part(value, "~20", wire),
    }
}

/// Part of a URL, without what clients change or what means something here.
fn write_part(text: &str, plus: &str, wire: &mut String) {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'%' if is_code(text.as_bytes(), at) => wire.push('~'),
            b'+' => wire.push_str(plus),
            byte if byte.is_ascii_alphanumeric() || b"-._/&=,:@$()'".contains(&byte) => {
                wire.push(char::from(byte))
            }
            byte => wire.push_str(&format!("~{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VISITOR: &str = "00112233445566778899aabbccddeeff0123456789abcdef";

    fn url(wire: &str) -> String {
        let selector = Selector::read(wire.as_bytes()).expect("a selector");
        let form = selector.form.map(|form| format!(" POST {form}")).unwrap_or_default();
        format!("{}{form}", selector.url)
    }

    #[test]
    fn what_people_type_is_a_path() {
        for (wire, is) in [
            ("", "/"),
            ("/", "/"),
            ("shop", "/shop"),
            ("robots.txt", "/robots.txt"),
            ("/shop?x=1&y=2", "/shop?x=1&y=2"),
            ("/shop;x=1", "/shop?x=1"),
            ("/a b", "/a%20b"),
            ("/a%20b~20c%zz~", "/a%20b%20c%25zz~"),
            ("/ä#b", "/%C3%A4%23b"),
            ("/x!a=1", "/x POST a=1"),
            ("/?_t=*AAEC", "/?_t=000102"),
            ("/?x=*!", "/?x= POST "),
        ] {
            assert_eq!(url(wire), is, "{wire}");
        }
    }

    #[test]
    fn requests_of_other_protocols_are_none() {
        for wire in ["GET / HTTP/1.1", "HELO there", "@xyz/", "@!/"] {
            assert_eq!(Selector::read(wire.as_bytes()), None, "{wire}");
        }
    }

    #[test]
    fn words_go_into_the_last_field_if_it_is_empty() {
        for (wire, words, is) in [
            ("/?_t=1&guess=", "50", "/?_t=1&guess=50"),
            ("/?q=", "a b&c=ä", "/?q=a+b%26c%3D%C3%A4"),
            ("/?x=1!name=", "Ada", "/?x=1 POST name=Ada"),
            ("/?q=full", "x", "/?q=full"),
            ("/shop=", "x", "/shop="),
            ("/?x=!a=1", "x", "/?x= POST a=1"),
        ] {
            let mut selector = Selector::read(wire.as_bytes()).expect("a selector");
            selector.fill(words.as_bytes());
            let form = selector.form.map(|form| format!(" POST {form}")).unwrap_or_default();
            assert_eq!(format!("{}{form}", selector.url), is, "{wire}");
        }
    }

    #[test]
    fn ids_and_tokens_are_short() {
        let token = "0".repeat(40);
        let selector = Selector::get(Some(VISITOR), format!("/?_t={token}"));
        let wire = selector.write();
        assert_eq!(wire.len(), 1 + 32 + 1 + 1 + 3 + 1 + 27, "{wire}");
        assert_eq!(Selector::read(wire.as_bytes()), Some(selector));
    }

    #[test]
    fn a_kind_is_carried_where_it_is_said() {
        for visitor in [None, Some(VISITOR)] {
            let selector = Selector { kind: Some(Kind::Image), ..Selector::get(visitor, "/x".into()) };
            let again = Selector::read(selector.write().as_bytes()).expect("ours");
            assert_eq!((again.expects(), &again), (Kind::Image, &selector));
        }
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_a_url(wire in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(selector) = Selector::read(&wire) {
                prop_assert!(selector.url.parse::<http::uri::PathAndQuery>().is_ok(), "{}", selector.url);
                prop_assert!(selector.url.starts_with('/'));
            }
        }

        #[test]
        fn what_is_written_means_the_same_when_it_is_read(
            path in "/[ -~]{0,20}", fields in prop::collection::vec((".{0,6}", ".{0,20}|[0-9a-f]{14,20}"), 1..4),
            posted: bool, known: bool,
        ) {
            let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let path = crate::document::url::resolve("", "/", &path.replace(['?', '#'], "")).unwrap_or("/".into());
            let (url, form) = if posted { (path.clone(), Some(encoded)) } else { (format!("{path}?{encoded}"), None) };
            let selector = Selector { form, ..Selector::get(known.then_some(VISITOR), url) };
            let wire = selector.write();
            prop_assert!(wire.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#+\"<>".contains(&byte)), "{wire}");
            let again = Selector::read(wire.as_bytes()).expect("ours");
            prop_assert_eq!(&again.visitor, &selector.visitor);
            let decoded = |selector: &Selector| percent_encoding::percent_decode_str(selector.path()).collect::<Vec<_>>();
            prop_assert_eq!(decoded(&again), decoded(&selector));
            let sent = if posted { again.form } else { again.url.split_once('?').map(|(_, query)| query.to_owned()) };
            prop_assert_eq!(pairs(&sent.expect("fields")), fields);
        }
    }
}
