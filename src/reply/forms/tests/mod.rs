//! Which forms get a token, case by case; that pieces make no difference; and that html5ever reads the pages alike.

mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a page comes to that is printed in these pieces; the token of a form is its number.
fn given<'t>(pieces: impl IntoIterator<Item = &'t str>) -> String {
    given_with("", pieces)
}

/// The same, where forms that post to the address of their page get this attribute.
fn given_with<'t>(action: &str, pieces: impl IntoIterator<Item = &'t str>) -> String {
    let (mut forms, mut page) = (Forms::default(), String::new());
    for piece in pieces {
        let mut piece = piece.to_owned();
        forms.add(&mut piece, usize::MAX, action, |nth, token| token.push_str(&nth.to_string()));
        page.push_str(&piece);
    }
    page
}

/// The field that the form of this number gets.
fn field(nth: u32) -> String {
    format!("{BEFORE}{nth}{AFTER}")
}

/// Checks pages in which `|` stands where tokens are to be.
fn get_tokens_at_the_marks(pages: &[&str]) {
    for marked in pages {
        let (plain, mut wanted) = (marked.replace('|', ""), String::new());
        for (nth, part) in marked.split('|').enumerate() {
            if nth > 0 {
                wanted.push_str(&field(nth as u32 - 1));
            }
            wanted.push_str(part);
        }
        assert_eq!(given([&*plain]), wanted, "{marked}");
        let letters: Vec<String> = plain.chars().map(String::from).collect();
        assert_eq!(given(letters.iter().map(String::as_str)), wanted, "letter by letter: {marked}");
    }
}

#[test]
fn forms_get_tokens_however_their_tags_are_written() {
    get_tokens_at_the_marks(&[
        "<form>|</form>",
        "a<form>|b</form>c<FORM METHOD=POST>|</FORM>",
        "<form\n\tmethod = 'post' >|",
        "<form/>|<form / >|<form action/>|",
        "<form action=\"?a>b\" title='<form>' data-x=<form>|",
        "<form \"x\">|",
        "<p title='>'><form class=a=b=c>|",
        "<<form>|< form><\u{e4}form>",
        "</p x='>'><form>|",
        "<form a=1b='c' d=\"e\"f>|",
        "<form =action=//other>|",
        "<!doctype html><html><body><form>|</form></body></html>",
        "<template><form>|</form></template>",
        "<table><form>|<tr><td></table>",
        "<form>|<form>|",
        "<form\u{c}x>|<form\rx>|",
        "<form \u{e4}=\u{fc} a='\u{e4}>'>|\u{e4}",
    ]);
}

#[test]
fn what_is_no_form_gets_none() {
    get_tokens_at_the_marks(&[
        "form <formfoo> <form-x> <form<b> </form> <form",
        "<p title=\"<form>\" alt='<form>' x=\"a'<form>\">",
        "<p title=<form><form>|",
        "&lt;form> <%form> <?form <form> ?><form>|",
        "<form\0>",
        "<p a=\"<form>\" b=\"<form>\" c='<form>' d=\"<form>\"e=\"<form>\" f g=\"<form>\"><form>|",
        "<p a=\"1\" =\"<form>\"><p a=\"1\" b/=\"<form>\"><p a = \"<form>\" /b=\"<form>\">",
        "<p a=\"1\" b=\"'<form>\" c='\"<form>' ><p a=\"1\">\"<form>|",
        "<image x='<form>'>",
    ]);
}

#[test]
fn forms_that_lead_elsewhere_or_send_no_parameters_get_none() {
    get_tokens_at_the_marks(&[
        "<form action=https://pay.test/>",
        "<form action='//pay.test'>",
        "<form action=\" \t/\\pay.test\">",
        "<form action='java\nscript:f()'>",
        "<form action=mailto:a@b.test>",
        "<form action='&#104;ttps://pay.test'>",
        "<form action='&sol;&sol;pay.test'>",
        "<form ACTION=//pay.test action=/here>",
        "<form action=/here action=//pay.test>|",
        "<form action=/here>|<form action='?a=1&amp;b=https://x'>|<form action=save.php>|<form action=''>|",
        "<form method=dialog>",
        "<form method='DiaLog'>",
        "<form method=post method=dialog>|",
        "<form method='&#100;ialog'>",
        "<form method=dialogue>|<form method=' dialog'>|<form method=get>|",
        "<form enctype=text/plain method=post>",
        "<form enctype=multipart/form-data method=post>|",
        "<base href=/app/><form>|",
        "<form>|<base href='https://other.test/'><form><base href=/><form action=/x>",
    ]);
}

#[test]
fn comments_and_what_passes_for_them_are_skipped() {
    get_tokens_at_the_marks(&[
        "<!--<form>--><form>|",
        "<!--><form>|<!---><form>|<!----><form>|",
        "<!-- a --!><form>|<!-- a --!-><form>--><form>|<!-- -- ><form>---><form>|",
        "<!-- <!-- --><form>|<!-- <!--><form>|",
        "<!- <form><!x <form><form>|",
        "<!><form>|<!-><form>|</><form>|</ <form><form>|<!x><form>|<?php echo '<form>' ?><form>|",
        "<![CDATA[<form>]]><form>|",
        "<!DOCTYPE html PUBLIC \"a>b\"><form>|",
        "<!-- <form",
    ]);
}

#[test]
fn the_text_of_elements_is_skipped() {
    get_tokens_at_the_marks(&[
        "<script>'<form>'</script><form>|",
        "<SCRIPT src=x>'</scripty><form></script ><form>|",
        "<script/>'<form>'</script/><form>|",
        "<style>a::after{content:'<form>'}</style x='>'><form>|",
        "<textarea><form></textarea><form>|<title><form></title><form>|",
        "<xmp><form></xmp><form>|<iframe><form></iframe><form>|",
        "<noembed><form></noembed><form>|<noframes><form></noframes><form>|",
        "<textarea><!--</textarea><form>|-->",
        "<title></textarea><form></title><form>|",
        "<textarea><</textarea><form>|<textarea></</textarea><form>|",
        "<plaintext><form></plaintext><form>",
        "<pre><form>|</pre><listing><form>|</listing>",
    ]);
}

#[test]
fn scripts_hide_their_ends_in_comments_of_their_own() {
    get_tokens_at_the_marks(&[
        "<script><!-- '</script><form>|-->",
        "<script><!--<script></script><form></script><form>|",
        "<script><!--<script>--></script><form>|",
        "<script><!--<script/</script/<form></script><form>|",
        "<script><!--<scripts></script><form>|",
        "<script><!--><script></script><form>|",
        "<script><!---><script></script><form>|",
        "<script><!--<script></scripts></script><form></script><form>|",
        "<script><!-<script></script><form>|",
        "<script><!-- -<script> -- </script>--></script><form>|",
        "<style><!--<style></style><form>|",
    ]);
}

#[test]
fn noscript_is_read_where_scripts_run_and_where_they_do_not() {
    get_tokens_at_the_marks(&[
        "<noscript><form>|</form></noscript><form>|",
        "<noscript><p title='</noscriptx>'></p></noscript><form>|",
        // Here they differ.
        "<noscript><p title='</noscript><form>'><form>",
        "<noscript><!--</noscript><form>--><form>",
        "<noscript><style></noscript></style><form>",
        "<noscript></NoScript\n><!--</noscript>--><form>|",
    ]);
}

#[test]
fn drawings_and_lists_have_no_forms() {
    get_tokens_at_the_marks(&[
        "<svg><title>a</title><path d='M0'/></svg><form>|",
        "<svg/><form>|<math><mi>x</mi></math><form>|",
        "<svg><form></form><desc>a</desc></svg><form>|<math><mi>x</mi></math></svg><form>|",
        "<math></svg><form></math><form>|<svg><math></svg></math><form>|",
        "<svg><svg></svg><form></svg><form>|",
        "<svg><style>a{b:c}</style><![CDATA[ a<b ]]></svg><form>|",
        "<select><option>a</select><form>|<select><form></select><form>|",
        // What follows is read in one way or another.
        "<svg><style><!--</style><form>--></svg><form>",
        "<svg><script/></svg><form>",
        "<svg><p><select></svg><form><formx>",
        "<svg><![CDATA[ > ]]></svg><form>",
        "<select><style><form></style></select><form>",
        "<select><template></select></template><form>",
        "<svg><foreignObject><div></div></foreignObject></svg><form>",
        "<frameset><form>",
    ]);
}

const ACTION: &str = " action=\"?_t=here\"";

#[test]
fn forms_that_post_to_the_address_of_their_page_get_another_one() {
    let get_one = |tag: &str| {
        let given = given_with(ACTION, [tag]);
        assert_eq!(given.replacen(&field(0), "", 1).replacen(ACTION, "", 1), tag, "{given}");
        given.contains(ACTION)
    };
    for tag in [
        "<form method=post>",
        "<FORM METHOD='POST' class=a>",
        "<form method=post x>",
        "<form method=post x=y>",
        "<form method=post />",
        "<form method=\"post\"title='>'>",
    ] {
        assert!(get_one(tag), "{tag}");
    }
    for tag in [
        "<form>",
        "<form method=get>",
        "<form method=post action>",
        "<form method=post action=''>",
        "<form action=/x method=post>",
        "<form method='&#112;ost'>",
        "<form method=posts>",
        "<form method=post/>",
        // What is put before this end is the value.
        "<form method=post x=>",
        "<form method=post x= >",
    ] {
        assert!(!get_one(tag), "{tag}");
    }
}

#[test]
fn a_page_is_no_longer_by_addresses_than_a_page_may_be() {
    let mut page = "<form method=post>".repeat(100);
    let limit = page.len() + 10 * (field(0).len() + ACTION.len());
    Forms::default().add(&mut page, limit, ACTION, |_, token| token.push('t'));
    assert_eq!((page.matches(BEFORE).count(), page.matches(ACTION).count()), (10, 10));
    assert!(page.len() <= limit && page.ends_with("<form method=post>"));
}

#[test]
fn a_page_is_no_longer_by_tokens_than_a_page_may_be() {
    let mut page = "<form>".repeat(100);
    let limit = page.len() + 10 * field(0).len();
    Forms::default().add(&mut page, limit, "", |_, token| token.push('t'));
    assert_eq!((page.matches(BEFORE).count(), page.matches("<form>").count()), (10, 100));
    assert!(page.len() <= limit);
}

#[test]
fn pages_without_forms_are_told_at_a_glance() {
    for page in ["", "form", "<", "<for", "<p>a<b>form</b>", "< form>", "\u{e4}<\u{e4}rm\u{e4}"] {
        assert!(!Forms::may_be_in(page), "{page}");
        assert_eq!(given([page]), page);
    }
    for page in ["<form", "a<<FoRm>", "<form\u{e4}", "\u{e4}<b><form>"] {
        assert!(Forms::may_be_in(page), "{page}");
    }
}

/// What pages are made of, and what is hard to read in them.
pub(super) const PARTS: [&str; 69] = [
    "<form>",
    "<FORM method=post>",
    "<form action=/a>",
    "<form action=//b>",
    "<form action='https:b'>",
    "</form>",
    "<form method=dialog>",
    "<form/",
    "<form ",
    "<formx>",
    "<",
    ">",
    "/",
    "!",
    "-",
    "--",
    "-->",
    "--!>",
    "<!--",
    "<!-",
    "<!",
    "<!>",
    "<?",
    "</",
    "</>",
    "\"",
    "'",
    "=",
    " ",
    "\n",
    "a",
    "&lt;",
    "\u{e4}",
    "\0",
    "<p title=\"",
    "<p title='",
    "<p a=b ",
    "\" b=\"",
    "<p a=\"<form>\" b=\">\" c>",
    "<div>",
    "</div>",
    "<script>",
    "</script>",
    "<script",
    "</script",
    "<style>",
    "</style>",
    "<textarea>",
    "</textarea>",
    "<title>",
    "</title>",
    "<xmp>",
    "</xmp>",
    "<iframe>",
    "</iframe>",
    "<template>",
    "</template>",
    "<table>",
    "<tr><td>",
    "</table>",
    "<!doctype html>",
    "]]>",
    "<![CDATA[",
    "action=",
    "method=",
    "dialog",
    "//",
    "<noembed>",
    "</noembed>",
];

/// More of them, where browsers differ.
pub(super) const UNCLEAR: [&str; 18] = [
    "<svg>",
    "</svg>",
    "<svg/>",
    "<math>",
    "</math>",
    "<select>",
    "</select>",
    "<option>",
    "<noscript>",
    "</noscript>",
    "<foreignObject>",
    "</foreignObject>",
    "<mi>",
    "</mi>",
    "<desc>",
    "<base href=//b>",
    "<base href=/b>",
    "<frameset>",
];

pub(super) fn pages(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(proptest::sample::select(parts), 0..30).prop_map(|parts| parts.concat())
}

pub(super) fn all() -> &'static [&'static str] {
    static ALL: std::sync::OnceLock<Vec<&str>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| PARTS.into_iter().chain(UNCLEAR).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_make_no_difference(page in pages(all()), cuts in vec(0usize..200, 0..8)) {
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| page.is_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        let (mut pieces, mut done) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&page[done..cut]);
            done = cut;
        }
        pieces.push(&page[done..]);
        prop_assert_eq!(given(pieces), given([&*page]));
    }

    #[test]
    fn tokens_are_all_that_is_added(page in pages(all())) {
        let mut given = given([&*page]);
        for nth in 0..given.matches(BEFORE).count() {
            given = given.replacen(&field(nth as u32), "", 1);
        }
        prop_assert_eq!(given, page);
    }

    #[test]
    fn addresses_are_all_else_that_is_added(page in pages(all())) {
        let with = given_with(ACTION, [&*page]);
        prop_assert_eq!(with.replace(ACTION, ""), given([&*page]).replace(ACTION, ""));
    }

    #[test]
    fn what_has_no_form_at_a_glance_has_none(page in pages(all())) {
        prop_assert!(Forms::may_be_in(&page) || given([&*page]) == page);
    }
}
