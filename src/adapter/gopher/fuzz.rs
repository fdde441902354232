//! Selectors and menus, whatever comes.

use super::menu::Place;
use super::menu::layout::{Here, menu as layout};
use super::selector::Selector;
use crate::document::parse::parse;

/// A page: its menu has as many items as were made of it, each of them is four fields, and the end is at the end.
pub(crate) fn menu(bytes: &[u8]) {
    let html = String::from_utf8_lossy(bytes);
    let place = Place { host: "shop.test".into(), port: 70 };
    let visitor = "00112233445566778899aabbccddeeff0123456789abcdef";
    let menu = layout(&parse(&html), &Here { place: &place, url: "/a/b?x=1", visitor: Some(visitor) });
    let wire = String::from_utf8(menu.write(&place)).expect("text");
    let lines: Vec<_> = wire.strip_suffix(".\r\n").expect("an end").split_terminator("\r\n").collect();
    for line in &lines {
        assert_eq!(line.matches('\t').count(), 3, "{line:?}");
        assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(line.starts_with('i'), fields[2] == "error.host", "{line:?}");
        assert!(fields[1].len() <= 255, "{line:?}");
        // The visitor is told to nobody else.
        assert!(fields[2] == "shop.test" || !fields[1].contains("ABEiM0RVZneImaq7"), "{line:?}");
        if fields[1].starts_with('@') {
            let selector = Selector::read(fields[1].as_bytes()).expect("ours");
            assert_eq!(selector.visitor.as_deref(), Some(visitor));
        }
    }
    let items = lines.iter().filter(|line| !line.starts_with('i')).count();
    assert_eq!(items, menu.items());
    let text = String::from_utf8(menu.write_text()).expect("text");
    assert_eq!(
        text.split_terminator("\r\n").position(|line| line == "."),
        Some(text.matches("\r\n").count() - 1)
    );
}

/// What a client sends: what is asked for is a path and a query, and means the same when it is written again.
pub(crate) fn selector(bytes: &[u8]) {
    let mut fields = bytes.splitn(2, |byte| *byte == b'\t');
    let Some(mut selector) = Selector::read(fields.next().unwrap_or_default()) else { return };
    selector.fill(fields.next().unwrap_or_default());
    let url: http::uri::PathAndQuery = selector.url.parse().expect("path and query");
    assert!(url.path().starts_with('/'), "{url}");
    let again = Selector::read(selector.write().as_bytes()).expect("ours");
    assert_eq!((&again.visitor, again.kind), (&selector.visitor, selector.kind));
    let pairs = |text: &str| form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>();
    let query = |selector: &Selector| selector.url.split_once('?').map(|(_, query)| pairs(query));
    assert_eq!(query(&again), query(&selector));
    let form = |selector: &Selector| selector.form.as_deref().map(pairs);
    assert_eq!(form(&again), form(&selector));
}
