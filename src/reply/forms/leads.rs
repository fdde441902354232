//! Where a form's `action` leads, read letter by letter: within this origin, or perhaps elsewhere.

/// What is known of a URL so far. An empty one leads here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Leads {
    /// Nothing but blanks came.
    #[default]
    Unread,
    /// It begins with a slash: another one, and a host follows.
    Slash,
    /// It may be a scheme: a colon says so.
    Word,
    Here,
    /// To another origin, or nobody knows: a scheme, a host, or a character reference before it is known.
    Elsewhere,
}

impl Leads {
    /// With the next letter of the attribute, as it stands in the page. Browsers leave out blanks in front, and tabs and
    /// ends of lines anywhere, and take `\` for `/`.
    pub(super) fn on(self, byte: u8) -> Leads {
        match (self, byte) {
            (known @ (Leads::Here | Leads::Elsewhere), _) => known,
            (unread, b'\t' | b'\n' | b'\r') | (unread @ Leads::Unread, ..=b' ') => unread,
            (_, b'&') | (Leads::Slash, b'/' | b'\\') | (Leads::Word, b':') => Leads::Elsewhere,
            (Leads::Unread, b'/' | b'\\') => Leads::Slash,
            (Leads::Unread, b'a'..=b'z' | b'A'..=b'Z') => Leads::Word,
            (Leads::Word, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.') => Leads::Word,
            _ => Leads::Here,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(action: &str) -> bool {
        action.bytes().fold(Leads::default(), Leads::on) == Leads::Elsewhere
    }

    #[test]
    fn paths_and_queries_lead_here() {
        for action in [
            "",
            " ",
            "?",
            "?a=b:c&amp;d",
            "#x",
            "/",
            "/a//b",
            "save",
            "a/b:c",
            "../up",
            "1:2",
            ":x",
            "ä:b",
            "/ /x",
        ] {
            assert!(!elsewhere(action), "{action:?}");
        }
    }

    #[test]
    fn schemes_hosts_and_what_hides_them_lead_elsewhere() {
        for action in [
            "https://pay.test/",
            "HTTP://pay.test",
            "mailto:a@b",
            "javascript:f()",
            "\tjava\nscript:f()",
            "  //pay.test",
            "/\\pay.test",
            "\\\\pay.test",
            "\\/pay.test",
            "/\t/pay.test",
            "\u{1}//pay.test",
            "&#47;/pay.test",
            "/&sol;pay.test",
            "https&colon;//pay.test",
            "a+b-c.1:x",
        ] {
            assert!(elsewhere(action), "{action:?}");
        }
    }
}
