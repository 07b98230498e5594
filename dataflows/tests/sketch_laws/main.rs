//! What every sketch promises, against exact counts: bounds that hold for every key, tracked or not, whatever is added
//! and merged in whatever order; and bytes that come back as they were or not at all.
//!
//! `cargo test --release -p hitters-dataflows --test sketch_laws` makes over 10 million key checks; a debug build, a part.
#![allow(clippy::unwrap_used)]

mod bytes;
mod errors;
mod family;
mod pair;
mod plans;
mod space_saving;
mod steps;
mod streams;
