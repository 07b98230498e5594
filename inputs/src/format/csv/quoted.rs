//! Fields of a record with quotes, read by `csv-core`.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use memchr::memchr_iter;

/// Takes the quotes off the fields of one record at a time. Holds the text of the last one.
pub(super) struct Quoted {
    delimiter: u8,
    reader: Option<Reader>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Quoted {
    /// A reader of records whose fields are split by `delimiter`. Costs nothing before the first record.
    pub(super) fn new(delimiter: u8) -> Self {
        Quoted { delimiter, reader: None, text: Vec::new(), ends: Vec::new() }
    }

    /// The fields of `record`, which is one record without its newline. O(record).
    pub(super) fn fields(&mut self, record: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.text.resize(record.len() + 1, 0);
        self.ends.resize(memchr_iter(self.delimiter, record).count() + 1, 0);
        let reader = self.reader.get_or_insert_with(|| reader(self.delimiter));
        let (_, _, written, mut fields) = reader.read_record(record, &mut self.text, &mut self.ends);
        let (_, _, _, last) = reader.read_record(&[], &mut self.text[written..], &mut self.ends[fields..]);
        fields += last;
        let starts = std::iter::once(0).chain(self.ends[..fields].iter().copied());
        starts.zip(&self.ends[..fields]).map(|(start, &end)| &self.text[start..end])
    }
}

/// A reader that has already read something, so that it takes no field's first bytes for a byte order mark.
fn reader(delimiter: u8) -> Reader {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
    let (result, ..) = reader.read_record(b"\n", &mut [0], &mut [0]);
    debug_assert_eq!(result, ReadRecordResult::InputEmpty);
    reader
}
