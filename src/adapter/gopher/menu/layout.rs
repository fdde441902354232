//! From a page to a menu: text becomes lines, links, buttons and fields become items.
//!
//! A form is sent by one choice: each item of it sends what the form holds, with one thing changed. A line of text is asked
//! for as a search, an option or a box is an item of its own. What has no meaning in a menu is left out.

use std::ops::Range;

use textwrap::core::display_width;

use super::super::kind::Kind;
use super::super::selector::Selector;
use super::{Item, Leads, Menu, Place, WIDTH};
use crate::document::form::{Choice, Entry, Field, Kind as FieldKind, urlencoded};
use crate::document::url::{resolve, with_query};
use crate::document::{self, Document, Piece, Role, label};

/// Schemes that items may lead to.
const SCHEMES: [&str; 5] = ["http", "https", "mailto", "tel", "gemini"];

/// Where a page was found.
#[derive(Debug)]
pub(in super::super) struct Here<'a> {
    pub(in super::super) place: &'a Place,
    /// Path and query.
    pub(in super::super) url: &'a str,
    pub(in super::super) visitor: Option<&'a str>,
}

/// The menu of a page.
pub(in super::super) fn menu(document: &Document, here: &Here<'_>) -> Menu {
    let mut layout = Layout::new(document, here);
    for (at, piece) in document.pieces.iter().enumerate() {
        layout.piece(at, piece);
    }
    layout.end_line();
    layout.menu
}

struct Layout<'a> {
    document: &'a Document,
    here: &'a Here<'a>,
    menu: Menu,
    /// The line that is being written, and what leads away from it.
    text: String,
    items: Vec<(Range<usize>, Item)>,
    /// The link or button that is open, and where it begins in the text.
    open: Option<(usize, usize)>,
    nest: Vec<Nest>,
    /// What stands before the next line.
    mark: Option<String>,
    /// What the fields are that follow; its text is not told again.
    label: Option<String>,
    heading: u8,
    is_pre: bool,
    /// Cells of the row so far.
    cells: Option<usize>,
}

enum Nest {
    Bullets,
    Numbers(usize),
    Quote,
}

impl<'a> Layout<'a> {
    fn new(document: &'a Document, here: &'a Here<'a>) -> Self {
        Layout {
            document,
            here,
            menu: Menu::default(),
            text: String::new(),
            items: Vec::new(),
            open: None,
            nest: Vec::new(),
            mark: None,
            label: None,
            heading: 0,
            is_pre: false,
            cells: None,
        }
    }

    fn piece(&mut self, at: usize, piece: &Piece) {
        match piece {
            Piece::Text(text) if self.label.is_none() => self.words(text),
            Piece::Text(_) => {}
            Piece::Space => self.space(),
            Piece::Break => self.end_line(),
            Piece::Open(target) => self.open = Some((*target, self.text.len())),
            Piece::Close => self.close(),
            Piece::Field(field) => self.field(*field),
            Piece::Cell => self.cell(),
            Piece::Rule => self.rule(),
            Piece::Image { alt, src } => self.image(alt, src),
            Piece::Begin(Role::Label) => self.begin_label(at),
            Piece::End(Role::Label) => self.label = None,
            Piece::Begin(Role::Block | Role::Paragraph) | Piece::End(Role::Block | Role::Paragraph)
                if self.cells.is_some() =>
            {
                self.space();
            }
            Piece::Begin(role) => self.begin(*role),
            Piece::End(role) => self.end(*role),
        }
    }

    fn words(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\t' if self.is_pre => self.text.push_str("    "),
                c if c.is_whitespace() && !self.is_pre => self.space(),
                c => self.text.push(c),
            }
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\t']) && self.label.is_none() {
            self.text.push(' ');
        }
    }

    fn cell(&mut self) {
        if let Some(cells) = &mut self.cells {
            *cells += 1;
            if *cells > 1 {
                self.text.push('\t');
            }
        }
    }

    fn rule(&mut self) {
        self.end_line();
        self.menu.kept(&"-".repeat(WIDTH));
    }

    fn begin(&mut self, role: Role) {
        self.end_line();
        match role {
            Role::Heading(level) => self.heading = level,
            Role::Bullets => self.nest.push(Nest::Bullets),
            Role::Numbers => self.nest.push(Nest::Numbers(0)),
            Role::Quote => self.nest.push(Nest::Quote),
            Role::Item => self.mark = Some(self.next_mark()),
            Role::Pre => self.is_pre = true,
            Role::Row => self.cells = Some(0),
            Role::Block | Role::Paragraph | Role::Label => {}
        }
        if self.stands_apart(role) {
            self.menu.gap();
        }
    }

    fn end(&mut self, role: Role) {
        if self.is_pre && self.text.is_empty() && self.items.is_empty() {
            self.is_pre = false;
        }
        self.end_line();
        let apart = self.stands_apart(role);
        match role {
            Role::Heading(_) => self.heading = 0,
            Role::Bullets | Role::Numbers | Role::Quote => drop(self.nest.pop()),
            Role::Item => self.mark = None,
            Role::Pre => self.is_pre = false,
            Role::Row => self.cells = None,
            Role::Block | Role::Paragraph | Role::Label => {}
        }
        if apart {
            self.menu.gap();
        }
    }

    /// Whether blank lines stand around it. Lists in lists are part of them.
    fn stands_apart(&self, role: Role) -> bool {
        match role {
            Role::Heading(_) | Role::Paragraph | Role::Pre => true,
            Role::Bullets | Role::Numbers | Role::Quote => self.nest.len() < 2,
            Role::Block | Role::Item | Role::Row | Role::Label => false,
        }
    }

    fn next_mark(&mut self) -> String {
        match self.nest.last_mut() {
            Some(Nest::Numbers(count)) => {
                *count += 1;
                format!("{count}. ")
            }
            _ => "* ".to_owned(),
        }
    }

    /// What stands before the first line, and before the others.
    fn before(&mut self) -> [String; 2] {
        let lists = self.nest.iter().filter(|nest| !matches!(nest, Nest::Quote)).count();
        let indent = "  ".repeat(self.nest.len() - lists + lists.saturating_sub(1));
        let mark = self.mark.take();
        let under = mark.as_ref().map_or(if lists > 0 { 2 } else { 0 }, |mark| mark.len());
        let rest = format!("{indent}{:under$}", "");
        [mark.map_or(rest.clone(), |mark| indent + &mark), rest]
    }

    /// Writes the line: its text, then what can be chosen in it.
    fn end_line(&mut self) {
        let (text, items) = (std::mem::take(&mut self.text), std::mem::take(&mut self.items));
        // An open link goes on with the next line.
        self.open = self.open.map(|(target, _)| (target, 0));
        let shown = shown(&text, &items);
        if self.is_pre {
            self.menu.kept(shown.trim_end());
        } else if self.cells.is_some() && !text.trim().is_empty() {
            self.menu.row(&text);
        } else if !shown.trim().is_empty() {
            self.paragraph(shown.trim());
        }
        items.into_iter().for_each(|(_, item)| self.menu.item(item));
    }

    fn paragraph(&mut self, text: &str) {
        let before = self.before();
        self.menu.indented(text, before);
        let line = match self.heading {
            1 => "=",
            2 => "-",
            _ => return,
        };
        self.menu.kept(&line.repeat(display_width(text).min(WIDTH)));
    }

    fn close(&mut self) {
        let Some((target, from)) = self.open.take() else { return };
        let target = &self.document.targets[target];
        let from = from.min(self.text.len());
        let (text, item) = (&target.text, self.target(&target.leads));
        let text = if text.is_empty() { "(link)" } else { text };
        match item {
            Target::Item(kind, leads) => {
                let item = Item { kind, text: text.to_owned(), leads };
                self.items.push((from..self.text.len(), item));
            }
            // Its text is text.
            Target::Nothing => {}
            Target::Needless => self.text.truncate(from),
        }
    }

    fn target(&self, leads: &document::Leads) -> Target {
        match leads {
            document::Leads::Link(href) => match self.link(href) {
                Some((kind, leads)) => Target::Item(kind, leads),
                None => Target::Nothing,
            },
            document::Leads::Button(at) => self.button(*at),
        }
    }

    /// Where a reference leads. `None`: nowhere that a menu can lead to.
    fn link(&self, href: &str) -> Option<(Kind, Leads)> {
        let href = href.trim();
        if href.starts_with('#') {
            return None;
        }
        if let Some(url) = resolve(&self.here.place.authority(), self.here.url, href) {
            let selector = Selector::get(self.here.visitor, url);
            return Some((selector.expects(), Leads::Here(selector)));
        }
        elsewhere(href)
    }

    fn image(&mut self, alt: &str, src: &str) {
        if self.open.is_some() || self.label.is_some() || src.is_empty() {
            return self.words(alt);
        }
        match self.link(src) {
            None => self.words(alt),
            Some((kind, leads)) => self.picture(kind, leads, alt),
        }
    }

    fn picture(&mut self, kind: Kind, leads: Leads, alt: &str) {
        let kind = if kind == Kind::Gif { kind } else { Kind::Image };
        let text = if alt.is_empty() { "(image)" } else { alt };
        let end = self.text.len();
        self.items.push((end..end, Item { kind, text: text.to_owned(), leads }));
    }

    fn begin_label(&mut self, at: usize) {
        let rest = &self.document.pieces[at + 1..];
        let end = rest.iter().position(|piece| matches!(piece, Piece::End(Role::Label)));
        let inside = &rest[..end.unwrap_or(rest.len())];
        // One that stands by itself is text, and names what follows on its line.
        if inside.iter().any(|piece| matches!(piece, Piece::Field(_))) {
            self.label = Some(label(inside));
        }
    }

    /// What a field is: by its label, the text before it, or its name.
    fn name(&mut self, field: &Field) -> String {
        if let Some(label) = self.label.as_ref().filter(|label| !label.is_empty()) {
            return label.clone();
        }
        if self.items.is_empty() && !self.text.trim().is_empty() {
            return std::mem::take(&mut self.text).replace('\t', " ").trim().to_owned();
        }
        match &field.kind {
            FieldKind::Radio { .. } | FieldKind::Checkbox { .. } => format!("{} {}", field.name, field.value),
            _ => field.name.clone(),
        }
    }

    fn field(&mut self, at: usize) {
        let field = &self.document.fields[at];
        let name = self.name(field);
        self.end_line();
        let form = field.form.filter(|_| !field.disabled && !field.name.is_empty());
        let Some(form) = form else {
            return self.menu.text(&format!("{name} {}", field.chosen().join(", ")));
        };
        match &field.kind {
            FieldKind::Line | FieldKind::Area => self.search(form, field, &name),
            FieldKind::Checkbox { on } => {
                let entry = (!on).then_some(&*field.value);
                let itself = |other: &Field| std::ptr::eq(other, field);
                self.change(form, field, &mark('[', *on, ']', &name), entry, itself);
            }
            FieldKind::Radio { on } => {
                let group =
                    |other: &Field| other.name == field.name && matches!(other.kind, FieldKind::Radio { .. });
                self.change(form, field, &mark('(', *on, ')', &name), Some(&field.value), group);
            }
            FieldKind::Select { options, .. } => self.select(form, field, options, &name),
            FieldKind::File { .. } => self.menu.text(&format!("{name} [gopher sends no files]")),
            FieldKind::Hidden | FieldKind::Button { .. } => {}
        }
    }

    fn select(&mut self, form: usize, field: &Field, options: &[Choice], name: &str) {
        self.menu.text(name);
        for option in options.iter().filter(|option| !option.disabled) {
            let text = mark('(', option.on, ')', &option.text);
            self.change(form, field, &text, Some(&option.value), |other| std::ptr::eq(other, field));
        }
    }

    /// A search whose words are what the field holds.
    fn search(&mut self, form: usize, field: &Field, name: &str) {
        let held = field.value.trim();
        let text = if held.is_empty() { name.to_owned() } else { format!("{name} [{held}]") };
        let itself = |other: &Field| std::ptr::eq(other, field);
        if let Some(leads) = self.sent(form, None, itself, Some((&field.name, ""))) {
            self.menu.item(Item { kind: Kind::Search, text, leads });
        }
    }

    /// An item that sends the form with another value in the place of these fields.
    fn change(
        &mut self,
        form: usize,
        field: &Field,
        text: &str,
        value: Option<&str>,
        instead_of: impl Fn(&Field) -> bool,
    ) {
        let entry = value.map(|value| (&*field.name, value));
        if let Some(leads) = self.sent(form, None, instead_of, entry) {
            self.menu.item(Item { kind: Kind::Menu, text: text.to_owned(), leads });
        }
    }

    fn button(&self, at: usize) -> Target {
        let Some(form) = self.document.fields[at].form else { return Target::Nothing };
        if self.document.default_button(form) == Some(at) && self.asks_one_thing(form) {
            return Target::Needless;
        }
        match self.sent(form, Some(at), |_| false, None) {
            Some(leads) => Target::Item(Kind::Menu, leads),
            None => Target::Nothing,
        }
    }

    /// Whether a form is one line to fill in that is empty: a search is all it needs.
    fn asks_one_thing(&self, form: usize) -> bool {
        let mut fields = self.document.fields.iter().filter(|field| {
            field.form == Some(form) && !matches!(field.kind, FieldKind::Hidden | FieldKind::Button { .. })
        });
        let only = fields.next().filter(|_| fields.next().is_none());
        only.is_some_and(|field| {
            matches!(field.kind, FieldKind::Line | FieldKind::Area) && field.value.is_empty()
        })
    }

    /// What sends a form by this button, or else by the first, with some fields left out and another added at the end.
    /// `None`: it leads away.
    fn sent(
        &self,
        form: usize,
        button: Option<usize>,
        left_out: impl Fn(&Field) -> bool,
        added: Option<(&str, &str)>,
    ) -> Option<Leads> {
        let button = button.or_else(|| self.document.default_button(form));
        let (action, posted) = self.document.goal(form, button);
        let mut entries = self.document.entries_but(form, button, left_out);
        entries.retain(|entry| entry.file.is_none());
        entries.extend(added.map(|(name, value)| Entry {
            name: name.into(),
            value: value.into(),
            file: None,
        }));
        let url = resolve(&self.here.place.authority(), self.here.url, action)?;
        let sent = urlencoded(&entries);
        Some(Leads::Here(if posted {
            Selector { form: Some(sent), ..Selector::get(self.here.visitor, url) }
        } else {
            Selector::get(self.here.visitor, with_query(&url, &sent))
        }))
    }
}

/// What becomes of a link or button.
enum Target {
    Item(Kind, Leads),
    Nothing,
    /// Another item does what it does.
    Needless,
}

fn mark(open: char, on: bool, close: char, text: &str) -> String {
    let is = if on { 'x' } else { ' ' };
    format!("{open}{is}{close} {text}")
}

/// The part of a line that is more than its items: all of it if words follow a link, else what is before the first.
fn shown<'t>(text: &'t str, items: &[(Range<usize>, Item)]) -> &'t str {
    let Some((first, _)) = items.iter().find(|(range, _)| !range.is_empty()) else { return text };
    let (mut from, mut follows) = (first.end, false);
    for (range, _) in items.iter().filter(|(range, _)| range.start >= first.end) {
        follows |= text[from..range.start].contains(char::is_alphanumeric);
        from = range.end;
    }
    follows |= text[from..].contains(char::is_alphanumeric);
    if follows { text } else { &text[..first.start] }
}

/// Where a URL of another host leads.
pub(in super::super) fn elsewhere(href: &str) -> Option<(Kind, Leads)> {
    let href = if href.starts_with("//") { format!("http:{href}") } else { href.to_owned() };
    let (scheme, rest) = href.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "gopher" {
        return there(rest.strip_prefix("//")?);
    }
    SCHEMES.contains(&&*scheme).then_some((Kind::Web, Leads::Web(href)))
}

/// An item of another gopher server, from its URL.
fn there(rest: &str) -> Option<(Kind, Leads)> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 70),
    };
    let letter = path.bytes().next().unwrap_or(b'1');
    let kind = Kind::of_letter(letter)?;
    let selector =
        percent_encoding::percent_decode_str(path.get(1..).unwrap_or_default()).decode_utf8().ok()?;
    let is_plain = |text: &str| !text.contains(|c: char| c.is_control());
    (!host.is_empty() && is_plain(host) && is_plain(&selector))
        .then(|| (kind, Leads::There { selector: selector.into_owned(), host: host.to_owned(), port }))
}
