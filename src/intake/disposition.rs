//! What the head of a form's part says of it: the name of its field, and of its file if it is one.
//!
//! Browsers write `name="…"; filename="…"` in the page's charset, and in names they encode the three characters that would
//! end them: `"` as `%22`, CR as `%0D`, LF as `%0A`, and nothing else. Other programs escape `"` by a backslash, or write
//! `filename*=UTF-8''…` (RFC 8187). What is no UTF-8 is repaired: it is a name, to be shown.

use percent_encoding::percent_decode;

/// What browsers encode in a name.
const ESCAPES: [(&[u8], u8); 3] = [(b"%22", b'"'), (b"%0D", b'\r'), (b"%0A", b'\n')];

/// The names in a `Content-Disposition`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    /// Empty where the part does not say it.
    pub(super) name: String,
    /// Where there is one, however it is written, the part is a file.
    pub(super) file: Option<String>,
}

impl Disposition {
    pub(super) fn read(field: &[u8]) -> Disposition {
        let mut named = [None, None, None, None];
        for (key, value) in Params(after(field, b';')) {
            let known = [&b"name"[..], b"name*", b"filename", b"filename*"];
            let at = known.iter().position(|known| key.eq_ignore_ascii_case(known));
            // Of several the first counts, as it does for parameters.
            if let Some(at) = at
                && named[at].is_none()
            {
                named[at] = Some(if at % 2 == 0 { value.plain() } else { value.extended() });
            }
        }
        let [name, wide_name, file, wide_file] = named;
        Disposition { name: wide_name.or(name).unwrap_or_default(), file: wide_file.or(file) }
    }
}

/// Parameters that follow a `;`.
struct Params<'h>(&'h [u8]);

/// A value as it is written.
enum Value<'h> {
    Token(&'h [u8]),
    Quoted(&'h [u8]),
}

impl<'h> Iterator for Params<'h> {
    type Item = (&'h [u8], Value<'h>);

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.0.trim_ascii_start();
        if left.is_empty() {
            return None;
        }
        let end = left.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(left.len());
        let (key, rest) = (left[..end].trim_ascii_end(), left[end..].strip_prefix(b"="));
        let Some(rest) = rest.map(<[u8]>::trim_ascii_start) else {
            self.0 = after(left, b';');
            return Some((key, Value::Token(b"")));
        };
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = end_of_quoted(quoted);
                (Value::Quoted(&quoted[..end]), &quoted[end..])
            }
            None => {
                let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
                (Value::Token(rest[..end].trim_ascii_end()), &rest[end..])
            }
        };
        self.0 = after(rest, b';');
        Some((key, value))
    }
}

/// What stands behind the first of these.
fn after(text: &[u8], sign: u8) -> &[u8] {
    text.iter().position(|byte| *byte == sign).map_or(&[], |at| &text[at + 1..])
}

/// Up to the quote that ends it. A backslash before a quote escapes it, unless no other one ends the text: browsers write
/// backslashes as they are.
fn end_of_quoted(text: &[u8]) -> usize {
    let quotes = || (0..text.len()).filter(|at| text[*at] == b'"');
    let ends = |at: &usize| *at == 0 || text[at - 1] != b'\\';
    quotes().find(ends).or_else(|| quotes().next_back()).unwrap_or(text.len())
}

impl Value<'_> {
    fn plain(&self) -> String {
        let mut rest = match self {
            Value::Token(token) => return repaired(token),
            Value::Quoted(text) => *text,
        };
        let mut bytes = Vec::with_capacity(rest.len());
        while let Some(&first) = rest.first() {
            let (sign, length) = escaped(rest).unwrap_or((first, 1));
            bytes.push(sign);
            rest = &rest[length..];
        }
        repaired(&bytes)
    }

    /// `charset'language'…`, all that is no letter percent-encoded. What is written in another way is taken as it is.
    fn extended(&self) -> String {
        let (Value::Token(text) | Value::Quoted(text)) = *self;
        let mut parts = text.splitn(3, |byte| *byte == b'\'');
        let (Some(charset), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return repaired(text);
        };
        let bytes: Vec<u8> = percent_decode(encoded).collect();
        if charset.eq_ignore_ascii_case(b"iso-8859-1") {
            bytes.into_iter().map(char::from).collect()
        } else {
            repaired(&bytes)
        }
    }
}

/// The sign that an escape at the start of this text stands for, and how long the escape is.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    if text.starts_with(br#"\""#) {
        return Some((b'"', 2));
    }
    let escape = |(escape, sign): &(&[u8], u8)| text.starts_with(escape).then_some((*sign, escape.len()));
    ESCAPES.iter().find_map(escape)
}

fn repaired(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &[u8]) -> (String, Option<String>) {
        let Disposition { name, file } = Disposition::read(field);
        (name, file)
    }

    #[test]
    fn names_are_read_as_programs_write_them() {
        for (field, name, file) in [
            (r#"form-data; name="a""#, "a", None),
            (r#"form-data; name="a"; filename="b c.txt""#, "a", Some("b c.txt")),
            (r#"form-data; filename="b"; name="a""#, "a", Some("b")),
            (r#"form-data;NAME="a";FileName="b""#, "a", Some("b")),
            (r#"form-data; name = "a" ; filename = "b" "#, "a", Some("b")),
            ("form-data; name=a; filename=b.txt", "a", Some("b.txt")),
            ("form-data; filename=b; name", "", Some("b")),
            (r#"form-data; name="a"; filename="""#, "a", Some("")),
            (r#"form-data; name="a;b=c"; filename=";""#, "a;b=c", Some(";")),
            (r#"form-data; name="a\"b"; filename="c\"d""#, "a\"b", Some("c\"d")),
            // A backslash is a letter like any to browsers.
            (r#"form-data; name="a"; filename="C:\dir\x.txt""#, "a", Some(r"C:\dir\x.txt")),
            (r#"form-data; name="a"; filename="dir\""#, "a", Some("dir\\")),
            (r#"form-data; name="a"; filename="open"#, "a", Some("open")),
            (r#"form-data; name="a"; xfilename="b"; filenames="c""#, "a", None),
            (r#"form-data; name="a"; name="b"; filename="c"; filename="d""#, "a", Some("c")),
            ("form-data; filename", "", Some("")),
            ("form-data", "", None),
            ("", "", None),
            (";;=;\"", "", None),
        ] {
            assert_eq!(read(field.as_bytes()), (name.into(), file.map(str::to_owned)), "{field}");
        }
    }

    #[test]
    fn any_name_of_a_file_makes_a_file() {
        for (parameter, file) in [
            ("filename*=UTF-8''na%C3%AFve%20%22plan%22.txt", "naïve \"plan\".txt"),
            ("FILENAME*=utf-8'en'%e2%82%ac.txt", "€.txt"),
            ("filename*=\"UTF-8''%E2%82%AC.txt\"", "€.txt"),
            ("filename*=ISO-8859-1''%A3%20rates", "£ rates"),
            ("filename*=UTF-8''%FF%zz", "\u{fffd}%zz"),
            ("filename*=plain.txt", "plain.txt"),
            ("filename*=", ""),
            ("filename=\"EURO.txt\"; filename*=UTF-8''%E2%82%AC.txt", "€.txt"),
            ("filename*=UTF-8''%E2%82%AC.txt; filename=\"EURO.txt\"", "€.txt"),
        ] {
            let field = format!("form-data; name=\"f\"; {parameter}");
            assert_eq!(read(field.as_bytes()), ("f".into(), Some(file.into())), "{field}");
        }
        assert_eq!(read(b"form-data; name*=UTF-8''%C3%A4").0, "ä");
    }

    #[test]
    fn what_browsers_encode_in_names_is_decoded_and_nothing_else() {
        let field = br#"form-data; name="a%22b%0D%0Ac"; filename="q%22uo%0D%0A%41%20%2522%0d.txt""#;
        assert_eq!(
            read(field),
            ("a\"b\r\nc".into(), Some("q\"uo\r\n%41%20%25\"%0d.txt".replace("%25\"", "%2522")))
        );
    }

    #[test]
    fn a_name_that_is_no_text_is_repaired() {
        let field = b"form-data; name=\"J\xf6rg\"; filename=\"f\xfcr.txt\"";
        assert_eq!(read(field), ("J\u{fffd}rg".into(), Some("f\u{fffd}r.txt".into())));
    }
}
