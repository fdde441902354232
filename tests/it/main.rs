//! The behaviour of the library, as its users and their visitors meet it.
//!
//! Tests of the contract are named by its line (`line_03_…`), those of its reliability by their number (`r11_…`).

mod back;
mod back_model;
mod back_table;
mod bare;
mod bounds;
mod built_in;
mod cancel;
mod choices;
mod clocks;
#[cfg(feature = "compression")]
mod compression;
mod depth;
mod ending;
mod examples;
mod failing;
#[cfg(feature = "sqlite")]
mod faults;
mod files;
mod flows;
mod journal;
mod journal_bounds;
mod limits;
mod log;
mod mapping;
mod mistakes;
#[cfg(feature = "axum")]
mod mounted;
mod noticed;
mod output;
mod parts;
mod printed;
#[cfg(feature = "sqlite")]
mod promises;
mod properties;
mod proxies;
mod purpose;
mod races;
mod reliability;
mod repeats;
mod replaying;
mod restarts;
mod returns;
mod returns_kept;
mod rotation;
mod sessions;
#[cfg(feature = "sqlite")]
mod stores;
mod tidy;
mod upgrading;
mod upload_limits;
mod uploading;
mod uploads;
mod versions;
mod waiting;

#[path = "../system/folder.rs"]
mod folder;
#[path = "../system/progress.rs"]
mod progress;
