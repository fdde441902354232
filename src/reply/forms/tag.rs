//! A tag, from its name on: what it says of a form.

use super::leads::Leads;

/// A tag as far as it was read.
#[derive(Default)]
pub(super) struct Tag {
    at: At,
    pub(super) name: Word,
    /// It ends an element.
    pub(super) ends: bool,
    /// It ends with `/>`.
    pub(super) closes: bool,
    attribute: Word,
    /// What the value belongs to that is being read.
    field: Field,
    action: Option<Leads>,
    href: Option<Leads>,
    method: Option<Word>,
    enctype: Option<Word>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Name,
    Between,
    Attribute,
    AfterAttribute,
    BeforeValue,
    /// In a value that ends with this sign; 0: with a blank.
    Value(u8),
    AfterValue,
    Slash,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    Action,
    Href,
    Method,
    Enctype,
}

impl Tag {
    /// A tag whose name begins with this letter.
    pub(super) fn new(ends: bool, first: u8) -> Tag {
        Tag { ends, name: Word::of(first), ..Tag::default() }
    }

    /// The end tag of an element's text, whose name was read.
    pub(super) fn end_of(name: Word) -> Tag {
        Tag { name, ends: true, ..Tag::default() }
    }

    pub(super) fn is_in_name(&self) -> bool {
        self.at == At::Name
    }

    /// Reads on, to its end or to that of the text: how many bytes that is, and whether the tag is complete.
    pub(super) fn read(&mut self, text: &[u8]) -> (usize, bool) {
        let mut at = self.skip(text);
        while let Some(&byte) = text.get(at) {
            at += 1;
            if self.step(byte) {
                return (at, true);
            }
            at += self.skip(&text[at..]);
        }
        (at, false)
    }

    /// With the next letter; whether the tag is complete.
    fn step(&mut self, byte: u8) -> bool {
        if byte == b'>' && !matches!(self.at, At::Value(1..)) {
            self.closes = self.at == At::Slash;
            if self.at == At::Attribute {
                self.named();
            }
            return true;
        }
        self.at = match self.at {
            At::Name if !ends_word(byte) => {
                self.name.push(byte);
                At::Name
            }
            At::Attribute | At::AfterAttribute => self.in_attribute(byte),
            At::BeforeValue | At::Value(_) => self.in_value(byte),
            At::Name | At::Between | At::AfterValue | At::Slash => self.between(byte),
        };
        false
    }

    /// Reads what only makes a name longer, and values that nobody asks for; how many bytes that is.
    fn skip(&mut self, text: &[u8]) -> usize {
        match self.at {
            At::Name => {
                let end = until(text, ends_word);
                self.name.extend(&text[..end]);
                end
            }
            At::Attribute => {
                let end = until(text, ends_attribute);
                self.attribute.extend(&text[..end]);
                end
            }
            At::Value(_) if self.field != Field::Other => 0,
            At::Value(b'"') => until(text, |byte| byte == b'"'),
            At::Value(b'\'') => until(text, |byte| byte == b'\''),
            At::Value(_) => until(text, |byte| is_blank(byte) || byte == b'>'),
            _ => 0,
        }
    }

    fn between(&mut self, byte: u8) -> At {
        match byte {
            b'/' => At::Slash,
            _ if is_blank(byte) => At::Between,
            // Whatever it is, it begins a name.
            _ => {
                self.attribute = Word::of(byte);
                At::Attribute
            }
        }
    }

    fn in_attribute(&mut self, byte: u8) -> At {
        match self.at {
            At::Attribute if !ends_attribute(byte) => {
                self.attribute.push(byte);
                return At::Attribute;
            }
            At::Attribute => self.named(),
            _ => {}
        }
        match byte {
            b'=' => At::BeforeValue,
            _ if is_blank(byte) => At::AfterAttribute,
            _ => self.between(byte),
        }
    }

    fn in_value(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::BeforeValue, b'"' | b'\'') => At::Value(byte),
            (At::BeforeValue, _) if is_blank(byte) => At::BeforeValue,
            (At::Value(0), _) if is_blank(byte) => At::Between,
            (At::Value(quote @ 1..), _) if byte == quote => At::AfterValue,
            (at, _) => {
                self.valued(byte);
                if at == At::BeforeValue { At::Value(0) } else { at }
            }
        }
    }

    /// An attribute's name is complete. Of several with the same name the first counts.
    fn named(&mut self) {
        self.field = match self.attribute.bytes() {
            b"action" if self.action.is_none() => Field::Action,
            b"href" if self.href.is_none() => Field::Href,
            b"method" if self.method.is_none() => Field::Method,
            b"enctype" if self.enctype.is_none() => Field::Enctype,
            _ => Field::Other,
        };
        match self.field {
            Field::Action => self.action = Some(Leads::default()),
            Field::Href => self.href = Some(Leads::default()),
            Field::Method => self.method = Some(Word::default()),
            Field::Enctype => self.enctype = Some(Word::default()),
            Field::Other => {}
        }
    }

    /// A letter of the attribute's value.
    fn valued(&mut self, byte: u8) {
        match self.field {
            Field::Action => self.action = self.action.map(|leads| leads.on(byte)),
            Field::Href => self.href = self.href.map(|leads| leads.on(byte)),
            Field::Method => self.method.iter_mut().for_each(|word| word.push(byte)),
            Field::Enctype => self.enctype.iter_mut().for_each(|word| word.push(byte)),
            Field::Other => {}
        }
    }

    /// Whether what the form sends comes to this origin, as parameters.
    pub(super) fn is_form_of_ours(&self) -> bool {
        let may_be = |word: Option<Word>, value: &[u8]| word.is_some_and(|word| word.hides || word.is(value));
        self.action != Some(Leads::Elsewhere)
            && !may_be(self.method, b"dialog")
            && !may_be(self.enctype, b"text/plain")
    }

    /// Whether what the form sends comes to the very address of its page, and an attribute that is put before the tag's end
    /// would say otherwise.
    pub(super) fn posts_to_its_page(&self) -> bool {
        let posts = self.method.is_some_and(|method| method.is(b"post") && !method.hides);
        posts && self.action.is_none() && self.at != At::BeforeValue
    }

    /// Whether it makes all forms of the page lead to another origin.
    pub(super) fn leads_elsewhere(&self) -> bool {
        self.href == Some(Leads::Elsewhere)
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

pub(super) fn ends_word(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'/' | b'>')
}

fn ends_attribute(byte: u8) -> bool {
    byte == b'=' || ends_word(byte)
}

/// How many bytes stand before one that ends them.
fn until(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| ends(*byte)).unwrap_or(text.len())
}

/// A word in small letters, as long as those that matter.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Word {
    bytes: [u8; 14],
    /// One more than there is room for, if it is longer.
    length: u8,
    /// There is a character reference in it: it may be any word.
    hides: bool,
}

impl Word {
    pub(super) fn of(first: u8) -> Word {
        let mut word = Word::default();
        word.push(first);
        word
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.hides |= byte == b'&';
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte.to_ascii_lowercase();
        }
        self.length = self.length.saturating_add(1).min(15);
    }

    /// With more letters of a name, where character references are none.
    fn extend(&mut self, letters: &[u8]) {
        let room = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        room.iter_mut().zip(letters).for_each(|(place, letter)| *place = letter.to_ascii_lowercase());
        self.length = self.length.saturating_add(letters.len().min(15) as u8).min(15);
    }

    /// Nothing, if it is too long to matter.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.bytes() == word
    }
}
