//! A menu: lines of text and items, and how they are sent.
//!
//! Whatever a page prints, it makes no item: what ends lines and fields is taken from all text here, at the one place
//! where lines are written.

pub(super) mod layout;
#[cfg(test)]
mod tests;

use textwrap::core::display_width;

use super::kind::Kind;
use super::selector::{LONGEST, Selector};
use super::text::Stuffing;

/// Columns of a line, by RFC 1436.
const WIDTH: usize = 70;
/// Between the cells of a row.
const BETWEEN: &str = "  ";
/// The selector, host and port of lines that lead nowhere.
const NOWHERE: &str = "\t\terror.host\t1\r\n";

#[derive(Debug, Default)]
pub(super) struct Menu {
    lines: Vec<Line>,
    /// Its text says what went wrong.
    pub(super) is_error: bool,
    /// A blank line is due, if anything follows.
    gap: bool,
}

#[derive(Debug)]
enum Line {
    /// Its first line begins with the first text, the others with the second.
    Text(String, [String; 2]),
    /// As it is, not wrapped.
    Kept(String),
    Row(Vec<String>),
    Item(Item),
}

/// What can be chosen.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) leads: Leads,
}

/// Where an item leads.
#[derive(Debug, Clone)]
pub(super) enum Leads {
    Here(Selector),
    Web(String),
    There { selector: String, host: String, port: u16 },
}

/// The name and port that items of this server have.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    /// As a URL has it.
    pub(super) fn authority(&self) -> String {
        let Place { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Menu {
    /// A text of ours that says what went wrong.
    pub(super) fn error(text: &str) -> Self {
        let mut menu = Menu { is_error: true, ..Menu::default() };
        menu.text(text);
        menu
    }

    /// Plain text, its lines as they are.
    pub(super) fn of_text(text: &str) -> Self {
        let mut menu = Menu::default();
        text.lines().for_each(|line| menu.kept(line));
        menu
    }

    pub(super) fn text(&mut self, text: &str) {
        self.indented(text, [String::new(), String::new()]);
    }

    fn indented(&mut self, text: &str, before: [String; 2]) {
        self.push(Line::Text(text.to_owned(), before));
    }

    fn kept(&mut self, text: &str) {
        self.push(Line::Kept(text.to_owned()));
    }

    fn row(&mut self, text: &str) {
        self.push(Line::Row(text.split('\t').map(|cell| cell.trim().to_owned()).collect()));
    }

    /// Adds an item; where its selector is too long for the protocol, a text that says so.
    pub(super) fn item(&mut self, item: Item) {
        let long = Some(item.leads.selector().len()).filter(|long| *long > LONGEST);
        match long {
            None => self.push(Line::Item(item)),
            Some(long) => {
                let Item { text, .. } = item;
                self.text(&format!("{text} [not for gopher: its selector has {long} characters, at most {LONGEST} are allowed]"));
            }
        }
    }

    /// Whether an item leads to a page of this server.
    pub(super) fn leads_on(&self) -> bool {
        self.lines.iter().any(|line| matches!(line, Line::Item(Item { leads: Leads::Here(_), .. })))
    }

    /// Adds a way on, apart from the page.
    pub(super) fn go_on(&mut self, selector: Selector) {
        self.gap();
        self.item(Item { kind: Kind::Menu, text: "Go on".to_owned(), leads: Leads::Here(selector) });
    }

    /// How many there are.
    #[cfg(any(test, continuity_fuzz))]
    pub(super) fn items(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line, Line::Item(_))).count()
    }

    /// What follows stands apart.
    fn gap(&mut self) {
        self.gap = !self.lines.is_empty();
    }

    fn push(&mut self, line: Line) {
        if std::mem::take(&mut self.gap) {
            self.lines.push(Line::Kept(String::new()));
        }
        self.lines.push(line);
    }

    /// The menu as it is sent.
    pub(super) fn write(&self, place: &Place) -> Vec<u8> {
        let kind = if self.is_error { '3' } else { 'i' };
        let mut out = String::new();
        self.each(|text, item| match item {
            Some(item) => item.write(text, place, &mut out),
            None => put(&mut out, kind, text, NOWHERE),
        });
        out.push_str(".\r\n");
        out.into_bytes()
    }

    /// The menu as a text, for clients that expect one.
    pub(super) fn write_text(&self) -> Vec<u8> {
        let (mut stuffing, mut out) = (Stuffing::new(), Vec::new());
        self.each(|text, _| {
            stuffing.add(clean(text).as_bytes(), &mut out);
            stuffing.add(b"\n", &mut out);
        });
        stuffing.end(&mut out);
        out
    }

    /// Tells each line as it is shown, with the item it stands for.
    fn each(&self, mut tell: impl FnMut(&str, Option<&Item>)) {
        let mut lines = &self.lines[..];
        while let [line, rest @ ..] = lines {
            lines = rest;
            match line {
                Line::Text(text, before) => wrapped(text, before).iter().for_each(|line| tell(line, None)),
                Line::Kept(text) => tell(text, None),
                Line::Row(_) => {
                    let others = rest.iter().take_while(|line| matches!(line, Line::Row(_))).count();
                    lines = &rest[others..];
                    let rows = &self.lines[self.lines.len() - rest.len() - 1..self.lines.len() - lines.len()];
                    aligned(rows).iter().for_each(|line| tell(line, None));
                }
                // Who chooses it by its first line has not lost the others.
                Line::Item(item) => {
                    let lines = wrapped(&item.text, &[String::new(), "  ".to_owned()]);
                    tell(&lines[0], Some(item));
                    lines[1..].iter().for_each(|line| tell(line, None));
                }
            }
        }
    }
}

impl Item {
    fn write(&self, text: &str, place: &Place, out: &mut String) {
        let (host, port) = match &self.leads {
            Leads::There { host, port, .. } => (host, *port),
            _ => (&place.host, place.port),
        };
        let to = format!("\t{}\t{}\t{port}\r\n", clean(&self.leads.selector()), clean(host));
        put(out, self.kind.letter(), text, &to);
    }
}

impl Leads {
    fn selector(&self) -> String {
        match self {
            Leads::Here(selector) => selector.write(),
            Leads::Web(url) => format!("URL:{url}"),
            Leads::There { selector, .. } => selector.clone(),
        }
    }
}

/// Writes a line.
fn put(out: &mut String, kind: char, text: &str, to: &str) {
    out.push(kind);
    out.push_str(&clean(text));
    out.push_str(to);
}

/// Text that ends no field and no line, and does nothing to a terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

fn wrapped(text: &str, before: &[String; 2]) -> Vec<String> {
    let options = textwrap::Options::new(WIDTH).initial_indent(&before[0]).subsequent_indent(&before[1]);
    let lines: Vec<_> =
        textwrap::wrap(&clean(text), options).into_iter().map(|line| line.into_owned()).collect();
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// Rows with their cells below each other, if that is not too wide.
fn aligned(rows: &[Line]) -> Vec<String> {
    let rows = || {
        rows.iter().filter_map(|line| match line {
            Line::Row(cells) => Some(cells),
            _ => None,
        })
    };
    let mut widths: Vec<usize> = Vec::new();
    for (at, cell) in rows().flat_map(|cells| cells.iter().enumerate()) {
        if at == widths.len() {
            widths.push(0);
        }
        widths[at] = widths[at].max(display_width(cell));
    }
    if widths.iter().map(|width| width + BETWEEN.len()).sum::<usize>() > WIDTH + BETWEEN.len() {
        return rows()
            .flat_map(|cells| wrapped(&cells.join(BETWEEN), &[String::new(), BETWEEN.to_owned()]))
            .collect();
    }
    let row = |cells: &Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{:1$}", "", width - display_width(cell)));
        padded.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
    };
    rows().map(row).collect()
}
