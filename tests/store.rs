//! What a store keeps through reruns, crashes and damage.
#![allow(clippy::unwrap_used)]

mod history;

use std::fs;
use std::path::Path;

use history::{
    Counts, DAY, HOUR, MINUTE, NEW_YEAR, Random, Truth, contents, files, open, put, some_days, three_days as truth,
};
use hitters::query::{Query, answer};
use hitters::store::compact::compact;
use hitters::store::error::StoreError;
use hitters::store::export::export;
use hitters::store::reader::Store;
use hitters::store::retain::Retention;
use hitters::store::verify::verify;
use hitters::store::writer::{Put, Writer};
use hitters_dataflows::ranking::Window;

fn assert_holds(dir: &Path, truth: &Truth) {
    let store = open(dir);
    let report = verify(&store).unwrap();
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    for (from, to) in [(NEW_YEAR, NEW_YEAR + 3 * DAY), (NEW_YEAR + HOUR / 2, NEW_YEAR + DAY + 7 * HOUR)] {
        let answer = answer(&store, &Query { from, to, k: 1000, ..Query::default() }).unwrap();
        assert!(answer.trust.exact);
        assert_eq!(answer.rows, truth.top(from, to, 1000));
    }
}

#[test]
fn a_rerun_changes_no_byte() {
    let (dir, truth) = (tempfile::tempdir().unwrap(), truth());
    truth.write(dir.path());
    assert_holds(dir.path(), &truth);
    let before = contents(dir.path());
    let mut writer = Writer::open(dir.path(), truth.length).unwrap();
    for (&start, counts) in &truth.windows {
        let window = Window { start, end: start + truth.length };
        let counts = counts.iter().map(|(key, count)| (key.as_slice(), *count));
        assert_eq!(writer.put(window, false, counts).unwrap(), Put::Unchanged);
    }
    writer.finish().unwrap();
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn how_windows_are_published_leaves_no_trace() {
    let (truth, dirs) = (truth(), [(); 3].map(|()| tempfile::tempdir().unwrap()));
    for (dir, group) in dirs.iter().zip([1, 10, 10_000]) {
        let mut writer = Writer::open(dir.path(), truth.length).unwrap();
        truth.put(&mut writer, group);
        writer.finish().unwrap();
    }
    assert_eq!(contents(dirs[0].path()), contents(dirs[1].path()));
    assert_eq!(contents(dirs[0].path()), contents(dirs[2].path()));
}

#[test]
fn a_window_written_twice_replaces_itself_and_its_rollups() {
    let (dir, mut truth) = (tempfile::tempdir().unwrap(), truth());
    truth.write(dir.path());
    let store = open(dir.path());
    let (&start, _) = truth.windows.iter().nth(100).unwrap();
    truth.windows.insert(start, Counts::from([(b"new".to_vec(), 1 << 50), (b"key-1".to_vec(), 3)]));
    let mut writer = Writer::open(dir.path(), truth.length).unwrap();
    put(&mut writer, start, truth.length, &truth.windows[&start]);
    writer.publish().unwrap();
    let ask = Query { from: NEW_YEAR, to: NEW_YEAR + 3 * DAY, k: 20, ..Query::default() };
    let seen = answer(&store, &ask).unwrap();
    assert_eq!(seen.rows, truth.top(ask.from, ask.to, 20), "a reader sees what was published since it opened");
    assert_eq!(seen.rows[0].key, b"new");
    writer.finish().unwrap();
    assert_holds(dir.path(), &truth);
}

#[test]
fn readers_see_whole_publications() {
    let (dir, truth) = (tempfile::tempdir().unwrap(), truth());
    let mut writer = Writer::open(dir.path(), truth.length).unwrap();
    let store = open(dir.path());
    let mut published = Truth::new(truth.length);
    for (at, (&start, counts)) in truth.windows.iter().take(60).enumerate() {
        put(&mut writer, start, truth.length, counts);
        published.windows.insert(start, counts.clone());
        if at % 3 == 2 {
            writer.publish().unwrap();
        }
        let shown = Truth {
            length: truth.length,
            windows: published.windows.clone().into_iter().take((at + 1) / 3 * 3).collect(),
        };
        let query = Query { from: i64::MIN, to: i64::MAX, k: 500, ..Query::default() };
        assert_eq!(answer(&store, &query).unwrap().rows, shown.top(i64::MIN, i64::MAX, 500));
    }
}

#[test]
fn two_writers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), MINUTE).unwrap();
    let refused = Writer::open(dir.path(), MINUTE).err().unwrap();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    drop(writer);
    assert!(Writer::open(dir.path(), MINUTE).is_ok());
}

#[test]
fn other_directories_and_stores_are_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let say = |error: Option<StoreError>| error.unwrap().to_string();
    assert!(say(Store::open(dir.path(), 0).err()).contains("is not a store"));
    assert!(say(Writer::open(dir.path(), 7 * MINUTE).err()).contains("7m do not fill a day"));
    fs::write(dir.path().join("letter"), "dear").unwrap();
    assert!(say(Writer::open(dir.path(), MINUTE).err()).contains("not empty"));
    fs::remove_file(dir.path().join("letter")).unwrap();
    drop(Writer::open(dir.path(), MINUTE).unwrap());
    assert!(say(Writer::open(dir.path(), HOUR).err()).contains("give --window 1m"));
    let manifest = dir.path().join("manifest");
    let whole = fs::read(&manifest).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let checksum = crc32fast::hash(&bytes[..56]);
        bytes[56..60].copy_from_slice(&checksum.to_le_bytes());
        fs::write(&manifest, bytes).unwrap();
        say(Store::open(dir.path(), 0).err())
    };
    let version = with(8, 2);
    assert!(version.contains("format version 2") && version.contains("version 1"), "{version}");
    assert!(with(12, 1).contains("4097 shards"));
    assert!(with(0, b'x').contains("damaged"));
    fs::write(&manifest, &whole[..40]).unwrap();
    assert!(say(Store::open(dir.path(), 0).err()).contains("damaged"));
}

#[test]
fn windows_of_another_length_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), MINUTE).unwrap();
    let wrong = Window { start: 1, end: 1 + MINUTE };
    assert!(matches!(writer.put(wrong, false, []), Err(StoreError::Length { .. })));
    assert!(matches!(writer.publish(), Err(StoreError::Failed { .. })));
}

/// What a crash can leave: any part of what was written after the last publication, in any file.
#[test]
fn what_was_not_published_is_taken_back() {
    let (truth, whole) = (truth(), tempfile::tempdir().unwrap());
    truth.write(whole.path());
    let mut random = Random(1);
    for round in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path(), truth.length).unwrap();
        let windows = truth.windows.iter().take(random.below(200) as usize + 1);
        for (&start, counts) in windows {
            put(&mut writer, start, truth.length, counts);
            if random.below(9) == 0 {
                writer.publish().unwrap();
            }
        }
        drop(writer);
        let published = contents(dir.path());
        let mut writer = Writer::open(dir.path(), truth.length).unwrap();
        truth.windows.iter().take(300).for_each(|(&start, counts)| put(&mut writer, start, truth.length, counts));
        writer.publish().unwrap();
        drop(writer);
        for (path, bytes) in contents(dir.path()) {
            let kept = published.get(&path).map_or(0, Vec::len);
            if path.ends_with("manifest") {
                // Back to how it was, and perhaps a torn record.
                let mut bytes = bytes[..kept + random.below(64) as usize].to_vec();
                bytes[..kept].copy_from_slice(&published[&path]);
                fs::write(dir.path().join(path), bytes).unwrap();
            } else {
                let cut = kept + random.below((bytes.len() - kept) as u64 + 1) as usize;
                fs::write(dir.path().join(path), &bytes[..cut]).unwrap();
            }
        }
        let report = verify(&open(dir.path())).unwrap();
        assert!(report.damaged.is_empty(), "round {round}: {:?}", report.damaged);
        truth.write(dir.path());
        assert_eq!(contents(dir.path()), contents(whole.path()), "round {round}");
    }
}

/// Whatever byte is wrong in whatever file: an answer that says it is exact is, and bounds hold unless the answer says
/// that it is partial.
#[test]
fn a_flipped_byte_is_found_and_never_answers_wrong() {
    let (truth, dir) = (some_days(4, 20 * MINUTE, 3, 200, 3000), tempfile::tempdir().unwrap());
    truth.write(dir.path());
    let mut random = Random(2);
    let (mut unanswered, mut partial, mut mended) = (0, 0, 0);
    for (path, bytes) in files(dir.path()) {
        if bytes.is_empty() {
            continue;
        }
        for round in 0..60 {
            let mut flipped = bytes.clone();
            let is_manifest = path.ends_with("manifest");
            let within = if is_manifest && round % 2 == 0 { 96 } else { bytes.len() };
            let at = random.below(within as u64) as usize;
            match round % 6 {
                5 => flipped.truncate(at),
                _ => flipped[at] ^= 1 << random.below(8),
            }
            fs::write(&path, &flipped).unwrap();
            let Ok(store) = Store::open(dir.path(), 64 << 20) else {
                unanswered += 1;
                continue;
            };
            assert!(!verify(&store).unwrap().damaged.is_empty(), "{} at {at}", path.display());
            let store = open(dir.path());
            for _ in 0..4 {
                let (a, b) = (random.below(216) as i64, random.skewed(216) as i64);
                let (from, to) = (NEW_YEAR + a * truth.length, NEW_YEAR + (a + b) * truth.length);
                let answer = answer(&store, &Query { from, to, k: 20, ..Query::default() }).unwrap();
                let sum = truth.sum(from, to);
                if answer.trust.exact {
                    assert_eq!(answer.rows, truth.top(from, to, 20), "{} at {at}", path.display());
                    mended += usize::from(!answer.trust.damaged.is_empty());
                } else if !answer.trust.is_partial() {
                    let holds = |row: &hitters_dataflows::ranking::Row| {
                        let count = sum.get(&row.key).copied().unwrap_or(0);
                        row.estimate.low <= count && count <= row.estimate.high
                    };
                    assert!(answer.rows.iter().all(holds), "{} at {at}", path.display());
                } else {
                    partial += 1;
                }
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(unanswered > 0 && partial > 0 && mended > 0, "{unanswered} {partial} {mended}");
}

#[test]
fn compaction_frees_what_was_replaced_and_readers_go_on() {
    let (dir, mut truth) = (tempfile::tempdir().unwrap(), truth());
    truth.write(dir.path());
    for (at, (_, counts)) in truth.windows.iter_mut().enumerate().filter(|(at, _)| at % 9 == 0) {
        counts.insert(b"more".to_vec(), at as u64 + 1);
    }
    truth.write(dir.path());
    let store = open(dir.path());
    let query = Query { from: NEW_YEAR, to: NEW_YEAR + 2 * DAY, k: 30, ..Query::default() };
    answer(&store, &query).unwrap();
    let size = |files: std::collections::BTreeMap<_, Vec<u8>>| files.values().map(Vec::len).sum::<usize>();
    let before = size(contents(dir.path()));
    let done = compact(dir.path()).unwrap();
    assert!(done.packs > 0 && done.freed > 0 && done.dropped.is_empty(), "{done:?}");
    assert!(size(contents(dir.path())) < before);
    assert_eq!(answer(&store, &query).unwrap().rows, truth.top(query.from, query.to, 30));
    assert_holds(dir.path(), &truth);
    assert_eq!(compact(dir.path()).unwrap().packs, 0);
    truth.write(dir.path());
    assert_holds(dir.path(), &truth);
}

#[test]
fn what_compaction_leaves_out_stays_known_to_be_missing() {
    let (dir, truth) = (tempfile::tempdir().unwrap(), truth());
    truth.write(dir.path());
    let pack = dir.path().join("5m/2026-01-01.seg");
    let mut bytes = fs::read(&pack).unwrap();
    bytes[70] ^= 1;
    fs::write(&pack, bytes).unwrap();
    assert_eq!(compact(dir.path()).unwrap().dropped.len(), 1);
    let store = open(dir.path());
    let (&start, _) = truth.windows.first_key_value().unwrap();
    let ask = |from, to| answer(&store, &Query { from, to, k: 5, ..Query::default() }).unwrap();
    let lost = ask(start, start + truth.length);
    // The hour without its other windows stands in.
    assert_eq!(lost.rows, truth.top(start, start + truth.length, 5));
    assert_eq!((lost.trust.exact, lost.trust.damaged.len()), (true, 1));
    assert_eq!(ask(start, start + DAY).rows, truth.top(start, start + DAY, 5));
}

#[test]
fn old_windows_are_dropped_by_whole_days_and_coarser_ones_stay() {
    let (dir, truth) = (tempfile::tempdir().unwrap(), some_days(3, 10 * MINUTE, 6, 100, 4000));
    let open_writer = || Writer::open(dir.path(), truth.length).unwrap();
    let mut writer = open_writer().with_retention(Retention::parse("minute=36h,hour=4d").unwrap());
    truth.put(&mut writer, 5);
    writer.finish().unwrap();
    let store = open(dir.path());
    let catalog = store.catalog().unwrap();
    let (latest, _) = truth.windows.last_key_value().unwrap();
    let floor = (latest + truth.length - 36 * HOUR).div_euclid(DAY) * DAY;
    assert_eq!((catalog.floor(0), catalog.floor(1)), (floor, (latest + truth.length - 4 * DAY).div_euclid(DAY) * DAY));
    assert!(!dir.path().join("10m/2026-01-01.seg").exists() && dir.path().join("1d").exists());
    let ask = |from, to| answer(&store, &Query { from, to, k: 200, ..Query::default() }).unwrap();
    for (from, to) in
        [(NEW_YEAR, NEW_YEAR + 6 * DAY), (floor + MINUTE * 10, floor + DAY), (NEW_YEAR, floor + 70 * MINUTE)]
    {
        let answer = ask(from, to);
        assert!(answer.trust.exact, "{:?}", answer.trust);
        assert_eq!(answer.rows, truth.top(from, to, 200));
    }
    let hours = ask(floor - 5 * HOUR, floor);
    assert_eq!((hours.trust.exact, hours.rows), (true, truth.top(floor - 5 * HOUR, floor, 200)));
    let (&last, _) = truth.windows.range(..floor).next_back().unwrap();
    let hour = last.div_euclid(HOUR) * HOUR;
    let cut = ask(hour, hour + HOUR / 2);
    let sum = truth.sum(hour, hour + HOUR / 2);
    assert!(!cut.trust.exact && !cut.trust.is_partial());
    assert!(cut.rows.iter().all(|row| row.estimate.high >= sum.get(&row.key).copied().unwrap_or(0)));
    assert!(verify(&store).unwrap().damaged.is_empty());
    let mut writer = open_writer();
    let counts = [(b"late".as_slice(), 1)];
    let window = Window { start: NEW_YEAR, end: NEW_YEAR + truth.length };
    assert_eq!(writer.put(window, false, counts).unwrap(), Put::Expired);
}

#[test]
fn tables_hold_the_rankings_of_minutes_hours_and_days() {
    let (dir, mut truth) = (tempfile::tempdir().unwrap(), some_days(8, MINUTE, 2, 50, 3000));
    let write = |truth: &Truth, tables: bool| {
        let writer = Writer::open(dir.path(), truth.length).unwrap();
        let mut writer = if tables { writer.with_tables(3, || ()).unwrap() } else { writer };
        truth.put(&mut writer, 4);
        writer.finish().unwrap();
    };
    let assert_rows = |truth: &Truth| {
        let tables = rusqlite::Connection::open(dir.path().join("hitters.sqlite")).unwrap();
        for (table, length) in [("hitters_minute", MINUTE), ("hitters_hour", HOUR), ("hitters_day", DAY)] {
            let mut rows =
                tables.prepare(&format!("SELECT window_start, rank, key, count FROM {table} ORDER BY 1, 2")).unwrap();
            let found: Vec<(String, i64, String, u64)> = rows
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)? as u64)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let starts: std::collections::BTreeSet<i64> =
                truth.windows.keys().map(|start| start.div_euclid(length) * length).collect();
            let expected = starts.into_iter().flat_map(|start| {
                let time = hitters::sink::time::Rfc3339(start).to_string();
                let rows = truth.top(start, start + length, 3).into_iter().zip(1..);
                rows.map(move |(row, rank)| {
                    (time.clone(), rank, String::from_utf8(row.key).unwrap(), row.estimate.count)
                })
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "{table}");
        }
    };
    write(&truth, true);
    assert_rows(&truth);
    let (&start, _) = truth.windows.iter().nth(40).unwrap();
    truth.windows.get_mut(&start).unwrap().insert(b"changed".to_vec(), 1 << 40);
    write(&truth, false);
    // The tables fell behind; the next writer that keeps them brings them up to date.
    drop(Writer::open(dir.path(), truth.length).unwrap().with_tables(3, || ()).unwrap());
    assert_rows(&truth);
    compact(dir.path()).unwrap();
    write(&truth, true);
    assert_rows(&truth);
}

#[test]
fn an_export_holds_every_count() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let (dir, truth) = (tempfile::tempdir().unwrap(), truth());
    truth.write(dir.path());
    let path = dir.path().join("counts.parquet");
    let rows = export(&open(dir.path()), "5m", i64::MIN, i64::MAX, fs::File::create(&path).unwrap()).unwrap();
    let mut found = Truth::new(truth.length);
    for row in SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap().get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let start = row.get_timestamp_millis(0).unwrap();
        assert_eq!(row.get_timestamp_millis(1).unwrap() - start, truth.length);
        found.add(start, row.get_string(2).unwrap(), row.get_ulong(3).unwrap());
    }
    assert_eq!(found.windows, truth.windows);
    assert_eq!(rows, truth.windows.values().map(|counts| counts.len() as u64).sum::<u64>());
    let error = export(&open(dir.path()), "2m", 0, 1, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("no windows of 2m") && error.contains("5m 1h"), "{error}");
}

/// Whatever byte is wrong in the tables: it is found, or no row shows it; and they can be made again.
#[test]
fn a_flipped_byte_in_the_tables_is_found_and_they_are_made_again() {
    let (dir, truth) = (tempfile::tempdir().unwrap(), some_days(8, 10 * MINUTE, 2, 50, 900));
    let tables = |again: &mut bool| {
        let writer = Writer::open(dir.path(), truth.length).unwrap();
        writer.with_tables(3, || *again = true).unwrap()
    };
    let mut writer = tables(&mut false);
    truth.put(&mut writer, 4);
    writer.finish().unwrap();
    let path = dir.path().join("hitters.sqlite");
    let rows = || -> rusqlite::Result<Vec<String>> {
        let tables = rusqlite::Connection::open(&path)?;
        let mut all = Vec::new();
        for table in ["hitters_hour", "hitters_day"] {
            let mut rows = tables.prepare(&format!(
                "SELECT window_start || window_end || state || rank || key || count || low || high || share FROM {table}"
            ))?;
            all.extend(rows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(all)
    };
    let check = || verify(&open(dir.path())).unwrap().damaged;
    assert_eq!(check(), Vec::<String>::new());
    let (whole, right, mut random) = (fs::read(&path).unwrap(), rows().unwrap(), Random(3));
    let (mut found, mut again) = (0, 0);
    for round in 0..120 {
        let mut bytes = whole.clone();
        let at = random.below(if round % 4 == 0 { 100 } else { bytes.len() as u64 }) as usize;
        match round % 8 {
            7 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << random.below(8),
        }
        fs::write(&path, bytes).unwrap();
        let damaged = check();
        found += usize::from(!damaged.is_empty());
        assert!(!damaged.is_empty() || rows().is_ok_and(|rows| rows == right), "round {round} at {at}");
        if !damaged.is_empty() && round % 8 == 7 {
            assert!(damaged[0].contains("hitters.sqlite"), "{damaged:?}");
            // Compaction leaves damaged tables out, and a writer makes them again.
            compact(dir.path()).unwrap();
            let mut was_again = false;
            drop(tables(&mut was_again));
            again += 1;
            assert_eq!((check(), rows().unwrap()), (Vec::new(), right.clone()));
        }
        fs::write(&path, &whole).unwrap();
        let _ = fs::remove_file(dir.path().join("hitters.sqlite-wal"));
        let _ = fs::remove_file(dir.path().join("hitters.sqlite-shm"));
    }
    assert!(found > 20 && again > 5, "{found} {again}");
    fs::write(&path, b"not a database, but long enough to look like one for a while".repeat(99)).unwrap();
    let mut was_again = false;
    drop(tables(&mut was_again));
    assert!(was_again);
    assert_eq!(rows().unwrap(), right);
}

/// Keys are found by the lookup beside the dictionary, where it is, and without it, and those that are newer; a wrong byte in it
/// is found, and hides no key.
#[test]
fn keys_are_found_with_a_lookup_and_without() {
    let (dir, mut truth) = (tempfile::tempdir().unwrap(), some_days(12, HOUR, 2, 40_000, 30_000));
    truth.write(dir.path());
    let path = dir.path().join("keys.lookup");
    let whole = fs::read(&path).unwrap();
    let late = NEW_YEAR + 3 * DAY;
    truth.add(late, "late", 7);
    let mut writer = Writer::open(dir.path(), truth.length).unwrap();
    put(&mut writer, late, truth.length, &truth.windows[&late]);
    writer.publish().unwrap();
    drop(writer);
    let mut random = Random(9);
    let mut finds = |damaged: usize| {
        let store = open(dir.path());
        assert_eq!(verify(&store).unwrap().damaged.len(), damaged);
        let catalog = store.catalog().unwrap();
        let mut ids = std::collections::BTreeMap::new();
        let all = 0..catalog.keys();
        store
            .keys()
            .for_each(&catalog, all, |id, key| {
                ids.insert(key.unwrap().to_vec(), id);
            })
            .unwrap();
        for (key, id) in ids.iter().filter(|(key, _)| key.as_slice() == b"late" || random.below(40) == 0) {
            // A store of its own has read nothing yet.
            assert_eq!(open(dir.path()).keys().find(&catalog, key).unwrap(), Some(*id));
        }
        assert_eq!(open(dir.path()).keys().find(&catalog, b"nobody").unwrap(), None);
    };
    finds(0);
    for round in 0..6 {
        let mut bytes = whole.clone();
        let at = Random(round).below(bytes.len() as u64) as usize;
        match round {
            5 => bytes.truncate(at),
            _ => bytes[at] ^= 1,
        }
        fs::write(&path, bytes).unwrap();
        finds(1);
    }
    fs::remove_file(&path).unwrap();
    finds(0);
    truth.write(dir.path());
    assert!(fs::read(&path).unwrap().len() >= whole.len(), "it is made again");
    finds(0);
}

/// The store in `tests/fixtures/store-v1`, as this program would write it.
fn fixture() -> Truth {
    let mut truth = Truth::new(MINUTE);
    for (minute, key, count) in [(0, "a", 3), (0, "b", 1), (1, "b", 1 << 40), (61, "caf\u{e9}", 2), (2000, "a", 5)] {
        truth.add(NEW_YEAR + minute * MINUTE, key, count);
    }
    (0..300).for_each(|at| truth.add(NEW_YEAR + 5 * MINUTE, &format!("key-{at}"), at % 7 + 1));
    truth
}

#[test]
fn version_1_is_read_and_written_as_ever() {
    let fixed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1");
    let (dir, truth) = (tempfile::tempdir().unwrap(), fixture());
    truth.write(dir.path());
    if std::env::var_os("HITTERS_WRITE_FIXTURE").is_some() {
        for (path, bytes) in contents(dir.path()) {
            fs::create_dir_all(fixed.join(&path).parent().unwrap()).unwrap();
            fs::write(fixed.join(path), bytes).unwrap();
        }
    }
    assert_eq!(contents(dir.path()), contents(&fixed), "a change of the format needs a new version and a new fixture");
    let store = open(&fixed);
    assert!(verify(&store).unwrap().damaged.is_empty());
    for (from, to) in [(0, 1), (0, 120), (1, 62), (0, 3000)] {
        let (from, to) = (NEW_YEAR + from * MINUTE, NEW_YEAR + to * MINUTE);
        assert_eq!(
            answer(&store, &Query { from, to, k: 400, ..Query::default() }).unwrap().rows,
            truth.top(from, to, 400)
        );
    }
}

/// Segments of packs that move to others while windows are put, questions asked, and the writer dies.
#[test]
fn packs_are_compacted_while_windows_are_put() {
    let (dir, mut truth, mut random) =
        (tempfile::tempdir().unwrap(), some_days(5, 10 * MINUTE, 2, 400, 20_000), Random(5));
    truth.write(dir.path());
    let (mut shown, starts) = (truth.clone(), truth.windows.keys().copied().collect::<Vec<_>>());
    let store = open(dir.path());
    let (mut moved, mut died) = (0, 0);
    for round in 0..5 {
        let mut writer = Writer::open(dir.path(), truth.length).unwrap();
        for (at, start) in starts.iter().enumerate() {
            truth.windows.get_mut(start).unwrap().insert(b"again".to_vec(), round * 1000 + at as u64 + 1);
            put(&mut writer, *start, truth.length, &truth.windows[start]);
            moved += usize::from(writer.compact_some(random.below(9000) + 1).unwrap());
            if at % 7 == 6 {
                writer.publish().unwrap();
                shown = truth.clone();
            }
            if at % 50 == 0 {
                let query = Query { from: i64::MIN, to: i64::MAX, k: 30, ..Query::default() };
                let answer = answer(&store, &query).unwrap();
                assert!(answer.trust.exact && answer.trust.damaged.is_empty(), "{:?}", answer.trust);
                assert_eq!(answer.rows, shown.top(i64::MIN, i64::MAX, 30));
            }
            if random.below(60) == 0 {
                drop(writer);
                died += 1;
                truth = shown.clone();
                assert!(verify(&open(dir.path())).unwrap().damaged.is_empty());
                writer = Writer::open(dir.path(), truth.length).unwrap();
            }
        }
        writer.publish().unwrap();
        shown = truth.clone();
        if round == 4 {
            while writer.compact_some(1 << 20).unwrap() || writer.waiting() > 0 {
                writer.publish().unwrap();
            }
            writer.finish().unwrap();
        }
    }
    assert!(moved > 30 && died > 3, "{moved} {died}");
    assert_holds(dir.path(), &truth);
    let size = |dir: &Path| {
        let packs = contents(dir).into_iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "seg"));
        packs.map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    let whole = tempfile::tempdir().unwrap();
    truth.write(whole.path());
    assert!(size(dir.path()) < 2 * size(whole.path()) + (144 << 10), "{} {}", size(dir.path()), size(whole.path()));
    assert!(fs::read_dir(dir.path().join("10m")).unwrap().count() == 2, "old packs are gone");
}
