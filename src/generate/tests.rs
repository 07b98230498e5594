//! Whole outputs.

use super::*;

fn generated(change: impl Fn(&mut GenerateArgs)) -> String {
    let mut args = GenerateArgs { events: 10_000, ..Default::default() };
    change(&mut args);
    let mut out = Vec::new();
    run(&args, &mut out).expect("valid");
    String::from_utf8(out).expect("text")
}

/// FNV-1a, 64 bits.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn same_seed_same_bytes() {
    for encoding in ENCODINGS {
        let of_seed = |seed| generated(|args| (args.seed, args.format) = (seed, encoding.name.into()));
        assert_eq!(of_seed(1), of_seed(1));
        assert_ne!(of_seed(1), of_seed(2));
    }
}

/// The bytes of a seed are part of what others build on (benchmarks, recorded results): they may not change unnoticed.
#[test]
fn the_bytes_of_a_seed_stay() {
    let all = |format: &str| {
        checksum(&generated(|args| {
            (args.late, args.drift, args.burst, args.format) = (0.001, true, true, format.into());
        }))
    };
    assert_eq!(
        ["csv", "ndjson", "combined", "lines"].map(all),
        [12353679624100742872, 11690162927777774609, 9587699215632098967, 3357240093976891679]
    );
}

#[test]
fn every_format_has_the_same_keys_in_the_same_order() {
    let keys = |format: &str| -> Vec<String> {
        let text = generated(|args| args.format = format.into());
        text.split("video-").skip(1).map(|rest| rest[..9].to_owned()).collect()
    };
    assert_eq!(keys("csv").len(), 10_000);
    for format in ["ndjson", "combined", "lines"] {
        assert_eq!(keys(format), keys("csv"), "{format}");
    }
}

#[test]
fn csv_has_a_header_and_a_line_an_event() {
    let text = generated(|_| ());
    assert!(text.starts_with("ts,key,bytes\n1767225600000,video-"));
    assert_eq!(text.lines().count(), 10_001);
    assert!(text.lines().all(|line| line.split(',').count() == 3));
    assert_eq!(generated(|args| args.events = 0), "ts,key,bytes\n");
}

#[test]
fn ndjson_has_its_fields_in_order() {
    for line in generated(|args| args.format = "ndjson".into()).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let at = ["ts", "event", "key", "user", "bytes"].map(|name| line.find(&format!("\"{name}\":")));
        assert!(at.iter().all(Option::is_some) && at.is_sorted());
        assert!(value["ts"].is_i64() && value["bytes"].is_u64() && value["user"].is_string());
    }
}

#[test]
fn combined_lines_have_the_parts_of_the_format() {
    let text = generated(|args| args.format = "combined".into());
    for line in text.lines() {
        let quoted: Vec<&str> = line.split('"').collect();
        let [head, request, numbers, _referer, " ", _agent, ""] = quoted[..] else { panic!("{line}") };
        assert!(
            head.starts_with("10.") && head.contains(" - - [01/Jan/2026:0") && head.ends_with(" +0000] "),
            "{line}"
        );
        assert!(request.starts_with("GET /watch/video-") && request.ends_with(" HTTP/1.1"), "{line}");
        assert!(numbers.split_whitespace().all(|number| number.parse::<u32>().is_ok()), "{line}");
    }
}

#[test]
fn memory_is_that_of_a_block() {
    struct Largest(usize);
    impl Write for Largest {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.max(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut largest = Largest(0);
    run(&GenerateArgs { events: 100_000, ..Default::default() }, &mut largest).expect("valid");
    assert!((BLOCK..BLOCK + 4096).contains(&largest.0), "{}", largest.0);
}

#[test]
fn a_closed_output_is_an_error_of_its_kind() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let failed = run(&GenerateArgs::default(), &mut Closed);
    assert!(matches!(failed, Err(GenerateError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe));
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let args = GenerateArgs { output: Some("/no such folder/events.csv".into()), ..Default::default() };
    let failed = run(&args, &mut io::sink()).map_err(|error| error.to_string());
    assert_eq!(failed, Err("/no such folder/events.csv cannot be created; choose another --output".into()));
}
