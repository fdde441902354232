//! From markup to a [`Document`]: parsed once, by the rules of browsers, into values that can go between threads.

use scraper::{ElementRef, Html, Node};

use super::form::{Choice, Field, Form, Kind, Rules};
use super::{Document, Leads, Piece, Role, Target, label};

/// Elements that stand on lines of their own, and are nothing more; all others are part of a line.
const BLOCKS: &str = "article aside body caption details dialog div dt figcaption footer form header legend main nav \
    search section summary";
/// Elements in elements; of what is deeper down the text is left.
const DEPTH: u16 = 200;

/// What is on the page.
pub(crate) fn parse(html: &str) -> Document {
    let mut reader = Reader::default();
    reader.children(Html::parse_document(html).root_element(), Inside::default());
    reader.finish()
}

#[derive(Default)]
struct Reader {
    document: Document,
    /// Fields that name their form by its id.
    elsewhere: Vec<(usize, String)>,
}

/// What an element stands in.
#[derive(Debug, Default, Clone, Copy)]
struct Inside {
    form: Option<usize>,
    hidden: bool,
    disabled: bool,
    /// Line ends of the markup are line ends of the text.
    pre: bool,
    depth: u16,
}

impl Reader {
    fn finish(mut self) -> Document {
        let forms = &self.document.forms;
        for (field, id) in self.elsewhere {
            self.document.fields[field].form = forms.iter().position(|form| form.id == id);
        }
        self.document
    }

    fn children(&mut self, element: ElementRef<'_>, mut inside: Inside) {
        inside.depth += 1;
        if inside.depth > DEPTH {
            return self.text(&text_of(element), inside);
        }
        for child in element.children() {
            match (ElementRef::wrap(child), child.value()) {
                (Some(element), _) => self.element(element, inside),
                (None, Node::Text(text)) => self.text(text, inside),
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>, mut inside: Inside) {
        inside.hidden |= is_hidden(element);
        match element.value().name() {
            "script" | "style" | "template" | "datalist" => {}
            "title" => self.title(element),
            "meta" => self.meta(element),
            // There are no scripts; the parser left the content as text.
            "noscript" => self.children(Html::parse_fragment(&text_of(element)).root_element(), inside),
            "a" => self.link(element, inside),
            "form" => self.form(element, inside),
            "fieldset" => {
                inside.disabled |= element.attr("disabled").is_some();
                self.block(Role::Paragraph, element, inside);
            }
            "input" => self.input(element, inside),
            "button" => self.button(element, inside),
            "textarea" => {
                let text = text_of(element);
                self.field(element, inside, Kind::Area, text);
            }
            "select" => self.field(element, inside, select(element), String::new()),
            "img" => self.image(element, inside),
            "br" => self.piece(Piece::Break, inside),
            "hr" => self.piece(Piece::Rule, inside),
            "td" | "th" => {
                self.piece(Piece::Cell, inside);
                self.children(element, inside);
            }
            "pre" => self.block(Role::Pre, element, Inside { pre: true, ..inside }),
            name => self.other(name, element, inside),
        }
    }

    fn other(&mut self, name: &str, element: ElementRef<'_>, inside: Inside) {
        match role(name) {
            Some(role) => self.block(role, element, inside),
            None => self.children(element, inside),
        }
    }

    fn piece(&mut self, piece: Piece, inside: Inside) {
        if !inside.hidden {
            self.document.pieces.push(piece);
        }
    }

    fn text(&mut self, text: &str, inside: Inside) {
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.piece(if inside.pre { Piece::Break } else { Piece::Space }, inside);
            }
            self.piece(Piece::Text(line.to_owned()), inside);
        }
    }

    /// The first one: those of drawings come later.
    fn title(&mut self, element: ElementRef<'_>) {
        if self.document.title.is_empty() {
            self.document.title = super::normal(&text_of(element));
        }
    }

    fn meta(&mut self, element: ElementRef<'_>) {
        if element.attr("name").is_some_and(|name| name.eq_ignore_ascii_case("referrer")) {
            self.document.referrer = element.attr("content").unwrap_or_default().to_owned();
        }
    }

    fn block(&mut self, role: Role, element: ElementRef<'_>, inside: Inside) {
        self.piece(Piece::Begin(role), inside);
        self.children(element, inside);
        self.piece(Piece::End(role), inside);
    }

    fn image(&mut self, element: ElementRef<'_>, inside: Inside) {
        let attribute = |name| element.attr(name).unwrap_or_default().to_owned();
        self.piece(Piece::Image { alt: attribute("alt"), src: attribute("src") }, inside);
    }

    fn link(&mut self, element: ElementRef<'_>, inside: Inside) {
        match element.attr("href") {
            Some(href) => {
                let href = href.to_owned();
                self.target(Leads::Link(href), inside, |reader| reader.children(element, inside));
            }
            None => self.children(element, inside),
        }
    }

    fn form(&mut self, element: ElementRef<'_>, inside: Inside) {
        let attribute = |name| element.attr(name).unwrap_or_default().to_owned();
        self.document.forms.push(Form {
            id: attribute("id"),
            action: attribute("action"),
            method: attribute("method").to_ascii_lowercase(),
            enctype: attribute("enctype").to_ascii_lowercase(),
            unchecked: element.attr("novalidate").is_some(),
        });
        let form = Some(self.document.forms.len() - 1);
        self.block(Role::Block, element, Inside { form, ..inside });
    }

    fn input(&mut self, element: ElementRef<'_>, inside: Inside) {
        let on = element.attr("checked").is_some();
        let kind = match &*element.attr("type").unwrap_or_default().to_ascii_lowercase() {
            "hidden" => Kind::Hidden,
            "checkbox" => Kind::Checkbox { on },
            "radio" => Kind::Radio { on },
            "file" => Kind::File { files: Vec::new(), several: element.attr("multiple").is_some() },
            "button" | "reset" => return,
            "submit" | "image" => return self.input_button(element, inside),
            _ => Kind::Line,
        };
        let value = match kind {
            Kind::Checkbox { .. } | Kind::Radio { .. } if element.attr("value").is_none() => "on".to_owned(),
            // A line has no line ends.
            Kind::Line => value(element).replace(['\r', '\n'], ""),
            _ => value(element),
        };
        self.field(element, inside, kind, value);
    }

    /// A button whose text is an attribute.
    fn input_button(&mut self, element: ElementRef<'_>, inside: Inside) {
        let text = element.attr("value").or(element.attr("alt")).unwrap_or("Submit");
        let button = self.add(element, inside, button(element), value(element));
        self.button_target(button, inside, |reader| reader.text(text, inside));
    }

    fn button(&mut self, element: ElementRef<'_>, inside: Inside) {
        let kind = element.attr("type").unwrap_or_default().to_ascii_lowercase();
        if kind == "button" || kind == "reset" {
            return self.children(element, inside);
        }
        let button = self.add(element, inside, button(element), value(element));
        self.button_target(button, inside, |reader| reader.children(element, inside));
    }

    /// A disabled button is text.
    fn button_target(&mut self, button: usize, inside: Inside, content: impl FnOnce(&mut Self)) {
        if self.document.fields[button].disabled {
            return content(self);
        }
        self.target(Leads::Button(button), inside, content);
    }

    fn target(&mut self, leads: Leads, inside: Inside, content: impl FnOnce(&mut Self)) {
        if inside.hidden {
            return content(self);
        }
        let at = self.document.targets.len();
        self.document.targets.push(Target { text: String::new(), leads });
        self.document.pieces.push(Piece::Open(at));
        let from = self.document.pieces.len();
        content(self);
        self.document.targets[at].text = label(&self.document.pieces[from..]);
        self.document.pieces.push(Piece::Close);
    }

    fn field(&mut self, element: ElementRef<'_>, inside: Inside, kind: Kind, value: String) {
        let visible = !matches!(kind, Kind::Hidden);
        let field = self.add(element, inside, kind, value);
        if visible {
            self.piece(Piece::Field(field), inside);
        }
    }

    fn add(&mut self, element: ElementRef<'_>, inside: Inside, kind: Kind, value: String) -> usize {
        let at = self.document.fields.len();
        if let Some(form) = element.attr("form") {
            self.elsewhere.push((at, form.to_owned()));
        }
        let rules = rules(element, &kind, &value);
        self.document.fields.push(Field {
            form: inside.form,
            name: element.attr("name").unwrap_or_default().to_owned(),
            value,
            disabled: inside.disabled || element.attr("disabled").is_some(),
            kind,
            rules,
        });
        at
    }
}

/// What an element of this name is, if it is more than part of a line.
fn role(name: &str) -> Option<Role> {
    Some(match name {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Role::Heading(name.as_bytes()[1] - b'0'),
        "p" | "address" | "dl" | "figure" | "hgroup" | "table" => Role::Paragraph,
        "ul" | "menu" => Role::Bullets,
        "ol" => Role::Numbers,
        "li" => Role::Item,
        "blockquote" | "dd" => Role::Quote,
        "tr" => Role::Row,
        "label" => Role::Label,
        name if BLOCKS.split(' ').any(|block| block == name) => Role::Block,
        _ => return None,
    })
}

fn button(element: ElementRef<'_>) -> Kind {
    let attribute = |name| element.attr(name).map(str::to_owned);
    Kind::Button {
        action: attribute("formaction"),
        method: attribute("formmethod").map(|method| method.to_ascii_lowercase()),
        unchecked: element.attr("formnovalidate").is_some(),
    }
}

/// What browsers demand of a field. Nothing of what cannot be filled in.
fn rules(element: ElementRef<'_>, kind: &Kind, first: &str) -> Option<Box<Rules>> {
    let has = |name| element.attr(name).is_some();
    if matches!(kind, Kind::Hidden | Kind::Button { .. }) || has("readonly") {
        return None;
    }
    let text = |name| element.attr(name).map(str::to_owned);
    let number = |name| element.attr(name)?.trim().parse().ok();
    Some(Box::new(Rules {
        input: element.attr("type").unwrap_or_default().to_ascii_lowercase(),
        required: has("required"),
        several: has("multiple"),
        min: text("min"),
        max: text("max"),
        step: text("step"),
        pattern: text("pattern"),
        least: number("minlength"),
        most: number("maxlength"),
        first: first.to_owned(),
        edited: false,
    }))
}

/// A `<select>` as it is first: if nothing is chosen, the first option that can be.
fn select(element: ElementRef<'_>) -> Kind {
    let several = element.attr("multiple").is_some();
    let mut options: Vec<_> =
        element.descendent_elements().filter(|child| child.value().name() == "option").map(option).collect();
    if !several {
        // Of several that are marked, the last one counts.
        let marked = options.iter().rposition(|option| option.on);
        let chosen = marked.or_else(|| options.iter().position(|option| !option.disabled));
        options.iter_mut().enumerate().for_each(|(at, option)| option.on = Some(at) == chosen);
    }
    Kind::Select { options, several }
}

fn option(element: ElementRef<'_>) -> Choice {
    let text = super::normal(&text_of(element));
    Choice {
        value: element.attr("value").map_or_else(|| text.clone(), str::to_owned),
        text,
        disabled: element.attr("disabled").is_some(),
        on: element.attr("selected").is_some(),
    }
}

fn value(element: ElementRef<'_>) -> String {
    element.attr("value").unwrap_or_default().to_owned()
}

fn is_hidden(element: ElementRef<'_>) -> bool {
    let style = element.attr("style").unwrap_or_default().replace(' ', "");
    element.attr("hidden").is_some() || style.contains("display:none")
}

fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect()
}
