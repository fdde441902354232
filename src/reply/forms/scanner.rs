//! Finds start tags of forms in HTML as browsers do (the tokenizer of the HTML standard, 13.2.5), in pieces as they come.
//!
//! Pure: it says where a token can stand. What is in comments, scripts, styles and the like is no form. Where browsers
//! may read a page in two ways, by what they support or whether scripts run, it finds nothing more on that page: a
//! field at a wrong place could end an attribute that holds markup of others.

use super::mark::{Mark, Marked};
use super::plain;
use super::raw::{Raw, Read};
use super::tag::{Tag, ends_word};

const NOSCRIPT: &[u8] = b"</noscript";
/// Elements of SVG and MathML in which HTML may stand.
const MIXED: [&[u8]; 8] =
    [b"annotation-xml", b"desc", b"foreignobject", b"mi", b"mn", b"mo", b"ms", b"mtext"];

/// Reads a page, and remembers where it is in it.
#[derive(Default)]
pub(crate) struct Scanner {
    state: State,
    tag: Tag,
    /// The element whose text is being read.
    raw: Raw,
    /// How many `svg` and `math` are open. They have no forms, and other rules for text.
    svg: u32,
    math: u32,
    /// In an element of theirs in which HTML may stand.
    mixed: bool,
    /// In a list to select from, where a form is none.
    select: bool,
    /// In `noscript`, which is text where scripts run: how much came of the tag that ends it.
    noscript: Option<usize>,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Text,
    /// After `<`.
    Open,
    /// After `</`.
    EndOpen,
    Tag,
    Mark(Mark),
    Raw,
    /// Browsers may read on in different ways.
    Lost,
}

impl Scanner {
    /// Reads on. `found` is told where forms begin: at which byte, just behind their tags; and whether they post to the address
    /// of their page.
    pub(crate) fn read(&mut self, text: &[u8], mut found: impl FnMut(usize, bool)) {
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            // In `noscript` each letter is looked at.
            let end = if self.noscript.is_some() { at + 1 } else { text.len() };
            if self.noscript.is_some() {
                self.watch(byte);
            }
            let (read, form) = self.advance(byte, &text[at..end]);
            at += read;
            if form {
                found(at, self.tag.posts_to_its_page());
            }
        }
    }

    /// Reads the next letter, `byte`, and what of `text` is like it: how many bytes that is, and whether a form's start tag
    /// ends there.
    fn advance(&mut self, byte: u8, text: &[u8]) -> (usize, bool) {
        if matches!(self.state, State::Tag) {
            let (read, complete) = self.tag.read(text);
            return (read, complete && self.tag_ends());
        }
        if matches!(self.state, State::Text) && !self.is_foreign() {
            let skipped = plain::skip(text);
            if skipped > 0 {
                return (skipped, false);
            }
        }
        self.step(byte);
        let until = match self.state {
            State::Lost => return (text.len(), false),
            State::Text => Some(b'<'),
            State::Mark(mark) => mark.skips_to(),
            State::Raw => self.raw.skips_to(),
            State::Tag | State::Open | State::EndOpen => None,
        };
        let skipped = until.map_or(0, |until| text[1..].iter().take_while(|byte| **byte != until).count());
        (1 + skipped, false)
    }

    /// With the next letter, where it is not within a tag.
    #[inline(never)]
    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Text | State::Open, b'<') => State::Open,
            (State::Open, b'!') => State::Mark(Mark::Begin),
            (State::Open, b'?') => State::Mark(Mark::Bogus),
            (State::Open, b'/') => State::EndOpen,
            (State::Open | State::EndOpen, b'a'..=b'z' | b'A'..=b'Z') => {
                self.tag = Tag::new(matches!(self.state, State::EndOpen), byte);
                State::Tag
            }
            (State::EndOpen, b'>') | (State::Text | State::Open, _) => State::Text,
            (State::EndOpen, _) => State::Mark(Mark::Bogus),
            (State::Mark(mark), _) => match mark.read(byte, self.is_foreign()) {
                Marked::In(mark) => State::Mark(mark),
                Marked::Over => State::Text,
                Marked::Unclear => State::Lost,
            },
            (State::Raw, _) => return self.in_raw(byte),
            (state @ (State::Tag | State::Lost), _) => state,
        };
    }

    fn in_raw(&mut self, byte: u8) {
        match self.raw.read(byte) {
            Read::Over => {
                (self.tag, self.state) = (Tag::end_of(self.raw.element), State::Tag);
                if self.tag.read(&[byte]).1 {
                    self.tag_ends();
                }
            }
            // In SVG and in lists to select from it may be no text.
            Read::Markup if self.is_foreign() || self.select => self.state = State::Lost,
            Read::Markup | Read::Text => {}
        }
    }

    /// A tag is complete; whether it is the start tag of a form that gets a token.
    fn tag_ends(&mut self) -> bool {
        self.state = State::Text;
        let name = self.tag.name;
        if self.tag.ends { self.ended(name.bytes()) } else { self.began(name.bytes()) }
    }

    fn is_foreign(&self) -> bool {
        self.svg + self.math > 0
    }

    /// An element begins; whether it is a form that gets a token.
    fn began(&mut self, name: &[u8]) -> bool {
        let (foreign, tag) = (self.is_foreign(), &self.tag);
        match name {
            // What ends there ends by the rules of HTML, that depend on all that is open.
            _ if self.mixed => self.state = State::Lost,
            _ if foreign && MIXED.contains(&name) => self.mixed = !tag.closes,
            b"form" => return !foreign && !self.select && tag.is_form_of_ours(),
            b"svg" => self.svg += u32::from(!tag.closes),
            b"math" => self.math += u32::from(!tag.closes),
            // HTML before it may have ended the drawing, and then it is one.
            b"select" if foreign => self.state = State::Lost,
            b"select" => self.select = true,
            // The end of a list in there ends none out here.
            b"template" if self.select => self.state = State::Lost,
            b"noscript" => self.noscript = self.noscript.or(Some(0)),
            b"base" if tag.leads_elsewhere() => self.state = State::Lost,
            b"frameset" | b"plaintext" => self.state = State::Lost,
            // In SVG it is over with that; in HTML within SVG it is not.
            _ if foreign && tag.closes && Raw::is(name) => self.state = State::Lost,
            _ if Raw::is(name) => {
                self.raw = Raw::of(tag.name);
                self.state = State::Raw;
            }
            _ => {}
        }
        false
    }

    fn ended(&mut self, name: &[u8]) -> bool {
        match name {
            b"svg" => self.svg = self.svg.saturating_sub(1),
            b"math" => self.math = self.math.saturating_sub(1),
            b"select" => self.select = false,
            _ => {}
        }
        self.mixed = self.mixed && self.is_foreign() && !MIXED.contains(&name);
        false
    }

    /// Where scripts run, `noscript` is text up to the first tag that ends it: that has to be one for us, too.
    fn watch(&mut self, byte: u8) {
        let Some(came) = self.noscript else { return };
        if came == NOSCRIPT.len() && ends_word(byte) {
            let in_name = matches!(self.state, State::Tag) && self.tag.is_in_name();
            self.noscript = None;
            if !(in_name && self.tag.ends && self.tag.name.is(b"noscript")) {
                self.state = State::Lost;
            }
        } else if NOSCRIPT.get(came) == Some(&byte.to_ascii_lowercase()) {
            self.noscript = Some(came + 1);
        } else {
            self.noscript = Some(usize::from(byte == b'<'));
        }
    }
}
