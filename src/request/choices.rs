//! What a page of `choose` is drawn with: makes its links, buttons and forms.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use maud::{Markup, PreEscaped, Render, html};
use serde::Serialize;

use super::drawing::{FromForm, IntoPage, StandsFor};
use super::form::Form;
use crate::error::Error;
use crate::hit::Hit;
use crate::mapper::Cut;
use crate::page::Notice;
use crate::reply::spare;
use crate::session::Session;
use crate::step::{LINK, PARAM, Place, param};

/// About what a small link takes.
const LINK_BYTES: usize = 80;

pub(super) type Callback<S> = Box<dyn FnOnce(&mut S) + Send>;

/// What a page of [`Request::choose`](crate::Request::choose) is drawn with: makes its links, buttons and forms.
pub struct Choices<'a, T> {
    pub(super) session: &'a Session,
    pub(super) step: u32,
    /// What its tokens say of answers to it once it is old.
    pub(super) old: u32,
    /// The component whose page this is; 0: it is all of the page.
    pub(super) scope: u64,
    pub(super) cut: &'a Cut,
    pub(super) notice: Option<Notice>,
    pub(super) placed: Cell<bool>,
    pub(super) parts: Cell<u32>,
    pub(super) submitted: Option<(u32, &'a Hit)>,
    pub(super) value: RefCell<Option<T>>,
    pub(super) failed: RefCell<Option<Error>>,
}

impl<'c, T> Choices<'c, T> {
    /// A link that stands for a value. The value is signed, not hidden; at most [`token`](crate::Limits::token) bytes.
    pub fn link<R: Render, V: StandsFor<T>>(&self, text: R, value: V) -> impl Render + use<'_, 'c, T, R, V> {
        Link { choices: self, part: LINK, value, text }
    }

    /// A button that stands for a value.
    pub fn button(&self, text: impl Render, value: impl StandsFor<T>) -> Markup {
        let token = self.token(LINK, &value, &text);
        html! { form method="post" action=(self.action()) { button name=(PARAM) value=(token) { (text) } } }
    }

    /// A form as one choice: what is filled in becomes `A`, and `make` makes the choice of it. Shown again with its
    /// errors until it is right.
    pub fn form<A: FromForm, P: IntoPage>(
        &self,
        make: impl FnOnce(A) -> T,
        page: impl FnOnce(&Form<'_, A>) -> P,
    ) -> Markup {
        let part = self.part();
        let form = Form::new(self.used(part));
        let inside = page(&form).into_markup();
        let enctype = form.has_files.get().then_some("multipart/form-data");
        if let Some(answer) = form.into_answer() {
            *self.value.borrow_mut() = Some(make(answer));
        }
        let token = self.token(part, &(), &"a form");
        html! {
            form method="post" action=(self.action()) enctype=[enctype] {
                input type="hidden" name=(PARAM) value=(token);
                (inside)
            }
        }
    }

    /// What the visitor is told if they come from an older page. If a page does not place it, it stands on top.
    pub fn notice(&self) -> Markup {
        self.placed.set(true);
        match self.notice {
            Some(notice) => self.session.core.pages.draw_notice(notice),
            None => PreEscaped(String::new()),
        }
    }

    /// The program's own state: see [`Request::app`](crate::Request::app).
    pub fn app<A: Send + Sync + 'static>(&self) -> Arc<A> {
        self.session.core.app()
    }

    /// A link whose value is made when the page is drawn to find it.
    fn part_link<R: Render>(&self, text: R, make: impl FnOnce() -> T) -> Link<'_, 'c, T, (), R> {
        let part = self.part();
        if self.used(part).is_some() {
            *self.value.borrow_mut() = Some(make());
        }
        Link { choices: self, part, value: (), text }
    }

    fn part(&self) -> u32 {
        self.parts.set(self.parts.get() + 1);
        self.parts.get()
    }

    pub(super) fn used(&self, part: u32) -> Option<&Hit> {
        self.submitted.filter(|(used, _)| *used == part).map(|(_, hit)| hit)
    }

    fn token<V: Serialize>(&self, part: u32, value: &V, text: &impl Render) -> String {
        let mut token = String::new();
        self.seal(part, value, text, &mut token);
        token
    }

    /// Adds the token of a value. A value that cannot be sealed fails the page.
    fn seal<V: Serialize>(&self, part: u32, value: &V, text: &impl Render, token: &mut String) {
        let core = &self.session.core;
        let (serial, step, part) = (self.session.serial, self.step, part | self.old);
        let place = Place { serial, step, part, scope: self.scope };
        if let Err(error) = core.seal.seal(place, value, core.limits.token, token) {
            let what = format!("the choice `{}` cannot be made", text.render().into_string());
            self.failed.borrow_mut().get_or_insert(Error::caused(what, error));
        }
    }

    /// The same place, with what the session's links carry on.
    fn action(&self) -> String {
        if self.cut.params().is_empty() {
            return "?".to_owned();
        }
        let mut query = form_urlencoded::Serializer::new(String::from("?"));
        query.extend_pairs(self.cut.params()).finish()
    }
}

/// A link, sealed as it is drawn.
struct Link<'a, 'c, T, V, R> {
    choices: &'a Choices<'c, T>,
    part: u32,
    value: V,
    text: R,
}

impl<T, V: Serialize, R: Render> Render for Link<'_, '_, T, V, R> {
    fn render_to(&self, buffer: &mut String) {
        if buffer.capacity() - buffer.len() < LINK_BYTES {
            grow(buffer);
        }
        if self.choices.cut.params().is_empty() {
            buffer.push_str(concat!("<a href=\"?", param!(), "="));
        } else {
            buffer.push_str("<a href=\"");
            self.choices.action().render_to(buffer);
            buffer.push_str(concat!("&amp;", param!(), "="));
        }
        // Digits need no escaping.
        self.choices.seal(self.part, &self.value, &self.text, buffer);
        buffer.push_str("\">");
        self.text.render_to(buffer);
        buffer.push_str("</a>");
    }
}

/// A page with one link has more of them: memory for some at once.
///
/// A new block and not a longer one: allocators have blocks of a usual size at hand, and take the long way to lengthen
/// one.
fn grow(buffer: &mut String) {
    let mut longer = spare::take(2 * buffer.capacity() + 4 * LINK_BYTES);
    longer.push_str(buffer);
    *buffer = longer;
}

/// What a page of [`Request::callbacks`](crate::Request::callbacks) is drawn with.
pub struct Callbacks<'a, 'c, S>(pub(super) &'a Choices<'c, Callback<S>>);

impl<'c, S> Callbacks<'_, 'c, S> {
    /// A link that runs `callback` on the state.
    pub fn link<R, C>(&self, text: R, callback: C) -> impl Render + use<'_, 'c, S, R, C>
    where
        R: Render,
        C: FnOnce(&mut S) + Send + 'static,
    {
        self.0.part_link(text, || Box::new(callback))
    }

    /// What the visitor is told if they come from an older page: see [`Choices::notice`].
    pub fn notice(&self) -> Markup {
        self.0.notice()
    }
}

impl<T> std::fmt::Debug for Choices<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Choices").field("step", &self.step).finish_non_exhaustive()
    }
}

impl<S> std::fmt::Debug for Callbacks<'_, '_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Callbacks").field(self.0).finish()
    }
}
