//! Any steps that a sketch may be taken through.

use proptest::prelude::*;

/// One of them.
#[derive(Clone, Debug)]
pub enum Step {
    Add { to: usize, id: u32, weight: u64 },
    Merge { into: usize, from: usize },
    Store { of: usize },
}

pub fn step() -> impl Strategy<Value = Step> {
    let id = prop_oneof![0..12u32, 0..200u32];
    let weight = prop_oneof![4 => 0..5u64, 1 => 0..1_000_000u64];
    prop_oneof![
        20 => (0..4usize, id, weight).prop_map(|(to, id, weight)| Step::Add { to, id, weight }),
        1 => (0..4usize, 0..4usize).prop_map(|(into, from)| Step::Merge { into, from }),
        1 => (0..4usize).prop_map(|of| Step::Store { of }),
    ]
}
