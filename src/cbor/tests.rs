//! Values that go out and come back, of types that a program may have.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape<T> {
    Nothing,
    One(T),
    Pair(T, Option<T>),
    Named { first: Option<T>, unit: (), rest: Vec<Option<T>> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Plain,
    Held { held: Option<Option<u8>>, unit: Option<()> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    more: BTreeMap<String, Option<Option<i32>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Held { held: Option<Option<u8>> },
    Nothing,
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let bytes = to_vec(&value).expect("it is written");
    assert_eq!(from_slice::<T>(&bytes).expect("it is read"), value, "{bytes:02x?}");
    let mut room = [0; 512];
    let left = fill(&value, &mut room).expect("there is room");
    assert_eq!(room[..512 - left], bytes, "a token has the same bytes");
    check(&value).expect("it comes back");
}

#[test]
fn nothing_in_something_is_something() {
    comes_back::<Option<Option<u8>>>(None);
    comes_back::<Option<Option<u8>>>(Some(None));
    comes_back(Some(Some(7_u8)));
    comes_back::<Option<Option<Option<u8>>>>(Some(Some(None)));
    comes_back::<Option<Option<Option<u8>>>>(Some(None));
    comes_back(((), Unit, Wrapped(())));
    comes_back([None, Some(())]);
    comes_back([None, Some(Unit)]);
    comes_back([None, Some(Wrapped(Unit))]);
    comes_back::<[Option<Wrapped<Option<u8>>>; 2]>([None, Some(Wrapped(None))]);
    comes_back(Some(Box::new(Some(Some(())))));
}

#[test]
fn nothing_in_something_is_something_in_types_that_say_themselves_what_comes() {
    for held in [None, Some(None), Some(Some(1))] {
        for unit in [None, Some(())] {
            comes_back(Tagged::Held { held, unit });
        }
        comes_back(Untagged::Held { held });
        comes_back(Flattened { more: [("a".to_owned(), held.map(|one| one.map(i32::from)))].into() });
    }
    comes_back(Tagged::Plain);
    comes_back(Untagged::Nothing);
    for json in ["null", "[]", "{}", "[null,{\"a\":null},[]]"] {
        let json: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
        comes_back(json.clone());
        comes_back(Some(json));
    }
}

#[test]
fn most_of_what_is_something_takes_no_byte_more() {
    for (value, bytes) in [(None, "f6"), (Some(7_u8), "07"), (Some(23), "17")] {
        assert_eq!(const_hex::encode(to_vec(&value).expect("written")), bytes);
    }
    assert_eq!(const_hex::encode(to_vec(&Some(None::<u8>)).expect("written")), "d9c0def6");
    assert_eq!(const_hex::encode(to_vec(&()).expect("written")), "f6");
}

/// A unit was an empty list, and `Some` was never seen.
#[test]
fn what_was_written_before_is_read_as_it_was() {
    let then = (Some(()), None::<()>, Shape::Named { first: Some(3_u8), unit: (), rest: vec![None] }, Unit);
    let bytes = to_vec_before(&then).expect("written");
    assert_eq!(const_hex::encode(&bytes[..3]), "8480f6");
    assert_eq!(from_slice::<(Option<()>, Option<()>, Shape<u8>, Unit)>(&bytes).expect("read"), then);
    let then =
        (-7, 1.5, 'x', "ä", vec![1_u8], Some("some"), BTreeMap::from([(1, true)]), u128::MAX, i128::MIN);
    assert_eq!(to_vec(&then).expect("written"), to_vec_before(&then).expect("written"));
}

#[test]
fn broken_bytes_are_an_error() {
    let whole = to_vec(&Shape::Pair(Some(None::<u8>), Some(Some(Some(1))))).expect("written");
    for at in 0..whole.len() {
        from_slice::<Shape<Option<Option<u8>>>>(&whole[..at]).expect_err("it is cut off");
    }
    for bytes in [&b"\xd9\xc0\xde"[..], b"\xa2\x61a\x01\x61b\x02", b"\x9f\x01", b"\xc1\x01"] {
        from_slice::<Shape<Option<u8>>>(bytes).expect_err("it is none");
        assert!(from_slice::<Option<Option<u8>>>(bytes).is_err());
    }
}

#[test]
fn what_does_not_come_back_is_told_where_it_is_written() {
    #[derive(Serialize, Deserialize)]
    struct Lacks {
        #[serde(skip_serializing)]
        #[expect(dead_code, reason = "it is lost")]
        must: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Forgets {
        #[serde(skip_deserializing, default)]
        count: u32,
    }
    for error in [check(&Lacks { must: 1 }), check(&Forgets { count: 1_000 })] {
        assert!(error.expect_err("it is lost").to_string().contains("does not come back"));
    }
    check(&std::collections::HashMap::from([(1, 2), (3, 4), (5, 6)])).expect("in whatever order");
}

/// A type that holds any other of these, to some depth.
type Deep = Option<Option<Shape<Option<Wrapped<Option<Vec<Option<Option<()>>>>>>>>>;

fn deep() -> impl Strategy<Value = Deep> {
    use prop::collection::vec;
    use prop::option::of;
    let inner = of(of(vec(of(of(Just(()))), 0..3)).prop_map(Wrapped));
    let shape = prop_oneof![
        Just(Shape::Nothing),
        inner.clone().prop_map(Shape::One),
        (inner.clone(), of(inner.clone())).prop_map(|(one, two)| Shape::Pair(one, two)),
        (of(inner.clone()), vec(of(inner), 0..3)).prop_map(|(first, rest)| Shape::Named {
            first,
            unit: (),
            rest
        }),
    ];
    of(of(shape))
}

proptest! {
    #[test]
    fn values_of_nested_types_come_back(value in deep(), map in prop::collection::btree_map(
        prop::option::of(prop::option::of(0..3_u8)), prop::option::of(prop::option::of(".{0,3}")), 0..4)) {
        comes_back((value, map));
    }

    #[test]
    fn whatever_bytes_come_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(from_slice::<Deep>(&bytes));
        drop(from_slice::<serde_json::Value>(&bytes));
        drop(from_slice::<(Tagged, Flattened)>(&bytes));
    }
}
