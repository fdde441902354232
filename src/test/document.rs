//! What a visitor has before them: the text of a page, its links, buttons and fields, as plain owned values.

use super::form::{Field, Form, Kind};

#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) pieces: Vec<Piece>,
    /// Links and buttons in the order they stand there.
    pub(super) targets: Vec<Target>,
    pub(super) forms: Vec<Form>,
    pub(super) fields: Vec<Field>,
    /// The form the visitor is at.
    pub(super) filled: Option<usize>,
}

/// What a page is made of, for the eye.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Space,
    Break,
    /// Here a link or button begins.
    Open,
    /// Here it ends.
    Close,
    /// An index of `fields`.
    Field(usize),
}

/// Something to click.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) text: String,
    pub(super) leads: Leads,
}

/// Where a click leads.
#[derive(Debug, Clone)]
pub(super) enum Leads {
    Link(String),
    /// An index of `fields`.
    Button(usize),
}

impl Document {
    /// A response that is no markup.
    pub(super) fn plain(text: &str) -> Self {
        let lines = text.lines().flat_map(|line| [Piece::Text(line.to_owned()), Piece::Break]);
        Document { pieces: lines.collect(), ..Document::default() }
    }

    /// The visible text in lines, spaces made one.
    pub(super) fn text(&self) -> String {
        lines(&self.pieces, None).join("\n")
    }

    /// The visible text with links and buttons as `[text]` and fields as `name=[value]`.
    pub(super) fn sketch(&self) -> Vec<String> {
        lines(&self.pieces, Some(&self.fields))
    }

    /// The link with this text, or else the only one with this in its text.
    pub(super) fn link(&self, text: &str) -> Result<&str, String> {
        let links = self.targets.iter().filter_map(|target| match &target.leads {
            Leads::Link(href) => Some((&*target.text, &**href)),
            Leads::Button(_) => None,
        });
        pick(text, links.collect()).map_err(|found| not_one("link", text, found))
    }

    /// The link or button with this text, or else the only one with this in its text.
    pub(super) fn target(&self, text: &str) -> Result<&Leads, String> {
        let targets = self.targets.iter().map(|target| (&*target.text, &target.leads));
        pick(text, targets.collect()).map_err(|found| not_one("link or button", text, found))
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.targets.iter().filter(|target| matches!(target.leads, Leads::Link(_)));
        links.map(|link| &*link.text)
    }

    /// Whether a visitor sees or can use a field of this name.
    pub(super) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name && !matches!(field.kind, Kind::Button { .. }))
    }
}

/// Text as it is compared: spaces and line ends made one space.
pub(super) fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of some pieces, on one line.
pub(super) fn label(pieces: &[Piece]) -> String {
    lines(pieces, None).join(" ")
}

/// The first of exactly this name, else the only one that has it in its name; else how many have.
fn pick<T>(wanted: &str, named: Vec<(&str, T)>) -> Result<T, usize> {
    let wanted = normal(wanted);
    let exact = named.iter().position(|(text, _)| *text == wanted);
    let close: Vec<_> = (0..named.len()).filter(|at| named[*at].0.contains(&wanted)).collect();
    let at = match (exact, &*close) {
        (Some(at), _) => at,
        (None, [at]) => *at,
        (None, close) => return Err(close.len()),
    };
    Ok(named.into_iter().nth(at).expect("a position of this list").1)
}

fn not_one(what: &str, text: &str, found: usize) -> String {
    match found {
        0 => format!("I looked for a {what} {text:?}"),
        _ => format!("I looked for one {what} with {text:?} in its text, not {found},"),
    }
}

/// Pieces as lines of text; with fields also what can be used.
fn lines(pieces: &[Piece], fields: Option<&[Field]>) -> Vec<String> {
    let mut lines = Lines::default();
    for piece in pieces {
        match (piece, fields) {
            (Piece::Text(text), _) => lines.text(text),
            (Piece::Break, _) => lines.end(),
            (Piece::Open, Some(_)) => lines.line.push('['),
            (Piece::Close, Some(_)) => lines.close(),
            (Piece::Field(at), Some(fields)) => lines.text(&format!(" {} ", fields[*at].sketch())),
            (Piece::Space | Piece::Field(_), _) => lines.space(),
            (Piece::Open | Piece::Close, None) => {}
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

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn text_is_exact_or_else_in_one_only() {
        let document = parse(
            "<a href=1>Delete</a><a href=2>Delete all</a><a href=3>Go  <b>on</b></a><button>Go</button>\
             <a href=4>Delete</a>",
        );
        assert_eq!(document.link("Delete"), Ok("1"));
        assert_eq!(document.link("all"), Ok("2"));
        assert_eq!(document.link("Go on"), Ok("3"));
        assert_eq!(document.link("Go"), Ok("3"));
        assert!(matches!(document.target("Go"), Ok(Leads::Button(_))));
        let error = document.link("Del").expect_err("three of them");
        assert_eq!(error, "I looked for one link with \"Del\" in its text, not 3,");
        assert_eq!(document.link("Undo"), Err("I looked for a link \"Undo\"".into()));
    }

    #[test]
    fn plain_text_keeps_its_lines() {
        let document = Document::plain("a  b\n\nc <b>\n");
        assert_eq!(document.text(), "a b\nc <b>");
    }
}
