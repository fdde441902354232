//! What cargo knows: where the workspace is, the library's features and oldest compiler, the crates it brings along.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where things are.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// All builds share it, those outside the workspace too.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self, String> {
        let here = env::var_os("CARGO_MANIFEST_DIR").ok_or("not started by cargo: use `cargo xtask`")?;
        let root = Path::new(&here).parent().ok_or("xtask is not in a workspace")?.to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(target) => {
                std::path::absolute(target).map_err(|error| format!("CARGO_TARGET_DIR: {error}"))?
            }
            None => root.join("target"),
        };
        Ok(Workspace { root, target })
    }

    /// `cargo <subcommand>` at the root of the workspace, by the cargo that runs us.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg(subcommand).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// The text of a file of the workspace.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.root.join(path)).map_err(|error| format!("read {path}: {error}"))
    }
}

/// The features of a Cargo.toml, `default` left out.
pub(crate) fn features(manifest: &str) -> Vec<&str> {
    section(manifest, "[features]").filter_map(key).filter(|name| *name != "default").collect()
}

/// The oldest compiler that a Cargo.toml promises.
pub(crate) fn rust_version(manifest: &str) -> Option<&str> {
    let line = section(manifest, "[package]").find(|line| key(line) == Some("rust-version"))?;
    line.split('"').nth(1)
}

fn section<'m>(manifest: &'m str, head: &str) -> impl Iterator<Item = &'m str> {
    let below = manifest.lines().skip_while(move |line| line.trim() != head).skip(1);
    below.take_while(|line| !line.starts_with('['))
}

/// `name` of a line `name = …`.
fn key(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim().trim_matches('"');
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The different crates, by name and version, of what `cargo tree --prefix none` prints; the first is the package itself.
pub(crate) fn crates(tree: &str) -> usize {
    let named = tree.lines().skip(1).filter(|line| !line.is_empty());
    let names: BTreeSet<Vec<&str>> = named.map(|line| line.split(' ').take(2).collect()).collect();
    names.len()
}

/// `1.95` and `1.95.0` as numbers that compare.
pub(crate) fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('-').next()?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[package]
name = "x"
rust-version = "1.95"

[features]
default = ["one"]
# One = "1".
one = ["dep:a"]
two-b = [
    "one",
    "a/b=c",
]

[dependencies]
a = "1"
"#;

    #[test]
    fn features_are_read_from_their_section() {
        assert_eq!(features(MANIFEST), ["one", "two-b"]);
        assert!(features("[package]\nname = \"x\"\n").is_empty());
    }

    #[test]
    fn the_oldest_compiler_is_read() {
        assert_eq!(rust_version(MANIFEST), Some("1.95"));
        assert_eq!(rust_version("[package]\n[workspace.package]\nrust-version = \"1.2\"\n"), None);
    }

    #[test]
    fn crates_are_counted_once_and_the_package_not_at_all() {
        let tree = "x v1.0.0 (/x)\na v1.0.0\nb v1.0.0\na v1.0.0 (*)\na v2.0.0\nb v1.0.0 (proc-macro)\n\n";
        assert_eq!(crates(tree), 3);
        assert_eq!(crates("x v1.0.0\n"), 0);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("1.9") < version("1.95.0"));
        assert_eq!(version("1.95"), version("1.95.0-nightly"));
        assert_eq!(version("new"), None);
    }
}
