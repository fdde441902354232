//! Text as it is sent: its lines end by CR LF, one that begins with a dot gets another, and a dot alone is the end.

/// Text on its way, in pieces as they come.
#[derive(Debug)]
pub(super) struct Stuffing {
    at_start: bool,
    after_cr: bool,
}

impl Stuffing {
    pub(super) fn new() -> Self {
        Stuffing { at_start: true, after_cr: false }
    }

    /// Adds a piece of text to what is sent.
    pub(super) fn add(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    out.extend_from_slice(b"\r\n");
                    (self.at_start, self.after_cr) = (true, *byte == b'\r');
                }
                byte => {
                    if self.at_start && *byte == b'.' {
                        out.push(b'.');
                    }
                    out.push(*byte);
                    (self.at_start, self.after_cr) = (false, false);
                }
            }
        }
    }

    /// Adds the end.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.at_start { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(pieces: &[&[u8]]) -> String {
        let (mut stuffing, mut out) = (Stuffing::new(), Vec::new());
        pieces.iter().for_each(|piece| stuffing.add(piece, &mut out));
        stuffing.end(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn r55_text_ends_by_a_dot_and_no_line_of_it_is_one() {
        assert_eq!(stuffed(&[b""]), ".\r\n");
        assert_eq!(stuffed(&[b"a\nb"]), "a\r\nb\r\n.\r\n");
        assert_eq!(stuffed(&[b"a\r\n.\r\n..b\r", b"\n.\rc\n\n"]), "a\r\n..\r\n...b\r\n..\r\nc\r\n\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn r55_however_text_is_cut_it_ends_once(text in "[a.\r\n]{0,20}", cut in 0usize..20) {
            let (head, tail) = text.split_at(cut.min(text.len()));
            let whole = stuffed(&[text.as_bytes()]);
            prop_assert_eq!(&stuffed(&[head.as_bytes(), tail.as_bytes()]), &whole);
            let lines: Vec<_> = whole.strip_suffix("\r\n").expect("a line's end").split("\r\n").collect();
            prop_assert_eq!(lines.iter().position(|line| *line == "."), Some(lines.len() - 1));
        }
    }
}
