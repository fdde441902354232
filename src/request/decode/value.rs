//! What came under one name, read as what is wanted of it.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::super::params::{FromValue, is_blank};
use super::fault::{Fault, Kind};
use super::names::{As, Names, Number};
use crate::wrong::Wrong;

/// What came under one name. An element of a list is one that has one value.
#[derive(Clone, Copy)]
pub(super) struct Value<'de, 'n> {
    /// All of them, in order.
    pub(super) all: &'n [&'de str],
    /// The one that counts where one is wanted.
    pub(super) counts: Option<&'de str>,
    /// How it is handed to serde where that does not say what it wants.
    pub(super) as_what: As,
    /// Whether serde gets a list then.
    pub(super) as_list: bool,
    /// It may say nothing.
    pub(super) optional: bool,
    /// Notes what serde has read into its memory.
    pub(super) names: &'n Names<'de>,
}

impl<'de> Value<'de, '_> {
    /// The one that counts.
    fn text(&self) -> Result<&'de str, Fault> {
        match self.counts {
            Some(text) if self.optional && self.all.len() > 1 && is_blank(text) => {
                Err(Fault::new(Kind::Nothing, "the one that counts says nothing"))
            }
            Some(text) => Ok(text),
            None => Err(Fault::wrong(Wrong::Missing)),
        }
    }

    fn read<T: FromValue>(&self) -> Result<T, Fault> {
        T::from_value(self.text()?).map_err(Fault::wrong)
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Elements { of: self, next: 0 })
    }

    fn impossible<T>(what: &str) -> Result<T, Fault> {
        Err(Fault::new(Kind::Impossible, what))
    }

    /// What is wrong with it: if it says nothing, that.
    fn judge(&self, fault: Fault) -> Fault {
        let says_nothing = self.counts.is_none_or(is_blank);
        match fault.kind {
            Kind::Wrong(_) if says_nothing => Fault { kind: Kind::Wrong(Wrong::Missing), ..fault },
            _ => fault,
        }
    }

    /// Reads it by `seed`; of what is wrong says where.
    pub(super) fn feed<T: DeserializeSeed<'de>>(self, seed: T, name: &str) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| self.judge(fault).at(name))
    }
}

/// Values of one name, one after the other.
struct Elements<'de, 'n> {
    of: Value<'de, 'n>,
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(element) = self.of.all.get(self.next..=self.next) else { return Ok(None) };
        self.next += 1;
        let element =
            Value { all: element, counts: Some(element[0]), as_list: false, optional: false, ..self.of };
        seed.deserialize(element).map_err(|fault| element.judge(fault)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.of.all.len() - self.next)
    }
}

macro_rules! read {
    ($($method:ident $visit:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.read()?)
        }
    )+};
}

macro_rules! read_whole {
    ($($method:ident $visit:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.names.note_whole(self.text()?);
            visitor.$visit(self.read()?)
        }
    )+};
}

macro_rules! impossible {
    ($($method:ident($($more:ident: $type:ty),*) $what:literal)+) => {$(
        fn $method<V: Visitor<'de>>(self, $($more: $type,)* _: V) -> Result<V::Value, Fault> {
            $(let _ = $more;)*
            Self::impossible($what)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Value<'de, '_> {
    type Error = Fault;

    read_whole! {
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_i128 visit_i128
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
        deserialize_u128 visit_u128
    }

    read! {
        deserialize_bool visit_bool
        deserialize_f32 visit_f32
        deserialize_f64 visit_f64
        deserialize_char visit_char
    }

    impossible! {
        deserialize_map() "a map cannot come from one field of a form"
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
            "a struct cannot come from one field of a form: put #[serde(flatten)] on it"
    }

    /// serde reads it into its memory: what it wants shows later.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.names.note_buffered();
        if self.as_list {
            return self.list(visitor);
        }
        match self.as_what {
            As::Text => visitor.visit_borrowed_str(self.text()?),
            As::Nothing => visitor.visit_unit(),
            As::Truth => visitor.visit_bool(self.read()?),
            As::Number => match Number::read(self.text()?) {
                Some(Number::Natural(number)) => visitor.visit_u64(number),
                Some(Number::Whole(number)) => visitor.visit_i64(number),
                Some(Number::Other(number)) => visitor.visit_f64(number),
                None => visitor.visit_borrowed_str(self.text()?),
            },
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(self.text()?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    /// What was left empty is `None`, whatever it is an option of.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.as_what == As::Nothing || self.all.iter().all(|text| is_blank(text)) {
            return visitor.visit_none();
        }
        visitor.visit_some(Value { optional: true, ..self })
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

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Variant(self.text()?))
    }
}

/// A variant by its name.
struct Variant<'de>(&'de str);

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = NameOnly;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NameOnly), Fault> {
        let name: BorrowedStrDeserializer<'de, Fault> = BorrowedStrDeserializer::new(self.0);
        Ok((seed.deserialize(name)?, NameOnly))
    }
}

/// One field of a form cannot send what a variant holds.
pub(super) struct NameOnly;

impl NameOnly {
    fn holds_more<T>() -> Result<T, Fault> {
        Err(Fault::new(Kind::Wrong(Wrong::Choice), "a variant that holds values cannot come from one field"))
    }
}

impl<'de> de::VariantAccess<'de> for NameOnly {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Self::holds_more()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Self::holds_more()
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Fault> {
        Self::holds_more()
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Value<'de, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
