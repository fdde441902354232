//! What forms send, read as types of all kinds.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::num::NonZeroU8;

use serde::Deserialize;

use super::*;

fn pairs(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

/// What a form becomes that was sent in a body.
fn sent<T: DeserializeOwned + Debug>(form: &str) -> T {
    let pairs = pairs(form);
    read(&pairs, pairs.len()).unwrap_or_else(|wrong| panic!("{form} is wrong: {wrong:?}"))
}

/// What is wrong with a form, field by field.
fn wrong<T: DeserializeOwned + Debug>(form: &str) -> Vec<String> {
    let pairs = pairs(form);
    let wrong = read::<T>(&pairs, pairs.len()).expect_err("it is wrong");
    wrong.iter().map(|problem| format!("{} {}", problem.field, problem.wrong)).collect()
}

#[derive(Debug, Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Blue,
}

/// A type that reads a text of its own: a day of a month.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
struct Day(u8);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Day, String> {
        let day = text.strip_prefix("day ").and_then(|day| day.parse().ok());
        day.map(Day).ok_or_else(|| format!("premature end of input in {text:?}"))
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Plain {
    name: String,
    age: u8,
    price: f64,
    colour: Colour,
    day: Day,
    #[serde(default)]
    ok: bool,
    tags: Vec<String>,
    sizes: Vec<u8>,
    letter: char,
    big: u128,
    part: NonZeroU8,
}

const PLAIN: &str =
    "name=+Ada+&age=+36+&price=1.5&colour=red&day=day+7&ok=on&tags=a&tags=&sizes=1&letter=x&big=1&part=1";

#[test]
fn a_struct_is_read_field_by_field() {
    let plain: Plain = sent(PLAIN);
    assert_eq!((&*plain.name, plain.age, plain.price, plain.colour), (" Ada ", 36, 1.5, Colour::Red));
    assert_eq!((plain.day, plain.ok, plain.letter, plain.big), (Day(7), true, 'x', 1));
    assert_eq!((plain.tags, plain.sizes), (vec!["a".to_owned(), String::new()], vec![1]));
}

#[test]
fn all_that_is_wrong_is_found_at_once() {
    let form =
        "name=A&age=300&price=NaN&colour=green&day=7&ok=perhaps&sizes=1&sizes=x&letter=ab&big=-1&part=0";
    assert_eq!(
        wrong::<Plain>(form),
        [
            "age is too large: 255 or less",
            "price is not a number",
            "colour is not one of the choices",
            "day is not what is needed here",
            "ok is not `true` or `false`",
            "sizes is not a whole number",
            "letter is not one character",
            "big is too small: 0 or more",
            "part is not a whole number",
        ]
    );
    let blank = "name=&age=&price=+&colour=&day=&ok=&sizes=&letter=&big=&part=";
    let fields = ["age", "price", "colour", "day", "ok", "sizes", "letter", "big", "part"];
    assert_eq!(wrong::<Plain>(blank), fields.map(|field| format!("{field} is missing")));
}

#[test]
fn a_field_that_did_not_come_is_told_beside_others_that_are_wrong() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Booking {
        people: u8,
        ok: bool,
        colour: Colour,
        board: Colour,
        extras: Vec<String>,
        letter: char,
    }
    assert_eq!(
        wrong::<Booking>("people=two&ok=x&colour="),
        [
            "people is not a whole number",
            "ok is not `true` or `false`",
            "colour is missing",
            "board is missing",
            "letter is missing"
        ]
    );
}

#[test]
fn what_a_parser_says_is_for_the_log_alone() {
    let pairs = pairs(&PLAIN.replace("day+7", "7"));
    let wrong = read::<Plain>(&pairs, pairs.len()).expect_err("it is wrong");
    assert!(wrong[0].why.contains("premature end of input"), "{wrong:?}");
    assert!(!wrong[0].wrong.to_string().contains("premature"), "{wrong:?}");
}

#[derive(Debug, Deserialize, PartialEq)]
struct Optional {
    name: Option<String>,
    age: Option<u8>,
    price: Option<f32>,
    colour: Option<Colour>,
    day: Option<Day>,
    ok: Option<bool>,
    tags: Option<Vec<String>>,
    nested: Option<Option<Colour>>,
    rows: Vec<Option<u8>>,
    part: Option<NonZeroU8>,
}

#[test]
fn what_was_left_empty_is_none_for_every_option() {
    for form in [
        "name=&age=&price=&colour=&day=&ok=&tags=&nested=&part=",
        "name=+&age=+&price=+&colour=+&day=+&ok=+&tags=+&nested=+&part=+",
        "",
    ] {
        let none = Optional {
            name: None,
            age: None,
            price: None,
            colour: None,
            day: None,
            ok: None,
            tags: None,
            nested: None,
            rows: Vec::new(),
            part: None,
        };
        assert_eq!(sent::<Optional>(form), none, "{form}");
    }
    let some: Optional =
        sent("name=A&age=1&colour=blue&day=day+1&tags=a&nested=red&rows=1&rows=&rows=3&part=2");
    assert_eq!((some.name, some.age, some.colour), (Some("A".into()), Some(1), Some(Colour::Blue)));
    assert_eq!(
        (some.day, some.tags, some.nested),
        (Some(Day(1)), Some(vec!["a".into()]), Some(Some(Colour::Red)))
    );
    assert_eq!((some.rows, some.part), (vec![Some(1), None, Some(3)], NonZeroU8::new(2)));
}

#[test]
fn the_last_of_several_counts_where_one_is_wanted_and_a_list_takes_all() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Boxes {
        ok: bool,
        age: Option<u8>,
        tags: Vec<String>,
    }
    let boxes: Boxes = sent("ok=false&ok=true&age=5&age=&tags=a&tags=b");
    assert_eq!(boxes, Boxes { ok: true, age: None, tags: vec!["a".into(), "b".into()] });
    let boxes: Boxes = sent("ok=true&ok=false&age=&age=5");
    assert_eq!(boxes, Boxes { ok: false, age: Some(5), tags: Vec::new() });
    // Of body and query the body counts; a list takes both.
    let pairs = pairs("ok=true&tags=a&ok=false&tags=b");
    let boxes: Boxes = read(&pairs, 2).expect("it fits");
    assert_eq!(boxes, Boxes { ok: true, age: None, tags: vec!["a".into(), "b".into()] });
}

#[derive(Debug, Deserialize, PartialEq)]
struct Page {
    page: u32,
    price: Option<f64>,
    exact: bool,
    zip: String,
    colour: Colour,
    other: Option<Colour>,
    note: Option<String>,
    tags: Vec<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Flattened {
    words: String,
    most: u8,
    #[serde(flatten)]
    page: Page,
}

#[test]
fn what_is_flattened_is_read_like_any_field() {
    let form =
        "words=5&most=+5+&page=+5+&price=1.5&exact=false&exact=true&zip=01234&colour=red&other=&note=&tags=5";
    let page = Page {
        page: 5,
        price: Some(1.5),
        exact: true,
        zip: "01234".into(),
        colour: Colour::Red,
        other: None,
        note: None,
        tags: vec![5],
    };
    assert_eq!(sent::<Flattened>(form), Flattened { words: "5".into(), most: 5, page });
    let form =
        "words=&most=5&page=5&price=&exact=true&zip=&colour=blue&note=1&tags=1&tags=2&unknown=&unknown2=7";
    let flattened: Flattened = sent(form);
    assert_eq!((&*flattened.words, &*flattened.page.zip, flattened.page.price), ("", "", None));
    assert_eq!((flattened.page.note, flattened.page.tags), (Some("1".into()), vec![1, 2]));
}

#[test]
fn what_is_wrong_with_a_flattened_field_is_said_at_that_field() {
    let fits = "words=5&most=5&page=5&exact=true&zip=5&colour=red&tags=5";
    let changed = |from: &str, to: &str| wrong::<Flattened>(&fits.replace(from, to));
    sent::<Flattened>(fits);
    assert_eq!(changed("page=5", "page=x"), ["page is not a whole number"]);
    assert_eq!(changed("page=5", "page="), ["page is missing"]);
    assert_eq!(changed("page=5&", ""), ["page is missing"]);
    assert_eq!(changed("page=5", "page=4294967296"), ["page is too large: 4294967295 or less"]);
    assert_eq!(changed("page=5", "page=-1"), ["page is too small: 0 or more"]);
    assert_eq!(changed("page=5", "page=1.5"), ["page is not a whole number"]);
    assert_eq!(changed("exact=true", "exact=5"), ["exact is not `true` or `false`"]);
    assert_eq!(changed("colour=red", "colour=green"), ["colour is not one of the choices"]);
    assert_eq!(changed("colour=red", "colour="), ["colour is missing"]);
    assert_eq!(changed("tags=5", "tags=x"), ["tags is not a whole number"]);
    assert_eq!(changed("zip=5", "zip=5&price=NaN"), ["price is not a number"]);
}

#[test]
fn a_flattened_option_is_none_unless_all_of_it_came() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        name: String,
        #[serde(flatten)]
        invoice: Option<Invoice>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Invoice {
        days: u8,
        vat: String,
    }
    let order: Order = sent("name=A&days=30&vat=7");
    assert_eq!(order.invoice, Some(Invoice { days: 30, vat: "7".into() }));
    assert_eq!(sent::<Order>("name=A").invoice, None);
    assert_eq!(sent::<Order>("name=A&days=&vat=").invoice, None);
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Payment {
    Card { number: String, month: u8 },
    Invoice { days: Option<u16>, urgent: bool },
    Cash,
}

#[test]
fn a_tagged_enum_is_read_by_its_tag() {
    assert_eq!(
        sent::<Payment>("kind=card&number=4242&month=+7"),
        Payment::Card { number: "4242".into(), month: 7 }
    );
    assert_eq!(
        sent::<Payment>("days=&urgent=on&kind=invoice"),
        Payment::Invoice { days: None, urgent: true }
    );
    assert_eq!(sent::<Payment>("kind=cash&number="), Payment::Cash);
    assert_eq!(wrong::<Payment>("kind=card&number=1&month=x"), ["month is not a whole number"]);
    assert_eq!(wrong::<Payment>("kind=gold"), ["kind is not one of the choices"]);
    assert_eq!(wrong::<Payment>("number=1"), ["kind is missing"]);
}

#[test]
fn a_tagged_enum_may_be_flattened_into_a_form() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        pieces: u8,
        #[serde(flatten)]
        payment: Payment,
    }
    let order: Order = sent("pieces=7&kind=invoice&days=30&urgent=false");
    assert_eq!(order, Order { pieces: 7, payment: Payment::Invoice { days: Some(30), urgent: false } });
    assert_eq!(wrong::<Order>("pieces=7&kind=card&number=1&month=300"), ["month is too large: 255 or less"]);
}

#[test]
fn an_enum_with_tag_and_content_is_read_from_two_fields() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "unit", content = "value")]
    enum Length {
        Metres(f64),
        Steps(u32),
        Unknown,
    }
    assert_eq!(sent::<Length>("unit=Metres&value=1.5"), Length::Metres(1.5));
    assert_eq!(sent::<Length>("value=12&unit=Steps"), Length::Steps(12));
    assert_eq!(sent::<Length>("unit=Unknown"), Length::Unknown);
    assert_eq!(wrong::<Length>("unit=Steps&value=x"), ["value is not a whole number"]);
}

#[test]
fn of_an_untagged_enum_the_first_variant_that_fits_is_taken() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Found {
        Both { zip: String, number: u64 },
        Number { number: u64 },
        Text { number: String },
    }
    assert_eq!(sent::<Found>("zip=01234&number=5"), Found::Both { zip: "01234".into(), number: 5 });
    assert_eq!(sent::<Found>("number=5"), Found::Number { number: 5 });
    assert_eq!(sent::<Found>("number=five"), Found::Text { number: "five".into() });
    assert_eq!(wrong::<Found>("zip=1"), [" is not what is needed here"]);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Field {
        amount: Amount,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Amount {
        Number(f64),
        Several(Vec<String>),
        Word(String),
    }
    assert_eq!(sent::<Field>("amount=1.5").amount, Amount::Number(1.5));
    assert_eq!(sent::<Field>("amount=a&amount=b").amount, Amount::Several(vec!["a".into(), "b".into()]));
    assert_eq!(sent::<Field>("amount=all").amount, Amount::Several(vec!["all".into()]));
}

#[test]
fn maps_and_lists_of_pairs_take_all_that_came() {
    let map: HashMap<String, u8> = sent("a=1&b=+2&b=3");
    assert_eq!(map, HashMap::from([("a".into(), 1), ("b".into(), 3)]));
    let pairs: Vec<(String, String)> = sent("b=1&a=2&b=3");
    assert_eq!(pairs, [("b", "1"), ("a", "2"), ("b", "3")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    #[derive(Debug, Deserialize)]
    struct More {
        #[serde(flatten)]
        more: BTreeMap<String, String>,
    }
    let more: More = sent("a=1&b=&c=true");
    assert_eq!(more.more.into_values().collect::<Vec<_>>(), ["1", "", "true"]);
    #[derive(Debug, Deserialize, PartialEq)]
    struct Nothing;
    assert_eq!(sent::<Nothing>("go=1"), Nothing);
    sent::<()>("go=1");
}

#[test]
fn a_field_that_nobody_asked_for_is_named_where_the_type_says_so() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "it is only read")]
        name: String,
    }
    assert_eq!(wrong::<Strict>("name=A&more=1"), ["more is not asked for"]);
}

#[test]
fn a_field_that_came_with_nothing_known_of_it_keeps_its_default() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Defaults {
        #[serde(default = "seven")]
        days: u8,
        #[serde(default = "all")]
        tags: Vec<String>,
    }
    fn seven() -> u8 {
        7
    }
    fn all() -> Vec<String> {
        vec!["all".into()]
    }
    assert_eq!(sent::<Defaults>(""), Defaults { days: 7, tags: all() });
}

#[test]
fn a_form_of_many_fields_is_not_read_too_often() {
    #[derive(Debug, Deserialize)]
    struct More {
        #[serde(flatten)]
        #[expect(dead_code, reason = "it is only read")]
        more: HashMap<String, u8>,
    }
    let form: String = (0..1000).map(|at| format!("f{at}=1&")).collect();
    let begun = std::time::Instant::now();
    assert_eq!(wrong::<More>(&form), [" is not what is needed here"]);
    let blank: String = (0..1000).map(|at| format!("f{at}=&")).collect();
    sent::<Flattened>(&[&blank, "words=5&most=5&page=5&exact=true&zip=&colour=red"].concat());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

/// What a type asks of a form with these fields.
fn asked<A: DeserializeOwned>(drawn: &[&str]) -> Asked {
    Asked::by::<A>(drawn)
}

#[test]
fn whole_numbers_are_told_from_others_before_anything_comes() {
    let plain = asked::<Plain>(&[]);
    for whole in ["age", "sizes", "big", "part"] {
        assert_eq!(plain.is_whole(whole), Some(true), "{whole}");
    }
    for other in ["name", "price", "colour", "day", "ok", "letter"] {
        assert_eq!(plain.is_whole(other), Some(false), "{other}");
    }
    let optional = asked::<Optional>(&[]);
    assert_eq!((optional.is_whole("age"), optional.is_whole("price")), (Some(true), Some(false)));
    assert_eq!(asked::<Flattened>(&["page"]).is_whole("page"), Some(true));
    assert_eq!(asked::<Flattened>(&["most"]).is_whole("most"), Some(true));
    assert_ne!(asked::<Flattened>(&["price"]).is_whole("price"), Some(true));
}

#[test]
fn what_no_form_can_fill_in_is_a_mistake_that_is_named() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Nested {
        ok: bool,
        colour: Colour,
        page: Inner,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Inner {
        zip: String,
    }
    let needed = asked::<Nested>(&[]).mistake(&["ok", "colour"]).expect("it is needed");
    assert!(needed.contains("`page`") && needed.contains("#[serde(flatten)]"), "{needed}");

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Spare {
        ok: bool,
        page: Option<Inner>,
    }
    assert_eq!(asked::<Spare>(&[]).mistake(&["ok"]), None, "it need not be sent");
    assert!(asked::<Spare>(&[]).mistake(&["ok", "page"]).is_some(), "it cannot be sent");

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Wide {
        name: String,
        #[serde(flatten)]
        more: Big,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Big {
        ok: bool,
        number: u128,
    }
    let wide = asked::<Wide>(&["name", "ok", "number"]).mistake(&["name", "ok", "number"]);
    assert!(wide.as_deref().is_some_and(|why| why.contains("u128")), "{wide:?}");

    assert!(asked::<u32>(&[]).mistake(&["x"]).is_some(), "a form is no number");
    assert!(asked::<Colour>(&[]).mistake(&["x"]).is_some(), "an enum needs a tag");
    assert_eq!(asked::<Plain>(&[]).mistake(&["name", "age", "colour"]), None);
    assert_eq!(asked::<Optional>(&[]).mistake(&["rows", "nested"]), None);
    let fields = ["words", "most", "page", "price", "exact", "zip", "colour", "other", "note", "tags"];
    assert_eq!(asked::<Flattened>(&fields).mistake(&fields), None);
    assert_eq!(asked::<Payment>(&["kind", "number", "month"]).mistake(&["kind", "number", "month"]), None);
    assert_eq!(asked::<()>(&[]).mistake(&[]), None);
}

#[test]
fn what_is_filled_in_to_look_is_nobodys_secret() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only asked for")]
    struct Login {
        password: crate::Secret<String>,
        pin: crate::Secret<u16>,
    }
    let login: Login = sent("password=tea&pin=7");
    assert_eq!(asked::<Login>(&[]).mistake(&["password", "pin"]), None);
    drop(login);
    assert_eq!(super::super::secret::collected(), ["tea", "7"], "those that came are still known");
    assert_eq!(wrong::<Login>("password=&pin=x"), ["pin is not a whole number"]);
}
