//! The k best of many counts, in one pass.

use std::cmp::Ordering;

/// Keeps the k best (count, key) pairs it is given: higher count first, then key bytes ascending.
pub struct Top {
    k: usize,
    /// Unsorted; never more than twice k.
    best: Vec<(u64, Vec<u8>)>,
    /// The k-th best when the list was last cut: what comes after it is not kept.
    bar: Option<(u64, Vec<u8>)>,
}

/// The order of ranks.
fn order(a: &(u64, Vec<u8>), b: &(u64, Vec<u8>)) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1))
}

impl Top {
    /// A list of the best `k`, which may be 0.
    pub fn new(k: usize) -> Self {
        Top { k, best: Vec::new(), bar: None }
    }

    /// Takes one key's count. Amortized O(1), and one compare for most.
    #[inline]
    pub fn give(&mut self, count: u64, key: &[u8]) {
        if let Some((least, last)) = &self.bar
            && (count < *least || count == *least && key >= last.as_slice())
        {
            return;
        }
        self.keep(count, key);
    }

    fn keep(&mut self, count: u64, key: &[u8]) {
        self.best.push((count, key.to_vec()));
        if self.best.len() >= 2 * self.k.max(32) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.k == 0 {
            self.best.clear();
        } else if self.best.len() > self.k {
            self.best.select_nth_unstable_by(self.k - 1, order);
            self.best.truncate(self.k);
            self.bar = self.best.last().cloned();
        }
    }

    /// The best, in order.
    pub fn into_sorted(mut self) -> Vec<(u64, Vec<u8>)> {
        self.cut();
        self.best.sort_unstable_by(order);
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_sorting_everything(counts in prop::collection::vec(0u64..20, 0..500), k in 0usize..80) {
            let mut top = Top::new(k);
            let mut all: Vec<_> = counts.iter().enumerate().map(|(i, &c)| (c, (i as u16).to_le_bytes().to_vec())).collect();
            for (count, key) in &all {
                top.give(*count, key);
            }
            all.sort_by(order);
            all.truncate(k);
            prop_assert_eq!(top.into_sorted(), all);
        }
    }
}
