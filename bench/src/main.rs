//! Measures Continuity against its rivals: the load generator, the eight measurements, the report.
//!
//! Servers are binaries of their own (`src/bin`), started fresh, pinned to one core while this process runs on
//! another. Everything happens on loopback, and ends.

mod front;
mod load;
mod machine;
mod measure;
mod options;
mod process;
mod report;

use std::process::ExitCode;

use measure::{Bench, branch, create, crowd, fronted, journal, memory, rebuild, throughput};
use options::{Command, HELP, Options};
use report::{Report, budget, chart, table};

fn main() -> ExitCode {
    let done = options::read(lexopt::Parser::from_env())
        .map_err(|error| format!("{error}\nTry `bench --help`."))
        .and_then(|(command, options)| run(&command, options));
    match done {
        Ok(code) => code,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, options: Options) -> Result<ExitCode, String> {
    match command {
        Command::Help => println!("{HELP}"),
        Command::Chart { report, out } => {
            let report = Report::read(report.as_ref().unwrap_or(&report::default_path()))?;
            let svg = chart::svg(&report)?;
            std::fs::write(out, svg).map_err(|error| format!("write {}: {error}", out.display()))?;
        }
        _ => return measure_and_tell(command, options),
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_and_tell(command: &Command, options: Options) -> Result<ExitCode, String> {
    let (pins, setting) = machine::pin();
    let mut report = Report::new(setting, options.quick);
    let mut bench = Bench::new(options, pins)?;
    measure_into(&mut report, command, &mut bench);
    report.failures.append(&mut bench.failures);
    report.budgets = budget::judge(&report);
    print!("{}", table::text(&report));
    if *command == Command::All {
        let path = report::default_path();
        report.write(&path)?;
        println!("\nreport: {}", path.display());
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A measurement that breaks off is a failure of the run; the others go on.
fn measure_into(report: &mut Report, command: &Command, bench: &mut Bench) {
    let all = *command == Command::All;
    let mut broken = Vec::new();
    if all || *command == Command::Throughput {
        report.throughput = throughput::measure(bench).map_err(|why| broken.push(why)).ok();
    }
    if all || *command == Command::Memory {
        report.memory = memory::measure(bench).map_err(|why| broken.push(why)).ok();
    }
    if all || *command == Command::Create {
        report.create = create::measure(bench).map_err(|why| broken.push(why)).ok();
    }
    if all || *command == Command::Crowd {
        report.crowd = crowd::measure(bench).map_err(|why| broken.push(why)).ok().flatten();
    }
    if all || *command == Command::Journal {
        report.journal = journal::measure(bench).map_err(|why| broken.push(why)).ok().flatten();
    }
    if all || *command == Command::Rebuild {
        report.rebuild = rebuild::measure(bench).map_err(|why| broken.push(why)).ok().flatten();
    }
    if all || *command == Command::Branch {
        report.branch = branch::measure(bench).map_err(|why| broken.push(why)).ok().flatten();
    }
    if all || *command == Command::Fronted {
        report.fronted = fronted::measure(bench).map_err(|why| broken.push(why)).ok().flatten();
    }
    report.failures.append(&mut broken);
}
