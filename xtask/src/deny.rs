//! What the dependencies are: their licences, where they come from, and whether anything is known against them.
//!
//! cargo-deny reads `deny.toml`. Licences and sources need nothing but the registry. Advisories need a database that is
//! on GitHub only and in no registry; where it is not there already, they are skipped, and a line says so.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::cargo::Workspace;
use crate::report::Report;
use crate::run;

const VERSION: &str = "0.20.2";

const SKIPPED: &str = "their database is on GitHub only, and not on this machine; `cargo deny fetch db` gets it, \
    `cargo audit` too (cargo-deny is in target/tools/bin, if nowhere else)";

pub(crate) fn check(workspace: &Workspace, report: &mut Report) {
    let licences = "cargo deny: bans, licences, sources";
    if let Err(problem) = install(workspace) {
        return report.check(licences, Err(problem));
    }
    let last = |told: String| told.lines().last().unwrap_or_default().to_owned();
    let mut deny = cargo_deny(workspace);
    deny.args(["check", "bans", "licenses", "sources"]);
    report.check(licences, run::quietly(deny).map(last));
    let advisories = "cargo deny: advisories";
    if !has_database() {
        return report.skip(advisories, SKIPPED);
    }
    let mut deny = cargo_deny(workspace);
    deny.args(["--offline", "check", "advisories"]);
    report.check(advisories, run::quietly(deny).map(last));
}

/// Whether cargo-deny fetched one before.
fn has_database() -> bool {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let databases = home.and_then(|home| home.join("advisory-dbs").read_dir().ok());
    // There is a lock beside them.
    databases.is_some_and(|databases| databases.flatten().any(|database| database.path().is_dir()))
}

fn cargo_deny(workspace: &Workspace) -> Command {
    let own = workspace.target.join("tools/bin/cargo-deny");
    let mut deny = Command::new(if own.is_file() { own } else { "cargo-deny".into() });
    deny.current_dir(&workspace.root).args(["--log-level", "error", "--color", "never"]);
    deny
}

/// Two minutes, once; without optimising, since it runs for a second.
fn install(workspace: &Workspace) -> Result<(), String> {
    let mut version = Command::new("cargo-deny");
    version.arg("--version");
    if is_installed(workspace) || run::printed(version).is_ok() {
        return Ok(());
    }
    let mut install = workspace.cargo("install");
    install.args(["cargo-deny", "--version", VERSION, "--locked", "--debug", "--root"]);
    install.arg(workspace.target.join("tools"));
    install.env("CARGO_TARGET_DIR", workspace.target.join("tools")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    run::quietly(install).map(drop)
}

fn is_installed(workspace: &Workspace) -> bool {
    workspace.target.join("tools/bin/cargo-deny").is_file()
}
