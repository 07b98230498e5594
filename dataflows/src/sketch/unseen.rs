//! A likely count between certain bounds.

/// The likely weight of a key before it was counted by itself, of the `err` that it may have had at most.
///
/// The `err` was that of cells then, the key's own part and that of others. Since then the key was seen `low` times and
/// what is not its own of the cells has grown from `err` to `cells`. Were all as frequent before as since, the key's part
/// would be `low / (low + cells - err)`. But a key that came late tells little of before, so `cells` is added to what is
/// divided by, as though the others had been seen that often again. Where the growth is not known, `cells` is `err`.
pub(super) fn unseen(low: u64, err: u64, cells: u64) -> u64 {
    let (low, err, cells) = (u128::from(low), u128::from(err), u128::from(cells.max(err)));
    let weight = (low + 2 * cells - err).max(1);
    ((low * err + weight / 2) / weight) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_often_was_and_what_is_not_was_not() {
        let cases = [((0, 50, 90), 0), ((5, 0, 90), 0), ((1000, 10, 10), 10), ((1, 500, 500), 1), ((100, 50, 200), 11)];
        for ((low, err, cells), likely) in cases {
            assert_eq!(unseen(low, err, cells), likely, "{low} {err} {cells}");
        }
        assert_eq!(unseen(u64::MAX, u64::MAX, u64::MAX), 1 << 63);
        assert!(unseen(u64::MAX, u64::MAX - 1, u64::MAX) < u64::MAX);
    }
}
