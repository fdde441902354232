//! What serde says went wrong while a type was read, and where.
//!
//! What stands in a flattened struct or a tagged enum serde reads twice: once into memory, as whatever comes, and then from
//! there as what is wanted. We see the first time only. What the second one wants is known by what it complains of, and which
//! value it means by where its text stands in memory: serde hands on what is borrowed as it is. Complaints that serde drops,
//! because another variant of an untagged enum fits, are heard too.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::wrong::{Wanted, Wrong};

thread_local! {
    /// Complaints since the last reading began.
    static COMPLAINTS: RefCell<Vec<Complaint>> = const { RefCell::new(Vec::new()) };
}

/// Something was met that is not what was wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Complaint {
    pub(super) met: Met,
    pub(super) wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Met {
    /// A text, by where it stands.
    Text(usize),
    Number(f64),
    Nothing,
    List,
}

/// Where a text stands: what tells it from an equal one.
pub(super) fn place(text: &str) -> usize {
    text.as_ptr().addr()
}

/// The complaints since this was asked last.
pub(super) fn complaints() -> Vec<Complaint> {
    COMPLAINTS.with(|complaints| std::mem::take(&mut *complaints.borrow_mut()))
}

/// Why a type could not be read.
#[derive(Debug)]
pub(super) struct Fault {
    /// The field it happened at, if that is known.
    pub(super) field: Option<String>,
    /// What it happened at.
    pub(super) met: Option<Met>,
    /// What could have been chosen.
    pub(super) variants: Option<&'static [&'static str]>,
    pub(super) kind: Kind,
    /// What serde says, for the log.
    pub(super) why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Wrong(Wrong),
    /// A field did not come at all.
    Missing(&'static str),
    /// One of several that says nothing, where one is wanted that may.
    Nothing,
    /// No form can send what is wanted: a mistake of the program's.
    Impossible,
}

impl Fault {
    pub(super) fn new(kind: Kind, why: impl Into<String>) -> Fault {
        Fault { field: None, met: None, variants: None, kind, why: why.into() }
    }

    pub(super) fn wrong(wrong: Wrong) -> Fault {
        let why = wrong.to_string();
        Fault::new(Kind::Wrong(wrong), why)
    }

    /// The same, at this field unless one inside of it is known.
    pub(super) fn at(mut self, field: &str) -> Fault {
        self.field.get_or_insert_with(|| field.to_owned());
        self
    }

    fn complain(met: Unexpected<'_>, expected: &dyn Expected, how: &str) -> Fault {
        let (why, expected) = (format!("{how}: {met}, expected {expected}"), expected.to_string());
        let wrong = match met {
            Unexpected::Unit => Wrong::Missing,
            Unexpected::Unsigned(number) => Wrong::beyond(number.into(), &expected),
            Unexpected::Signed(number) => Wrong::beyond(number.into(), &expected),
            _ => Wrong::expecting(&expected),
        };
        let met = match met {
            Unexpected::Str(text) => Some(Met::Text(place(text))),
            Unexpected::Unsigned(number) => Some(Met::Number(number as f64)),
            Unexpected::Signed(number) => Some(Met::Number(number as f64)),
            Unexpected::Float(number) => Some(Met::Number(number)),
            Unexpected::Unit => Some(Met::Nothing),
            Unexpected::Seq => Some(Met::List),
            _ => None,
        };
        Fault { met, ..Fault::new(Kind::Wrong(wrong), why) }.heard(Wanted::of(&expected))
    }

    /// Notes the complaint, in case that serde drops it.
    fn heard(self, wanted: Wanted) -> Fault {
        if let Some(met) = self.met {
            COMPLAINTS.with(|complaints| complaints.borrow_mut().push(Complaint { met, wanted }));
        }
        self
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let why = message.to_string();
        // So serde refuses integers of 128 bits where it reads from its memory.
        let kind = match why.ends_with(" is not supported") {
            true => Kind::Impossible,
            false => Kind::Wrong(Wrong::by_text(&why).unwrap_or(Wrong::Unfit)),
        };
        Fault::new(kind, why)
    }

    fn invalid_type(met: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::complain(met, expected, "invalid type")
    }

    fn invalid_value(met: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::complain(met, expected, "invalid value")
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let why = format!("unknown variant `{variant}`, expected one of {expected:?}");
        let (met, variants) = (Some(Met::Text(place(variant))), Some(expected));
        Fault { met, variants, ..Fault::new(Kind::Wrong(Wrong::Choice), why) }.heard(Wanted::Other)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let why = format!("unknown field `{field}`, expected one of {expected:?}");
        Fault::new(Kind::Wrong(Wrong::Unknown), why).at(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Fault::new(Kind::Missing(field), format!("missing field `{field}`")).at(field)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Fault {}
