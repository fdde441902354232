//! The patterns of fields: what people write in `pattern`, matched against all of a text.
//!
//! Left out: references back, Unicode properties, word boundaries and looking behind. A pattern with one of them, or one
//! that is none, is not understood, and demands nothing.

/// A pattern that is understood.
pub(super) struct Pattern(Vec<Vec<Node>>);

#[derive(Debug)]
enum Node {
    /// A character in one of these ranges.
    One(Vec<(char, char)>),
    Begin,
    End,
    /// One of several ways.
    Group(Vec<Vec<Node>>),
    /// What comes is, or is not, like this.
    Ahead(Vec<Vec<Node>>, bool),
    Repeat(Box<Node>, usize, usize),
}

impl Pattern {
    pub(super) fn read(pattern: &str) -> Option<Pattern> {
        let mut reader = Reader { left: pattern.chars().collect(), at: 0 };
        let ways = reader.ways()?;
        (reader.at == reader.left.len()).then_some(Pattern(ways))
    }

    /// Whether all of the text is so.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        any(&self.0, &text, 0, &mut |at| at == text.len())
    }
}

/// Whether one of these ways leads from `at` to where the rest fits.
fn any(ways: &[Vec<Node>], text: &[char], at: usize, rest: &mut dyn FnMut(usize) -> bool) -> bool {
    ways.iter().any(|way| all(way, text, at, rest))
}

fn all(nodes: &[Node], text: &[char], at: usize, rest: &mut dyn FnMut(usize) -> bool) -> bool {
    match nodes.split_first() {
        None => rest(at),
        Some((node, nodes)) => node.fits(text, at, &mut |at| all(nodes, text, at, rest)),
    }
}

impl Node {
    fn fits(&self, text: &[char], at: usize, rest: &mut dyn FnMut(usize) -> bool) -> bool {
        match self {
            Node::One(ranges) => {
                let fits = |c: &char| ranges.iter().any(|(from, to)| (from..=to).contains(&c));
                text.get(at).is_some_and(fits) && rest(at + 1)
            }
            Node::Begin => at == 0 && rest(at),
            Node::End => at == text.len() && rest(at),
            Node::Group(ways) => any(ways, text, at, rest),
            Node::Ahead(ways, wanted) => any(ways, text, at, &mut |_| true) == *wanted && rest(at),
            Node::Repeat(node, least, most) => node.repeats(text, at, (*least, *most), rest),
        }
    }

    fn repeats(
        &self,
        text: &[char],
        at: usize,
        (least, most): (usize, usize),
        rest: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        // As often as it can, but not for ever where it takes nothing.
        let again = (least.saturating_sub(1), most.saturating_sub(1));
        let more = most > 0
            && self.fits(text, at, &mut |to| (to > at || least > 0) && self.repeats(text, to, again, rest));
        more || least == 0 && rest(at)
    }
}

struct Reader {
    left: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.left.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Takes this, if it is what comes.
    fn takes(&mut self, text: &str) -> bool {
        let comes = self.left[self.at..].iter().copied().take(text.len()).eq(text.chars());
        self.at += if comes { text.len() } else { 0 };
        comes
    }

    fn ways(&mut self) -> Option<Vec<Vec<Node>>> {
        let mut ways = vec![Vec::new()];
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            if c == '|' {
                self.at += 1;
                ways.push(Vec::new());
                continue;
            }
            let node = self.node()?;
            let node = self.repeated(node)?;
            ways.last_mut()?.push(node);
        }
        Some(ways)
    }

    fn node(&mut self) -> Option<Node> {
        Some(match self.next()? {
            '.' => Node::One(others(vec![('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')])),
            '^' => Node::Begin,
            '$' => Node::End,
            '[' => Node::One(self.class()?),
            '(' => self.group()?,
            '\\' => Node::One(self.escaped()?),
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            c => Node::One(vec![(c, c)]),
        })
    }

    fn group(&mut self) -> Option<Node> {
        let ahead = [("?=", true), ("?!", false)].into_iter().find(|(sign, _)| self.takes(sign));
        let plain = ahead.is_some() || self.takes("?:") || self.peek() != Some('?');
        let ways = self.ways().filter(|_| plain)?;
        self.takes(")").then_some(match ahead {
            Some((_, wanted)) => Node::Ahead(ways, wanted),
            None => Node::Group(ways),
        })
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => return self.counted(node),
            _ => return Some(node),
        };
        self.at += 1;
        self.takes("?");
        Some(Node::Repeat(Box::new(node), least, most))
    }

    fn counted(&mut self, node: Node) -> Option<Node> {
        let end = self.left[self.at..].iter().position(|c| *c == '}')? + self.at;
        let counts: String = self.left[self.at + 1..end].iter().collect();
        self.at = end + 1;
        self.takes("?");
        let (least, most) = counts.split_once(',').unwrap_or((&counts, &counts));
        let most = if most.is_empty() { usize::MAX } else { most.parse().ok()? };
        Some(Node::Repeat(Box::new(node), least.parse().ok()?, most))
    }

    fn class(&mut self) -> Option<Vec<(char, char)>> {
        let negated = self.takes("^");
        let mut ranges = Vec::new();
        loop {
            let from = match self.next()? {
                ']' => break,
                '\\' => self.escaped()?,
                c => vec![(c, c)],
            };
            let single = from.len() == 1 && from[0].0 == from[0].1;
            let comes_range =
                self.peek() == Some('-') && self.left.get(self.at + 1).is_some_and(|c| *c != ']');
            if !single || !comes_range {
                ranges.extend(from);
                continue;
            }
            self.at += 1;
            let to = match self.next()? {
                '\\' => self.escaped()?.first()?.1,
                c => c,
            };
            ranges.push((from[0].0, to));
        }
        Some(if negated { others(ranges) } else { ranges })
    }

    fn escaped(&mut self) -> Option<Vec<(char, char)>> {
        let digits = || vec![('0', '9')];
        let words = || vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
        let spaces = || vec![('\t', '\r'), (' ', ' '), ('\u{a0}', '\u{a0}'), ('\u{2028}', '\u{2029}')];
        Some(match self.next()? {
            'd' => digits(),
            'D' => others(digits()),
            'w' => words(),
            'W' => others(words()),
            's' => spaces(),
            'S' => others(spaces()),
            'n' => vec![('\n', '\n')],
            'r' => vec![('\r', '\r')],
            't' => vec![('\t', '\t')],
            c if c.is_ascii_alphanumeric() => return None,
            c => vec![(c, c)],
        })
    }
}

/// All characters but these.
fn others(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let (mut others, mut from) = (Vec::new(), Some('\0'));
    for (first, last) in ranges {
        if let Some(begin) = from.filter(|begin| *begin < first) {
            let before = (begin..first).next_back().unwrap_or(begin);
            others.push((begin, before));
        }
        from = from.and_then(|from| (from.max(last)..=char::MAX).nth(usize::from(from <= last)));
    }
    others.extend(from.map(|from| (from, char::MAX)));
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_text_has_to_fit() {
        for (pattern, good, bad) in [
            ("[A-Z]{3}", "ABC", "ABCD"),
            ("\\d{5}(-\\d{4})?", "12345-6789", "12345-"),
            ("a|bc", "bc", "ac"),
            ("(ab)+", "abab", "aba"),
            ("[^a-c]*", "xyz", "xaz"),
            ("[\\w.-]+@x", "a.b-c@x", "a b@x"),
            ("(?=.*\\d)(?=.*[a-z]).{4,}", "abc1", "abcd"),
            ("(?!x).*", "ax", "xa"),
            ("^a$", "a", "ab"),
            ("\\+?[0-9 ]{2,4}", "+1 2", "+1 23 4"),
            ("(a*)*b", "aab", "aac"),
            ("[a\\]-]+", "a]-", "b"),
            ("\\S+", "ab", "a b"),
            ("", "", "a"),
        ] {
            let read = Pattern::read(pattern).expect("understood");
            assert_eq!((read.fits(good), read.fits(bad)), (true, false), "{pattern}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for pattern in ["(a", "a)", "[a", "*a", "\\p{L}", "(a)\\1", "(?<!a)b", "a{x}", "\\bx"] {
            assert!(Pattern::read(pattern).is_none(), "{pattern}");
        }
    }
}
