//! Every way into a server under the same suite, which makes the table of the guide.

pub mod client;
#[cfg(feature = "fastcgi")]
mod fastcgi;
#[cfg(feature = "proxy_protocol")]
mod fronted;
#[cfg(feature = "gopher")]
mod gopher;
mod http;
mod mounted;
#[cfg(feature = "tls")]
mod sealed;
mod unix;

use continuity::test::door::{Door, Report, contract};

const GUIDE: &str = include_str!("../../../docs/doors.md");

/// Checks a door, and that the guide's table says of it what was found.
async fn check(door: &dyn Door) {
    let report = contract(door).await;
    let table = Report::table(std::slice::from_ref(&report));
    let mut lines = table.lines();
    let heads = cells(GUIDE.lines().find(|line| line.starts_with("| |")).expect("the guide has a table"));
    let column = heads.iter().position(|head| *head == report.door());
    let column =
        column.unwrap_or_else(|| panic!("{} has no column in docs/doors.md:\n{table}", report.door()));
    for line in lines.by_ref().skip(2).take_while(|line| !line.is_empty()) {
        let found = cells(line);
        let row = GUIDE.lines().map(cells).find(|row| row.first() == found.first());
        let row = row.unwrap_or_else(|| panic!("docs/doors.md has no row {}", found[0]));
        assert_eq!(row.get(column), found.get(1), "docs/doors.md, {}, {}", found[0], report.door());
    }
    for reason in lines {
        assert!(GUIDE.contains(reason), "docs/doors.md lacks: {reason}");
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}
