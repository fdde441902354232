//! One error type for what a caller can meet; panics are for what only our bug can cause.
//!
//! A visitor never sees an [`Error`]: a page shows a status and an id, the log has the rest under the same id.

use std::fmt;

use crate::wrong::Wrong;

/// Characters of a wrong value that an error repeats.
const SHOWN: usize = 40;

/// Any error a session function may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What session functions return: `async fn counter(req: Request) -> Result<()>`.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// What a verb of [`Request`](crate::Request) can fail with. Opaque: ask it what it is.
///
/// Pass it on with `?`. A session that returns it is ended; whether that is an error for the log and the visitor
/// depends on what it is: closing is none, bad input is a 400 page naming the field, all else a 500 page.
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Closing,
    BadInput { field: String, wrong: Wrong, value: Option<String>, source: Option<BoxError> },
    Effect { name: &'static str, source: BoxError },
    Unknown { name: &'static str },
    Other { what: String, source: Option<BoxError> },
}

impl Error {
    /// The session is about to end: clean up and return. Verbs that ask for a hit never return after this;
    /// `once`, `read`, `now`, `rng` and `sleep` still work until [`grace`](crate::Limits::grace) is over.
    pub fn is_closing(&self) -> bool {
        matches!(*self.0, Kind::Closing)
    }

    /// The visitor sent something that does not fit: a missing parameter, or letters where a number was asked for.
    pub fn is_bad_input(&self) -> bool {
        matches!(*self.0, Kind::BadInput { .. })
    }

    /// An effect was tried, and the process died before its end was known: see
    /// [`at_most_once`](crate::Request::at_most_once).
    pub fn is_unknown(&self) -> bool {
        matches!(*self.0, Kind::Unknown { .. })
    }

    /// The name of the parameter that did not fit, if this is bad input.
    pub fn field(&self) -> Option<&str> {
        match &*self.0 {
            Kind::BadInput { field, .. } => Some(field),
            _ => None,
        }
    }

    pub(crate) fn closing() -> Self {
        Error(Box::new(Kind::Closing))
    }

    pub(crate) fn bad_input(field: impl Into<String>, wrong: Wrong) -> Self {
        Error(Box::new(Kind::BadInput { field: field.into(), wrong, value: None, source: None }))
    }

    /// Bad input that the visitor is shown again, shortened.
    pub(crate) fn bad_value(field: impl Into<String>, wrong: Wrong, value: &str) -> Self {
        let value = Some(value.chars().take(SHOWN).collect());
        Error(Box::new(Kind::BadInput { field: field.into(), wrong, value, source: None }))
    }

    /// Bad input, with what the log may know and the visitor does not need to.
    pub(crate) fn unfit(field: impl Into<String>, wrong: Wrong, source: impl Into<BoxError>) -> Self {
        Error(Box::new(Kind::BadInput {
            field: field.into(),
            wrong,
            value: None,
            source: Some(source.into()),
        }))
    }

    pub(crate) fn effect(name: &'static str, source: BoxError) -> Self {
        Error(Box::new(Kind::Effect { name, source }))
    }

    pub(crate) fn unknown(name: &'static str) -> Self {
        Error(Box::new(Kind::Unknown { name }))
    }

    pub(crate) fn new(what: impl Into<String>) -> Self {
        Error(Box::new(Kind::Other { what: what.into(), source: None }))
    }

    pub(crate) fn caused(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Error(Box::new(Kind::Other { what: what.into(), source: Some(source.into()) }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Closing => f.write_str("the session is closing"),
            Kind::BadInput { field, wrong, value: Some(value), .. } => {
                write!(f, "parameter `{field}` {wrong}: {value:?}")
            }
            Kind::BadInput { field, wrong, .. } => write!(f, "parameter `{field}` {wrong}"),
            Kind::Effect { name, .. } => write!(f, "`{name}` failed"),
            Kind::Unknown { name } => write!(f, "`{name}` was tried, and nobody knows what came of it"),
            Kind::Other { what, .. } => f.write_str(what),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Effect { source, .. } => Some(&**source),
            Kind::Other { source, .. } | Kind::BadInput { source, .. } => {
                source.as_deref().map(|source| source as _)
            }
            Kind::Closing | Kind::Unknown { .. } => None,
        }
    }
}

/// An error with all its causes on one line, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_says_what_it_is() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert!(Error::closing().is_closing());
        let bad = Error::bad_value("num", Wrong::Number, "abc");
        assert!(bad.is_bad_input() && !bad.is_closing());
        assert_eq!(bad.to_string(), "parameter `num` is not a number: \"abc\"");
        assert!(Error::bad_value("num", Wrong::Number, &"x".repeat(1000)).to_string().len() < 100);
    }

    #[test]
    fn the_chain_names_every_cause() {
        let error = Error::effect("charge card", Error::new("gateway says no").into());
        assert_eq!(Chain(&error).to_string(), "`charge card` failed: gateway says no");
    }

    #[test]
    fn what_a_parser_says_is_for_the_log() {
        let error = Error::unfit("day", Wrong::Unfit, "premature end of input");
        assert_eq!(error.to_string(), "parameter `day` is not what is needed here");
        assert_eq!(
            Chain(&error).to_string(),
            "parameter `day` is not what is needed here: premature end of input"
        );
    }
}
