//! What is typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use hitters_dataflows::sketch::SKETCHES;

use crate::generate::GenerateArgs;
use crate::http::command::ServeArgs;
use crate::quantity::{self, Bytes};
use crate::query::command::QueryArgs;
use crate::store::command::StoreArgs;
use hitters_inputs::format::FORMATS;

use crate::sink::SINKS;
use crate::sketches::SketchesArgs;

/// Finds the most frequent items of event streams: early with bounds, exact when a window closes.
#[derive(Debug, Parser)]
#[command(name = "hitters", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count a stream; results go to standard output
    Run(Box<RunArgs>),
    /// Ask a store for the top k of any interval
    Query(Box<QueryArgs>),
    /// Answer over HTTP from a store, with a page for people
    Serve(ServeArgs),
    /// Look after a store
    Store(StoreArgs),
    /// Compare the sketches: what they promise, and the memory they take
    Sketches(SketchesArgs),
    /// Write seeded synthetic events
    Generate(GenerateArgs),
}

/// What to count, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Files, globs, directories, or - for standard input; gzip and Zstandard are read as they are
    #[arg(value_name = "INPUT", default_value = "-")]
    pub inputs: Vec<String>,

    /// How records are written
    #[arg(short, long, default_value = "auto", value_parser = names(FORMATS.iter().map(|f| (f.name, f.about))), help_heading = "Input")]
    pub format: String,
    /// The field to count by, or several joined by commas; tags[] takes each element of an array [default: the format's own]
    #[arg(long, value_name = "FIELD,..", value_delimiter = ',', help_heading = "Input")]
    pub key: Option<Vec<String>>,
    /// The field that holds the event time [default: the format's own, else the time of arrival]
    #[arg(long, value_name = "FIELD", help_heading = "Input")]
    pub time: Option<String>,
    /// How times are written: auto, s, ms, us, ns, rfc3339, clf, or a strptime pattern [default: auto]
    #[arg(long, value_name = "FORMAT", help_heading = "Input")]
    pub time_format: Option<String>,
    /// A field that holds a whole number, to be added up instead of counting events
    #[arg(long, value_name = "FIELD", help_heading = "Input")]
    pub weight: Option<String>,
    /// The pattern of the format regex; its named groups are the fields
    #[arg(long, value_name = "REGEX", help_heading = "Input")]
    pub pattern: Option<String>,
    /// The columns of csv or tsv files that have no header line
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', help_heading = "Input")]
    pub columns: Option<Vec<String>>,
    /// How much is read and parsed at a time
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = quantity::bytes, help_heading = "Input")]
    pub block_size: Bytes,

    /// Rows a window, up to 100,000
    #[arg(short, value_name = "K", default_value_t = 10, help_heading = "Result")]
    pub k: usize,
    /// Length of the windows, which are aligned to the Unix epoch; several (1m,1h,1d) each give their own results
    #[arg(long, value_name = "DURATION,..", default_value = "1h", value_delimiter = ',', help_heading = "Result")]
    pub window: Vec<String>,
    /// With --mode approx: give the windows not one after the other but one every so often, made of summaries this long
    #[arg(long, value_name = "DURATION", help_heading = "Result")]
    pub every: Option<String>,
    /// How often early results come out, or off
    #[arg(long, value_name = "DURATION", default_value = "5s", help_heading = "Result")]
    pub early: String,
    /// Which results: early ones and exact ones, exact ones alone, or approximate ones alone in fixed memory
    #[arg(long, default_value = "both", value_parser = ["both", "exact", "approx"], help_heading = "Result")]
    pub mode: String,
    /// How results are written [default: table on a terminal, else ndjson]
    #[arg(short, long, value_parser = names(SINKS.iter().map(|s| (s.name, s.about))), help_heading = "Result")]
    pub output: Option<String>,
    /// A file for rejected records, as NDJSON with reason and position
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub rejects: Option<PathBuf>,
    /// A directory that keeps the full counts of every window, for hitters query
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub store: Option<PathBuf>,
    /// How long the store keeps windows, after their time: minute=2d,hour=90d,day=5y [default: for ever]
    #[arg(long, value_name = "LEVEL=DURATION,..", help_heading = "Result")]
    pub retain: Option<String>,
    /// Serve results over HTTP while the run goes on: open windows, and what is in the store
    #[arg(long, value_name = "HOST:PORT", help_heading = "Result")]
    pub listen: Option<String>,
    /// Where the other processes listen, in a cluster with --store: they are asked for their keys
    #[arg(long, value_name = "HOST:PORT,..", value_delimiter = ',', help_heading = "Cluster")]
    pub peers: Vec<String>,
    /// End with status 1 when a record was rejected
    #[arg(long, help_heading = "Result")]
    pub strict: bool,

    /// How far events may be out of order: the watermark stays this far behind the latest event
    #[arg(long, value_name = "DURATION", default_value = "5s", help_heading = "Time")]
    pub out_of_orderness: String,
    /// How long a closed window still takes late events, in revisions
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = "Time")]
    pub allowed_lateness: String,
    /// Reject events that are further ahead of the clock than this
    #[arg(long, value_name = "DURATION", default_value = "1d", help_heading = "Time")]
    pub max_future: String,
    /// A live input that is silent for longer no longer holds the others' windows open
    #[arg(long, value_name = "DURATION", default_value = "10s", help_heading = "Time")]
    pub idle_timeout: String,

    /// The sketch of early and approximate results; `hitters sketches` compares them
    #[arg(long, default_value = SKETCHES[0].name, value_parser = names(SKETCHES.iter().map(|s| (s.name, s.about))), help_heading = "Sketch")]
    pub sketch: String,
    /// Memory of each worker's sketch of a window [default: 1MiB, more for a large -k]
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, conflicts_with = "epsilon", help_heading = "Sketch")]
    pub sketch_memory: Option<Bytes>,
    /// Plan the sketch for counts that are off by no more than this part of the total: 0.01% or 0.0001
    #[arg(long, value_name = "PART", value_parser = quantity::part, help_heading = "Sketch")]
    pub epsilon: Option<f64>,
    /// The part of counts that may be off by more, and of bounds that may fail where the sketch's are not certain
    #[arg(long, value_name = "PART", default_value = "1%", value_parser = quantity::part, help_heading = "Sketch")]
    pub delta: f64,

    /// Budget for exact counts in this process; beyond it they are spilled [default: half of the machine's memory]
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, help_heading = "Resources")]
    pub memory: Option<Bytes>,
    /// Where counts are spilled [default: the directory for temporary files]
    #[arg(long, value_name = "DIR", help_heading = "Resources")]
    pub spill_dir: Option<PathBuf>,
    /// Worker threads in this process [default: one a core]
    #[arg(short, long, value_name = "N", help_heading = "Resources")]
    pub workers: Option<usize>,

    /// How many processes there are
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, help_heading = "Cluster")]
    pub processes: usize,
    /// Which of them this is, from 0; results come from process 0
    #[arg(short = 'p', long, value_name = "INDEX", default_value_t = 0, help_heading = "Cluster")]
    pub process: usize,
    /// A file with one host:port a line, in the order of the processes [default: ports from 2101 on this machine]
    #[arg(short = 'H', long, value_name = "FILE", help_heading = "Cluster")]
    pub hostfile: Option<PathBuf>,
    /// A file with the secret that all processes share [default: the variable HITTERS_CLUSTER_SECRET]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub secret_file: Option<PathBuf>,
    /// How long to wait for the other processes at the start
    #[arg(long, value_name = "DURATION", default_value = "60s", help_heading = "Cluster")]
    pub join_timeout: String,
}

/// The possible values of an option, from its table.
fn names(table: impl Iterator<Item = (&'static str, &'static str)>) -> clap::builder::PossibleValuesParser {
    table.map(|(name, about)| clap::builder::PossibleValue::new(name).help(about)).collect::<Vec<_>>().into()
}
