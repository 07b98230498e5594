//! The top-level names that are wanted.

/// Names, each with its place among them.
#[derive(Default)]
pub(super) struct Names(Vec<Name>);

struct Name {
    text: Vec<u8>,
    /// Its first eight bytes, which tell most names apart.
    start: u64,
}

impl Names {
    /// The place of a name, which is added unless it is there.
    pub(super) fn place(&mut self, name: &str) -> usize {
        self.find(name.as_bytes(), 0, name.len()).unwrap_or_else(|| {
            self.0.push(Name { text: name.into(), start: start(name.as_bytes(), 0, name.len()) });
            self.0.len() - 1
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The place of the name that stands in `text` from `from` to `to`, if it is one of these.
    #[inline]
    pub(super) fn find(&self, text: &[u8], from: usize, to: usize) -> Option<usize> {
        let begins = start(text, from, to);
        self.0.iter().position(|name| {
            name.start == begins && name.text.len() == to - from && (to - from <= 8 || name.text == text[from..to])
        })
    }
}

/// The first eight bytes of `text[from..to]`, with zeros for those that it lacks.
#[inline]
fn start(text: &[u8], from: usize, to: usize) -> u64 {
    match text[from..].first_chunk() {
        Some(eight) if to - from >= 8 => u64::from_le_bytes(*eight),
        Some(eight) => u64::from_le_bytes(*eight) & !(u64::MAX << (8 * (to - from))),
        None => text[from..to].iter().rev().take(8).fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let all = ["", "a", "ab", "key", "timestamp", "timestamps", "12345678", "12345678\0", "a\0"];
        let mut names = Names::default();
        for (i, name) in all.iter().enumerate() {
            assert_eq!((names.place(name), names.place(name)), (i, i));
        }
        for text in all {
            for (before, behind) in [("", ""), ("x", "yyyyyyyyy")] {
                let line = format!("{before}{text}{behind}");
                let found = names.find(line.as_bytes(), before.len(), before.len() + text.len());
                assert_eq!(found, all.iter().position(|name| *name == text));
            }
        }
        assert_eq!(names.find(b"timestamq", 0, 9), None);
        assert_eq!(names.find(b"b", 0, 1), None);
    }
}
