//! A page as a visitor has it before them: its text, links, buttons and fields, as plain owned values.
//!
//! What a browser makes of markup is told here once, for the test kit and for adapters of protocols without markup. Left
//! out: scripts and what they would do, styles, frames, `<base>`.

pub(crate) mod form;
pub(crate) mod parse;
pub(crate) mod url;

use form::{Field, Form};

#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) pieces: Vec<Piece>,
    /// Links and buttons in the order they stand there.
    pub(crate) targets: Vec<Target>,
    pub(crate) forms: Vec<Form>,
    pub(crate) fields: Vec<Field>,
    /// What its markup says of what links tell where they come from: `no-referrer`.
    pub(crate) referrer: String,
    /// The form the visitor is at.
    pub(crate) filled: Option<usize>,
}

/// What a page is made of, for the eye.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Space,
    Break,
    /// Here a link or button begins, an index of `targets`.
    Open(usize),
    /// Here it ends.
    Close,
    /// An index of `fields`.
    Field(usize),
    /// Between the cells of a row.
    Cell,
    /// A line across the page.
    Rule,
    Image {
        alt: String,
        src: String,
    },
    Begin(Role),
    End(Role),
}

/// What an element is for what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Stands on lines of its own.
    Block,
    /// And apart from what is around it.
    Paragraph,
    /// From 1, the largest.
    Heading(u8),
    Bullets,
    Numbers,
    /// Of a list.
    Item,
    Pre,
    Quote,
    /// Of a table.
    Row,
    /// Says what the fields in it are, on the line where it stands.
    Label,
}

/// Something to click.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) text: String,
    pub(crate) leads: Leads,
}

/// Where a click leads.
#[derive(Debug, Clone)]
pub(crate) enum Leads {
    Link(String),
    /// An index of `fields`.
    Button(usize),
}

/// Text as it is compared: spaces and line ends made one space.
pub(crate) fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of some pieces, on one line.
pub(crate) fn label(pieces: &[Piece]) -> String {
    lines(pieces, None).join(" ")
}

/// Pieces as lines of text; with fields also what can be used.
pub(crate) fn lines(pieces: &[Piece], fields: Option<&[Field]>) -> Vec<String> {
    let mut lines = Lines::default();
    for piece in pieces {
        match (piece, fields) {
            (Piece::Text(text), _) => lines.text(text),
            (Piece::Image { alt, .. }, _) => lines.text(alt),
            (Piece::Begin(Role::Label) | Piece::End(Role::Label), _) => {}
            (Piece::Break | Piece::Rule | Piece::Begin(_) | Piece::End(_), _) => lines.end(),
            (Piece::Open(_), Some(_)) => lines.line.push('['),
            (Piece::Close, Some(_)) => lines.close(),
            (Piece::Field(at), Some(fields)) => lines.text(&format!(" {} ", fields[*at].sketch())),
            (Piece::Space | Piece::Cell | Piece::Field(_), _) => lines.space(),
            (Piece::Open(_) | Piece::Close, None) => {}
        }
    }
    lines.end();
    lines.done
}

#[derive(Default)]
struct Lines {
    done: Vec<String>,
    line: String,
}

impl Lines {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() { self.space() } else { self.line.push(c) }
        }
    }

    fn space(&mut self) {
        if !self.line.is_empty() && !self.line.ends_with([' ', '[']) {
            self.line.push(' ');
        }
    }

    fn close(&mut self) {
        self.line.truncate(self.line.trim_end().len());
        self.line.push(']');
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() {
            self.done.push(line.trim().to_owned());
        }
    }
}
