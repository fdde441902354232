//! The command line: one command, and settings that each measurement has its own defaults for.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::measure::{ACTOR, HELLO, HYPER_MAP, OURS, OURS_SIMPLE, TOWER_SESSIONS};

/// What `bench --help` says.
pub(crate) const HELP: &str = "\
Measures Continuity against its rivals, on this machine, in one run.

Usage: bench [COMMAND] [OPTIONS]

Commands:
  throughput             requests/s and CPU per request, against a bare hyper hello
  memory                 bytes per waiting session
  create                 sessions created per second
  crowd                  what a million waiting sessions cost those who are active
  journal                requests/s with a journal, against the same server without one
  rebuild                parked sessions rebuilt per second from a journal
  branch                 answers to old pages, and two tabs of a session in turn
  fronted                requests/s behind nginx by FastCGI, against behind nginx by HTTP
  all                    all of them, as without a command; writes bench/report.json into the target folder
  chart [REPORT] OUT     draws a report as an SVG

Options:
  --only A,B             these servers only: ours, ours_simple, hyper_map, tower_sessions, actor
  --quick                short runs and small counts, to see that it works
  --seconds S            length of one server's part of a round (throughput, crowd, journal, fronted)
  --rounds R             rounds, of which the median is taken (throughput, create, crowd,
                         journal, rebuild, branch, fronted)
  --sessions N           sessions to create (memory, create, crowd)
  --connections N        keep-alive connections (64); not of journal (64 and 256), rebuild (8), branch (1 and 8)
  --parked N             parked sessions (rebuild, branch; 2000)
  --journal-dir DIR      where journals lie, on a disk; beside the report if not given
  -h, --help             this text

The bench runs servers that lie beside its own binary. It exits with 1 if any answer was wrong.";

/// The servers that `--only` may name; the hello takes part in any throughput.
const SERVERS: [&str; 6] = [OURS, OURS_SIMPLE, HELLO, HYPER_MAP, TOWER_SESSIONS, ACTOR];
/// Most connections that make sense: each needs a visitor of its own.
const MOST_CONNECTIONS: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) only: Option<Vec<String>>,
    pub(crate) quick: bool,
    pub(crate) seconds: Option<f64>,
    pub(crate) rounds: Option<usize>,
    pub(crate) sessions: Option<usize>,
    pub(crate) connections: usize,
    pub(crate) parked: usize,
    pub(crate) journal_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: None,
            quick: false,
            seconds: None,
            rounds: None,
            sessions: None,
            connections: 64,
            parked: 2000,
            journal_dir: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Help,
    Throughput,
    Memory,
    Create,
    Crowd,
    Journal,
    Rebuild,
    Branch,
    Fronted,
    All,
    Chart { report: Option<PathBuf>, out: PathBuf },
}

/// Reads the arguments after the program's name.
pub(crate) fn read(mut arguments: lexopt::Parser) -> Result<(Command, Options), lexopt::Error> {
    let mut words = Vec::new();
    let mut help = false;
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => help = true,
            Long("quick") => options.quick = true,
            Long("only") => options.only = Some(names(&arguments.value()?.string()?)?),
            Long("seconds") => options.seconds = Some(positive(arguments.value()?.parse()?)?),
            Long("rounds") => options.rounds = Some(positive(arguments.value()?.parse()?)?),
            Long("sessions") => options.sessions = Some(positive(arguments.value()?.parse()?)?),
            Long("connections") => options.connections = positive(arguments.value()?.parse()?)?,
            Long("parked") => options.parked = positive(arguments.value()?.parse()?)?,
            Long("journal-dir") => options.journal_dir = Some(arguments.value()?.into()),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if options.connections > MOST_CONNECTIONS {
        return Err(format!("at most {MOST_CONNECTIONS} connections").into());
    }
    if options.sessions.is_some_and(|sessions| sessions < options.connections) {
        return Err("at least as many sessions as connections".into());
    }
    let command = if help { Command::Help } else { command(&words)? };
    Ok((command, options))
}

fn command(words: &[String]) -> Result<Command, lexopt::Error> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words[..] {
        ["help"] => Command::Help,
        ["throughput"] => Command::Throughput,
        ["memory"] => Command::Memory,
        ["create"] => Command::Create,
        ["crowd"] => Command::Crowd,
        ["journal"] => Command::Journal,
        ["rebuild"] => Command::Rebuild,
        ["branch"] => Command::Branch,
        ["fronted"] => Command::Fronted,
        [] | ["all"] => Command::All,
        ["chart", out] => Command::Chart { report: None, out: out.into() },
        ["chart", report, out] => Command::Chart { report: Some(report.into()), out: out.into() },
        _ => return Err(format!("no such command: {}", words.join(" ")).into()),
    })
}

fn names(list: &str) -> Result<Vec<String>, lexopt::Error> {
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !SERVERS.contains(&name.as_str())) {
        Some(unknown) => Err(format!("no such server: {unknown:?}").into()),
        None => Ok(names),
    }
}

fn positive<T: PartialOrd + Default>(value: T) -> Result<T, lexopt::Error> {
    if value > T::default() { Ok(value) } else { Err("it must be more than 0".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Result<(Command, Options), lexopt::Error> {
        read(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn without_a_command_all_is_measured() {
        let (command, options) = of(&["--quick"]).expect("valid");
        assert_eq!((command, options.quick), (Command::All, true));
        assert_eq!(of(&[]).expect("valid").0, Command::All);
        assert_eq!(of(&["help"]).expect("valid").0, Command::Help);
        assert_eq!(of(&["--quick", "--help"]).expect("valid").0, Command::Help);
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        let (command, options) = of(&["--only", "hello, actor", "throughput", "--rounds=3"]).expect("valid");
        assert_eq!(command, Command::Throughput);
        assert_eq!(options.only, Some(vec!["hello".to_owned(), "actor".to_owned()]));
        assert_eq!((options.rounds, options.connections), (Some(3), 64));
    }

    #[test]
    fn journals_may_lie_elsewhere() {
        let (command, options) = of(&["rebuild", "--journal-dir", "/mnt/x", "--parked", "9"]).expect("valid");
        assert_eq!((command, options.parked), (Command::Rebuild, 9));
        assert_eq!(options.journal_dir, Some("/mnt/x".into()));
    }

    #[test]
    fn a_chart_may_name_its_report() {
        let chart = |report: Option<&str>| Command::Chart { report: report.map(Into::into), out: "b".into() };
        assert_eq!(of(&["chart", "b"]).expect("valid").0, chart(None));
        assert_eq!(of(&["chart", "a", "b"]).expect("valid").0, chart(Some("a")));
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            &["dance"][..],
            &["all", "--rounds", "0"],
            &["all", "--seconds", "-1"],
            &["all", "--only", "ourz"],
            &["--nonsense"],
        ] {
            assert!(of(arguments).is_err(), "{arguments:?}");
        }
    }
}
