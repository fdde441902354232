//! Parameters as your type: all of them become a struct, each is read as its field wants it.
//!
//! A type is read as often as it takes: again without a field that was wrong, so that all that is wrong is found, and again
//! with a value handed on in another way, where serde has read it into its memory before it said what it wants
//! (`#[serde(flatten)]`, `tag`, `untagged`). Mostly that is once.

mod fault;
mod names;
mod probe;
mod value;

use serde::de::DeserializeOwned;

use super::params::{FromValue, is_blank, visible};
use crate::error::Error;
use crate::hit::Hit;
use crate::wrong::{Wanted, Wrong};
use fault::{Complaint, Fault, Kind, Met, complaints};
use names::{As, Name, Names, Number};
pub(super) use probe::Asked;

/// How often a type is read at most: once, and once more for each field that is wrong or in serde's memory.
const READINGS: usize = 100;

/// What may be a text, a character and a number.
const ONE: &str = "1";

/// Something that is wrong with a field; with the form as a whole, if the field has no name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) field: String,
    pub(super) wrong: Wrong,
    /// What serde says, for the log.
    pub(super) why: String,
}

/// All parameters of a hit as `T`; the error names the first field that is wrong.
pub(super) fn hit<T: DeserializeOwned>(hit: &Hit) -> Result<T, Error> {
    all(hit).map_err(|problems| {
        let first = problems.into_iter().next().expect("what cannot be read has a problem");
        Error::unfit(first.field, first.wrong, first.why)
    })
}

/// All parameters of a hit as `T`, or all that is wrong with them.
pub(super) fn all<T: DeserializeOwned>(hit: &Hit) -> Result<T, Vec<Problem>> {
    let pairs: Vec<(String, String)> = visible(hit.params(), hit).collect();
    let of_body = visible(hit.body_params(), hit).count();
    read(&pairs, of_body)
}

/// Reads a type of pairs, of which the first `of_body` came in the body.
fn read<T: DeserializeOwned>(pairs: &[(String, String)], of_body: usize) -> Result<T, Vec<Problem>> {
    // Each value has a place of its own in memory, an empty one too: so it is known again.
    let texts: String = pairs.iter().flat_map(|(_, value)| [&**value, "\0"]).collect();
    let mut reading = Reading { names: Names::of(pairs, &texts, of_body), ..Reading::default() };
    // What another variant made of it, where a better one did not come of it.
    let mut before = None;
    while reading.readings < READINGS {
        let (read, heard) = reading.run::<T>();
        if reading.heed(&heard) {
            before = read.ok().or(before);
            continue;
        }
        match read {
            Ok(value) if reading.problems.is_empty() => return Ok(reading.without_blanks(value)),
            Err(fault) if before.is_none() && reading.goes_on_without(&fault) => {}
            Ok(_) | Err(_) => break,
        }
    }
    match before {
        Some(value) if reading.problems.is_empty() => Ok(value),
        _ if reading.problems.is_empty() => {
            let why = format!("it was read {READINGS} times");
            Err(vec![Problem { field: String::new(), wrong: Wrong::Unfit, why }])
        }
        _ => Err(reading.problems),
    }
}

/// A type while it is read.
#[derive(Debug, Default)]
struct Reading<'de> {
    names: Names<'de>,
    problems: Vec<Problem>,
    readings: usize,
    /// The name that is handed on as nothing, to see whether that fits.
    as_nothing: Option<usize>,
}

impl<'de> Reading<'de> {
    fn run<T: DeserializeOwned>(&mut self) -> (Result<T, Fault>, Vec<Complaint>) {
        self.readings += 1;
        complaints();
        let read = T::deserialize(&self.names);
        let heard = if self.names.is_buffered() { complaints() } else { Vec::new() };
        (read, heard)
    }

    /// Hands values on as what serde wants of them. Whether there is one to try.
    fn heed(&mut self, heard: &[Complaint]) -> bool {
        let mut changed = false;
        for complaint in heard {
            changed |= match complaint.met {
                Met::Text(at) => self.names.at_text(at).is_some_and(|at| self.adapt(at, complaint.wanted)),
                Met::Nothing => self.as_nothing.take().is_some_and(|at| self.as_text(at)),
                Met::List => self.one_of_a_list(),
                Met::Number(_) => false,
            };
        }
        changed
    }

    /// Hands a text on as what is wanted, if it can be that.
    fn adapt(&mut self, at: usize, wanted: Wanted) -> bool {
        let name = &mut self.names.names[at];
        if name.as_what != As::Text {
            return false;
        }
        if wanted == Wanted::List && !name.as_list && !name.tried.list {
            (name.as_list, name.tried.list) = (true, true);
            return true;
        }
        let Some(text) = name.counts() else { return false };
        let as_what = match wanted {
            Wanted::Whole | Wanted::Number if name.values.iter().any(|text| Number::read(text).is_some()) => {
                As::Number
            }
            Wanted::Truth if bool::from_value(text).is_ok() => As::Truth,
            _ if is_blank(text) && !name.as_list && !name.tried.nothing => {
                (name.tried.nothing, self.as_nothing) = (true, Some(at));
                As::Nothing
            }
            _ => return false,
        };
        name.as_what = as_what;
        true
    }

    fn as_text(&mut self, at: usize) -> bool {
        self.names.names[at].as_what = As::Text;
        true
    }

    /// One of those that came several times is wanted once; serde does not say which.
    fn one_of_a_list(&mut self) -> bool {
        let list =
            self.names.names.iter_mut().find(|name| name.as_list && !name.tried.list && !name.left_out);
        list.is_some_and(|name| {
            name.as_list = false;
            true
        })
    }

    /// Notes what is wrong. Whether there may be more to find without that.
    fn goes_on_without(&mut self, fault: &Fault) -> bool {
        let at = self.at(fault);
        let is_blank = |at: usize| self.names.names[at].counts().is_some_and(is_blank);
        let (at, wrong) = match (&fault.kind, at) {
            (Kind::Missing(name), None) => {
                self.names.names.push(Name::absent(name));
                return true;
            }
            (Kind::Nothing, Some(at)) if self.names.names[at].as_what != As::Nothing => {
                self.names.names[at].as_what = As::Nothing;
                return true;
            }
            (Kind::Missing(_) | Kind::Nothing, at) => (at, Wrong::Missing),
            (Kind::Wrong(_), Some(at)) if is_blank(at) => (Some(at), Wrong::Missing),
            (Kind::Wrong(wrong), at) => (at, wrong.clone()),
            (Kind::Impossible, at) => (at, Wrong::Kind),
        };
        let field = at.map_or("", |at| self.names.names[at].name);
        let is_known = self.problems.iter().any(|problem| problem.field == field || field.is_empty());
        if !is_known {
            self.problems.push(Problem { field: field.to_owned(), wrong, why: fault.why.clone() });
        }
        at.is_some_and(|at| self.stands_in(at, is_known, fault))
    }

    /// Puts something that may fit in a wrong value's place: without one serde says of that field that it is missing, and
    /// of no other. What serde has in its memory is left out: of a tag, any other would ask for other fields.
    fn stands_in(&mut self, at: usize, is_known: bool, fault: &Fault) -> bool {
        let is_buffered = self.names.is_buffered();
        let name = &mut self.names.names[at];
        match (is_buffered, is_known) {
            (true, _) => return !std::mem::replace(&mut name.left_out, true),
            (false, true) => return name.refill(fault),
            (false, false) => name.fill_in(ONE, As::Text),
        }
        true
    }

    /// The name at which something went wrong.
    fn at(&self, fault: &Fault) -> Option<usize> {
        let by_name = fault.field.as_deref().and_then(|field| self.names.at_name(field));
        by_name.or_else(|| match fault.met? {
            Met::Text(at) => self.names.at_text(at),
            Met::Number(number) => self.names.at_number(number),
            // It did not come, or it was left empty and is needed.
            Met::List => self.names.names.iter().position(|name| name.values.is_empty() && !name.left_out),
            Met::Nothing => None,
        })
    }

    /// The value without what was left empty and may be: in serde's memory that is not told from a text before.
    fn without_blanks<T: DeserializeOwned>(mut self, mut value: T) -> T {
        if !self.names.is_buffered() {
            return value;
        }
        let blank = |name: &Name<'_>| {
            let is_open = name.as_what == As::Text && !name.as_list && !name.tried.nothing;
            is_open && name.counts().is_some_and(is_blank)
        };
        let names = self.names.names.iter().enumerate();
        let mut groups: Vec<Vec<usize>> =
            vec![names.filter(|(_, name)| blank(name)).map(|(at, _)| at).collect()];
        while let Some(group) = groups.pop().filter(|group| !group.is_empty()) {
            match self.with_nothing(&group) {
                Some(better) => value = better,
                None if group.len() > 1 => {
                    let (left, right) = group.split_at(group.len() / 2);
                    groups.extend([left.to_vec(), right.to_vec()]);
                }
                None => {}
            }
        }
        value
    }

    /// The value with nothing in place of these texts, if that fits.
    fn with_nothing<T: DeserializeOwned>(&mut self, group: &[usize]) -> Option<T> {
        if self.readings == READINGS {
            return None;
        }
        group.iter().for_each(|&at| self.names.names[at].as_what = As::Nothing);
        let (read, heard) = self.run::<T>();
        let fits = heard.iter().all(|complaint| complaint.met != Met::Nothing);
        let read = read.ok().filter(|_| fits);
        if read.is_none() {
            group.iter().for_each(|&at| self.names.names[at].as_what = As::Text);
        }
        read
    }
}

#[cfg(test)]
mod tests;
