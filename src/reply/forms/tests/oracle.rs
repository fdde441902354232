//! html5ever reads the same pages: what it makes of them is what browsers do.

use ego_tree::NodeRef;
use ego_tree::iter::Edge;
use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use proptest::prelude::*;
use scraper::{ElementRef, Html, HtmlTreeSink, Node};

use super::{ACTION, PARTS, all, field, given, given_with, pages};
use crate::reply::forms::{AFTER, BEFORE};

fn parse(page: &str, scripts: bool) -> Html {
    let builder = TreeBuilderOpts { scripting_enabled: scripts, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder: builder, ..ParseOpts::default() };
    parse_document(HtmlTreeSink::new(Html::new_document()), options).one(page)
}

/// The page as a tree, without tokens.
fn outline(page: &Html) -> String {
    let mut lines = String::new();
    for edge in page.tree.root().traverse() {
        let (Edge::Open(node) | Edge::Close(node)) = edge;
        // A token parts what is one text without it, and is one line less.
        match (node.value(), edge) {
            (Node::Element(element), _) if is_token(element) => {}
            // Where scripts run, what is in `noscript` is text, and nobody sees it.
            (Node::Text(text), Edge::Open(_)) if in_noscript(&node) => lines.push_str(&without_tokens(text)),
            (Node::Text(text), Edge::Open(_)) => lines.push_str(text),
            (Node::Element(element), Edge::Open(_)) => {
                let given = |name: &str, value: &str| name == "action" && value == "?_t=here";
                let attrs = element.attrs().filter(|(name, value)| !given(name, value));
                let mut pairs: Vec<_> = attrs.map(|(name, value)| format!("{name}={value:?}")).collect();
                pairs.sort();
                lines.push_str(&format!("\n<{:?} {pairs:?}", element.name));
            }
            (Node::Element(_), Edge::Close(_)) => lines.push_str("\n>"),
            (Node::Text(_), Edge::Close(_)) => {}
            (other, edge) => lines.push_str(&format!("\n{} {other:?}", matches!(edge, Edge::Open(_)))),
        }
    }
    lines
}

fn in_noscript(node: &NodeRef<'_, Node>) -> bool {
    let parent = node.parent().and_then(ElementRef::wrap);
    parent.is_some_and(|parent| parent.value().name() == "noscript")
}

fn without_tokens(text: &str) -> String {
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(AFTER).map_or(part, |(_, rest)| rest))
}

fn is_token(element: &scraper::node::Element) -> bool {
    element.name() == "input" && element.attr("name") == Some("_t") && element.attr("type") == Some("hidden")
}

/// Forms that are to have a token, and whether they have one.
fn forms(page: &Html) -> Vec<bool> {
    let elements = page.tree.nodes().filter_map(ElementRef::wrap);
    let forms = elements.filter(|element| element.value().name() == "form" && is_of_ours(element));
    forms
        .map(|form| {
            // In a table the form is empty, and its fields stand beside it.
            let first = form.first_child().or_else(|| form.next_sibling()).and_then(ElementRef::wrap);
            first.is_some_and(|first| is_token(first.value()))
        })
        .collect()
}

fn is_of_ours(form: &ElementRef<'_>) -> bool {
    let action: String =
        form.attr("action").unwrap_or_default().chars().filter(|c| !"\t\n\r".contains(*c)).collect();
    let action = action.trim_start_matches(|c: char| c <= ' ').replace('\\', "/");
    let scheme = action.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    let has_scheme = scheme.is_some_and(|end| {
        action[end..].starts_with(':') && action.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    !has_scheme
        && !action.starts_with("//")
        && !form.attr("method").is_some_and(|method| method.eq_ignore_ascii_case("dialog"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever the page, tokens change nothing of it but that they are there.
    #[test]
    fn tokens_stand_where_they_change_nothing_else(page in pages(all())) {
        let given = given([&*page]);
        for scripts in [false, true] {
            prop_assert_eq!(outline(&parse(&given, scripts)), outline(&parse(&page, scripts)), "{}", given);
        }
    }

    /// And an address changes nothing but where a form leads that led to its page.
    #[test]
    fn addresses_stand_where_they_change_nothing_else(page in pages(all())) {
        let given = given_with(ACTION, [&*page]);
        for scripts in [false, true] {
            prop_assert_eq!(outline(&parse(&given, scripts)), outline(&parse(&page, scripts)), "{}", given);
        }
    }

    /// Where browsers agree, each form has its token.
    #[test]
    fn each_form_of_ours_has_its_token(page in pages(&PARTS)) {
        // A character reference may stand for any letter of a URL.
        let page = page.replace('&', "");
        let given = given([&*page]);
        let forms = forms(&parse(&given, true));
        prop_assert!(forms.iter().all(|has| *has), "{} {:?}", given, forms);
    }
}

#[test]
fn the_oracle_sees_tokens_that_are_wrong_or_missing() {
    let (token, page) = (field(0), |inside: &str| parse(inside, true));
    assert_eq!(token, format!("{BEFORE}0{AFTER}"));
    assert_ne!(outline(&page(&format!("<p title='<form>{token}'>"))), outline(&page("<p title='<form>'>")));
    assert_ne!(
        outline(&page(&format!("<p title=\"<form>{token}\">"))),
        outline(&page("<p title=\"<form>\">"))
    );
    assert_ne!(outline(&page(&format!("<!--<form>{token}-->"))), outline(&page("<!--<form>-->")));
    assert_eq!(outline(&page(&format!("<form>{token}a"))), outline(&page("<form>a")));
    assert_eq!(forms(&page("<form>a</form>")), [false]);
    assert_eq!(forms(&page(&format!("<form>{token}a</form>"))), [true]);
    assert!(forms(&page("<form action=//a></form><form method=dialog></form>")).is_empty());
}
