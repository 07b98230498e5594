//! What a page says is printed, and comparing it with what is.

/// What a page says is printed.
#[derive(Clone)]
pub struct Shown {
    text: String,
    /// Whether any number is as good as any other.
    like: bool,
}

impl Shown {
    /// The text of a block.
    pub fn new(text: &str, like: bool) -> Self {
        Shown { text: text.into(), like }
    }

    /// Where a page says nothing: something must be printed.
    pub fn anything() -> Self {
        Shown::new("", true)
    }

    /// Compares everything that was printed, with the lines in any order when several processes print.
    pub fn compare(&self, printed: &str, in_any_order: bool) -> Result<(), String> {
        if self.text.is_empty() && self.like {
            return if printed.is_empty() { Err("nothing was printed".into()) } else { Ok(()) };
        }
        let [mut wanted, mut got] = [&self.text, printed].map(|text| self.plain(text));
        if in_any_order {
            wanted.sort();
            got.sort();
        }
        match wanted == got {
            true => Ok(()),
            false => Err(format!("the page says:\n{}\n\nbut it printed:\n{printed}", self.text)),
        }
    }

    /// Whether every line is there, whatever else is.
    pub fn begins(&self, printed: &str) -> bool {
        let printed = lines(printed, self.like);
        lines(&self.text, self.like).iter().all(|line| printed.contains(line))
    }

    /// The lines that count: early tables are painted over on a terminal, so a page need not show them.
    fn plain(&self, text: &str) -> Vec<String> {
        if self.text.contains("  early  ") {
            return lines(text, self.like);
        }
        let settled: Vec<&str> = text.split("\n\n").filter(|table| !is_early(table)).collect();
        lines(&settled.join("\n\n"), self.like)
    }
}

fn is_early(table: &str) -> bool {
    table.lines().next().is_some_and(|heading| heading.contains("  early  "))
}

fn lines(text: &str, like: bool) -> Vec<String> {
    let plain = |line: &str| if like { numberless(line) } else { timeless(line) };
    text.trim_end().lines().map(plain).collect()
}

/// A line without the seconds and the rate of a summary.
fn timeless(line: &str) -> String {
    match line.split(", ").collect::<Vec<_>>()[..] {
        [events, windows, seconds, rate] if seconds.ends_with(" s") && rate.ends_with(" events/s") => {
            format!("{events}, {windows}")
        }
        _ => line.to_string(),
    }
}

/// A line with `#` for every number, and one blank for many.
fn numberless(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        let mut text = String::new();
        for c in word.chars() {
            match is_number(c) {
                true if text.ends_with('#') => {}
                true => text.push('#'),
                false => text.push(c),
            }
        }
        text
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn seconds_and_rates_do_not_count_and_all_else_does() {
    let page = Shown::new("rank  1\n\n3,000 events, 2 windows, 0.02 s, 9 events/s\nlate 3", false);
    let compare = |printed| page.compare(printed, false).is_ok();
    assert!(compare("rank  1\n\n3,000 events, 2 windows, 1.52 s, 1,219 events/s\nlate 3\n"));
    assert!(compare("2026  early  7\nrank  9\n\nrank  1\n\n3,000 events, 2 windows, 1.52 s, 1 events/s\nlate 3\n"));
    assert!(!compare("rank  1\n\n3,001 events, 2 windows, 0.02 s, 9 events/s\nlate 3"));
    assert!(!compare("rank  1\n\n3,000 events, 2 windows, 0.02 s, 9 events/s\nlate 4"));
    assert!(!compare("rank  1\n\n3,000 events, 2 windows, 0.02 s, 9 events/s"));
}

#[test]
fn like_means_but_for_numbers() {
    let page = Shown::new("  1  a-17   94,025..94,026  9.40%", true);
    assert!(page.compare(" 10 a-9 3 10.0%\n", false).is_ok());
    assert!(page.compare(" 10 b-9 3 10.0%\n", false).is_err());
    assert!(page.begins("x\n1 a-1 2 3%\ny") && !page.begins("x\ny"));
    assert!(Shown::anything().compare("x", false).is_ok() && Shown::anything().compare("", false).is_err());
}

#[test]
fn several_processes_print_in_any_order() {
    let page = Shown::new("a\nb", false);
    assert!(page.compare("b\na\n", true).is_ok() && page.compare("b\na\n", false).is_err());
}
