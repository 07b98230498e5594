//! `hitters store`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::compact::compact;
use super::error::StoreError;
use super::export::{ExportError, export};
use super::level::Levels;
use super::reader::Store;
use super::verify::verify;
use crate::query::moment;
use crate::settings::{self, WrongOption};
use crate::sink::number::thousands;
use crate::sink::time::Rfc3339;

/// Segments that are read once need no memory.
const NO_MEMORY: u64 = 0;

/// What to do with a store.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with a store.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Tell what a store holds
    Info {
        /// The directory
        #[arg(value_name = "DIR")]
        store: PathBuf,
    },
    /// Read every byte and tell what is damaged; status 2 if something is
    Verify {
        /// The directory
        #[arg(value_name = "DIR")]
        store: PathBuf,
    },
    /// Take back the room of what was replaced, and leave out what is damaged
    Compact {
        /// The directory
        #[arg(value_name = "DIR")]
        store: PathBuf,
    },
    /// Write the counts of windows to a Parquet file
    Export {
        /// The directory
        #[arg(value_name = "DIR")]
        store: PathBuf,
        /// The file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Which windows: 1m, 1h, 1d and so on [default: the shortest]
        #[arg(long, value_name = "LENGTH")]
        level: Option<String>,
        /// Windows from here on: RFC 3339, a date, an epoch, or a time before now such as -2h
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<String>,
        /// Windows that start before this
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        to: Option<String>,
    },
}

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreCommandError {
    /// An option's value is of no use.
    #[error(transparent)]
    Option(#[from] WrongOption),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Results cannot be written.
    #[error("results cannot be written")]
    Output(#[from] io::Error),
}

/// Does what was asked.
///
/// # Errors
/// [`StoreCommandError`] when the store cannot be read, or something cannot be written.
pub fn run(args: &StoreArgs) -> Result<ExitCode, StoreCommandError> {
    let out = &mut io::stdout().lock();
    match &args.action {
        Action::Info { store } => info(store, out)?,
        Action::Verify { store } => {
            let report = verify(&Store::open(store, NO_MEMORY)?)?;
            let (segments, entries, keys) = (report.segments, report.entries, report.keys);
            writeln!(
                out,
                "{} segments, {} entries, {} keys",
                thousands(segments),
                thousands(entries),
                thousands(keys)
            )?;
            report.damaged.iter().try_for_each(|what| writeln!(out, "damaged: {what}"))?;
            if !report.damaged.is_empty() {
                return Ok(ExitCode::from(2));
            }
        }
        Action::Compact { store } => {
            let done = compact(store)?;
            writeln!(
                out,
                "{} packs written anew, {} bytes freed",
                thousands(done.packs as u64),
                thousands(done.freed)
            )?;
            done.dropped.iter().try_for_each(|what| writeln!(out, "left out: {what}"))?;
        }
        Action::Export { store, output, level, from, to } => {
            let store = Store::open(store, NO_MEMORY)?;
            let level = level.clone().unwrap_or(store.catalog()?.levels().name(0));
            let now = settings::now();
            let from = moment::typed("--from", from, now)?.unwrap_or(i64::MIN);
            let to = moment::typed("--to", to, now)?.unwrap_or(i64::MAX);
            let file = |error| StoreCommandError::File { path: output.display().to_string(), error };
            let rows = export(&store, &level, from, to, BufWriter::new(File::create(output).map_err(file)?))?;
            writeln!(out, "{} rows", thousands(rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn info(dir: &Path, out: &mut impl Write) -> Result<(), StoreCommandError> {
    let store = Store::open(dir, NO_MEMORY)?;
    let catalog = store.catalog()?;
    let levels: &Levels = catalog.levels();
    writeln!(out, "format version {}, {} keys", super::manifest::VERSION, thousands(catalog.keys()))?;
    if !catalog.part().is_whole() {
        writeln!(out, "the keys of {}", catalog.part())?;
    }
    if let Some((start, end)) = catalog.span() {
        writeln!(out, "{} to {}", Rfc3339(start), Rfc3339(end))?;
    }
    writeln!(out, "{:6} {:>9} {:>15} {:>15}", "level", "windows", "entries", "bytes")?;
    for level in (0..levels.count()).filter(|&level| catalog.count(level) > 0) {
        let entries: u64 = catalog.all(level).map(|window| u64::from(window.keys)).sum();
        let bytes: u64 = catalog.all(level).map(|window| window.length).sum();
        let (name, windows) = (levels.name(level), thousands(catalog.count(level) as u64));
        writeln!(out, "{name:6} {windows:>9} {:>15} {:>15}", thousands(entries), thousands(bytes))?;
    }
    let replaced: u64 = catalog.packs().map(|(_, end, live)| end - live.min(end)).sum();
    let keys = fs::metadata(dir.join(super::keys::NAME)).map_or(0, |file| file.len());
    writeln!(out, "the dictionary takes {} bytes; compaction would free {}", thousands(keys), thousands(replaced))?;
    if !catalog.damaged().is_empty() {
        writeln!(out, "{} records of the manifest are damaged", catalog.damaged().len())?;
    }
    Ok(())
}
