//! History on disk: the full counts of every window, in a directory that one process writes and any number read.
//!
//! A [`Writer`](writer::Writer) takes the counts of closed windows and builds the coarser [`level`]s from them; a
//! [`Store`](reader::Store) reads what is published. [`verify`] checks every byte, [`compact`] takes back what was
//! replaced, [`tables`] keeps the rankings for SQL tools, and [`export`] writes Parquet.
//!
//! # Layout, version 1
//!
//! All integers are little-endian; times are milliseconds since the Unix epoch; checksums are CRC-32 (ISO 3309).
//!
//! ```text
//! DIR/manifest             what is published: a header, then records that are only appended
//! DIR/keys                 the dictionary: chunks of keys that are only appended; a key's id is its number
//! DIR/1m/2026-01-01.seg    packs: segments one after the other, those of one level and day (from 1d on: of 64 windows)
//! DIR/1h/... DIR/4h/... DIR/1d/... DIR/8d/... DIR/64d/...    a compacted pack has its generation in its name:
//!                          2026-01-01.1.seg
//! DIR/keys.lookup          from keys to ids; made from the dictionary, and read when a few keys are looked for
//! DIR/hitters.sqlite       rankings for SQL tools; made from the segments, never read by queries
//! DIR/lock                 locked (flock) by the process that writes
//! ```
//!
//! The **manifest** begins with 96 bytes:
//!
//! ```text
//!  0  8  "hitters\0"            16  8  length of the finest windows, ms
//!  8  4  version, 1             24  8  which process of a cluster these are the keys of (u32), of how many (u32): 0 of 1
//! 12  4  number of shards, 4096 32  4  in a cluster, workers of each process       36  4  zeros
//!                               40  8  in a cluster, the seed of the hashes that decide whose a key is
//!                               48  8  zeros        56  4  checksum of bytes 0..56        60  4  zeros
//! 64 16, 80 16  two slots: bytes of records that were once on disk for certain (u64), checksum of those 8 bytes, zeros
//! ```
//!
//! Records of 64 bytes follow. A segment is published when its record is whole in the manifest; what it refers to was on
//! disk before. A later record of the same level and start replaces an earlier one, and a segment record also
//! withdraws all coarser segments that contain its window: they are built again; but for one of a higher generation than the
//! one it replaces, which has only moved. A record that does not match its
//! checksum below the higher slot is damage; above it, it is what a crash left, and does not count.
//!
//! ```text
//!  0 4 checksum of bytes 4..64   4 1 kind   5 1 level   6 1 state   7 1 zero   8 8 number of the record, from 0
//! kind 1, keys:    16 8 offset in keys  24 8 length  32 4 first id  36 4 number of keys  40 4 checksum of the chunk
//! kind 2, segment: 16 8 window start  24 8 offset in its pack  32 8 length  40 4 generation of the pack
//!                  44 4 number of keys  48 16 total weight;  state: 1 when late events are counted in, else 0
//! kind 3, floor:   16 8 all windows of the level that start before this time are dropped
//! ```
//!
//! A **chunk of keys**: for each key its length as LEB128, then its bytes. A window's new keys get their ids by count
//! descending, then bytes ascending, so hot keys are neighbours and a rerun gives the same ids.
//!
//! A **segment**: a head of 64 bytes, a directory, pages. Its entries are ids ascending, each with a count above 0, in
//! blocks of 128; 256 blocks make a page.
//!
//! ```text
//! head:       0 4 "hseg"  4 4 number of keys n  8 8 window start  16 8 window length  24 16 total weight
//!             40 4 last id  44 4 checksum of the directory  48 12 zeros  60 4 checksum of bytes 0..60
//! directory:  ceil(n / 128) blocks: 4 first id, 2 ceiling of the counts, 1 bits of an id gap, 1 bits of a count;
//!             then the checksum (4) of every page
//! block:      the gaps between ids, less 1 (the first gap is 0); the counts less 1, low 32 bits; and when they have more
//!             than 32 bits, the rest. Each is packed as 128 integers of so many bits in the order of simdcomp's 4-lane
//!             layout (Lemire and Boytsov, Decoding billions of integers per second through vectorization, 2015). The
//!             last block is filled up with gaps of 1 and counts of 1
//! ceiling:    not below the block's highest count: 10 bits m, 6 bits e above them, for m * 2^e
//! ```
//!
//! A **lookup**: a head of 32 bytes, pages of 4096. Its entries ascend: half of a key's hash (rapidhash V3 micro, of seed 0), then
//! its id as the lower 32 bits.
//!
//! ```text
//! head:  0 8 "hlookup\0"  8 4 version, 1  12 4 number of keys: the first ones  16 4 number of chunks that these are
//!        20 4 checksum of the checksums of these chunks  24 4 zeros  28 4 checksum of bytes 0..28
//! page:  511 entries of 8, filled up with ff bytes; 4 checksum of them, 4 zeros
//! ```

mod best;
mod cache;
pub mod catalog;
pub mod command;
pub mod compact;
mod dictionary;
mod directory;
pub mod error;
pub mod export;
mod index;
pub mod keys;
pub mod level;
mod lookup;
pub mod manifest;
mod moving;
mod order;
pub mod pack;
mod packs;
pub mod part;
pub mod reader;
pub mod retain;
mod rollup;
pub mod segment;
pub mod tables;
mod tidy;
pub mod verify;
pub mod writer;
