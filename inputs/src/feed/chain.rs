//! Passes the highest event time from block to block, in the order of the file, while blocks are parsed in any order.

use std::collections::{BTreeMap, HashMap};

/// What is known where a block starts: of all the records before it in its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The highest event time, if there was an event.
    pub highest: Option<i64>,
    /// How many newlines there were; counted only when line numbers are wanted.
    pub lines: u64,
}

impl Before {
    fn and(self, block: Before) -> Before {
        Before { highest: self.highest.max(block.highest), lines: self.lines + block.lines }
    }
}

/// The blocks of one partition, by number from 0.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Of all blocks below `next`.
    before: Before,
    /// The first block that is not yet parsed.
    next: u64,
    /// What later blocks hold, that were parsed ahead of their turn.
    ahead: BTreeMap<u64, Before>,
    /// What was before each block that has not been asked for yet.
    starts: HashMap<u64, Before>,
}

impl Chain {
    /// Notes what block `number` holds.
    pub(super) fn parsed(&mut self, number: u64, holds: Before) {
        self.ahead.insert(number, holds);
        while let Some(holds) = self.ahead.remove(&self.next) {
            self.starts.insert(self.next, self.before);
            self.before = self.before.and(holds);
            self.next += 1;
        }
    }

    /// What was before block `number`, once all those blocks are parsed; asked once a block.
    pub(super) fn take_before(&mut self, number: u64) -> Option<Before> {
        self.starts.remove(&number)
    }

    /// Counts the lines of a header, before the first block is parsed.
    pub(super) fn skip_lines(&mut self, lines: u64) {
        self.before.lines += lines;
    }

    /// The highest event time of all blocks whose turn has come.
    pub(super) fn highest(&self) -> Option<i64> {
        self.before.highest
    }

    /// How many blocks were parsed without a gap.
    pub(super) fn parsed_through(&self) -> u64 {
        self.next
    }

    /// Raises the highest event time for the blocks to come, as if an event of that time had passed.
    pub(super) fn raise(&mut self, highest: i64) {
        self.before.highest = self.before.highest.max(Some(highest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_learn_what_was_before_them_whatever_order_they_are_parsed_in() {
        let mut chain = Chain::default();
        let holds = |highest, lines| Before { highest, lines };
        chain.parsed(1, holds(Some(30), 2));
        assert_eq!((chain.take_before(1), chain.highest()), (None, None));
        chain.parsed(2, holds(None, 5));
        chain.parsed(0, holds(Some(40), 1));
        assert_eq!(chain.take_before(2), Some(holds(Some(40), 3)));
        assert_eq!(chain.take_before(1), Some(holds(Some(40), 1)));
        assert_eq!(chain.take_before(0), Some(holds(None, 0)));
        assert_eq!((chain.highest(), chain.parsed_through()), (Some(40), 3));
    }
}
