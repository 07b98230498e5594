//! Making words from elsewhere fit to be shown.

/// `text` without control characters (they could rewrite a terminal), and cut after `most` characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(plain("a\x1b[31m\nb", 80), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(plain("ééé", 3), "ééé");
        assert_eq!(plain("éééé", 3), "ééé…");
    }
}
