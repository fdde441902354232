//! Secrets: parameters that a program passes on and never keeps.

use std::cell::RefCell;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::Request;
use super::params::{FromParam, FromValue};
use crate::error::Error;
use crate::journal::{SECRET, inside};
use crate::wrong::Wrong;

thread_local! {
    /// Values that were read as secrets since somebody asked.
    static READ: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A parameter that never reaches the journal: a password, the number of a card.
///
/// It opens inside [`once`](Request::once) and [`read`](Request::read) only, and while the process lives: a session that
/// is rebuilt has it no more. Then [`open`](Secret::open) fails, and so does the effect; the visitor is led back to the
/// page and fills it in again. It is not shown by `Debug` and cannot be serialized. Read it before the first effect of
/// its step, as a parameter or as a field of what [`ask`](Request::ask) returns.
///
/// ```
/// use continuity::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Login { name: String, password: Secret<String> }
/// # async fn check(name: &str, password: &str) -> Result<bool> { Ok(password == "tea") }
///
/// async fn login(mut req: Request) -> Result<()> {
///     let Login { name, password } = req.ask(|f| html! {
///         (f.text("name")) (f.password("password")) button { "Log in" }
///     }).await?;
///     let right = req.read("password", async || check(&name, password.open()?).await).await?;
///     req.print(if right { "Welcome" } else { "No" });
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Secret<T>(Option<T>);

impl<T> Secret<T> {
    /// What it is. Fails outside `once` and `read`, and when it was lost with the process that got it.
    pub fn open(&self) -> Result<&T, Error> {
        if !inside::is_inside() {
            return Err(Error::new("a secret opens inside `once` or `read`, and nowhere else"));
        }
        self.0.as_ref().ok_or_else(|| {
            Error::new("the secret is gone with the process that got it: have the visitor fill it in again")
        })
    }
}

impl<T: FromValue> Secret<T> {
    fn of(value: &str) -> Result<Self, Wrong> {
        if value == SECRET {
            return Ok(Secret(None));
        }
        READ.with(|read| read.borrow_mut().push(value.to_owned()));
        T::from_value(value).map(|value| Secret(Some(value)))
    }
}

/// What was read as secrets on this thread since the last time.
pub(super) fn collected() -> Vec<String> {
    READ.with(|read| std::mem::take(&mut *read.borrow_mut()))
}

/// Reads what is nobody's: of the values that are read as secrets meanwhile none is one.
pub(super) fn unheard<T>(read: impl FnOnce() -> T) -> T {
    let before = collected();
    let value = read();
    READ.with(|read| *read.borrow_mut() = before);
    value
}

impl Request {
    /// Whether the server was told that parameters of this name are secrets.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        let journal = self.session.core.journal.as_ref();
        journal.is_some_and(|journal| journal.secrets.iter().any(|secret| secret == name))
    }

    /// Notes which values were read as secrets just now: they will not be written.
    pub(super) fn keep_secrets(&self) -> Result<(), Error> {
        let read = collected();
        if read.is_empty() {
            return Ok(());
        }
        let late = self.session.tape(|tape| {
            let late = tape.is_sealed();
            tape.secrets.extend(read);
            late
        });
        if late == Some(true) {
            return Err(Error::new(
                "a secret is read before the first effect of its step: here the hit has been written already",
            ));
        }
        Ok(())
    }
}

impl<T: FromValue> FromParam for Secret<T> {
    const IS_SECRET: bool = true;
    const TAKES_ONE: bool = true;

    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        let value = values.last().ok_or_else(|| Error::bad_input(name, Wrong::Missing))?;
        Secret::of(value).map_err(|wrong| Error::bad_input(name, wrong))
    }
}

impl<'de, T: FromValue> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        // It says what is wrong, and not with what.
        Secret::of(&value).map_err(serde::de::Error::custom)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
