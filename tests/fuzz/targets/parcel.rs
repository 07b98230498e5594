//! Any bytes as a parcel from another process: they panic, which ends the process with an error, or read as rows; they
//! never rows wild, take much memory, or go on for ever.
#![no_main]

use std::hint::black_box;
use std::panic::{catch_unwind, set_hook};
use std::sync::Once;

use hitters_dataflows::parcel::Parcel;
use timely::bytes::arc::BytesMut;
use timely::dataflow::channels::ContainerBytes;

static QUIET: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's own hook would end the process.
    QUIET.call_once(|| set_hook(Box::new(|_| {})));
    // As they are, and behind a right head, so that the columns are reached too.
    read(bytes.to_vec());
    read([&[0; 32], bytes].concat());
});

fn read(bytes: Vec<u8>) {
    let _ = catch_unwind(|| {
        let parcel = Parcel::from_bytes(BytesMut::from(bytes).freeze());
        for rows in parcel.rows.by_slot() {
            black_box((rows.slot, rows.weights));
            (0..rows.hashes.len()).for_each(|i| drop(black_box(rows.key(i))));
        }
    });
}
