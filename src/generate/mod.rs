//! Seeded synthetic events: arguments -> [`plan`] (checked) -> [`events`] (times, keys, sizes) -> [`encoding`] (lines).
//!
//! The same arguments give the same bytes on every machine, and the same events in every format: nothing here reads a
//! clock, depends on the order of a hash table or calls the platform's mathematics.

mod combined;
pub mod encoding;
pub mod events;
mod keys;
pub mod plan;
mod random;
mod zipf;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use jiff::{SignedDuration, Timestamp};

use crate::quantity;
use encoding::{Decor, ENCODINGS};
use events::Events;

use plan::{Plan, PlanError};

/// How many bytes are gathered before they are written.
const BLOCK: usize = 1 << 20;

/// What to generate, as typed.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct GenerateArgs {
    /// How many events (k, M and G are thousands, millions and thousand millions)
    #[arg(long, value_name = "N", default_value = "1M", value_parser = quantity::number)]
    pub events: u64,
    /// How many different keys there may be
    #[arg(long, value_name = "N", default_value = "100k", value_parser = quantity::number)]
    pub keys: u64,
    /// Zipf exponent: the key of rank r comes up in proportion to 1 / r^skew; 0 is uniform
    #[arg(long, value_name = "EXPONENT", default_value = "1.05")]
    pub skew: f64,
    /// The time of the first event
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z", value_parser = quantity::time)]
    pub start: Timestamp,
    /// The event time that the events are spread over evenly (a day is 24 h)
    #[arg(long, value_name = "DURATION", default_value = "3h", value_parser = quantity::duration)]
    pub span: SignedDuration,
    /// How far events are out of order: each is moved back by less than this
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = quantity::duration)]
    pub jitter: SignedDuration,
    /// The part of the events that is moved back further, by 10 s to 10 min: 0.1% or 0.001
    #[arg(long, value_name = "PART", default_value = "0%", value_parser = quantity::part)]
    pub late: f64,
    /// Replace a fifth of the hot keys, one by one over the span
    #[arg(long)]
    pub drift: bool,
    /// Add five short bursts in which one key takes 30% of the events
    #[arg(long)]
    pub burst: bool,
    /// What all choices follow from
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// How events are written
    #[arg(short, long, default_value = "csv", value_parser = format_names())]
    pub format: String,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn format_names() -> PossibleValuesParser {
    ENCODINGS.iter().map(|encoding| PossibleValue::new(encoding.name).help(encoding.about)).collect::<Vec<_>>().into()
}

/// The arguments when none are typed.
impl Default for GenerateArgs {
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Typed {
            #[command(flatten)]
            args: GenerateArgs,
        }
        <Typed as clap::Parser>::try_parse_from(["generate"]).map(|typed| typed.args).expect("the defaults are valid")
    }
}

/// Why events could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The arguments contradict each other or are out of bounds.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The file of `--output` cannot be created.
    #[error("{path} cannot be created; choose another --output")]
    Create {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written; when its reader has gone, the source is [`io::ErrorKind::BrokenPipe`].
    #[error("the generated events cannot be written")]
    Write(#[from] io::Error),
}

/// Writes the events to the file of `--output`, or else to `out`, and flushes it. Nothing is created or written when the
/// arguments are not valid. Memory is constant; several million events a second.
///
/// # Errors
/// [`GenerateError`].
pub fn run(args: &GenerateArgs, out: &mut dyn Write) -> Result<(), GenerateError> {
    let plan = Plan::check(args)?;
    let Some(path) = &args.output else {
        return Ok(write(&plan, out)?);
    };
    let file = File::create(path);
    let mut file = file.map_err(|source| GenerateError::Create { path: path.display().to_string(), source })?;
    Ok(write(&plan, &mut file)?)
}

/// Writes the events of a plan, header first, and flushes.
///
/// # Errors
/// What `out` reports.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut block = Vec::with_capacity(BLOCK + 4096);
    block.extend_from_slice(plan.encoding.header.as_bytes());
    let mut decor = Decor::new(plan.seed);
    for event in Events::new(plan) {
        (plan.encoding.encode)(&event, &mut decor, &mut block);
        if block.len() >= BLOCK {
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.write_all(&block)?;
    out.flush()
}

#[cfg(test)]
mod tests;
