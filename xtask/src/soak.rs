//! `cargo xtask soak`: libFuzzer looks for bytes that break what `src/fuzz` says, for a bounded time; with `--faults` the
//! long tests run in its place, which kill, fail, damage and crowd a journal at every point there is.
//!
//! It runs on the stable compiler: LLVM's counters are asked for by plain options of rustc. What it finds of interest
//! stays below the target directory, and the next soak begins there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cargo::Workspace;
use crate::run::{self, Ran};

/// Long enough to see that all is well; a night finds more.
const MINUTES: u64 = 5;

/// Counters at each branch, and comparisons that libFuzzer can learn from; no sanitizers, since there is no `unsafe`.
const FLAGS: &str = "--cfg continuity_fuzz -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Cases are larger than the largest head that is taken. One may take some seconds, since others may want the machine
/// too, and all together some memory.
const BOUNDS: [&str; 3] = ["-max_len=5000", "-timeout=25", "-rss_limit_mb=1024"];

/// How long a program may take beyond its share: reading what is known, and writing what was found.
const MORE: Duration = Duration::from_secs(120);

/// Where a soak works.
struct Place {
    programs: PathBuf,
    /// Cases of earlier soaks, and those that broke something.
    found: PathBuf,
    seeds: PathBuf,
}

/// What became of one target.
struct Outcome {
    name: String,
    executions: u64,
    /// Cases that came to code that no other had come to.
    new: u64,
    crashed: bool,
}

/// The long tests: those of these programs whose names begin with `soak`.
const LONG: [&str; 2] = ["system", "it"];

/// What each of these programs may take: they try some thousands of faults, and make a million sessions.
const LONG_PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// Runs the long tests one after the other, with the figures that they print; true if all passed.
fn faults(workspace: &Workspace) -> Result<bool, String> {
    let mut passed = true;
    for program in LONG {
        let mut test = workspace.cargo("test");
        test.args(["--release", "--all-features", "--no-fail-fast", "--test", program, "--", "soak"]);
        test.args(["--ignored", "--nocapture", "--test-threads", "1"]);
        passed &= run::watched(test, LONG_PATIENCE, |line| print!("{line}"))?.success;
    }
    Ok(passed)
}

/// Runs all targets for an equal share of the time; true if nothing broke.
pub(crate) fn soak(workspace: &Workspace, args: &[String]) -> Result<bool, String> {
    if args == ["--faults"] {
        return faults(workspace);
    }
    let minutes = minutes(args)?;
    let names = targets(&workspace.root.join("fuzz/targets"))?;
    let place = build(workspace)?;
    let share = Duration::from_secs((minutes * 60).div_ceil(names.len() as u64));
    let mut outcomes = Vec::new();
    for (number, name) in names.iter().enumerate() {
        println!("[{}/{}] {name}, for {} s", number + 1, names.len(), share.as_secs());
        outcomes.push(place.run(name, share)?);
    }
    println!();
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    let crashed: Vec<_> = outcomes.iter().filter(|outcome| outcome.crashed).collect();
    if !crashed.is_empty() {
        println!("\nwhat broke them: {}/*", place.found.join("broken").display());
        println!("once it is understood it goes to fuzz/corpus, which `cargo test` replays");
    }
    let executions: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    println!("\n{} targets, {executions} executions, {} broken", outcomes.len(), crashed.len());
    Ok(crashed.is_empty())
}

fn minutes(args: &[String]) -> Result<u64, String> {
    let wrong = || "cargo xtask soak [--minutes N | --faults]".to_owned();
    match args {
        [] => Ok(MINUTES),
        [name, number] if name == "--minutes" => {
            number.parse().ok().filter(|minutes| (1..=100_000).contains(minutes)).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// The programs' names, in order.
fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = paths.filter_map(stem).collect();
    names.sort();
    if names.is_empty() { Err(format!("{} is empty", folder.display())) } else { Ok(names) }
}

fn build(workspace: &Workspace) -> Result<Place, String> {
    let host = host()?;
    let (fuzz, target) = (workspace.root.join("fuzz"), workspace.target.join("fuzz"));
    // The workspace's own versions: they are what is to be checked.
    fs::copy(workspace.root.join("Cargo.lock"), fuzz.join("Cargo.lock"))
        .map_err(|error| format!("fuzz/Cargo.lock: {error}"))?;
    let mut build = workspace.cargo("build");
    // For a named target, so that what runs while building is left as it is.
    build.args(["--release", "--bins", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    build.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", FLAGS);
    run::attached(&mut build)
        .map_err(|problem| format!("{problem}\nlibFuzzer needs a C++ compiler (Debian: g++)"))?;
    Ok(Place {
        programs: target.join(host).join("release"),
        found: target.join("found"),
        seeds: fuzz.join("corpus"),
    })
}

/// What this machine is called by rustc.
fn host() -> Result<String, String> {
    let mut rustc = Command::new("rustc");
    rustc.arg("-vV");
    let told = run::printed(rustc)?;
    let line = told.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

impl Place {
    fn run(&self, name: &str, share: Duration) -> Result<Outcome, String> {
        let (known, broken) = (self.found.join(name), self.found.join("broken"));
        for folder in [&known, &broken] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let mut program = Command::new(self.programs.join(name));
        // What is new goes to the first folder.
        program.arg(known).arg(self.seeds.join(name)).args(BOUNDS).arg("-print_final_stats=1");
        program.arg(format!("-max_total_time={}", share.as_secs()));
        program.arg(format!("-artifact_prefix={}/{name}-", broken.display()));
        let ran = run::watched(program, share + MORE, |line| {
            if is_news(line) {
                print!("  {line}");
            }
        })?;
        Ok(Outcome::of(name, &ran))
    }
}

/// What is shown while it runs: that it does, and all that is no counting.
fn is_news(line: &str) -> bool {
    let counts = line.starts_with('#') && !line.contains("\tpulse");
    let noise = ["INFO:", "WARNING: Failed to find function", "stat::", "\t", "\""]
        .iter()
        .any(|start| line.starts_with(start));
    !counts && !noise && !line.trim().is_empty()
}

impl Outcome {
    fn of(name: &str, ran: &Ran) -> Outcome {
        let number = |of: &str| {
            let line = ran.output.lines().find_map(|line| line.strip_prefix(of));
            line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
        };
        Outcome {
            name: name.to_owned(),
            executions: number("stat::number_of_executed_units:"),
            new: number("stat::new_units_added:"),
            crashed: !ran.success,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.crashed { "BROKEN" } else { "ok" };
        write!(f, "  {word:6} {:12} {:>12} executions {:>6} new cases", self.name, self.executions, self.new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_number() {
        let of = |args: &[&str]| minutes(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), Ok(MINUTES));
        assert_eq!(of(&["--minutes", "90"]), Ok(90));
        for wrong in
            [&["--minutes"][..], &["90"], &["--minutes", "0"], &["--minutes", "x"], &["--hours", "1"]]
        {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_libfuzzer_says_at_the_end_is_read() {
        let output = "#9\tDONE\nstat::number_of_executed_units: 1234\nstat::new_units_added:          5\n";
        let outcome = Outcome::of("head", &Ran { success: true, output: output.to_owned() });
        assert_eq!((outcome.executions, outcome.new, outcome.crashed), (1234, 5, false));
        assert!(Outcome::of("head", &Ran { success: false, output: String::new() }).crashed);
    }

    #[test]
    fn only_news_is_shown() {
        assert!(is_news("#65536\tpulse  cov: 9\n") && is_news("==1== ERROR: libFuzzer: deadly signal\n"));
        assert!(!is_news("#7\tNEW    cov: 9\n") && !is_news("INFO: Seed: 1\n") && !is_news("\n"));
    }
}
