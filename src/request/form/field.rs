//! Fields of a form: what they are made of, and how they are drawn.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use maud::{Markup, PreEscaped, Render, html};

use super::{Drawn, Form};

/// A field of a form: drawn with its label, with what was filled in, and with its error. Made by
/// [`Form::text`] and the like, and changed before it is drawn.
///
/// ```
/// use continuity::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Order { iban: String, price: f64, day: String, size: Size, extras: Vec<String> }
/// #[derive(Deserialize)]
/// enum Size { Small, Large }
///
/// async fn order(mut req: Request) -> Result<()> {
///     let order: Order = req.ask(|f| html! {
///         (f.text("iban").label("IBAN").required().autocomplete("off").attr("inputmode", "text"))
///         (f.number("price").min(0).placeholder("12.50"))
///         (f.date("day").min("2030-01-01"))
///         (f.radio("size", &[("Small", "small"), ("Large", "large")]))
///         (f.checkboxes("extras", &[("box", "in a box"), ("card", "with a card")]).label("How?"))
///         button { "Order" }
///     }).await?;
///     req.print(html! { (order.price) " from " (order.iban) " on " (order.day) ", " (order.extras.join("+")) });
///     # let _ = order.size;
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # #[cfg(feature = "test")] {
/// # use continuity::test::Browser;
/// # let mut browser = Browser::new(order);
/// # browser.get("/").await.fill("iban", "DE02").fill("price", "12.5").fill("day", "2030-02-01");
/// # browser.fill("size", "Small").fill("extras", "box").fill("extras", "card");
/// # browser.submit().await.shows("12.5 from DE02 on 2030-02-01, box+card");
/// # } }
/// ```
#[must_use = "a field is drawn by putting it into the page"]
pub struct Field {
    name: String,
    label: Option<String>,
    control: Control,
    /// What it holds; the last one counts where it holds one.
    values: Vec<String>,
    error: Option<String>,
    attributes: Vec<(&'static str, String)>,
    /// What stands behind it.
    pub(in crate::request) more: Option<Markup>,
    /// What its form knows of the fields on it.
    drawn: Rc<RefCell<Vec<Drawn>>>,
}

/// What there is to see of a field.
pub(in crate::request) enum Control {
    Input,
    /// Without a label, and unseen.
    Hidden,
    Area,
    /// One box.
    Box,
    Select(Vec<Choice>),
    Radio(Vec<Choice>),
    Boxes(Vec<Choice>),
}

/// A value and its text.
type Choice = (String, String);

fn owned(options: &[(&str, &str)]) -> Vec<Choice> {
    options.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

impl<A> Form<'_, A> {
    /// A line of text, labelled by its name, with its error.
    pub fn text(&self, field: &str) -> Field {
        self.input(field, "text")
    }

    /// An address of e-mail.
    pub fn email(&self, field: &str) -> Field {
        self.input(field, "email")
    }

    /// A number: with decimals where the type has them, unless a [`step`](Field::step) says which. Browsers let letters
    /// through; decoding does not.
    pub fn number(&self, field: &str) -> Field {
        let number = self.input(field, "number");
        if self.is_whole(field) { number } else { number.step("any") }
    }

    /// A day, which comes as `2030-12-31`.
    pub fn date(&self, field: &str) -> Field {
        self.input(field, "date")
    }

    /// An `<input>` of another type: `tel`, `url`, `time`, `color`, `range`.
    pub fn input(&self, field: &str, kind: &'static str) -> Field {
        self.field(field, Control::Input).attr("type", kind)
    }

    /// What is sent along without being seen. The visitor can change it.
    pub fn hidden(&self, field: &str) -> Field {
        self.field(field, Control::Hidden).attr("type", "hidden")
    }

    /// A password: what was filled in is not shown again.
    pub fn password(&self, field: &str) -> Field {
        let password = self.input(field, "password");
        Field { values: Vec::new(), ..password }
    }

    /// Several lines of text. Browsers send their ends as CR LF.
    pub fn textarea(&self, field: &str) -> Field {
        self.field(field, Control::Area)
    }

    /// A box to tick: `true`, or not there (`#[serde(default)]`).
    pub fn checkbox(&self, field: &str) -> Field {
        self.field(field, Control::Box)
    }

    /// One of several: pairs of value and text. With [`multiple`](Field::multiple) it is some of them, for a `Vec`.
    pub fn select(&self, field: &str, options: &[(&str, &str)]) -> Field {
        self.field(field, Control::Select(owned(options)))
    }

    /// One of several, all to be seen: pairs of value and text.
    pub fn radio(&self, field: &str, options: &[(&str, &str)]) -> Field {
        self.field(field, Control::Radio(owned(options)))
    }

    /// Some of several, with a box for each, for a `Vec`: pairs of value and text.
    pub fn checkboxes(&self, field: &str, options: &[(&str, &str)]) -> Field {
        self.field(field, Control::Boxes(owned(options)))
    }

    pub(in crate::request) fn field(&self, field: &str, control: Control) -> Field {
        self.drawn.borrow_mut().push(Drawn { field: field.to_owned(), label: None });
        Field {
            name: field.to_owned(),
            label: None,
            control,
            values: self.values(field),
            error: self.error_text(field),
            attributes: Vec::new(),
            more: None,
            drawn: self.drawn.clone(),
        }
    }
}

impl Field {
    /// What stands before it, in place of its name; also in the list of errors.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        let label = label.into();
        let mut drawn = self.drawn.borrow_mut();
        drawn
            .iter_mut()
            .filter(|drawn| drawn.field == self.name)
            .for_each(|drawn| drawn.label = Some(label.clone()));
        drop(drawn);
        self.label = Some(label);
        self
    }

    /// Browsers do not send the form before it is filled in; of [`checkboxes`](Form::checkboxes) they do. What the type
    /// needs is needed with it or without.
    pub fn required(self) -> Self {
        self.attr("required", "")
    }

    /// Browsers take no less: of a number, or of a day like `2030-12-31`. Check it in the program as well.
    pub fn min(self, least: impl Display) -> Self {
        self.attr("min", least)
    }

    /// Browsers take no more.
    pub fn max(self, most: impl Display) -> Self {
        self.attr("max", most)
    }

    /// How far apart numbers are that browsers take: `0.01`, or `any`.
    pub fn step(self, step: impl Display) -> Self {
        self.attr("step", step)
    }

    /// What browsers fill in by themselves: `email`, `postal-code`, `one-time-code`, `off`.
    pub fn autocomplete(self, what: impl Display) -> Self {
        self.attr("autocomplete", what)
    }

    /// An example, shown while nothing is filled in.
    pub fn placeholder(self, example: impl Display) -> Self {
        self.attr("placeholder", example)
    }

    /// It takes several: of a [`select`](Form::select), of files, of addresses of e-mail.
    pub fn multiple(self) -> Self {
        self.attr("multiple", "")
    }

    /// Any attribute of HTML, in place of one that it has: `attr("inputmode", "decimal")`. Without a value by `""`.
    ///
    /// # Panics
    /// If no attribute can have this name.
    pub fn attr(mut self, name: &'static str, value: impl Display) -> Self {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'<>/=".contains(c);
        assert!(!name.is_empty() && !name.contains(odd), "{name:?} is no attribute's name");
        self.attributes.retain(|(known, _)| *known != name);
        self.attributes.push((name, value.to_string()));
        self
    }

    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|(name, _)| *name == attribute)
    }

    /// The one value that counts.
    fn value(&self) -> &str {
        self.values.last().map_or("", |value| value)
    }

    fn holds(&self, value: &str) -> bool {
        self.values.iter().any(|held| held == value)
    }

    fn label_text(&self) -> String {
        self.label.clone().unwrap_or_else(|| label(&self.name))
    }

    /// The attributes of what is filled in, and more.
    fn attributes(&self, more: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &str| {
            text.push(' ');
            text.push_str(name);
            if !value.is_empty() || name == "value" {
                text.push_str("=\"");
                value.render_to(&mut text);
                text.push('"');
            }
        };
        // One that was given by hand is not given again.
        let given = |name: &str| self.has(name);
        // Of several boxes browsers would ask for each, and for a file in place of one that is kept.
        let is_there = matches!(self.control, Control::Boxes(_)) || self.more.is_some();
        let own = self.attributes.iter().filter(|(name, _)| !(is_there && *name == "required"));
        own.for_each(|(name, value)| add(name, value));
        if !given("name") {
            add("name", &self.name);
        }
        more.iter().filter(|(name, _)| !given(name)).for_each(|(name, value)| add(name, value));
        text
    }

    /// What tells those who do not see it that it is wrong, and why.
    fn aria(&self) -> Vec<(&'static str, String)> {
        match &self.error {
            None => Vec::new(),
            Some(_) => {
                vec![
                    ("aria-invalid", "true".to_owned()),
                    ("aria-describedby", format!("{}-error", self.name)),
                ]
            }
        }
    }

    /// A tag of what is filled in, open.
    fn tag(&self, name: &str, more: &[(&str, &str)]) -> Markup {
        let aria = self.aria();
        let more: Vec<_> =
            more.iter().copied().chain(aria.iter().map(|(name, value)| (*name, &**value))).collect();
        PreEscaped(format!("<{name}{}>", self.attributes(&more)))
    }

    fn labelled(&self, control: &Markup) -> Markup {
        html! { label { (self.label_text()) " " (control) } }
    }

    fn area(&self) -> Markup {
        // Of what begins with an end of line browsers take one away.
        let begin = if self.value().starts_with(['\n', '\r']) { "\n" } else { "" };
        html! { (self.tag("textarea", &[])) (begin) (self.value()) (PreEscaped("</textarea>")) }
    }

    fn select(&self, options: &[Choice]) -> Markup {
        let several = self.has("multiple");
        let is_on = |value: &str| if several { self.holds(value) } else { self.value() == value };
        html! {
            (self.tag("select", &[]))
            @for (value, text) in options { option value=(value) selected[is_on(value)] { (text) } }
            (PreEscaped("</select>"))
        }
    }

    /// Buttons or boxes of one name, each with its text.
    fn group(&self, kind: &str, options: &[Choice]) -> Markup {
        let is_radio = kind == "radio";
        let is_on = |value: &str| if is_radio { self.value() == value } else { self.holds(value) };
        let button = |value: &str| {
            let checked: &[_] = if is_on(value) { &[("checked", "")] } else { &[] };
            let own = [&[("type", kind), ("value", value)], checked].concat();
            PreEscaped(format!("<input{}>", self.attributes(&own)))
        };
        let wrong = self.error.is_some();
        html! {
            fieldset role=[is_radio.then_some("radiogroup")] aria-invalid=[(wrong && is_radio).then_some("true")]
                aria-describedby=[wrong.then(|| format!("{}-error", self.name))] {
                legend { (self.label_text()) }
                @for (value, text) in options { label { (button(value)) " " (text) } " " }
            }
        }
    }

    fn draw(&self) -> Markup {
        match &self.control {
            Control::Hidden => self.tag("input", &[("value", self.value())]),
            Control::Input => self.labelled(&self.tag("input", &[("value", self.value())])),
            Control::Area => self.labelled(&self.area()),
            Control::Box => {
                let ticked = matches!(self.value(), "true" | "on");
                let checked: &[_] = if ticked { &[("checked", "")] } else { &[] };
                let own = [&[("type", "checkbox"), ("value", "true")], checked].concat();
                html! { label { (self.tag("input", &own)) " " (self.label_text()) } }
            }
            Control::Select(options) => self.labelled(&self.select(options)),
            Control::Radio(options) => self.group("radio", options),
            Control::Boxes(options) => self.group("checkbox", options),
        }
    }
}

impl Render for Field {
    fn render(&self) -> Markup {
        html! {
            (self.draw())
            @if let Some(more) = &self.more { (more) }
            (error(&self.name, self.error.as_deref()))
        }
    }
}

/// What is wrong with a field, where its field points to.
pub(super) fn error(field: &str, text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { em class="error" id={ (field) "-error" } { (text) } } }
}

/// A field's name as people write it: `first_name` is "First name".
pub(in crate::request) fn label(field: &str) -> String {
    let mut text = field.replace(['_', '-'], " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}
