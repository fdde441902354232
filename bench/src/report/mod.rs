//! What a run found: as JSON for machines, as tables for people, as a chart for the documentation.

pub(crate) mod budget;
pub(crate) mod chart;
pub(crate) mod table;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine::Setting;
use crate::measure::branch::Branch;
use crate::measure::create::Create;
use crate::measure::crowd::Crowd;
use crate::measure::fronted::Fronted;
use crate::measure::journal::Journal;
use crate::measure::memory::Memory;
use crate::measure::rebuild::Rebuild;
use crate::measure::throughput::Throughput;
use budget::Budget;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) setting: Setting,
    /// Short runs and small counts: the figures show that it works, not how well.
    pub(crate) quick: bool,
    pub(crate) throughput: Option<Throughput>,
    pub(crate) memory: Option<Memory>,
    pub(crate) create: Option<Create>,
    pub(crate) crowd: Option<Crowd>,
    pub(crate) journal: Option<Journal>,
    pub(crate) rebuild: Option<Rebuild>,
    #[serde(default)]
    pub(crate) branch: Option<Branch>,
    #[serde(default)]
    pub(crate) fronted: Option<Fronted>,
    pub(crate) budgets: Vec<Budget>,
    /// Wrong answers and measurements that could not be made.
    pub(crate) failures: Vec<String>,
}

impl Report {
    pub(crate) fn new(setting: Setting, quick: bool) -> Self {
        Self {
            setting,
            quick,
            throughput: None,
            memory: None,
            create: None,
            crowd: None,
            journal: None,
            rebuild: None,
            branch: None,
            fronted: None,
            budgets: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let json = fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))?;
        serde_json::from_slice(&json).map_err(|error| format!("read {}: {error}", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("write {}: {error}", path.display());
        let mut json = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        json.push('\n');
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        fs::write(path, json).map_err(|error| failed(&error))
    }
}

/// Where `bench all` writes its report: `bench/report.json` in the target folder.
pub(crate) fn default_path() -> PathBuf {
    let beside_own_binary = || Some(std::env::current_exe().ok()?.parent()?.parent()?.to_owned());
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).or_else(beside_own_binary);
    target.unwrap_or_else(|| "target".into()).join("bench").join("report.json")
}

/// What a server is called in tables and charts.
pub(crate) fn title(server: &str) -> &str {
    match server {
        "ours" => "Continuity",
        "ours_simple" => "Continuity, plain links",
        "hello" => "bare hyper hello",
        "hello_again" => "the same hello again",
        "hyper_map" => "hyper + map",
        "tower_sessions" => "axum + tower-sessions",
        "actor" => "task + channel each",
        other => other,
    }
}
