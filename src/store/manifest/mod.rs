//! The manifest: the file that says what is published. Its layout is in [`super`].

mod header;
mod record;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use header::read_slots;
pub use header::{HEADER, VERSION, header, read_header, write_slots};
pub use record::{ChunkRecord, RECORD, Record, SegmentRecord};

use super::error::StoreError;

/// The file's name.
pub const NAME: &str = "manifest";

/// How many records are read at a time.
const BATCH: usize = 4096;

/// What a manifest says, as far as it could be read.
#[derive(Debug, Default)]
pub struct Contents {
    /// Records, in order.
    pub records: Vec<Record>,
    /// The numbers of damaged records.
    pub damaged: Vec<u64>,
    /// Bytes up to the end of the last record that counts.
    pub end: u64,
    /// The slots that are not what was written.
    pub damaged_slots: usize,
}

/// Reads the records from the byte `from` on.
///
/// # Errors
/// [`StoreError::Io`] when the file cannot be read.
pub fn read_records(file: &File, path: &Path, from: u64) -> Result<Contents, StoreError> {
    let slots = read_slots(file).map_err(StoreError::io(path))?;
    let certain = HEADER as u64 + slots.iter().flatten().max().copied().unwrap_or(0);
    let mut contents = Contents { end: from, ..Contents::default() };
    contents.damaged_slots = slots.iter().filter(|slot| slot.is_none()).count();
    let (mut at, mut unsure) = (from, Vec::new());
    let mut batch = vec![0; BATCH * RECORD];
    loop {
        let length = read_up_to(file, &mut batch, at).map_err(StoreError::io(path))?;
        for bytes in batch[..length].as_chunks().0 {
            let number = (at - HEADER as u64) / RECORD as u64;
            at += RECORD as u64;
            match Record::from_bytes(bytes, number) {
                Some(record) => {
                    contents.records.push(record);
                    contents.damaged.append(&mut unsure);
                    contents.end = at;
                }
                None => unsure.push(number),
            }
        }
        if length < batch.len() {
            break;
        }
    }
    // What is missing at the end counts as damage only where it was once on disk for certain.
    let records = (certain - HEADER as u64) / RECORD as u64;
    let next = (contents.end - HEADER as u64) / RECORD as u64;
    if records > next {
        contents.damaged.extend(next..records);
    }
    contents.damaged.sort_unstable();
    contents.damaged.dedup();
    Ok(contents)
}

/// Fills `buffer` as far as the file goes.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::record::tests::records;
    use super::*;
    use crate::store::part::Part;

    fn manifest(certain: u64, change: impl Fn(&mut Vec<u8>)) -> Contents {
        let mut bytes = header(60_000, &Part::WHOLE, certain).to_vec();
        (0..).zip(records()).for_each(|(number, record)| bytes.extend(record.to_bytes(number)));
        change(&mut bytes);
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        read_records(&file, Path::new("it"), HEADER as u64).unwrap()
    }

    #[test]
    fn a_torn_end_does_not_count_and_a_damaged_record_does() {
        let whole = manifest(3 * 64, |_| ());
        assert_eq!((whole.records.as_slice(), whole.damaged.len(), whole.end), (&records()[..], 0, 96 + 192));
        let torn = manifest(2 * 64, |bytes| bytes.truncate(96 + 140));
        assert_eq!((torn.records.len(), torn.damaged.len(), torn.end), (2, 0, 96 + 128));
        let cut = manifest(3 * 64, |bytes| bytes.truncate(96 + 140));
        assert_eq!((cut.records.len(), cut.damaged), (2, vec![2]));
        let flipped = manifest(3 * 64, |bytes| bytes[96 + 70] ^= 1);
        assert_eq!((flipped.records.len(), flipped.damaged), (2, vec![1]));
        let last = manifest(3 * 64, |bytes| bytes[96 + 130] ^= 1);
        assert_eq!((last.records.len(), last.damaged), (2, vec![2]));
        let slot = manifest(3 * 64, |bytes| bytes[66] ^= 1);
        assert_eq!((slot.records.len(), slot.damaged_slots), (3, 1));
    }
}
