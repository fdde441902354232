//! Pages, whatever is printed: how they are cut makes no difference, and tokens are all that is added.

use super::{AFTER, BEFORE, Forms};

/// A page that a program prints.
pub(crate) fn forms(bytes: &[u8]) {
    let Ok(page) = str::from_utf8(bytes) else { return };
    if page.contains(BEFORE) {
        return;
    }
    let (given, tokens) = add([page]);
    let mut left = given.clone();
    for nth in 0..tokens {
        let field = format!("{BEFORE}{nth}{AFTER}");
        let at = left.find(&field).expect("it was added");
        left.replace_range(at..at + field.len(), "");
        assert!(left[..at].ends_with('>'), "behind a tag");
        assert!(Forms::may_be_in(&left[..at]), "a form's");
    }
    assert_eq!(left, page, "tokens are all that is added");
    assert_eq!(add(page.split_inclusive(|_| true)).0, given, "letter by letter");
    assert_eq!(add(page.split_inclusive(['<', '-', 'o'])).0, given, "in pieces");
    // What is text within an element stays so, whatever it is.
    let text = format!("<title>{}</title><form>", page.replace('<', "&lt;"));
    assert_eq!(add([&*text]).1, 1);
}

/// The page with its tokens, and how many they are.
fn add<'p>(pieces: impl IntoIterator<Item = &'p str>) -> (String, u32) {
    let (mut forms, mut page) = (Forms::default(), String::new());
    for piece in pieces {
        let mut piece = piece.to_owned();
        forms.add(&mut piece, usize::MAX, "", |nth, token| token.push_str(&nth.to_string()));
        page.push_str(&piece);
    }
    (page, forms.count)
}
