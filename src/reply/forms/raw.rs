//! Elements whose content is text up to their end tag; in a script, what looks like a comment has rules of its own.

use super::tag::{Word, ends_word};

/// The text of one element.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) element: Word,
    at: At,
    /// In a script: 1 in what looks like a comment, 2 in what looks like a script within that.
    level: u8,
    /// In a script's comment: how many `-` came just now.
    dashes: u8,
    /// What may be a tag's name, as far as it came.
    name: Word,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Text,
    Less,
    /// In what may be the name of the tag that ends it.
    End,
    Bang,
    BangDash,
    /// In a script's comment, in what may be the name of a script's tag, to this level.
    Script(u8),
}

/// What comes of a letter.
#[derive(PartialEq, Eq)]
pub(super) enum Read {
    Text,
    /// Where it is no text, this is markup.
    Markup,
    /// Its end tag's name is complete; the letter belongs to the tag.
    Over,
}

impl Raw {
    pub(super) fn is(name: &[u8]) -> bool {
        matches!(
            name,
            b"iframe" | b"noembed" | b"noframes" | b"script" | b"style" | b"textarea" | b"title" | b"xmp"
        )
    }

    pub(super) fn of(element: Word) -> Raw {
        Raw { element, ..Raw::default() }
    }

    pub(super) fn read(&mut self, byte: u8) -> Read {
        match (self.at, byte) {
            (At::Text, _) => return self.text(byte),
            (At::Less, b'/') => {
                let at = if self.level == 2 { At::Script(1) } else { At::End };
                (self.name, self.at) = (Word::default(), at);
                return Read::Text;
            }
            (At::End | At::Script(_), b'a'..=b'z' | b'A'..=b'Z') => {
                self.name.push(byte);
                return Read::Text;
            }
            (At::End, _) if ends_word(byte) && self.name == self.element => return Read::Over,
            (At::Less, b'a'..=b'z' | b'A'..=b'Z') if self.level == 1 => {
                (self.name, self.at) = (Word::of(byte), At::Script(2));
            }
            (At::Script(level), _) if ends_word(byte) => {
                self.level = if self.name.is(b"script") { level } else { self.level };
                self.at = At::Text;
            }
            (At::Less, b'!') if self.level == 0 && self.element.is(b"script") => self.at = At::Bang,
            (At::Bang, b'-') => self.at = At::BangDash,
            (At::BangDash, b'-') => (self.at, self.level, self.dashes) = (At::Text, 1, 2),
            _ => {
                self.at = At::Text;
                self.text(byte);
            }
        }
        Read::Markup
    }

    fn text(&mut self, byte: u8) -> Read {
        match byte {
            b'<' => (self.at, self.dashes) = (At::Less, 0),
            b'-' if self.level > 0 => self.dashes = 2.min(self.dashes + 1),
            b'>' if self.dashes == 2 => (self.level, self.dashes) = (0, 0),
            _ => self.dashes = 0,
        }
        Read::Text
    }

    /// The sign before which nothing changes.
    pub(super) fn skips_to(&self) -> Option<u8> {
        (self.at == At::Text && self.level == 0).then_some(b'<')
    }
}
