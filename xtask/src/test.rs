//! `cargo xtask test`: the steps, from the cheapest. A step that fails stops no other: one run tells all.

use std::env;
use std::process::Command;
use std::time::Instant;

use crate::cargo::{self, Workspace};
use crate::report::Report;
use crate::run::{self, spoken};
use crate::{deny, links, outsider};

type Step = (&'static str, fn(&Workspace, &mut Report));

const STEPS: [Step; 13] = [
    ("prerequisites", prerequisites),
    ("fmt", fmt),
    ("clippy", clippy),
    ("features", features),
    ("docs", docs),
    ("tests", tests),
    ("bench", bench),
    ("crates", crates),
    ("deny", deny::check),
    ("outsider", outsider),
    ("links", links),
    ("package", package),
    ("compiler", compiler),
];

/// Programs that the system tests start, and the Debian packages they are in.
const PROGRAMS: [(&str, &str); 13] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("lighttpd", "lighttpd"),
    ("haproxy", "haproxy"),
    ("cgi-fcgi", "libfcgi-bin"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("lynx", "lynx"),
    ("strace", "strace"),
    ("faketime", "faketime"),
];

/// How many crates a build may bring along.
const CRATES: [(&[&str], usize); 2] = [(&[], 95), (&["--no-default-features"], 50)];

const STRICT: [&str; 3] = ["--", "-D", "warnings"];

/// What `cargo doc` is given for the library's documentation.
pub(crate) const DOCS: [&str; 4] = ["-p", "continuity", "--no-deps", "--all-features"];

/// Runs the named steps, or all; true if nothing failed.
pub(crate) fn test(workspace: &Workspace, names: &[String]) -> Result<bool, String> {
    let steps = chosen(names)?;
    let mut report = Report::default();
    for (number, (name, step)) in steps.iter().enumerate() {
        let place = format!("[{}/{}] {name}", number + 1, steps.len());
        println!("{place}");
        let start = Instant::now();
        step(workspace, &mut report);
        println!("{place} took {:.1} s\n", start.elapsed().as_secs_f64());
    }
    Ok(report.close())
}

fn chosen(names: &[String]) -> Result<Vec<Step>, String> {
    let known: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no step `{unknown}`; there are: {}", known.join(", ")));
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.0);
    Ok(STEPS.iter().filter(wanted).copied().collect())
}

fn prerequisites(_: &Workspace, report: &mut Report) {
    let missing = missing();
    let found = if missing.is_empty() { Ok("present".to_owned()) } else { install(&missing) };
    let programs = PROGRAMS.map(|(program, _)| program).join(", ");
    report.check(&programs, found);
}

fn missing() -> Vec<&'static str> {
    PROGRAMS.iter().filter(|(program, _)| !is_present(program)).map(|(_, package)| *package).collect()
}

fn is_present(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Servers are not in the PATH of everybody.
    env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).is_file())
}

fn install(packages: &[&str]) -> Result<String, String> {
    let list = packages.join(" ");
    let mut id = Command::new("id");
    id.arg("-u");
    if run::printed(id)?.trim() != "0" {
        return Err(format!("missing Debian packages: {list}; as root: apt-get install {list}"));
    }
    apt_get(&["update"])?;
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())?;
    if missing().is_empty() {
        Ok(format!("installed {list}"))
    } else {
        Err(format!("{list} installed, but not in PATH"))
    }
}

fn apt_get(args: &[&str]) -> Result<String, String> {
    let mut apt_get = Command::new("apt-get");
    apt_get.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    run::quietly(apt_get)
}

fn fmt(workspace: &Workspace, report: &mut Report) {
    quietly(report, workspace.cargo("fmt"), &["--all", "--check"]);
    quietly(report, workspace.cargo("fmt"), &["--manifest-path", "tests/outsider/Cargo.toml", "--check"]);
    quietly(report, workspace.cargo("fmt"), &["--manifest-path", "fuzz/Cargo.toml", "--check"]);
}

fn clippy(workspace: &Workspace, report: &mut Report) {
    let all = ["--workspace", "--all-targets", "--all-features"];
    quietly(report, workspace.cargo("clippy"), &[&all[..], &STRICT].concat());
}

/// The library with no feature, with each alone, with its own choice.
fn features(workspace: &Workspace, report: &mut Report) {
    let manifest = match workspace.read("Cargo.toml") {
        Ok(manifest) => manifest,
        Err(problem) => return report.check("the list of features", Err(problem)),
    };
    let alone =
        cargo::features(&manifest).into_iter().map(|name| vec!["--no-default-features", "--features", name]);
    for choice in
        [vec!["--no-default-features"]].into_iter().chain(alone).chain([vec![], vec!["--all-features"]])
    {
        quietly(report, workspace.cargo("clippy"), &[&["-p", "continuity"], &choice[..], &STRICT].concat());
    }
}

fn docs(workspace: &Workspace, report: &mut Report) {
    let mut doc = workspace.cargo("doc");
    doc.env("RUSTDOCFLAGS", "-D warnings");
    quietly(report, doc, &DOCS);
}

/// Unit tests, `tests/it`, `tests/queue`, `tests/system`, those of the tool in `cli`, the documentation's examples; and the
/// programs in `examples/`, which must do without the features that tests have.
fn tests(workspace: &Workspace, report: &mut Report) {
    let all = ["--workspace", "--all-features", "--exclude", "continuity-bench", "--no-fail-fast"];
    aloud(report, workspace.cargo("test"), &all);
    quietly(report, workspace.cargo("build"), &["--examples"]);
}

fn bench(workspace: &Workspace, report: &mut Report) {
    aloud(report, workspace.cargo("test"), &["-p", "continuity-bench", "--lib", "--bins", "--no-fail-fast"]);
}

fn crates(workspace: &Workspace, report: &mut Report) {
    for (choice, most) in CRATES {
        let mut tree = workspace.cargo("tree");
        tree.args(["-p", "continuity", "-e", "normal,build", "--prefix", "none", "--no-dedupe"]).args(choice);
        let found = run::printed(tree).and_then(|tree| match cargo::crates(&tree) {
            0 => Err("cargo tree names no crate".to_owned()),
            count if count > most => Err(format!("{count} crates, {} too many", count - most)),
            count => Ok(format!("{count}")),
        });
        let build = if choice.is_empty() { "default features" } else { "no default features" };
        report.check(&format!("at most {most} crates with {build}"), found);
    }
}

fn outsider(workspace: &Workspace, report: &mut Report) {
    report.check("programs outside the workspace", outsider::build(workspace));
}

fn links(workspace: &Workspace, report: &mut Report) {
    report.check("links in Markdown", links::check(&workspace.root));
}

/// Packed, unpacked and built: what users download has all it needs.
fn package(workspace: &Workspace, report: &mut Report) {
    let mut package = workspace.cargo("package");
    package.args(["-p", "continuity", "--allow-dirty"]);
    let found = run::quietly(package)
        .and_then(|output| if output.lines().any(is_warning) { Err(output) } else { Ok(packaged(&output)) });
    report.check("cargo package without warnings", found);
}

/// All but that tests stay at home: the package's `include` says so.
fn is_warning(line: &str) -> bool {
    line.starts_with("warning") && !line.starts_with("warning: ignoring test ")
}

/// cargo's own word about the package: `Packaged 50 files, 200KiB`.
fn packaged(output: &str) -> String {
    let line = output.lines().find_map(|line| line.trim_start().strip_prefix("Packaged "));
    line.unwrap_or_default().to_owned()
}

fn compiler(workspace: &Workspace, report: &mut Report) {
    report.check("rust-version is not above the compiler", compare_compiler(workspace));
}

fn compare_compiler(workspace: &Workspace) -> Result<String, String> {
    let manifest = workspace.read("Cargo.toml")?;
    let promised = cargo::rust_version(&manifest).ok_or("Cargo.toml has no rust-version")?;
    let mut rustc = Command::new("rustc");
    rustc.current_dir(&workspace.root).arg("--version");
    let running = run::printed(rustc)?;
    let running = running.split(' ').nth(1).unwrap_or_default();
    let found = format!("promised {promised}, running {running}");
    if cargo::version(promised).is_some() && cargo::version(promised) <= cargo::version(running) {
        Ok(found)
    } else {
        Err(found)
    }
}

/// One check: this command succeeds.
fn quietly(report: &mut Report, mut command: Command, args: &[&str]) {
    command.args(args).env("CARGO_TERM_QUIET", "true");
    report.check(&spoken(&command), run::quietly(command).map(|_| String::new()));
}

/// All tests of this command.
fn aloud(report: &mut Report, mut command: Command, args: &[&str]) {
    command.args(args);
    report.tests(&spoken(&command), run::aloud(command));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_all_steps_run_and_with_names_these() {
        assert_eq!(chosen(&[]).map(|steps| steps.len()), Ok(STEPS.len()));
        let names = ["links".to_owned(), "fmt".to_owned()];
        let steps = chosen(&names).expect("both are steps");
        assert_eq!(steps.iter().map(|step| step.0).collect::<Vec<_>>(), ["fmt", "links"]);
    }

    #[test]
    fn an_unknown_step_is_told_all_steps() {
        let problem = chosen(&["lint".to_owned()]).expect_err("there is none");
        assert!(problem.starts_with("there is no step `lint`; there are: prerequisites, fmt, "), "{problem}");
    }

    #[test]
    fn that_tests_are_not_packed_is_no_warning() {
        assert!(is_warning("warning: manifest has no description"));
        assert!(!is_warning(
            "warning: ignoring test `it` as `tests/it/main.rs` is not included in the published package"
        ));
        assert!(!is_warning("   Packaging x"));
    }

    #[test]
    fn cargo_says_what_it_packed() {
        assert_eq!(packaged("   Packaging x\n    Packaged 3 files, 1KiB\n"), "3 files, 1KiB");
        assert_eq!(packaged(""), "");
    }
}
