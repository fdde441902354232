//! A report as a standalone SVG: up to four panels of bars, legible on light and on dark ground.
//!
//! No scripts and no fonts of its own. It leaves out the crowd and the rebuilding, which are figures and no comparison.

use std::fmt::Write;

use super::{Report, table, title};
use crate::measure::journal::{self, Journal};
use crate::measure::{HELLO_AGAIN, OURS};

/// What most panels are relative to.
const BARE: &str = "a bare hyper hello";
const WIDTH: f64 = 840.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 90.0;
const BAR: f64 = 20.0;
const PITCH: f64 = 29.0;
const TOP: f64 = 74.0;
/// Of a panel: the heading above its bars, and the ticks and the axis label below them.
const HEADING: f64 = 30.0;
const FOOT: f64 = 58.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:13px;fill:#1f2328}\
.ground{fill:#fff}.title{font-size:20px;font-weight:600}.heading{font-size:15px;font-weight:600}\
.faint{fill:#59636e;font-size:12px}.value{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:5px;stroke-linejoin:round}.end{text-anchor:end}.middle{text-anchor:middle}\
.grid{stroke:#d1d9e0;stroke-width:1}.one{stroke:#59636e;stroke-width:1.5;stroke-dasharray:4 3}\
.bar{fill:#9aa7b4}.ours{fill:#0969da}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.value{stroke:#0d1117}.faint{fill:#9198a1}\
.grid{stroke:#30363d}.one{stroke:#9198a1}.bar{fill:#59636e}.ours{fill:#4493f8}}";

/// Bars over one axis.
struct Panel {
    heading: &'static str,
    axis: String,
    scale: Scale,
    /// Server and value.
    bars: Vec<(String, f64)>,
    digits: usize,
    /// No bar is a rival's.
    all_ours: bool,
}

/// How a value becomes a length, and where the ticks stand.
#[derive(Debug, Clone, PartialEq)]
enum Scale {
    /// From 0 to `end`, a tick each `step`.
    Linear { end: f64, step: f64 },
    /// From 10 to the power of `first` to that of `last`, a tick each power.
    Log { first: i32, last: i32 },
}

impl Scale {
    fn linear(values: impl Iterator<Item = f64>) -> Self {
        let largest = values.fold(1.0, f64::max);
        let step = if largest > 2.5 { 1.0 } else { 0.25 };
        Self::Linear { end: (largest / step).ceil() * step, step }
    }

    fn log(values: impl Iterator<Item = f64> + Clone) -> Self {
        let smallest = values.clone().fold(f64::INFINITY, f64::min).max(1.0);
        let largest = values.fold(10.0, f64::max);
        // A bar of a whole power would have no length: begin one below.
        let first = (smallest.log10().ceil() as i32 - 1).max(0);
        Self::Log { first, last: (largest.log10().ceil() as i32).max(first + 1) }
    }

    /// Where a value lies between the beginning of the axis, 0, and its end, 1.
    fn place(&self, value: f64) -> f64 {
        match *self {
            Self::Linear { end, .. } => value / end,
            Self::Log { first, last } => {
                (value.max(1.0).log10() - f64::from(first)) / f64::from(last - first)
            }
        }
        .clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match *self {
            Self::Linear { end, step } => {
                let count = (end / step).round() as i32;
                (0..=count).map(|n| f64::from(n) * step).map(|at| (at, format!("{at:.2}"))).collect()
            }
            Self::Log { first, last } => {
                (first..=last).map(|power| 10f64.powi(power)).map(|at| (at, format!("{at:.0}"))).collect()
            }
        }
    }
}

/// Draws what the report has; an error if it has nothing to draw.
pub(crate) fn svg(report: &Report) -> Result<String, String> {
    let panels = panels(report);
    if panels.is_empty() {
        return Err("the report has neither throughput, memory nor journal: nothing to draw".to_owned());
    }
    let height = TOP + panels.iter().map(Panel::height).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"t\"><title id=\"t\">A counter per visitor: \
         Continuity and its rivals</title><style>{STYLE}</style>\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"
    );
    text(&mut svg, 24.0, 34.0, "title", "A counter per visitor: Continuity and its rivals");
    text(&mut svg, 24.0, 56.0, "faint", &subtitle(report));
    let mut top = TOP;
    for panel in &panels {
        panel.draw(&mut svg, top);
        top += panel.height();
    }
    svg += "</svg>\n";
    Ok(svg)
}

fn subtitle(report: &Report) -> String {
    let pinned = if report.setting.pinned { "server pinned to one core" } else { "nothing pinned" };
    let run = if report.quick { "one quick run" } else { "one run" };
    match &report.throughput {
        Some(it) => {
            format!("{} sessions, {} connections, {pinned}; {run}", it.sessions, it.connections)
        }
        None => format!("{pinned}; {run}"),
    }
}

fn panels(report: &Report) -> Vec<Panel> {
    let mut panels = Vec::new();
    if let Some(it) = &report.throughput {
        let bars = |value: fn(&crate::measure::throughput::Line) -> f64| -> Vec<(String, f64)> {
            let shown = it.lines.iter().filter(|line| line.server != HELLO_AGAIN);
            shown.map(|line| (line.server.clone(), value(line))).collect()
        };
        panels.push(relative("Requests per second", "more is better", bars(|line| line.rate_ratio), BARE));
        panels.push(relative("CPU time per request", "less is better", bars(|line| line.cpu_ratio), BARE));
    }
    if let Some(it) = &report.memory {
        let bars: Vec<_> = it.lines.iter().map(|line| (line.server.clone(), line.worst)).collect();
        let scale = Scale::log(bars.iter().map(|(_, value)| *value));
        let axis = "bytes, logarithmic, worst while the count doubles; less is better".to_owned();
        panels.push(Panel {
            heading: "Memory per waiting session",
            axis,
            scale,
            bars,
            digits: 0,
            all_ours: false,
        });
    }
    panels.extend(report.journal.as_ref().map(journal));
    panels.retain(|panel| !panel.bars.is_empty());
    panels
}

fn journal(it: &Journal) -> Panel {
    let shown = it.lines.iter().filter(|line| line.place.is_some());
    let name = |line: &journal::Line| format!("{}, {}", table::variant(line), line.connections);
    let bars = shown.map(|line| (name(line), line.ratio)).collect();
    let to = "the same in memory, by connections";
    Panel { all_ours: true, ..relative("Requests per second with a journal", "more is better", bars, to) }
}

fn relative(heading: &'static str, better: &str, bars: Vec<(String, f64)>, to: &str) -> Panel {
    let scale = Scale::linear(bars.iter().map(|(_, value)| *value));
    Panel { heading, axis: format!("relative to {to}; {better}"), scale, bars, digits: 2, all_ours: false }
}

impl Panel {
    fn height(&self) -> f64 {
        HEADING + self.bars.len() as f64 * PITCH + FOOT
    }

    fn draw(&self, svg: &mut String, top: f64) {
        text(svg, 24.0, top + 16.0, "heading", self.heading);
        let (first, bottom) = (top + HEADING, top + HEADING + self.bars.len() as f64 * PITCH);
        for (value, label) in self.scale.ticks() {
            line(svg, "grid", self.x(value), first, bottom);
            text(svg, self.x(value), bottom + 16.0, "faint middle", &label);
        }
        text(svg, (LEFT + WIDTH - RIGHT) / 2.0, bottom + 34.0, "faint middle", &self.axis);
        for (index, (server, value)) in self.bars.iter().enumerate() {
            self.draw_bar(svg, first + index as f64 * PITCH + (PITCH - BAR) / 2.0, server, *value);
        }
        if matches!(self.scale, Scale::Linear { .. }) {
            line(svg, "one", self.x(1.0), first, bottom);
        }
        // The values last: they stand before the line.
        let digits = self.digits;
        for (index, (_, value)) in self.bars.iter().enumerate() {
            let y = first + index as f64 * PITCH + PITCH / 2.0 + 4.5;
            text(svg, self.x(*value) + 8.0, y, "value", &format!("{value:.digits$}"));
        }
    }

    fn draw_bar(&self, svg: &mut String, top: f64, server: &str, value: f64) {
        let class = if self.all_ours || server.starts_with(OURS) { "ours" } else { "bar" };
        text(svg, LEFT - 10.0, top + 14.5, "end", title(server));
        let length = self.x(value) - LEFT;
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{LEFT:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"3\"/>"
        );
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.scale.place(value) * (WIDTH - LEFT - RIGHT)
    }
}

fn line(svg: &mut String, class: &str, x: f64, top: f64, bottom: f64) {
    let _ = write!(
        svg,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let _ = write!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(words));
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped() {
        assert_eq!(escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[test]
    fn a_linear_axis_begins_at_nothing_and_has_room_for_all() {
        let scale = Scale::linear([0.55, 1.0, 1.83].into_iter());
        assert_eq!(scale, Scale::Linear { end: 2.0, step: 0.25 });
        assert_eq!((scale.place(0.0), scale.place(1.0), scale.place(9.0)), (0.0, 0.5, 1.0));
        assert_eq!(scale.ticks().len(), 9);
    }

    #[test]
    fn a_log_axis_stands_on_whole_powers() {
        let scale = Scale::log([59.0, 2302.0].into_iter());
        assert_eq!(scale, Scale::Log { first: 1, last: 4 });
        assert!((scale.place(100.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(scale.ticks().last(), Some(&(10_000.0, "10000".to_owned())));
    }
}
