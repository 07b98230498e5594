//! From events to rankings. Read in the order in which data meets the modules:
//!
//! [`window`] judges each event, [`mark`] says what will not come any more, [`ingest`] combines events and feeds the
//! [`sketch`], [`parcel`] carries combined counts to the worker that owns their shard, [`count`] adds them up exactly,
//! and [`operators`] moves all that over timely dataflow until a [`ranking`] comes out. [`job`] wires one worker; [`start`] starts them all.
//!
//! [`tickets`] and [`tags`] are where keys stand in hash tables; [`prefetch`] and [`pages`] what tables larger than the cache ask of the machine.
//!
//! Only [`operators`], [`parcel`], [`job`] and [`start`] know timely and differential; the rest are plain structs.

mod bits;
pub mod count;
pub mod gather;
pub mod ingest;
pub mod job;
pub mod key;
pub mod mark;
pub mod operators;
pub mod pages;
pub mod parcel;
pub mod prefetch;
pub mod ranking;
pub mod shard;
pub mod sketch;
pub mod start;
pub mod tags;
pub mod tickets;
pub mod window;
