//! The programs that a README shows: its Rust blocks with a `fn main`, as a reader would copy them.

/// A program, and the line of the README it begins at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) line: usize,
    pub(crate) code: String,
}

/// All whole programs among the code blocks.
pub(crate) fn programs(markdown: &str) -> Vec<Program> {
    let mut programs = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((line, text)) = lines.next() {
        let Some(fence) = Fence::open(text) else { continue };
        let code: String = lines
            .by_ref()
            .map(|(_, text)| text)
            .take_while(|text| !fence.is_closed_by(text))
            .flat_map(|text| [shown(text), "\n"])
            .collect();
        if fence.is_rust() && code.contains("fn main(") {
            programs.push(Program { line: line + 1, code });
        }
    }
    programs
}

/// The line that opens a code block.
pub(crate) struct Fence<'t> {
    marks: &'t str,
    language: &'t str,
}

impl<'t> Fence<'t> {
    pub(crate) fn open(line: &'t str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let language = line.trim_start_matches(mark);
        let marks = &line[..line.len() - language.len()];
        (marks.len() >= 3 && !language.contains('`')).then_some(Fence { marks, language: language.trim() })
    }

    pub(crate) fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.starts_with(self.marks) && line.chars().all(|c| self.marks.starts_with(c))
    }

    fn is_rust(&self) -> bool {
        let mut words = self.language.split([',', ' ']);
        words.next() == Some("rust") && words.all(|word| word != "compile_fail")
    }
}

/// A line of code without the mark by which rustdoc hides it.
fn shown(line: &str) -> &str {
    match line.trim_start() {
        "#" => "",
        hidden => hidden.strip_prefix("# ").unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_main_is_a_program() {
        let markdown =
            "# X\n\n```rust\nfn main() {}\n```\ntext\n```rust,no_run\n# use x;\n#\nfn main() {\n}\n```\n";
        let program = |line, code: &str| Program { line, code: code.to_owned() };
        assert_eq!(
            programs(markdown),
            [program(3, "fn main() {}\n"), program(7, "use x;\n\nfn main() {\n}\n")]
        );
    }

    #[test]
    fn other_blocks_are_none() {
        assert!(programs("```rust\nfn part() {}\n```\n").is_empty());
        assert!(programs("```sh\nfn main() {}\n```\n").is_empty());
        assert!(programs("```rust,compile_fail\nfn main() {}\n```\n").is_empty());
        assert!(programs("````md\n```rust\nfn main() {}\n```\n````\n").is_empty());
        assert!(programs("fn main() {}\n").is_empty());
    }

    #[test]
    fn what_looks_like_a_fence_is_not_always_one() {
        assert!(Fence::open("```rust").is_some());
        assert!(Fence::open("  ~~~").is_some());
        assert!(Fence::open("``` `x` ```").is_none());
        assert!(Fence::open("``x``").is_none());
        assert!(Fence::open("").is_none());
    }

    #[test]
    fn attributes_are_not_hidden_lines() {
        assert_eq!(shown("#[tokio::main]"), "#[tokio::main]");
        assert_eq!(shown("    x # y"), "    x # y");
    }
}
