//! What was found out: each check counts as one test, each test of a test run too; the last line sums them up.

use std::fmt;

use crate::run::Ran;

/// How many passed, failed, were left out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// The whole: the numbers, and the names of what failed.
#[derive(Default)]
pub(crate) struct Report {
    tally: Tally,
    failures: Vec<String>,
}

impl Report {
    /// Counts one check and says how it went: a word about it, or what is wrong.
    pub(crate) fn check(&mut self, name: &str, found: Result<String, String>) {
        match found {
            Ok(word) => {
                self.tally.passed += 1;
                println!("  ok     {name}{}{word}", if word.is_empty() { "" } else { ": " });
            }
            Err(problem) => {
                println!("{}", problem.trim_end());
                self.fail(name.to_owned());
            }
        }
    }

    /// Counts a check that cannot be made here, and says why.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.tally.skipped += 1;
        println!("  skip   {name}: {why}");
    }

    /// Counts the tests of a test run.
    pub(crate) fn tests(&mut self, name: &str, ran: Result<Ran, String>) {
        let ran = match ran {
            Ok(ran) => ran,
            Err(problem) => return self.check(name, Err(problem)),
        };
        let tally = Tally::of(&ran.output);
        self.tally.add(tally);
        self.failures.extend(failed(&ran.output).map(str::to_owned));
        if tally == Tally::default() {
            self.check(name, Err("no test ran".to_owned()));
        } else if !ran.success && tally.failed == 0 {
            self.check(name, Err("it failed, but no test did: not built, or ended from outside".to_owned()));
        } else {
            println!("  {} {name}: {tally}", if ran.success { "ok    " } else { "FAILED" });
        }
    }

    /// Says what failed, then, as the very last line, how many; true if none.
    pub(crate) fn close(self) -> bool {
        if !self.failures.is_empty() {
            println!("\nfailed:");
        }
        for failure in &self.failures {
            println!("  {failure}");
        }
        println!("\n{}", self.tally);
        self.tally.failed == 0
    }

    fn fail(&mut self, name: String) {
        println!("  FAILED {name}");
        self.tally.failed += 1;
        self.failures.push(name);
    }
}

impl Tally {
    /// The sum of all `test result:` lines.
    fn of(output: &str) -> Tally {
        let mut sum = Tally::default();
        for result in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
            let count = |what| number_before(result, what).unwrap_or(0);
            let (passed, failed, skipped) = (count(" passed"), count(" failed"), count(" ignored"));
            sum.add(Tally { passed, failed, skipped });
        }
        sum
    }

    fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

fn number_before(text: &str, what: &str) -> Option<usize> {
    text.split_once(what)?.0.rsplit(' ').next()?.parse().ok()
}

/// The names of the tests that failed.
fn failed(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a::b ... ok
test src/lib.rs - x (line 3) ... FAILED
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s
   Doc-tests x
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s
all doctests ran in 0.52s; merged doctests compilation took 0.16s
";

    fn tally(passed: usize, failed: usize, skipped: usize) -> Tally {
        Tally { passed, failed, skipped }
    }

    fn ran(success: bool, output: &str) -> Result<Ran, String> {
        Ok(Ran { success, output: output.to_owned() })
    }

    #[test]
    fn test_results_are_summed_up() {
        assert_eq!(Tally::of(OUTPUT), tally(13, 1, 1));
        assert_eq!(Tally::of("  test result: ok. 1 passed"), Tally::default());
    }

    #[test]
    fn failed_tests_are_named() {
        assert_eq!(failed(OUTPUT).collect::<Vec<_>>(), ["src/lib.rs - x (line 3)"]);
    }

    #[test]
    fn the_last_line_names_skipped_tests_only_if_there_are_any() {
        assert_eq!(tally(2, 0, 0).to_string(), "2 passed, 0 failed");
        assert_eq!(tally(2, 1, 3).to_string(), "2 passed, 1 failed, 3 skipped");
    }

    #[test]
    fn a_test_run_without_tests_or_without_an_end_is_a_failure() {
        let mut report = Report::default();
        report.tests("none", ran(true, "Finished\n"));
        report.tests("not built", ran(false, "error: could not compile\n"));
        report.tests("killed", ran(false, "test result: ok. 2 passed; 0 failed;\n"));
        assert_eq!(report.tally, tally(2, 3, 0));
        assert_eq!(report.failures, ["none", "not built", "killed"]);
    }

    #[test]
    fn a_failed_test_is_not_counted_twice() {
        let mut report = Report::default();
        report.tests("tests", ran(false, OUTPUT));
        assert_eq!(report.tally, tally(13, 1, 1));
    }

    #[test]
    fn each_check_counts_as_one() {
        let mut report = Report::default();
        report.check("good", Ok(String::new()));
        report.check("bad", Err("why".to_owned()));
        report.skip("elsewhere", "why");
        assert_eq!(report.tally, tally(1, 1, 1));
        assert!(!report.close());
    }
}
