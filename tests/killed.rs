//! Writers that are killed: what they leave opens, verifies and holds whole windows, and a rerun makes it what it would have been.
#![allow(clippy::unwrap_used)]

mod history;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use history::{Counts, HOUR, Random, Truth, contents, open, put, some_days, three_days as truth};
use hitters::query::{Query, answer};
use hitters::store::reader::Store;
use hitters::store::verify::verify;
use hitters::store::writer::Writer;

/// Writes until it is killed; a test only in name, started by the one below.
#[test]
#[ignore = "the process that the next test kills"]
fn writes_until_it_is_killed() {
    let dir = std::env::var("HITTERS_KILLED_DIR").unwrap();
    let truth = truth();
    let mut writer = Writer::open(Path::new(&dir), truth.length).unwrap().with_tables(3, || ()).unwrap();
    truth.put(&mut writer, 3);
    writer.finish().unwrap();
}

/// Revises windows again and again, so that packs are always on their way to others, until it is killed; as the one above.
#[test]
#[ignore = "the process that a test below kills"]
fn compacts_until_it_is_killed() {
    let dir = std::env::var("HITTERS_KILLED_DIR").unwrap();
    let mut writer = Writer::open(Path::new(&dir), crowded().length).unwrap();
    for round in 1.. {
        let truth = revised(round);
        for (at, (&start, counts)) in truth.windows.iter().enumerate() {
            put(&mut writer, start, truth.length, counts);
            // Small pieces: a move takes longer than a publication.
            writer.compact_some(4 << 10).unwrap();
            if at % 8 == 7 {
                writer.publish().unwrap();
            }
        }
    }
}

/// Windows of one day that are large enough to be worth compacting.
fn crowded() -> Truth {
    some_days(5, HOUR, 1, 600, 9000)
}

/// All windows once more, each with another count of one key.
fn revised(round: u64) -> Truth {
    let mut truth = crowded();
    for counts in truth.windows.values_mut() {
        counts.insert(b"revised".to_vec(), round);
    }
    truth
}

/// How often a writer is killed: `HITTERS_KILLS`, or few enough for every run of the tests.
fn kills() -> usize {
    std::env::var("HITTERS_KILLS").map_or(12, |kills| kills.parse().unwrap())
}

/// Starts a test of this file that writes to a directory.
fn start(test: &str, dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored"]).env("HITTERS_KILLED_DIR", dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_at_any_instant_it_opens_verifies_and_a_rerun_gives_the_same_bytes() {
    let (truth, whole) = (truth(), tempfile::tempdir().unwrap());
    truth.write(whole.path());
    let mut random = Random(77);
    let (mut unfinished, mut begun) = (0, 0);
    for round in 0..kills() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = start("writes_until_it_is_killed", dir.path());
        // Killed when the manifest has some length or other.
        let (enough, manifest) = (random.below(900) * 64, dir.path().join("manifest"));
        while child.try_wait().unwrap().is_none() && fs::metadata(&manifest).map_or(0, |file| file.len()) < enough {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if let Ok(store) = Store::open(dir.path(), 1 << 20) {
            begun += 1;
            assert!(verify(&store).unwrap().damaged.is_empty(), "round {round}");
            let catalog = store.catalog().unwrap();
            let shown = Truth {
                length: truth.length,
                windows: catalog.all(0).map(|window| (window.start, truth.windows[&window.start].clone())).collect(),
            };
            unfinished += usize::from(shown.windows.len() < truth.windows.len());
            let query = Query { from: i64::MIN, to: i64::MAX, k: 100, ..Query::default() };
            assert_eq!(answer(&store, &query).unwrap().rows, shown.top(i64::MIN, i64::MAX, 100));
        }
        truth.write(dir.path());
        assert_eq!(contents(dir.path()), contents(whole.path()), "round {round}");
    }
    println!("{} times killed: {begun} stores begun, {unfinished} of them unfinished", kills());
    assert!(begun * 2 > kills() && unfinished * 5 > kills(), "{begun} {unfinished}");
}

#[test]
fn killed_while_a_pack_moves_it_opens_verifies_and_a_rerun_gives_the_same_answers() {
    let (dirs, mut random) = (tempfile::tempdir().unwrap(), Random(78));
    let (mut moving, mut moved) = (0, 0);
    for round in 0..kills() {
        let dir = dirs.path().join(round.to_string());
        let mut child = start("compacts_until_it_is_killed", &dir);
        // Killed some time after the packs have moved once or more.
        let generation = |path: PathBuf| path.file_name()?.to_str()?.split('.').nth(1)?.parse::<u32>().ok();
        let newest = || {
            let packs = fs::read_dir(dir.join("1h")).into_iter().flatten();
            packs.filter_map(|pack| generation(pack.ok()?.path())).max().unwrap_or(0)
        };
        let enough = 1 + random.below(6) as u32;
        while newest() < enough {
            assert!(child.try_wait().unwrap().is_none(), "it goes on until it is killed");
            std::thread::yield_now();
        }
        // At once, or at any instant of the 40 ms or so that a move takes until the next.
        let instant = Instant::now() + Duration::from_micros(random.below(60_000) * (round as u64 % 2));
        while Instant::now() < instant {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(&dir);
        assert!(verify(&store).unwrap().damaged.is_empty(), "round {round}");
        let catalog = store.catalog().unwrap();
        let published = catalog.all(0).map(|window| window.generation).max().unwrap_or(0);
        moving += usize::from(newest() > published);
        moved += usize::from(published > 0);
        // Each window is whole, as some round of revisions left it.
        let all = crowded();
        let mut shown = Truth::new(all.length);
        for window in catalog.all(0) {
            let (from, to) = (window.start, window.start + all.length);
            let rows = answer(&store, &Query { from, to, k: 1000, ..Query::default() }).unwrap().rows;
            let counts: Counts = rows.into_iter().map(|row| (row.key, row.estimate.count)).collect();
            let revision = counts.get(b"revised".as_slice()).copied().unwrap_or(0);
            let mut expected = all.windows[&window.start].clone();
            expected.insert(b"revised".to_vec(), revision);
            assert_eq!(counts, expected, "round {round}");
            shown.windows.insert(from, counts);
        }
        let query = Query { from: i64::MIN, to: i64::MAX, k: 700, ..Query::default() };
        assert_eq!(answer(&store, &query).unwrap().rows, shown.top(i64::MIN, i64::MAX, 700), "round {round}");
        // A rerun takes back what was on its way, and two of them leave the same bytes.
        let last = revised(1 << 40);
        last.write(&dir);
        let first = contents(&dir);
        last.write(&dir);
        assert_eq!(contents(&dir), first, "round {round}");
        assert_eq!(answer(&open(&dir), &query).unwrap().rows, last.top(i64::MIN, i64::MAX, 700), "round {round}");
        assert!(verify(&open(&dir)).unwrap().damaged.is_empty(), "round {round}");
        let named: Vec<_> = {
            let catalog = open(&dir).catalog().unwrap();
            catalog.packs().map(|(pack, ..)| pack.path(&dir, catalog.levels())).collect()
        };
        let left =
            first.keys().map(|path| dir.join(path)).filter(|path| path.extension().is_some_and(|kind| kind == "seg"));
        assert!(left.into_iter().all(|path| named.contains(&path)), "round {round}: packs are left that nothing names");
    }
    println!("{} times killed: {moving} with a pack on its way, {moved} after one had moved", kills());
    assert!(moving * 3 > kills() && moved * 3 > kills(), "{moving} {moved}");
}
