//! One JSON object a row and line, fields in the order of [`COLUMNS`](super::record::COLUMNS).

use std::io;

use hitters_dataflows::ranking::Ranking;

use super::page::Pages;
use super::record::for_each_record;
use super::terminal::Terminal;
use super::{Output, Sink};

struct Ndjson(Pages);

pub(super) fn open(output: Output, _: Option<Terminal>) -> Box<dyn Sink> {
    Box::new(Ndjson(Pages::new(output)))
}

impl Sink for Ndjson {
    fn write(&mut self, ranking: &Ranking) -> io::Result<()> {
        write_rows(ranking, self.0.page())?;
        self.0.send()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.send()
    }
}

/// Writes the rows of a ranking.
pub(crate) fn write_rows(ranking: &Ranking, page: &mut Vec<u8>) -> io::Result<()> {
    for_each_record(ranking, |record| {
        serde_json::to_writer(&mut *page, record)?;
        page.push(b'\n');
        io::Result::Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::record::COLUMNS;
    use super::super::testing::{Written, ranking, row};
    use super::*;

    fn written(ranking: &Ranking) -> String {
        let written = Written::default();
        let mut sink = open(written.output(), None);
        sink.write(ranking).unwrap();
        sink.finish().unwrap();
        written.text()
    }

    #[test]
    fn a_row_a_line() {
        let expected = concat!(
            r#"{"window_start":"2026-01-01T10:00:00Z","window_end":"2026-01-01T11:00:00Z","state":"final","rank":1,"#,
            r#""key":"/a","count":3000,"low":3000,"high":3000,"share":0.75,"confidence":1.0,"certified":true}"#,
            "\n",
            r#"{"window_start":"2026-01-01T10:00:00Z","window_end":"2026-01-01T11:00:00Z","state":"final","rank":2,"#,
            r#""key":"/b","count":1000,"low":1000,"high":1000,"share":0.25,"confidence":1.0,"certified":true}"#,
            "\n",
        );
        assert_eq!(written(&ranking()), expected);
    }

    #[test]
    fn the_fields_are_the_columns() {
        let text = written(&ranking());
        let line = text.lines().next().unwrap();
        let at = COLUMNS.map(|column| line.find(&format!("\"{column}\":")).unwrap());
        assert!(at.is_sorted());
        assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap().as_object().unwrap().len(), COLUMNS.len());
    }

    #[test]
    fn any_key_stays_on_its_line_and_comes_back() {
        let key = "a\n\"b\"\u{1}é";
        let text = written(&Ranking { rows: vec![row(key.as_bytes(), u64::MAX, 0, u64::MAX)], ..ranking() });
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value["key"].as_str(), value["count"].as_u64()), (Some(key), Some(u64::MAX)));
    }
}
