//! `ask`: a form that is shown until what comes back is right.

mod field;
#[cfg(feature = "multipart")]
mod kept;
#[cfg(not(feature = "multipart"))]
#[path = "form/no_kept.rs"]
mod kept;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Request;
use super::choose::ByForm;
use super::decode::{self, Asked};
use crate::error::Error;
use crate::hit::Hit;
use crate::log::Line;
use crate::wrong::Wrong;
pub use field::Field;
pub(super) use field::label;
pub(super) use kept::Kept;

/// Where the list of errors goes: it is made when all fields are drawn, and their labels known.
const ERRORS: &str = "<!--continuity:errors-->";

impl Request {
    /// Shows a form and returns what was filled in, as `A`: decoded, checked, shown again with its errors until right.
    ///
    /// `A` is a struct with a field for each of the form's; see [`decode`](Self::decode) for how they are read. One that no
    /// form can fill in is an error when the form is first shown. All fields that are wrong are told at once; the checks
    /// look when all of them can be read.
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
        A: DeserializeOwned,
        F: Fn(&Form<'_, A>) -> Markup,
    {
        self.choose_at::<A, _, ByForm>(Location::caller(), move |c| {
            html! { (c.notice()) (c.form(|answer| answer, |f| page(f))) }
        })
    }
}

/// A form being drawn: its fields with what was filled in, its checks, its errors.
pub struct Form<'a, A> {
    pub(super) submitted: Option<&'a Hit>,
    answer: Option<A>,
    start: RefCell<Vec<(String, String)>>,
    errors: RefCell<Vec<Problem>>,
    /// The fields that were drawn, with their labels where they are not made of the name.
    drawn: Rc<RefCell<Vec<Drawn>>>,
    /// Finds out what the type asks for.
    look: fn(&[&str]) -> Asked,
    asked: OnceCell<Asked>,
    /// A mistake of the program's.
    failed: RefCell<Option<Error>>,
    /// It has a field for files: they are sent only if the form says so.
    pub(super) has_files: Cell<bool>,
    /// The files that wait for it to be right.
    #[cfg_attr(not(feature = "multipart"), expect(dead_code, reason = "no files come then"))]
    pub(super) kept: &'a Kept,
}

/// A field that was drawn.
struct Drawn {
    field: String,
    label: Option<String>,
}

struct Problem {
    field: String,
    message: Message,
}

enum Message {
    Wrong(Wrong),
    /// What a check of the program's says.
    Said(Cow<'static, str>),
}

impl<'a, A: DeserializeOwned> Form<'a, A> {
    /// The form as it is first, or with what was filled in.
    pub(super) fn new(submitted: Option<&'a Hit>, kept: &'a Kept) -> Self {
        let mut form = Form {
            submitted,
            answer: None,
            start: RefCell::default(),
            errors: RefCell::default(),
            drawn: Rc::default(),
            look: Asked::by::<A>,
            asked: OnceCell::new(),
            failed: RefCell::default(),
            has_files: Cell::new(false),
            kept,
        };
        if let Some(hit) = submitted {
            let errors = form.errors.get_mut();
            let refused = kept.refused().into_iter();
            errors.extend(refused.map(|(field, wrong)| Problem { field, message: Message::Wrong(wrong) }));
            match decode::all::<A>(hit) {
                Ok(answer) => form.answer = Some(answer),
                Err(problems) => form.note(problems),
            }
        }
        form
    }

    fn note(&mut self, problems: Vec<decode::Problem>) {
        for decode::Problem { field, wrong, why } in problems {
            tracing::debug!(field, %wrong, why = %Line(why), "a form was not right");
            self.errors.get_mut().push(Problem { field, message: Message::Wrong(wrong) });
        }
    }

    /// Draws what is inside of it. Fails where no visitor could ever fill it in.
    pub(super) fn draw(&self, page: impl FnOnce(&Self) -> Markup) -> Result<Markup, Error> {
        let inside = page(self);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.submitted.is_none() {
            self.look_for_mistakes()?;
            return Ok(inside);
        }
        Ok(PreEscaped(inside.0.replace(ERRORS, &self.list_errors().0)))
    }

    fn look_for_mistakes(&self) -> Result<(), Error> {
        let drawn = self.drawn.borrow();
        let drawn: Vec<&str> = drawn.iter().map(|drawn| &*drawn.field).collect();
        let asked = self.asked();
        let mistake = match asked.is_closed() {
            true => (self.look)(&drawn).mistake(&drawn),
            false => asked.mistake(&drawn),
        };
        mistake.map_or(Ok(()), |why| {
            let of = std::any::type_name::<A>();
            Err(Error::new(format!("no form can fill in `{of}`: {why}")))
        })
    }

    /// What was filled in, if all of it is right.
    pub(super) fn into_answer(self) -> Option<A> {
        if self.errors.borrow().is_empty() { self.answer } else { None }
    }
}

impl<A> Form<'_, A> {
    /// Demands that `right` holds for what was filled in; else `message` stands at `field`. Checks come before the
    /// field that shows their error.
    pub fn check(&self, right: impl FnOnce(&A) -> bool, field: &str, message: impl Into<Cow<'static, str>>) {
        if self.answer.as_ref().is_some_and(|answer| !right(answer)) {
            let message = Message::Said(message.into());
            self.errors.borrow_mut().push(Problem { field: field.to_owned(), message });
        }
    }

    /// What the fields hold before the visitor fills them in. Fails, with the page, if a field cannot be one of a form.
    pub fn start_with(&self, values: &impl Serialize) {
        match serde_html_form::to_string(values) {
            Ok(encoded) => {
                *self.start.borrow_mut() = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
            }
            Err(error) => {
                *self.failed.borrow_mut() = Some(Error::caused("a form cannot start with this", error))
            }
        }
    }

    /// All errors, as a list; nothing if there are none.
    pub fn errors(&self) -> Markup {
        PreEscaped(if self.submitted.is_some() { ERRORS } else { "" }.to_owned())
    }

    fn list_errors(&self) -> Markup {
        let (errors, drawn) = (self.errors.borrow(), self.drawn.borrow());
        if errors.is_empty() {
            return PreEscaped(String::new());
        }
        let label = |field: &str| {
            let drawn = drawn.iter().find(|drawn| drawn.field == field);
            drawn.and_then(|drawn| drawn.label.clone()).unwrap_or_else(|| match field {
                "" => "This form".to_owned(),
                field => label(field),
            })
        };
        html! {
            ul class="errors" role="alert" {
                @for Problem { field, message } in errors.iter() {
                    li {
                        @match message {
                            Message::Wrong(wrong) => { (label(field)) " " (wrong.to_string()) }
                            Message::Said(text) => { @if !field.is_empty() { (label(field)) ": " } (text) }
                        }
                    }
                }
            }
        }
    }

    /// The error of one field; nothing if there is none.
    pub fn error(&self, field: &str) -> Markup {
        field::error(field, self.error_text(field).as_deref())
    }

    fn error_text(&self, field: &str) -> Option<String> {
        let errors = self.errors.borrow();
        let found = errors.iter().find(|error| error.field == field)?;
        Some(match &found.message {
            Message::Wrong(wrong) => format!("This {wrong}"),
            Message::Said(text) => text.clone().into_owned(),
        })
    }

    /// What a field holds: what was filled in, else what it started with. Of several the one that counts.
    pub fn value(&self, field: &str) -> String {
        let filled_in = |hit: &Hit| hit.param(field).map(Cow::into_owned);
        let counts = match self.submitted {
            Some(hit) => filled_in(hit),
            None => self.values(field).pop(),
        };
        counts.unwrap_or_default()
    }

    /// All that a field holds, where it takes several.
    pub fn values(&self, field: &str) -> Vec<String> {
        let is_its = |name: &str| name == field;
        match self.submitted {
            Some(hit) => {
                let its = hit.params().filter(|(name, _)| is_its(name));
                its.map(|(_, value)| value.into_owned()).collect()
            }
            None => {
                let start = self.start.borrow();
                start.iter().filter(|(name, _)| is_its(name)).map(|(_, value)| value.clone()).collect()
            }
        }
    }

    /// What the type asks for, as far as it says so itself.
    fn asked(&self) -> &Asked {
        self.asked.get_or_init(|| (self.look)(&[]))
    }

    /// Whether the type's field is a whole number.
    fn is_whole(&self, field: &str) -> bool {
        self.asked().is_whole(field).unwrap_or_else(|| (self.look)(&[field]).is_whole(field) == Some(true))
    }
}

impl<A> std::fmt::Debug for Form<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("errors", &self.errors.borrow().len()).finish_non_exhaustive()
    }
}
