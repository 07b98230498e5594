//! Runs every command that README.md shows and compares what it prints with what the page says.
//!
//! A block of commands is fenced as `sh`; a block fenced as `text` right after it is its output, with the summary of
//! the run or without. In the output, the seconds and the rate of a run stand for any. In a block fenced as `text like`,
//! every number does, which is for results that depend on the clock or on a sketch. Commands that never end need only
//! print the lines that are shown.
#![allow(clippy::unwrap_used)]

#[path = "readme/page.rs"]
mod page;
#[path = "readme/scratch.rs"]
mod scratch;
#[path = "readme/shell.rs"]
mod shell;
#[path = "readme/shown.rs"]
mod shown;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use page::{Block, blocks};
use scratch::Scratch;

const HITTERS: &str = env!("CARGO_BIN_EXE_hitters");
const RUN_A_SAMPLE: &str = "cargo run --release -- run -k 5 inputs/samples/events.csv";
const RUN_THE_TESTS: &str = "cargo test --workspace";
/// Builds and benchmarks, which take minutes: it is enough that the page shows them. Whoever runs this test has the first
/// two behind them.
const BUILDS: [&str; 7] = [
    RUN_THE_TESTS,
    "cargo install --path .",
    "cargo build --release --features abomonation",
    "cargo bench --bench accuracy",
    "cargo bench --bench throughput -- --events 5M",
    "cargo bench --bench history",
    "cargo bench --bench write_cost",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> Vec<Block> {
    blocks(&fs::read_to_string(root().join("README.md")).unwrap())
}

#[test]
fn the_page_begins_with_a_run_and_with_the_tests() {
    let blocks = readme();
    assert_eq!([&blocks[0].commands, &blocks[1].commands], [RUN_A_SAMPLE, RUN_THE_TESTS]);
    for build in BUILDS {
        assert!(blocks.iter().any(|block| block.commands == build), "{build} is not on the page");
    }
}

#[test]
fn every_command_prints_what_the_page_says() {
    let scratch = Scratch::new(root());
    let mut wrong = Vec::new();
    for block in readme().iter().filter(|block| !BUILDS.contains(&block.commands.as_str())) {
        if let Some(tool) = ["jq", "git", "curl"].into_iter().find(|tool| block.needs(tool) && !shell::has(tool)) {
            eprintln!("README.md:{}: not run, {tool} is not installed", block.line);
            continue;
        }
        if let Err(why) = check(block, &scratch) {
            wrong.push(format!("README.md:{}: {why}\n\n{}\n", block.line, block.commands));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs a block and compares what it prints. Where the page says nothing, there must be results of all events.
fn check(block: &Block, scratch: &Scratch) -> Result<(), String> {
    let _ports = block.is_cluster().then(shell::cluster_ports);
    match &block.shown {
        Some(shown) if block.is_endless() => {
            shell::run_until(&block.commands, scratch, |printed| shown.begins(printed))
        }
        Some(shown) => shown.compare(&shell::run(&block.commands, scratch)?),
        None => match shell::run(&block.commands, scratch)? {
            printed if printed.results.is_empty() => Err("it printed nothing".into()),
            printed if printed.summaries.lines().any(|line| line.starts_with("late ")) => Err(printed.summaries),
            _ => Ok(()),
        },
    }
}

#[test]
fn samples_are_what_their_commands_make() {
    let samples = root().join("inputs/samples");
    let made: Vec<PathBuf> = blocks(&fs::read_to_string(samples.join("README.md")).unwrap())
        .iter()
        .flat_map(|block| block.commands.lines())
        .map(|line| make_again(line).unwrap_or_else(|| panic!("not a command that makes a sample: {line}")))
        .collect();
    for entry in fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.ends_with("README.md") || made.contains(&path), "nothing says how {} was made", path.display());
    }
}

/// Runs `hitters generate ... -o FILE` or `hitters generate ... | gzip -9n > FILE` without writing to the file, compares
/// and returns the file.
fn make_again(line: &str) -> Option<PathBuf> {
    let typed = line.strip_prefix("hitters ")?;
    let (arguments, name, zipped) = match typed.split_once(" | gzip -9n > ") {
        Some((arguments, name)) => (arguments, name, true),
        None => typed.split_once(" -o ").map(|(arguments, name)| (arguments, name, false))?,
    };
    let made = Command::new(HITTERS).args(arguments.split(' ')).output().unwrap();
    assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
    let path = root().join(name);
    let mut kept = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    if zipped {
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(&kept[..]).read_to_end(&mut bytes).unwrap();
        kept = bytes;
    }
    assert!(kept == made.stdout, "{name} is not what this makes: {line}");
    Some(path)
}
