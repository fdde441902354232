//! What pages look like as menus, and what they cannot do.

use maud::{Markup, html};
use proptest::prelude::*;

use super::super::fuzz;
use super::layout::{Here, menu};
use super::{Menu, Place};
use crate::document::parse::parse;

const VISITOR: &str = "00112233445566778899aabbccddeeff0123456789abcdef";
const ID: &str = "@ABEiM0RVZneImaq7zN3u_wEjRWeJq83v";

fn place() -> Place {
    Place { host: "shop.test".into(), port: 7070 }
}

fn read(html: &str) -> Menu {
    menu(&parse(html), &Here { place: &place(), url: "/a/b?x=1", visitor: Some(VISITOR) })
}

/// Lines as they are sent: text as it is, items with their selectors, where others are with host and port.
fn sketch(html: &str) -> Vec<String> {
    let wire = String::from_utf8(read(html).write(&place())).expect("text");
    let lines = wire.strip_suffix(".\r\n").expect("an end").split_terminator("\r\n");
    let short = |line: &str| match *line.split('\t').collect::<Vec<_>>() {
        [text, "", "error.host", "1"] => text.strip_prefix('i').unwrap_or(text).to_owned(),
        [text, selector, "shop.test", "7070"] => format!("{text} → {}", selector.replace(ID, "@")),
        [text, selector, host, port] => format!("{text} → {selector} {host} {port}"),
        _ => panic!("not four fields: {line:?}"),
    };
    lines.map(short).collect()
}

#[test]
fn text_is_laid_out_for_a_terminal() {
    let page =
        "<h1>Count:\n 2</h1><h2>More</h2><p>a <b>b</b>&amp;c<br>d</p><p hidden>no</p><script>no()</script>\
        <ul><li>x<li>y<ol><li>one<li>two</ol></ul><hr><blockquote>said</blockquote><pre>
 /\\  .
/  \\

\tx</pre><table><tr><th>Name<th>Points<tr><td>Ada<td>12<tr><td><td>1</table>end";
    assert_eq!(
        sketch(page),
        [
            "Count: 2",
            "========",
            "",
            "More",
            "----",
            "",
            "a b&c",
            "d",
            "",
            "* x",
            "* y",
            "  1. one",
            "  2. two",
            "",
            &"-".repeat(70),
            "",
            "  said",
            "",
            " /\\  .",
            "/  \\",
            "",
            "    x",
            "",
            "Name  Points",
            "Ada   12",
            "      1",
            "",
            "end"
        ]
    );
}

#[test]
fn lines_are_wrapped_at_70_columns_and_nothing_is_lost() {
    let words = "word ".repeat(40);
    let lines = sketch(&format!("<ul><li>{words}</ul><p>{}</p><p>{}</p>", "x".repeat(100), "漢".repeat(40)));
    assert!(lines.iter().all(|line| textwrap::core::display_width(line) <= 70), "{lines:?}");
    assert_eq!(lines.concat().matches("word").count(), 40);
    assert!(lines[0].starts_with("* word") && lines[1].starts_with("  word"));
    assert_eq!(lines.concat().matches(['x', '漢']).count(), 140);
    let long = sketch(&format!("<a href=/c>{words}</a>"));
    assert!(long[0].ends_with(" → @/c") && long[1].starts_with("  word"), "{long:?}");
    assert_eq!(long.concat().matches("word").count(), 40);
}

#[test]
fn links_become_items_beside_the_text_they_are_part_of() {
    assert_eq!(
        sketch("Count: 2 <a href='?_t=1'>++</a> <a href=c>--</a>."),
        ["Count: 2", "1++ → @/a/b;_t=1", "1-- → @/a/c"]
    );
    assert_eq!(
        sketch("Read <a href=/m.txt>the manual</a> first"),
        ["Read the manual first", "0the manual → @/m.txt"]
    );
    assert_eq!(sketch("<ul><li><a href=/x>x</a><li><a href=/y.png>y</a></ul>"), ["1x → @/x", "Iy → @/y.png"]);
    assert_eq!(sketch("<a href=#top>top</a> <a name=x>x</a>"), ["top x"]);
    assert_eq!(sketch("<img src=/m.gif alt=Map><img src=data:x alt=dot>"), ["dot", "gMap → @/m.gif"]);
    assert_eq!(sketch("<a href=/x><img src=/m.gif alt=Map></a>"), ["1Map → @/x"]);
    assert_eq!(sketch("<a href=/x></a>"), ["1(link) → @/x"]);
}

#[test]
fn what_leads_elsewhere_says_so_and_never_carries_the_visitor() {
    let of = |href: &str| sketch(&format!("<a href='{href}'>x</a>")).concat();
    assert_eq!(of("https://pay.test/?a=1&b#c"), "hx → URL:https://pay.test/?a=1&b#c");
    assert_eq!(of("//pay.test/"), "hx → URL:http://pay.test/");
    assert_eq!(of("mailto:a@b.test"), "hx → URL:mailto:a@b.test");
    assert_eq!(of("gopher://old.test/1/a%20b"), "1x → /a b old.test 70");
    assert_eq!(of("gopher://old.test:7/0"), "0x →  old.test 7");
    assert_eq!(of("http://shop.test:7070/own"), "1x → @/own");
    for href in
        ["javascript:go()", "data:text/html,x", "gopher://old.test/1a%0D%0A1b", "gopher://old.test:99999/"]
    {
        assert_eq!(of(href), "x", "{href}");
    }
}

#[test]
fn a_text_field_becomes_a_search_that_carries_the_rest() {
    assert_eq!(
        sketch(
            "<form><input type=hidden name=_t value=1><label>Your guess <input name=guess></label> <button>Guess</button></form>"
        ),
        ["7Your guess → @/a/b;_t=1&guess="]
    );
    assert_eq!(sketch("<form>First <input name=n></form>"), ["7First → @/a/b;n="]);
    assert_eq!(
        sketch(
            "<form method=post action=/save?y=2><input name=n value=Ada><button name=b value=1>Go</button></form>"
        ),
        ["7n [Ada] → @/save;y=2!b=1&n=", "1Go → @/save;y=2!n=Ada&b=1"]
    );
    assert_eq!(
        sketch("<form action=https://else.test><input name=n></form><input name=alone value=v>"),
        ["alone v"]
    );
}

#[test]
fn each_item_of_a_form_changes_one_thing_and_sends_the_rest_as_it_is() {
    let page = "<form><p><label>Name <input name=n value=Ada></label><p><label><input type=checkbox name=v checked> VIP</label>
        <p><label>Size <select name=s><option value=1>small<option value=2 selected>large</select></label>
        <p><label><input type=radio name=r value=x checked>X</label><label><input type=radio name=r value=y>Y</label>
        <input type=file name=f><button>Order</button></form>";
    assert_eq!(
        sketch(page).into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>(),
        [
            "7Name [Ada] → @/a/b;v=on&s=2&r=x&n=",
            "1[x] VIP → @/a/b;n=Ada&s=2&r=x",
            "Size",
            "1( ) small → @/a/b;n=Ada&v=on&r=x&s=1",
            "1(x) large → @/a/b;n=Ada&v=on&r=x&s=2",
            "1(x) X → @/a/b;n=Ada&v=on&s=2&r=x",
            "1( ) Y → @/a/b;n=Ada&v=on&s=2&r=y",
            "f [gopher sends no files]",
            "1Order → @/a/b;n=Ada&v=on&s=2&r=x",
        ]
    );
}

#[test]
fn a_button_is_a_choice_unless_a_search_does_the_same() {
    assert_eq!(
        sketch("<form method=post action=?><button name=_t value=00112233445566778899>Yes</button></form>"),
        ["1Yes → @/a/b;!_t=*ABEiM0RVZneImQ"]
    );
    assert_eq!(sketch("<form><button disabled>No</button></form><button>Loose</button>"), ["No", "Loose"]);
}

#[test]
fn a_selector_that_is_too_long_is_a_text_that_says_why() {
    let fits = sketch(&format!("<a href='?x={}'>x</a>", "y".repeat(200))).concat();
    assert!(fits.starts_with("1x → @/a/b;x=yyy"), "{fits}");
    let lines = sketch(&format!("<a href='?x={}'>x</a>", "y".repeat(255)));
    assert_eq!(
        lines.join(" "),
        "x [not for gopher: its selector has 295 characters, at most 255 are allowed]"
    );
}

#[test]
fn a_page_that_is_nested_deeply_costs_no_stack() {
    assert_eq!(sketch(&format!("{}at the bottom", "<div>".repeat(10_000))), ["at the bottom"]);
}

#[test]
fn an_error_is_told_as_one() {
    let wire = String::from_utf8(Menu::error("a\tb\r\n.\r\n1x").write(&place())).expect("text");
    assert_eq!(wire, "3a b  .  1x\t\terror.host\t1\r\n.\r\n");
}

fn text(text: &str) -> Markup {
    html! { h1 title=(text) { (text) } p { (text) } pre { (text) } ul { li { (text) } } table { tr { td { (text) } } } }
}

proptest! {
    #[test]
    fn r55_no_text_of_a_page_makes_an_item(said in "[\\PC\t\r\n.\u{0}\u{85}\u{2028}1-9]{0,40}|.{0,20}") {
        let wire = read(&text(&said).into_string()).write(&place());
        let wire = String::from_utf8(wire).expect("text");
        for line in wire.strip_suffix(".\r\n").expect("an end").split_terminator("\r\n") {
            prop_assert!(line.starts_with('i') && line.ends_with("\t\terror.host\t1"), "{line:?}");
            prop_assert_eq!(line.matches('\t').count(), 3);
            let ends = ['\r', '\n', '\u{85}', '\u{2028}'];
            prop_assert!(!line.contains(ends), "{line:?}");
        }
    }

    #[test]
    fn r55_no_attribute_makes_more_than_its_own_item(said in "[\\PC\t\r\n:/?#.%@1g]{0,40}") {
        let page = html! { a href=(said) { (said) } form action=(said) { input name=(said) value=(said); } };
        fuzz::menu(page.into_string().as_bytes());
    }

    #[test]
    fn r55_whatever_a_page_is_its_menu_is_one(page in "([\\PC\t\r\n]{0,5}|<(/?)(a href='?[a-z:/\t\n]{0,9}|p|form|input name=x|button|label|tr|td|pre|select|option|li|ul)>){0,20}") {
        fuzz::menu(page.as_bytes());
    }
}
