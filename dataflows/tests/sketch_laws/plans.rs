//! Sizes: what was asked for is kept, and the impossible refused with a number that would do.

use hitters_dataflows::sketch::{Plan, PlanError, SKETCHES, Size, Sketch, named};

const PLAN: Plan = Plan { size: Size::Memory(1 << 20), delta: 0.01, k: 100, seed: 0 };

#[test]
fn a_sketch_stays_within_the_memory_it_was_given() {
    for entry in SKETCHES {
        for memory in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
            let sketch = entry.make(&Plan { size: Size::Memory(memory), ..PLAN }).unwrap();
            let most = sketch.most_memory();
            assert!(most <= memory && most > memory * 3 / 4, "{}: {most} of {memory}", entry.name);
        }
    }
}

#[test]
fn the_memory_of_an_error_is_known_before_it_is_taken() {
    for entry in SKETCHES {
        for epsilon in [0.1, 0.01, 0.003] {
            let said = entry.bytes(epsilon, 0.01, 50);
            let sketch = entry.make(&Plan { size: Size::Epsilon(epsilon), k: 2, ..PLAN }).unwrap();
            let most = sketch.most_memory() as f64;
            assert!((0.8..1.25).contains(&(said / most)), "{} {epsilon}: {said} said, {most} taken", entry.name);
        }
    }
}

#[test]
fn too_little_memory_for_k_is_refused_with_one_that_does() {
    for entry in SKETCHES {
        let plan = Plan { size: Size::Memory(10_000), k: 5000, ..PLAN };
        let Err(PlanError::Memory { enough, .. }) = entry.make(&plan) else { panic!("{} takes it", entry.name) };
        assert!(entry.make(&Plan { size: Size::Memory(enough), ..plan }).is_ok(), "{}: {enough}", entry.name);
    }
}

#[test]
fn an_error_that_takes_too_much_or_ranks_too_few_is_refused_with_one_that_does() {
    for entry in SKETCHES {
        let plan = Plan { size: Size::Epsilon(1e-12), ..PLAN };
        let Err(PlanError::Epsilon { possible, .. }) = entry.make(&plan) else { panic!("{} takes it", entry.name) };
        assert!(entry.bytes(possible, PLAN.delta, PLAN.k) < 5e9);
    }
    let few = Plan { size: Size::Epsilon(0.5), k: 1000, ..PLAN };
    let Err(PlanError::Few { possible, .. }) = named("misra-gries").unwrap().make(&few) else { panic!("it takes it") };
    assert!(named("misra-gries").unwrap().make(&Plan { size: Size::Epsilon(possible), ..few }).is_ok());
}
