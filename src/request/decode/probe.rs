//! What a type asks of the form that it is filled in from, seen by reading it from values of our own.

use serde::de::DeserializeOwned;

use super::super::secret;
use super::fault::{Complaint, Fault, Kind, Met};
use super::names::{Name, Names};
use super::{ONE, READINGS, Reading};
use crate::wrong::{Wanted, Wrong};

/// What a type asks of a form.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Fields that are whole numbers.
    whole: Vec<String>,
    /// Fields that no form can fill in, and why.
    impossible: Vec<(String, String)>,
    /// Why no form can fill in the whole of it.
    nothing_fits: Option<String>,
    /// The field that it cannot do without, of those that could not be filled in.
    needed: Option<String>,
    /// Its fields are known to it only.
    is_closed: bool,
}

impl Asked {
    /// What the type asks, with a value in each of these fields, where it does not name its fields itself.
    pub(crate) fn by<A: DeserializeOwned>(drawn: &[&str]) -> Asked {
        secret::unheard(|| look::<A>(drawn))
    }

    /// Whether a field is a whole number; `None` if that field was not looked at.
    pub(crate) fn is_whole(&self, field: &str) -> Option<bool> {
        let is_whole = self.whole.iter().any(|whole| whole == field);
        (!self.is_closed || is_whole).then_some(is_whole)
    }

    /// Whether fields have to be named for it to be asked for them.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Why a form with these fields can never be right, if that is so: a mistake of the program's.
    pub(crate) fn mistake(&self, drawn: &[&str]) -> Option<String> {
        if let Some(why) = &self.nothing_fits {
            return Some(why.clone());
        }
        let is_sent = |field: &str| drawn.contains(&field) || self.needed.as_deref() == Some(field);
        let (field, why) = self.impossible.iter().find(|(field, _)| is_sent(field))?;
        Some(format!("field `{field}`: {why}"))
    }
}

fn look<A: DeserializeOwned>(drawn: &[&str]) -> Asked {
    let mut asked = Asked::default();
    let mut reading = Reading::default();
    let (read, _) = reading.run::<A>();
    match read {
        Err(fault) if fault.kind == Kind::Impossible => asked.nothing_fits = Some(fault.why),
        _ => {
            let fields = reading.names.fields.get();
            asked.is_closed = fields.is_none();
            let names = fields.unwrap_or(drawn);
            // Each of them is a text of its own: where it stands says which it is.
            let texts = ONE.repeat(names.len() + READINGS);
            let (texts, spare) = texts.split_at(names.len());
            let values = (0..names.len()).map(|at| &texts[at..=at]);
            let names = Names::with_one(names.iter().copied().zip(values));
            fill_in::<A>(&mut Reading { names, ..Reading::default() }, spare, &mut asked);
        }
    }
    asked
}

/// Reads the type until all fields that can be filled in are. `spare` has a value for each reading.
fn fill_in<'de, A: DeserializeOwned>(reading: &mut Reading<'de>, spare: &'de str, asked: &mut Asked) {
    while reading.readings < READINGS {
        let (read, heard) = reading.run::<A>();
        asked.note_whole(reading, &heard);
        if reading.heed(&heard) {
            continue;
        }
        match read {
            Err(fault) if asked.fill_in_better(reading, spare, &fault) => {}
            _ => break,
        }
    }
}

impl Asked {
    fn note_whole(&mut self, reading: &Reading<'_>, heard: &[Complaint]) {
        let wanted = heard.iter().filter(|complaint| complaint.wanted == Wanted::Whole);
        let of_memory = wanted.filter_map(|complaint| match complaint.met {
            Met::Text(at) => Some(at),
            _ => None,
        });
        for at in of_memory.chain(reading.names.whole()) {
            let name = reading.names.at_text(at).map(|at| reading.names.names[at].name);
            if let Some(name) = name.filter(|name| self.is_whole(name) != Some(true)) {
                self.whole.push(name.to_owned());
            }
        }
    }

    /// Fills in something else at the field that was wrong, or nothing. Whether that can be read again.
    fn fill_in_better<'de>(&mut self, reading: &mut Reading<'de>, spare: &'de str, fault: &Fault) -> bool {
        match (&fault.kind, reading.at(fault)) {
            (Kind::Missing(field), None) => {
                let value = &spare[reading.readings - 1..reading.readings];
                reading.names.names.push(Name::with_one(field, value));
                return true;
            }
            (Kind::Missing(field), Some(_)) => self.needed = Some((*field).to_owned()),
            (Kind::Impossible, None) => self.nothing_fits = Some(fault.why.clone()),
            (_, None) => {}
            (_, Some(at)) => return self.refill(&mut reading.names.names[at], fault),
        }
        false
    }

    /// Fills in what may be wanted of a field; leaves it out if nothing is left to try.
    fn refill(&mut self, name: &mut Name<'_>, fault: &Fault) -> bool {
        if matches!(fault.kind, Kind::Impossible | Kind::Wrong(Wrong::Kind)) && !name.left_out {
            self.impossible.push((name.name.to_owned(), fault.why.clone()));
        }
        name.refill(fault)
    }
}
