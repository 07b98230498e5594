//! The mean error of each sketch over its memory, a panel a stream, as SVG.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::contest::Contest;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 200.0;
const MARGIN: f64 = 50.0;
/// Smaller errors are drawn at this one.
const LEAST: f64 = 1e-6;
const MOST: f64 = 10.0;
const COLOURS: [&str; 12] = [
    "#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
    "#000000", "#aec7e8",
];

pub fn svg(contests: &[Contest]) -> String {
    let panels = each_once(contests.iter().map(|contest| contest.stream.as_str()));
    let names = each_once(contests.iter().map(|contest| contest.name.as_str()));
    let (columns, rows) = (panels.len().clamp(1, 3), panels.len().div_ceil(3));
    let legend = 20.0 * names.len() as f64;
    let (wide, high) = (columns as f64 * (WIDTH + MARGIN) + MARGIN, rows as f64 * (HEIGHT + MARGIN) + MARGIN + legend);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" font-family=\"sans-serif\" \
         font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (at, stream) in panels.iter().enumerate() {
        let left = MARGIN + (at % 3) as f64 * (WIDTH + MARGIN);
        let top = MARGIN + (at / 3) as f64 * (HEIGHT + MARGIN);
        panel(&mut out, stream, left, top, contests, &names);
    }
    for (at, name) in names.iter().enumerate() {
        let y = high - legend + 20.0 * at as f64;
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(out, "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>");
        let _ = writeln!(out, "<text x=\"{}\" y=\"{}\">{name}</text>", MARGIN + 20.0, y + 6.0);
    }
    out + "</svg>\n"
}

fn each_once<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

fn panel(out: &mut String, stream: &str, left: f64, top: f64, contests: &[Contest], names: &[&str]) {
    let _ = writeln!(
        out,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>"
    );
    let _ = writeln!(out, "<text x=\"{left}\" y=\"{}\">{stream}: mean relative error of 100 rows</text>", top - 6.0);
    let y = |error: f64| {
        let part = (error.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10();
        top + HEIGHT * (1.0 - part)
    };
    for power in -6..=1 {
        let at = y(10f64.powi(power));
        let _ = writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">1e{power}</text>", left - 4.0, at + 4.0);
    }
    let x = |memory: usize| left + WIDTH * ((memory as f64 / 65536.0).log2() / 6.0).clamp(0.0, 1.0);
    for memory in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} KiB</text>",
            x(memory),
            top + HEIGHT + 14.0,
            memory >> 10
        );
    }
    for (at, name) in names.iter().enumerate() {
        let mine = contests.iter().filter(|contest| contest.stream == stream && contest.name == *name);
        let points: BTreeMap<usize, f64> = mine.map(|contest| (contest.memory, contest.mean_error)).collect();
        let points: Vec<(f64, f64)> = points.iter().map(|(&memory, &error)| (x(memory), y(error))).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
}
