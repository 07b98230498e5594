//! Which keys are asked for.

use std::ops::Range;

use regex::bytes::Regex;

use crate::store::catalog::Catalog;
use crate::store::error::StoreError;
use crate::store::reader::Store;

/// What keys must be like.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// How they start.
    pub prefix: Option<Vec<u8>>,
    /// What is found in them.
    pub pattern: Option<Regex>,
}

impl Keep {
    /// Whether a key is asked for.
    pub fn keeps(&self, key: &[u8]) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(key))
    }

    /// Whether all keys are asked for.
    pub fn keeps_all(&self) -> bool {
        self.prefix.is_none() && self.pattern.is_none()
    }

    /// The ids of the keys that are asked for; `None` when all are. Reads the whole dictionary: O(keys).
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be read.
    pub fn ids(&self, store: &Store, catalog: &Catalog) -> Result<Option<Ids>, StoreError> {
        if self.keeps_all() {
            return Ok(None);
        }
        let mut ids = Ids { words: vec![0; (catalog.keys() as usize).div_ceil(64)] };
        store.keys().for_each(catalog, 0..catalog.keys(), |id, key| {
            if key.is_some_and(|key| self.keeps(key)) {
                ids.words[id as usize / 64] |= 1 << (id % 64);
            }
        })?;
        Ok(Some(ids))
    }
}

/// A set of ids.
pub struct Ids {
    words: Vec<u64>,
}

impl Ids {
    /// Whether it holds an id.
    #[inline]
    pub fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// Whether it may hold one of these ids; certain when they start and end with whole words.
    pub fn any_in(&self, ids: Range<u32>) -> bool {
        let (from, to) = (ids.start as usize / 64, (ids.end as usize).div_ceil(64).min(self.words.len()));
        self.words.get(from..to).is_some_and(|words| words.iter().any(|&word| word > 0))
    }
}
