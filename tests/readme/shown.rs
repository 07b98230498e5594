//! What a page says is printed, and comparing it with what is.

/// What commands printed.
#[derive(Debug)]
pub struct Printed {
    /// On standard output.
    pub results: String,
    /// On standard error; on a terminal they come below the results.
    pub summaries: String,
}

/// What a page says is printed.
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

    /// Compares all that was printed: the results, and the summaries where the page shows one.
    pub fn compare(&self, printed: &Printed) -> Result<(), String> {
        let printed = match self.text.contains(" events/s") {
            true => format!("{}{}", printed.results, printed.summaries),
            false => printed.results.clone(),
        };
        match self.plain(&self.text) == self.plain(&printed) {
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
    text.trim_end().lines().filter(|line| !line.starts_with("latency: ")).map(plain).collect()
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

/// A line with `#` for every number, and one blank for many. Of a time the date may be left out, as it is where a window ends
/// on the day on which it starts.
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
        text.strip_prefix("#-#-#T").map(String::from).unwrap_or(text)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn seconds_and_rates_do_not_count_and_all_else_does() {
    let page = Shown::new("rank  1\n\n3,000 events, 2 windows, 0.02 s, 9 events/s\nlate 3", false);
    let compare = |results: &str, summaries: &str| {
        page.compare(&Printed { results: results.into(), summaries: summaries.into() }).is_ok()
    };
    assert!(compare("rank  1\n\n", "3,000 events, 2 windows, 1.52 s, 1,219 events/s\nlate 3\n"));
    assert!(compare("2026  early  7\nrank  9\n\nrank  1\n\n", "3,000 events, 2 windows, 1.52 s, 1 events/s\nlate 3"));
    assert!(!compare("rank  2\n\n", "3,000 events, 2 windows, 0.02 s, 9 events/s\nlate 3"));
    assert!(!compare("rank  1\n\n", "3,001 events, 2 windows, 0.02 s, 9 events/s\nlate 3"));
    assert!(!compare("rank  1\n\n", "3,000 events, 2 windows, 0.02 s, 9 events/s\nlate 4"));
    assert!(!compare("rank  1\n\n", "3,000 events, 2 windows, 0.02 s, 9 events/s"));
}

#[test]
fn a_page_may_leave_summaries_out() {
    let printed = Printed { results: "a\n".into(), summaries: "1 event".into() };
    assert!(Shown::new("a", false).compare(&printed).is_ok() && Shown::new("b", false).compare(&printed).is_err());
    assert!(Shown::new("", true).compare(&printed).is_err());
}

#[test]
fn like_means_but_for_numbers() {
    let page = Shown::new("  1  a-17   94,025..94,026  9.40%", true);
    let compare = |results: &str| page.compare(&Printed { results: results.into(), summaries: "".into() }).is_ok();
    assert!(compare(" 10 a-9 3 10.0%\n"));
    assert!(!compare(" 10 b-9 3 10.0%\n"));
    assert!(page.begins("x\n1 a-1 2 3%\ny") && !page.begins("x\ny"));
    let page = Shown::new("2026-11-22T03:00:00Z .. 04:00:00Z", true);
    assert!(page.begins("2026-11-22T23:00:00Z .. 2026-11-23T00:00:00Z"));
}
