//! Looking at a page: what it says, and which link, button or field somebody means.

use crate::document::form::Kind;
use crate::document::{Document, Leads, Piece, lines, normal};

impl Document {
    /// A response that is no markup.
    pub(super) fn plain(text: &str) -> Self {
        let lines = text.lines().flat_map(|line| [Piece::Text(line.to_owned()), Piece::Break]);
        Document { pieces: lines.collect(), ..Document::default() }
    }

    /// The visible text in lines, spaces made one.
    pub(super) fn text(&self) -> String {
        lines(&self.pieces, None).join("\n")
    }

    /// The visible text with links and buttons as `[text]` and fields as `name=[value]`.
    pub(super) fn sketch(&self) -> Vec<String> {
        lines(&self.pieces, Some(&self.fields))
    }

    /// The link with this text, or else the only one with this in its text.
    pub(super) fn link(&self, text: &str) -> Result<&str, String> {
        let links = self.targets.iter().filter_map(|target| match &target.leads {
            Leads::Link(href) => Some((&*target.text, &**href)),
            Leads::Button(_) => None,
        });
        pick(text, links.collect()).map_err(|found| not_one("link", text, found))
    }

    /// The link or button with this text, or else the only one with this in its text.
    pub(super) fn target(&self, text: &str) -> Result<&Leads, String> {
        let targets = self.targets.iter().map(|target| (&*target.text, &target.leads));
        pick(text, targets.collect()).map_err(|found| not_one("link or button", text, found))
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.targets.iter().filter(|target| matches!(target.leads, Leads::Link(_)));
        links.map(|link| &*link.text)
    }

    /// Whether a visitor sees or can use a field of this name.
    pub(super) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name && !matches!(field.kind, Kind::Button { .. }))
    }
}

/// The first of exactly this name, else the only one that has it in its name; else how many have.
fn pick<T>(wanted: &str, named: Vec<(&str, T)>) -> Result<T, usize> {
    let wanted = normal(wanted);
    let exact = named.iter().position(|(text, _)| *text == wanted);
    let close: Vec<_> = (0..named.len()).filter(|at| named[*at].0.contains(&wanted)).collect();
    let at = match (exact, &*close) {
        (Some(at), _) => at,
        (None, [at]) => *at,
        (None, close) => return Err(close.len()),
    };
    Ok(named.into_iter().nth(at).expect("a position of this list").1)
}

fn not_one(what: &str, text: &str, found: usize) -> String {
    match found {
        0 => format!("I looked for a {what} {text:?}"),
        _ => format!("I looked for one {what} with {text:?} in its text, not {found},"),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::document::parse::parse;

    #[test]
    fn text_is_exact_or_else_in_one_only() {
        let document = parse(
            "<a href=1>Delete</a><a href=2>Delete all</a><a href=3>Go  <b>on</b></a><button>Go</button>\
             <a href=4>Delete</a>",
        );
        assert_eq!(document.link("Delete"), Ok("1"));
        assert_eq!(document.link("all"), Ok("2"));
        assert_eq!(document.link("Go on"), Ok("3"));
        assert_eq!(document.link("Go"), Ok("3"));
        assert!(matches!(document.target("Go"), Ok(Leads::Button(_))));
        let error = document.link("Del").expect_err("three of them");
        assert_eq!(error, "I looked for one link with \"Del\" in its text, not 3,");
        assert_eq!(document.link("Undo"), Err("I looked for a link \"Undo\"".into()));
    }

    #[test]
    fn plain_text_keeps_its_lines() {
        let document = Document::plain("a  b\n\nc <b>\n");
        assert_eq!(document.text(), "a b\nc <b>");
    }

    fn sketch(html: &str) -> String {
        parse(html).sketch().join("\n")
    }

    #[test]
    fn text_is_what_the_eye_sees() {
        let document = parse(
            "<title> A \n title </title><style>p {}</style><script>x()</script><h1>Count:\n 2</h1>\
             <p>a<b>b</b> c&nbsp;&amp; d<br>e<!-- no --></p><p hidden>no</p><div style='display: none'>no</div>\
             <ul><li>x<li>y</ul><table><tr><td>1</td><td>2</td></tr></table><template>no</template>\
             <svg><title>no</title></svg><noscript>No <a href=x>scripts</a></noscript><img alt=Logo>",
        );
        assert_eq!(document.title, "A title");
        assert_eq!(document.text(), "Count: 2\nab c & d\ne\nx\ny\n1 2\nNo scriptsLogo");
        assert_eq!(document.links().collect::<Vec<_>>(), ["scripts"]);
    }

    #[test]
    fn lines_of_pre_stay_lines() {
        assert_eq!(parse("<pre>a\nb  c</pre>d\ne").text(), "a\nb c\nd e");
    }

    #[test]
    fn values_are_no_text_but_labels_of_buttons_are() {
        let document = parse(
            "<input name=a value=typed><textarea name=b>typed</textarea><select name=c><option>typed</select>\
             <input type=submit value=Go><button>Stay</button>",
        );
        assert_eq!(document.text(), "GoStay");
    }

    #[test]
    fn a_sketch_shows_what_can_be_used() {
        let page = sketch(
            "<h1>Count: 1</h1><a href=?a> ++ </a> <a href=?b>--</a><a name=x>anchor</a>\
             <form>Name <input name=name value=Ada> <input type=checkbox name=vip checked><input type=checkbox name=old>\
             <input type=hidden name=h value=1><select name=s><option value=1>one<option value=2 selected>two</select>\
             <button>Go <b>on</b></button><button disabled>Not yet</button></form>",
        );
        assert_eq!(page, "Count: 1\n[++] [--]anchor\nName name=[Ada] vip=[x] old=[] s=[2] [Go on]Not yet");
    }

    #[test]
    fn a_card_is_a_link_with_one_text() {
        let document = parse("<a href=x><h2>Red</h2> <p>5 $</p></a>");
        assert_eq!(document.link("Red 5 $"), Ok("x"));
    }

    #[test]
    fn what_is_hidden_cannot_be_clicked_but_is_sent() {
        let document = parse("<form hidden><input name=a value=1><button>Go</button></form>");
        assert!(document.target("Go").is_err());
        assert_eq!(document.entries(0, None).len(), 1);
        assert_eq!(document.text(), "");
    }
}
