//! Reading: what the reader below makes of single items, and of all that has others inside.

use minicbor_serde::error::DecodeError;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::SOME;

const NULL: u8 = 0xf6;
const BREAK: u8 = 0xff;

// Major types, as they stand in the first three bits.
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// What is not read yet.
pub(super) struct Reader<'de>(minicbor_serde::Deserializer<'de>);

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Reader(minicbor_serde::Deserializer::new(bytes))
    }

    /// The next item's first byte.
    fn peek(&self) -> Option<u8> {
        let decoder = self.0.decoder();
        decoder.input().get(decoder.position()).copied()
    }

    /// Whether the next item has this major type.
    fn is(&self, major: u8) -> bool {
        self.peek().is_some_and(|byte| byte >> 5 == major)
    }

    /// Goes past this byte, if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            let next = self.0.decoder().position() + 1;
            self.0.decoder_mut().set_position(next);
        }
        there
    }

    /// Goes past the tag of a `Some` that was written down, if that is next.
    fn takes_some(&mut self) -> bool {
        if !self.is(TAG) {
            return false;
        }
        let before = self.0.decoder().position();
        let there = self.0.decoder_mut().tag().is_ok_and(|tag| tag.as_u64() == SOME);
        if !there {
            self.0.decoder_mut().set_position(before);
        }
        there
    }

    fn items(&mut self) -> Result<Items<'_, 'de>, DecodeError> {
        let left = self.0.decoder_mut().array()?;
        Ok(Items { reader: self, left })
    }
}

/// What is one item, with nothing inside.
macro_rules! items {
    ($($name:ident)+) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            (&mut self.0).$name(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = DecodeError;

    items! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.takes(NULL) {
            // Both a unit and an option know what that is.
            visitor.visit_unit()
        } else if self.takes_some() {
            visitor.visit_some(self)
        } else if self.is(ARRAY) {
            self.deserialize_seq(visitor)
        } else if self.is(MAP) {
            self.deserialize_map(visitor)
        } else {
            (&mut self.0).deserialize_any(visitor)
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.takes(NULL) {
            return visitor.visit_none();
        }
        self.takes_some();
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.takes(NULL) {
            return visitor.visit_unit();
        }
        // As it was written before.
        (&mut self.0).deserialize_unit(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(self.items()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        let items = self.items()?;
        if items.left != u64::try_from(length).ok() {
            return Err(DecodeError::custom(format!("{:?} items where {length} belong", items.left)));
        }
        visitor.visit_seq(items)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let left = self.0.decoder_mut().map()?;
        visitor.visit_map(Items { reader: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.is(TAG) {
            // A program's own tags.
            return (&mut self.0).deserialize_enum(name, variants, visitor);
        }
        if self.is(MAP) && self.0.decoder_mut().map()? != Some(1) {
            return Err(DecodeError::custom("a variant is a map of one pair"));
        }
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of a list or a map.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    /// `None`: there are items until a break.
    left: Option<u64>,
}

impl Items<'_, '_> {
    /// Whether there is another one, which is taken then.
    fn next(&mut self) -> bool {
        match &mut self.left {
            None => !self.reader.takes(BREAK),
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn hint(&self) -> Option<usize> {
        self.left.and_then(|left| usize::try_from(left).ok())
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> EnumAccess<'de> for &mut Reader<'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DecodeError> {
        let variant = seed.deserialize(&mut *self)?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }
}
