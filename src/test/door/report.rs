//! What was found of a door, and the table that documents show.

use std::fmt;

use super::{Door, Feature, found};

/// What was found of one door, feature by feature.
#[derive(Debug, Clone)]
pub struct Report {
    door: String,
    findings: Vec<(Feature, Finding)>,
}

/// What was found of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It does what it should.
    Holds,
    /// The door says that it cannot, for this reason.
    Lacks(&'static str),
    /// It should and does not.
    Broken(String),
}

impl Report {
    /// Runs all scripts, one after the other.
    pub async fn of(door: &dyn Door) -> Report {
        let lacks = door.lacks();
        let mut findings = Vec::new();
        for &feature in Feature::ALL {
            let finding = match lacks.iter().find(|(lacking, _)| *lacking == feature) {
                Some((_, reason)) => Finding::Lacks(reason),
                None => match found(door, feature).await {
                    Ok(()) => Finding::Holds,
                    Err(error) => Finding::Broken(error.to_string()),
                },
            };
            findings.push((feature, finding));
        }
        Report { door: door.name(), findings }
    }

    /// Whose it is.
    pub fn door(&self) -> &str {
        &self.door
    }

    /// What was found, in the table's order.
    pub fn findings(&self) -> &[(Feature, Finding)] {
        &self.findings
    }

    /// What does not hold, a line each; empty where all does.
    pub fn broken(&self) -> String {
        let broken = self.findings.iter().filter_map(|(feature, finding)| match finding {
            Finding::Broken(why) => Some(format!("  {}: {why}\n", feature.name())),
            _ => None,
        });
        broken.collect()
    }

    /// The table of several doors in Markdown: a row for each feature, and below it why a door lacks what it lacks.
    pub fn table(reports: &[Report]) -> String {
        let mut table = row("", reports.iter().map(|report| report.door.clone()));
        table += &row("---", reports.iter().map(|_| ":-:".to_owned()));
        for (nth, feature) in Feature::ALL.iter().enumerate() {
            table += &row(feature.name(), reports.iter().map(|report| report.findings[nth].1.to_string()));
        }
        table.push('\n');
        for report in reports {
            for (feature, finding) in &report.findings {
                if let Finding::Lacks(reason) = finding {
                    table += &format!("- {}, {}: {reason}.\n", report.door, feature.name());
                }
            }
        }
        table
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Finding::Holds => "✓",
            Finding::Lacks(_) => "–",
            Finding::Broken(_) => "✗",
        })
    }
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell} |")).collect();
    format!("| {name} |{cells}\n")
}
