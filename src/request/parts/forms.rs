//! Forms that a part prints: each gets the token that brings what is sent to that part.

use std::borrow::Cow;

use crate::step::param;

const BEFORE: &str = concat!("<input type=\"hidden\" name=\"", param!(), "\" value=\"");

/// The markup, with the token in all forms that lead back here. One that names another server gets none.
pub(super) fn with_token(markup: &str, token: &str) -> String {
    let (mut given, mut rest) = (String::with_capacity(markup.len()), markup);
    while let Some(at) = find_form(rest) {
        let end = at + tag_end(&rest[at..]);
        given.push_str(&rest[..end]);
        if !leads_away(&rest[at..end]) {
            given.push_str(&[BEFORE, token, "\">"].concat());
        }
        rest = &rest[end..];
    }
    given + rest
}

/// Where the next form's tag begins.
fn find_form(markup: &str) -> Option<usize> {
    let tags = markup.match_indices('<').map(|(at, _)| at);
    tags.into_iter().find(|at| {
        let tag = &markup.as_bytes()[at + 1..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
        tag.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"form")) && tag.get(4).is_some_and(ends)
    })
}

/// How long a tag is: up to the first `>` outside of quotes.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    tag.len()
}

/// Whether a form's tag names another server.
fn leads_away(tag: &str) -> bool {
    let tag = tag.to_ascii_lowercase();
    let Some(at) = tag.find("action") else { return false };
    let action = tag[at + "action".len()..].trim_start().strip_prefix('=').unwrap_or_default();
    let action: Cow<'_, str> = action.trim_start().trim_start_matches(['"', '\'']).trim_start().into();
    let name_of_scheme = action.split(['/', '?', '#', '"', '\'', ' ', '>']).next().unwrap_or_default();
    action.starts_with("//")
        || action.starts_with('\\')
        || action.starts_with("/\\")
        || name_of_scheme.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "<input type=\"hidden\" name=\"_t\" value=\"7f\">";

    #[test]
    fn each_form_that_leads_back_gets_the_token() {
        for (markup, at) in [
            ("<form>x</form>", Some(6)),
            ("a<FORM method=\"post\" action='?a>b'>x", Some(35)),
            ("<form\naction=/here>x", Some(19)),
            ("<formula>x", None),
            ("<form action=\"https://elsewhere.test/\">x", None),
            ("<form action=//elsewhere.test>x", None),
            ("no form", None),
            ("<form", None),
        ] {
            let mut expected = markup.to_owned();
            if let Some(at) = at {
                expected.insert_str(at, TOKEN);
            }
            assert_eq!(with_token(markup, "7f"), expected);
        }
        assert_eq!(with_token("<form></form>ä<form>", "7f").matches(TOKEN).count(), 2);
    }
}
