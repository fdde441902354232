//! `ask`: a form that is shown until what comes back is right.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::panic::Location;

use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::choose::ByForm;
use super::drawing::{DrawsForm, FromForm, IntoPage};
use super::{Request, params};
use crate::error::Error;
use crate::hit::Hit;

impl Request {
    /// Shows a form and returns what was filled in, as `A`: decoded, checked, shown again with its errors until right.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// #[derive(Deserialize)]
    /// struct Address { street: String, zip: String }
    ///
    /// async fn ship(mut req: Request) -> Result<()> {
    ///     let address: Address = req.ask(|f| {
    ///         f.check(|a: &Address| a.zip.len() == 5, "zip", "five digits, please");
    ///         html! { (f.errors()) (f.text("street")) (f.text("zip")) button { "Go on" } }
    ///     }).await?;
    ///     req.print(html! { "To " (address.street) ", " (address.zip) });
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn ask<A, F>(&mut self, page: F) -> impl Future<Output = Result<A, Error>>
    where
        A: FromForm,
        F: DrawsForm<A>,
    {
        self.choose_at::<A, _, ByForm>(Location::caller(), move |c| {
            html! { (c.notice()) (c.form(|answer| answer, |f| page(f).into_markup())) }
        })
    }
}

/// A form being drawn: its fields with what was filled in, its checks, its errors.
pub struct Form<'a, A> {
    submitted: Option<&'a Hit>,
    answer: Option<A>,
    start: RefCell<Vec<(String, String)>>,
    errors: RefCell<Vec<Problem>>,
    /// It has a field for files: they are sent only if the form says so.
    pub(super) has_files: Cell<bool>,
}

struct Problem {
    field: String,
    message: Cow<'static, str>,
}

impl<'a, A: DeserializeOwned> Form<'a, A> {
    /// The form as it is first, or with what was filled in.
    pub(super) fn new(submitted: Option<&'a Hit>) -> Self {
        let mut form = Form {
            submitted,
            answer: None,
            start: RefCell::default(),
            errors: RefCell::default(),
            has_files: Cell::new(false),
        };
        match submitted.map(params::decode::<A>) {
            None => {}
            Some(Ok(answer)) => form.answer = Some(answer),
            Some(Err(error)) => {
                let field = error.field().unwrap_or_default().to_owned();
                form.errors.get_mut().push(Problem { field, message: params::why(&error).into() });
            }
        }
        form
    }

    /// What was filled in, if all of it is right.
    pub(super) fn into_answer(self) -> Option<A> {
        if self.errors.borrow().is_empty() { self.answer } else { None }
    }
}

impl<A> Form<'_, A> {
    /// Demands that `right` holds for what was filled in; else `message` stands at `field`. Checks come before the
    /// markup that shows their errors.
    pub fn check(&self, right: impl FnOnce(&A) -> bool, field: &str, message: impl Into<Cow<'static, str>>) {
        if self.answer.as_ref().is_some_and(|answer| !right(answer)) {
            self.errors.borrow_mut().push(Problem { field: field.to_owned(), message: message.into() });
        }
    }

    /// What the fields hold before the visitor fills them in.
    pub fn start_with(&self, values: &impl Serialize) {
        let encoded = serde_html_form::to_string(values).unwrap_or_default();
        *self.start.borrow_mut() = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
    }

    /// All errors, as a list; nothing if there are none.
    pub fn errors(&self) -> Markup {
        let errors = self.errors.borrow();
        if errors.is_empty() {
            return PreEscaped(String::new());
        }
        html! {
            ul class="errors" role="alert" {
                @for error in errors.iter() {
                    li { @if !error.field.is_empty() { (label(&error.field)) ": " } (error.message) }
                }
            }
        }
    }

    /// The error of one field; nothing if there is none.
    pub fn error(&self, field: &str) -> Markup {
        let errors = self.errors.borrow();
        let found = errors.iter().find(|error| error.field == field);
        html! { @if let Some(error) = found { em class="error" id={ (field) "-error" } { (error.message) } } }
    }

    /// What a field holds: what was filled in, else what it started with.
    pub fn value(&self, field: &str) -> String {
        match self.submitted {
            Some(hit) => hit.param(field).map(Cow::into_owned).unwrap_or_default(),
            None => {
                let start = self.start.borrow();
                start
                    .iter()
                    .find(|(name, _)| name == field)
                    .map(|(_, value)| value.clone())
                    .unwrap_or_default()
            }
        }
    }

    /// A line of text, labelled by its name, with its error.
    pub fn text(&self, field: &str) -> Markup {
        self.input("text", field)
    }

    /// An address of e-mail.
    pub fn email(&self, field: &str) -> Markup {
        self.input("email", field)
    }

    /// A number. Browsers let letters through; decoding does not.
    pub fn number(&self, field: &str) -> Markup {
        self.input("number", field)
    }

    /// A password: what was filled in is not shown again.
    pub fn password(&self, field: &str) -> Markup {
        html! { label { (label(field)) " " input type="password" name=(field); } (self.error(field)) }
    }

    /// Several lines of text.
    pub fn textarea(&self, field: &str) -> Markup {
        html! { label { (label(field)) " " textarea name=(field) { (self.value(field)) } } (self.error(field)) }
    }

    /// A box to tick: `true`, or not there (`#[serde(default)]`).
    pub fn checkbox(&self, field: &str) -> Markup {
        let ticked = self.value(field) == "true";
        html! {
            label { input type="checkbox" name=(field) value="true" checked[ticked]; " " (label(field)) }
            (self.error(field))
        }
    }

    /// One of several: pairs of value and text.
    pub fn select(&self, field: &str, options: &[(&str, &str)]) -> Markup {
        let chosen = self.value(field);
        html! {
            label {
                (label(field)) " "
                select name=(field) {
                    @for (value, text) in options { option value=(value) selected[*value == chosen] { (text) } }
                }
            }
            (self.error(field))
        }
    }

    fn input(&self, kind: &str, field: &str) -> Markup {
        let wrong = self.errors.borrow().iter().any(|error| error.field == field);
        let describes = wrong.then(|| format!("{field}-error"));
        html! {
            label {
                (label(field)) " "
                input type=(kind) name=(field) value=(self.value(field))
                    aria-invalid=[wrong.then_some("true")] aria-describedby=[describes];
            }
            (self.error(field))
        }
    }
}

/// A field's name as people write it: `first_name` is "First name".
pub(super) fn label(field: &str) -> String {
    let mut text = field.replace(['_', '-'], " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

impl<A> std::fmt::Debug for Form<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("errors", &self.errors.borrow().len()).finish_non_exhaustive()
    }
}
