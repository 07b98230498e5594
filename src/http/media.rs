//! Which form of an answer a client takes.

use axum::http::StatusCode;

use super::refusal::Refusal;

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// One object with the rows and all that is known of them.
    Json,
    /// Rows under a header line.
    Csv,
    /// One row, an object, a line.
    Ndjson,
}

/// Every form with the names that clients use, its own first. When a client takes several alike, the first is sent.
const NAMES: [(Media, &[&str]); 3] = [
    (Media::Json, &["application/json"]),
    (Media::Csv, &["text/csv"]),
    (Media::Ndjson, &["application/x-ndjson", "application/ndjson", "application/jsonl"]),
];

impl Media {
    /// All forms, the default first.
    pub fn all() -> impl Iterator<Item = Media> {
        NAMES.iter().map(|(media, _)| *media)
    }

    /// The name, as in `Content-Type`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(media, _)| *media == self).map_or("", |(_, names)| names[0])
    }

    /// The name of the output that writes its rows.
    pub(super) fn rows(self) -> &'static str {
        if self == Media::Csv { "csv" } else { "ndjson" }
    }

    /// What the `Accept` lines of a request prefer (RFC 9110, section 12.5.1): the form of the highest quality, where
    /// the most specific range counts. Ranges that cannot be read are passed over; without any line, JSON.
    ///
    /// # Errors
    /// 406 when none of the forms is accepted.
    pub fn accepted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Media, Refusal> {
        let lines: Vec<&str> = lines.filter_map(|line| str::from_utf8(line).ok()).collect();
        let ranges: Vec<Range> = lines.iter().flat_map(|line| line.split(',')).filter_map(Range::read).collect();
        if lines.iter().all(|line| line.trim().is_empty()) {
            return Ok(Media::Json);
        }
        let best = NAMES.iter().map(|(media, names)| (*media, quality(&ranges, names))).rev();
        match best.max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((media, quality)) if quality > 0.0 => Ok(media),
            _ => Err(Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                "answers are application/json, text/csv or application/x-ndjson; accept one of them",
            )),
        }
    }
}

/// One of the media ranges of `Accept`.
struct Range {
    name: String,
    quality: f32,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| name.contains('/'))?.to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let quality = weight.map_or(Some(1.0), |weight| weight.trim().parse().ok())?;
        (0.0..=1.0).contains(&quality).then_some(Range { name, quality })
    }

    /// How specific it is, if it holds one of these names.
    fn specificity(&self, names: &[&str]) -> Option<u8> {
        let of_type =
            |name: &&str| self.name.strip_suffix("/*").is_some_and(|kind| name.split('/').next() == Some(kind));
        match () {
            () if names.contains(&self.name.as_str()) => Some(2),
            () if self.name == "*/*" => Some(0),
            () => names.iter().any(of_type).then_some(1),
        }
    }
}

fn quality(ranges: &[Range], names: &[&str]) -> f32 {
    let fitting = ranges.iter().filter_map(|range| Some((range.specificity(names)?, range.quality)));
    fitting.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_sent() {
        let cases: [(&[&str], Option<Media>); 18] = [
            (&[], Some(Media::Json)),
            (&[""], Some(Media::Json)),
            (&["*/*"], Some(Media::Json)),
            (&["application/*"], Some(Media::Json)),
            (&["text/*"], Some(Media::Csv)),
            (&["text/csv"], Some(Media::Csv)),
            (&["TEXT/CSV; charset=utf-8"], Some(Media::Csv)),
            (&["application/jsonl"], Some(Media::Ndjson)),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Some(Media::Json)),
            (&["application/json;q=0.5, text/csv;q=0.6"], Some(Media::Csv)),
            (&["application/json;q=0.5", "application/x-ndjson"], Some(Media::Ndjson)),
            (&["*/*;q=0.5, application/json;q=0"], Some(Media::Csv)),
            (&["application/json;q=0, text/csv;q=0, */*"], Some(Media::Ndjson)),
            (&["text/html"], None),
            (&["text/csv;q=0"], None),
            (&["nonsense"], None),
            (&["text/csv;q=high"], None),
            (&[";;,,;q=1,/"], None),
        ];
        for (lines, expected) in cases {
            let accepted = Media::accepted(lines.iter().map(|line| line.as_bytes()));
            assert_eq!(accepted.ok(), expected, "{lines:?}");
        }
        assert!(Media::accepted([b"\xff".as_slice(), b"text/csv"].into_iter()).is_ok_and(|media| media == Media::Csv));
    }
}
