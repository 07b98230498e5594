//! The program, in the order in which data meets the modules:
//!
//! [`cli`] (what was typed) -> [`settings`] (what is valid) -> [`job`] (inputs -> dataflow) -> [`sink`] (rows), with
//! [`rejects`] beside it for what cannot be counted, [`progress`] and [`summary`] for people (with [`meters`] and
//! [`latency`]), and [`cluster`] for the connections between processes. [`generate`] makes events to try it on, [`sketches`] compares the sketches.
//!
//! The same job fills the [`store`], which [`query`] answers from, and [`http`] lets others ask.
//!
//! What reads bytes is in `inputs/`, what computes is in `dataflows/`; this crate wires the two and shows the result.

pub mod cli;
pub mod cluster;
pub mod generate;
pub mod http;
pub mod job; // start here
pub mod latency;
pub mod machine;
pub mod meters;
pub mod progress;
pub mod quantity;
pub mod query;
pub mod rejects;
pub mod settings;
pub mod sink;
pub mod sketches;
pub mod store;
pub mod summary;
