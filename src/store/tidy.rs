//! Taking back what an interrupted writer left.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::catalog::Catalog;
use super::error::StoreError;
use super::keys;
use super::pack::Pack;

/// Cuts off what follows the published bytes of each file, and removes packs that nothing published is in. Only for the
/// process that holds the lock.
pub(super) fn take_back(dir: &Path, catalog: &Catalog) -> Result<(), StoreError> {
    cut(&dir.join(keys::NAME), catalog.keys_end())?;
    drop_expired(dir, catalog)?;
    let ends: HashMap<PathBuf, u64> =
        catalog.packs().map(|(pack, end, _)| (pack.path(dir, catalog.levels()), end)).collect();
    for level in 0..catalog.levels().count() {
        let directory = Pack::directory(dir, catalog.levels(), level);
        if !directory.exists() {
            continue;
        }
        for entry in fs::read_dir(&directory).map_err(StoreError::io(&directory))? {
            let path = entry.map_err(StoreError::io(&directory))?.path();
            match ends.get(&path) {
                Some(&end) => cut(&path, end)?,
                None if path.extension().is_some_and(|kind| kind == "seg") => {
                    fs::remove_file(&path).map_err(StoreError::io(&path))?;
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// Removes the packs whose windows are all dropped. Readers that have them open read on.
pub(super) fn drop_expired(dir: &Path, catalog: &Catalog) -> Result<(), StoreError> {
    catalog.expired_packs().try_for_each(|pack| remove(dir, catalog, &pack))
}

/// Removes a pack, if it is there.
pub(super) fn remove(dir: &Path, catalog: &Catalog, pack: &Pack) -> Result<(), StoreError> {
    let path = pack.path(dir, catalog.levels());
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(&path)(error)),
        _ => Ok(()),
    }
}

fn cut(path: &Path, end: u64) -> Result<(), StoreError> {
    let file = OpenOptions::new().write(true).open(path).map_err(StoreError::io(path))?;
    let length = file.metadata().map_err(StoreError::io(path))?.len();
    if length > end { file.set_len(end).map_err(StoreError::io(path)) } else { Ok(()) }
}
