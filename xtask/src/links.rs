//! The links of all Markdown files: a relative one leads to a file, its `#anchor` to a heading.
//!
//! Left out: links with a scheme, which are the network's, and paths with `::`, which rustdoc checks itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::readme::Fence;

/// Follows every relative link of every Markdown file below `root`; says how many, or which lead nowhere.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let pages = pages(root)?;
    let (mut followed, mut broken) = (0, String::new());
    for (path, text) in &pages {
        for link in links(text).into_iter().filter(|link| is_relative(&link.target)) {
            followed += 1;
            if let Err(problem) = follow(root, &pages, path, &link.target) {
                broken += &format!("{}:{}: {}: {problem}\n", path.display(), link.line, link.target);
            }
        }
    }
    if broken.is_empty() { Ok(format!("{followed} in {} files", pages.len())) } else { Err(broken) }
}

/// All Markdown files by their path from the root; hidden and built folders left out.
fn pages(root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let named = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(root.join(&folder)).map_err(named)? {
            let entry = entry.map_err(named)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if entry.file_type().map_err(named)?.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.insert(path, fs::read_to_string(entry.path()).map_err(named)?);
            }
        }
    }
    Ok(pages)
}

fn is_relative(target: &str) -> bool {
    let first = target.split(['/', '#', '?']).next().unwrap_or_default();
    !first.contains(':') && !target.starts_with("//")
}

fn follow(
    root: &Path,
    pages: &BTreeMap<PathBuf, String>,
    page: &Path,
    target: &str,
) -> Result<(), &'static str> {
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (target, None),
    };
    let path = if file.is_empty() { Some(page.to_owned()) } else { resolve(page, file) };
    let path = path.ok_or("leads out of the repository")?;
    if !root.join(&path).exists() {
        return Err("no such file");
    }
    match (anchor, pages.get(&path)) {
        (Some(anchor), Some(text)) if !anchors(text).contains(anchor) => Err("no such heading"),
        _ => Ok(()),
    }
}

/// The path from the root that a link of `page` means.
fn resolve(page: &Path, file: &str) -> Option<PathBuf> {
    let mut path = match file.starts_with('/') {
        true => PathBuf::new(),
        false => page.parent()?.to_owned(),
    };
    for part in Path::new(file).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if !path.pop() => return None,
            _ => {}
        }
    }
    Some(path)
}

#[derive(Debug, PartialEq, Eq)]
struct Link {
    line: usize,
    target: String,
}

/// All links: inline, of images, of reference definitions, and of HTML.
fn links(markdown: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, text) in prose(markdown) {
        let text = without_code(text);
        for target in inline(&text).chain(definition(&text)).chain(attributes(&text, &["href", "src"])) {
            links.push(Link { line, target: target.to_owned() });
        }
    }
    links
}

/// The lines outside of code blocks, numbered from 1.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code: Option<Fence<'_>> = None;
    markdown.lines().enumerate().filter_map(move |(line, text)| {
        if let Some(fence) = &code {
            if fence.is_closed_by(text) {
                code = None;
            }
            return None;
        }
        code = Fence::open(text);
        code.is_none().then_some((line + 1, text))
    })
}

/// A line without its `code`.
fn without_code(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let (before, code) = (&rest[..start], &rest[start + ticks..]);
        text += before;
        // Ticks without a partner are just ticks.
        rest = code.split_once(&"`".repeat(ticks)).map_or(code, |(_, after)| after);
    }
    text + rest
}

/// `[text](target "title")`
fn inline(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(destination)
}

fn destination(text: &str) -> Option<&str> {
    if let Some(text) = text.strip_prefix('<') {
        return text.split_once('>').map(|(target, _)| target);
    }
    let mut depth = 0;
    let end = text.find(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0 || c.is_whitespace()
    });
    end.map(|end| &text[..end]).filter(|target| !target.is_empty())
}

/// `[name]: target`
fn definition(text: &str) -> Option<&str> {
    let (_, target) = text.trim_start().strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next().map(|target| target.trim_matches(['<', '>']))
}

/// `name="value"` of HTML.
fn attributes<'t>(text: &'t str, names: &[&str]) -> impl Iterator<Item = &'t str> {
    let values = names.iter().flat_map(move |name| {
        let start = format!(" {name}=\"");
        let values = text.match_indices(&start).map(|(at, start)| &text[at + start.len()..]);
        values.filter_map(|value| value.split('"').next()).collect::<Vec<_>>()
    });
    values.collect::<Vec<_>>().into_iter()
}

/// All that an `#anchor` of this page can name.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (_, line) in prose(markdown) {
        anchors.extend(attributes(line, &["id", "name"]).map(str::to_owned));
        let Some(slug) = heading(line).map(slug) else { continue };
        let times = seen.entry(slug.clone()).or_default();
        anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
        *times += 1;
    }
    anchors
}

/// The text of a line `## text`.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && text.starts_with(' ')).then(|| text.trim().trim_end_matches('#').trim_end())
}

/// A heading as GitHub names it in URLs.
fn slug(heading: &str) -> String {
    let mut text = heading.to_lowercase();
    // Of a link, its text stands in the heading.
    while let Some((before, rest)) = text.split_once("](") {
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        text = [before, after].concat();
    }
    let named = text.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    named.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(markdown: &str) -> Vec<String> {
        links(markdown).into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn links_of_all_kinds_are_found() {
        let markdown =
            "[a](a.md) ![b](b.png \"t\") [`c`](c(1).md)\n[d]: d.md\n<a href=\"e.md\"> [f](<f g.md>)";
        assert_eq!(targets(markdown), ["a.md", "b.png", "c(1).md", "d.md", "f g.md", "e.md"]);
        assert_eq!(links("\n[a](b)"), [Link { line: 2, target: "b".to_owned() }]);
    }

    #[test]
    fn code_has_no_links() {
        assert!(targets("```text\n[a](a.md)\n```\n`[b](b.md)` ``[`](c.md)``").is_empty());
        assert_eq!(targets("```\n```\na ` b [c](c.md)"), ["c.md"]);
    }

    #[test]
    fn links_with_a_scheme_are_not_ours() {
        for target in ["https://x/y.md", "mailto:a@b", "crate::Server", "//x/y"] {
            assert!(!is_relative(target), "{target}");
        }
        for target in ["a.md", "#a:b", "docs/a:b.md", "../x"] {
            assert!(is_relative(target), "{target}");
        }
    }

    #[test]
    fn paths_are_resolved_from_their_page() {
        let resolved =
            |page: &str, file| resolve(Path::new(page), file).map(|path| path.display().to_string());
        assert_eq!(resolved("docs/a.md", "b.md").as_deref(), Some("docs/b.md"));
        assert_eq!(resolved("docs/a.md", "../b.md").as_deref(), Some("b.md"));
        assert_eq!(resolved("docs/a.md", "/x/b.md").as_deref(), Some("x/b.md"));
        assert_eq!(resolved("a.md", "../b.md"), None);
    }

    #[test]
    fn slugs_are_those_of_github() {
        assert_eq!(slug("How it works"), "how-it-works");
        assert_eq!(slug("1. `Server::new`, and more!"), "1-servernew-and-more");
        assert_eq!(slug("A [link](x.md) – Ü_b-c"), "a-link--ü_b-c");
    }

    #[test]
    fn headings_are_anchors_and_the_second_is_numbered() {
        let found = anchors("# A\n## B ##\n# A\n#no\n```\n# C\n```\n<a id=\"d\"></a>\n");
        assert_eq!(found.iter().collect::<Vec<_>>(), ["a", "a-1", "b", "d"]);
    }

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = BTreeMap::from([(PathBuf::from("Cargo.toml"), "# A\n".to_owned())]);
        let follow = |target| follow(root, &pages, Path::new("Cargo.toml"), target);
        assert_eq!(follow("src"), Ok(()));
        assert_eq!(follow("#a"), Ok(()));
        assert_eq!(follow("src/links.rs#L1"), Ok(()));
        assert_eq!(follow("Cargo.toml#b"), Err("no such heading"));
        assert_eq!(follow("nothing.md"), Err("no such file"));
        assert_eq!(follow("../../x"), Err("leads out of the repository"));
    }
}
