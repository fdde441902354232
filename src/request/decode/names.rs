//! Parameters by their names, as what serde reads a type from.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{self, DeserializeSeed, Visitor};

use super::fault::{Fault, Kind, place};
use super::value::Value;
use crate::wrong::Wrong;

/// How a value is handed to serde where that does not say what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Text,
    Number,
    Truth,
    Nothing,
}

/// A number of no type.
#[derive(Debug, PartialEq)]
pub(super) enum Number {
    Natural(u64),
    Whole(i64),
    Other(f64),
}

impl Number {
    pub(super) fn read(text: &str) -> Option<Number> {
        let text = text.trim();
        let natural = text.parse().ok().map(Number::Natural);
        let whole = || text.parse().ok().map(Number::Whole);
        let other = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Other);
        natural.or_else(whole).or_else(other)
    }

    fn float(&self) -> f64 {
        match self {
            Number::Natural(number) => *number as f64,
            Number::Whole(number) => *number as f64,
            Number::Other(number) => *number,
        }
    }
}

/// What came under one name.
#[derive(Debug)]
pub(super) struct Name<'de> {
    pub(super) name: &'de str,
    pub(super) values: Vec<&'de str>,
    /// So many of them came in the body: its last one counts.
    of_body: usize,
    pub(super) as_what: As,
    pub(super) as_list: bool,
    /// What is wrong with it has been found: it is left out.
    pub(super) left_out: bool,
    pub(super) tried: Tried,
    /// Names of variants that were filled in to see what is wanted.
    pub(super) variants: usize,
}

/// What was tried of a value, and is not tried again.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tried {
    pub(super) nothing: bool,
    pub(super) list: bool,
}

impl<'de> Name<'de> {
    /// One that did not come: a list of none, or nothing.
    pub(super) fn absent(name: &'de str) -> Name<'de> {
        Name {
            name,
            values: Vec::new(),
            of_body: 0,
            as_what: As::Text,
            as_list: true,
            left_out: false,
            tried: Tried::default(),
            variants: 0,
        }
    }

    pub(super) fn fill_in(&mut self, value: &'de str, as_what: As) {
        (self.values, self.of_body, self.as_what, self.as_list) = (vec![value], 1, as_what, false);
    }

    /// Fills in what may be wanted instead; leaves the name out if nothing is left to try. Whether that changes anything.
    pub(super) fn refill(&mut self, fault: &Fault) -> bool {
        match (&fault.kind, fault.variants) {
            (Kind::Wrong(Wrong::Truth), _) if self.as_what == As::Text => self.fill_in("true", As::Truth),
            (Kind::Wrong(_), Some(variants)) if self.variants < variants.len() => {
                self.variants += 1;
                self.fill_in(variants[self.variants - 1], As::Text);
            }
            _ => return !std::mem::replace(&mut self.left_out, true),
        }
        true
    }

    pub(super) fn with_one(name: &'de str, value: &'de str) -> Name<'de> {
        let mut own = Name::absent(name);
        own.add(value, true);
        own
    }

    fn add(&mut self, value: &'de str, in_body: bool) {
        self.values.push(value);
        self.of_body += usize::from(in_body);
        self.as_list = self.values.len() > 1;
    }

    /// The one that counts where one is wanted: the last one of the body, else the last one of the query.
    pub(super) fn counts(&self) -> Option<&'de str> {
        let of_body = self.values[..self.of_body].last();
        of_body.or(self.values.last()).copied()
    }
}

/// All parameters.
#[derive(Debug, Default)]
pub(super) struct Names<'de> {
    /// In order: of the body, then of the query.
    pairs: &'de [(String, String)],
    pub(super) names: Vec<Name<'de>>,
    /// Something was read into serde's memory.
    buffered: Cell<bool>,
    /// The fields of the struct that is read, if it says so.
    pub(super) fields: Cell<Option<&'static [&'static str]>>,
    /// Where texts stand that were read as whole numbers, if somebody wants to know.
    pub(super) whole: Option<RefCell<Vec<usize>>>,
}

impl<'de> Names<'de> {
    /// The first `of_body` pairs came in the body. `texts` has the values, one byte after each.
    pub(super) fn of(pairs: &'de [(String, String)], texts: &'de str, of_body: usize) -> Names<'de> {
        let mut names: Vec<Name<'de>> = Vec::with_capacity(pairs.len());
        let mut known: HashMap<&str, usize> = HashMap::with_capacity(pairs.len());
        let mut rest = texts;
        for (at, (name, value)) in pairs.iter().enumerate() {
            let place = *known.entry(name).or_insert_with(|| {
                names.push(Name::absent(name));
                names.len() - 1
            });
            names[place].add(&rest[..value.len()], at < of_body);
            rest = &rest[value.len() + 1..];
        }
        Names { pairs, names, ..Names::default() }
    }

    /// One value for each name, to see what is wanted of it.
    pub(super) fn with_one(pairs: impl Iterator<Item = (&'de str, &'de str)>) -> Names<'de> {
        let names = pairs.map(|(name, value)| Name::with_one(name, value));
        Names { names: names.collect(), whole: Some(RefCell::default()), ..Names::default() }
    }

    /// The name whose number this is.
    pub(super) fn at_number(&self, number: f64) -> Option<usize> {
        let is_it = |text: &&str| Number::read(text).is_some_and(|own| own.float() == number);
        self.names.iter().position(|name| name.as_what == As::Number && name.values.iter().any(is_it))
    }

    /// The name that this value came under, by where it stands.
    pub(super) fn at_text(&self, at: usize) -> Option<usize> {
        self.names.iter().position(|name| name.values.iter().any(|value| place(value) == at))
    }

    pub(super) fn at_name(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own.name == name)
    }

    pub(super) fn note_buffered(&self) {
        self.buffered.set(true);
    }

    pub(super) fn note_whole(&self, text: &str) {
        if let Some(whole) = &self.whole {
            whole.borrow_mut().push(place(text));
        }
    }

    pub(super) fn whole(&self) -> Vec<usize> {
        self.whole.as_ref().map(|whole| whole.take()).unwrap_or_default()
    }

    pub(super) fn is_buffered(&self) -> bool {
        self.buffered.get()
    }

    fn value(&self, at: usize) -> Value<'de, '_> {
        let Name { as_what, as_list, .. } = self.names[at];
        let counts = self.names[at].counts();
        Value { all: &self.names[at].values, counts, as_what, as_list, optional: false, names: self }
    }

    fn single<'n>(&'n self, text: &'n &'de str) -> Value<'de, 'n> {
        let all = std::slice::from_ref(text);
        Value { all, counts: Some(text), as_what: As::Text, as_list: false, optional: false, names: self }
    }
}

/// The names, one after the other.
struct Entries<'de, 'n> {
    names: &'n Names<'de>,
    next: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let rest = &self.names.names[self.next..];
        let Some(skipped) = rest.iter().position(|name| !name.left_out) else { return Ok(None) };
        self.next += skipped + 1;
        let name: BorrowedStrDeserializer<'de, Fault> = BorrowedStrDeserializer::new(rest[skipped].name);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let at = self.next - 1;
        self.names.value(at).feed(seed, self.names.names[at].name)
    }
}

macro_rules! impossible {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
            Err(Fault::new(Kind::Impossible, NO_STRUCT))
        }
    )+};
}

/// What a form becomes.
const NO_STRUCT: &str =
    "a form becomes a struct with a field for each of its own, or an enum with #[serde(tag = \"…\")]";

impl<'de> de::Deserializer<'de> for &Names<'de> {
    type Error = Fault;

    impossible! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Entries { names: self, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.fields.set(Some(fields));
        self.deserialize_map(visitor)
    }

    /// Pairs of name and value, in order.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let pairs: Vec<(&str, &str)> = self.pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let pairs = pairs.iter().map(|(name, value)| (self.single(name), self.single(value)));
        visitor.visit_seq(MapDeserializer::new(pairs))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::new(Kind::Impossible, NO_STRUCT))
    }
}
