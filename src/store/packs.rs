//! The packs that a writer appends to.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::catalog::Catalog;
use super::error::StoreError;
use super::pack::Pack;

/// Packs that are open for writing.
pub(super) struct Packs {
    dir: PathBuf,
    open: Vec<OpenPack>,
    /// Directories with entries that are not on disk.
    entered: BTreeSet<PathBuf>,
}

/// One of them.
struct OpenPack {
    pack: Pack,
    path: PathBuf,
    file: Arc<File>,
    end: u64,
    unsynced: bool,
}

impl Packs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Packs { dir, open: Vec::new(), entered: BTreeSet::new() }
    }

    /// The file of a pack, made when there is none.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be opened or made.
    pub(super) fn file(&mut self, catalog: &Catalog, pack: Pack) -> Result<Arc<File>, StoreError> {
        let at = self.place(catalog, pack)?;
        Ok(self.open[at].file.clone())
    }

    /// Appends to a pack; where that starts.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the pack cannot be written.
    pub(super) fn append(&mut self, catalog: &Catalog, pack: Pack, bytes: &[u8]) -> Result<u64, StoreError> {
        let at = self.place(catalog, pack)?;
        let open = &mut self.open[at];
        let offset = open.end;
        open.file.write_all_at(bytes, offset).map_err(StoreError::io(&open.path))?;
        open.end += bytes.len() as u64;
        open.unsynced = true;
        Ok(offset)
    }

    /// The packs that were appended to, and the directories with new ones, which are not on disk for certain.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a directory cannot be opened.
    pub(super) fn unsynced(&self) -> Result<Vec<(Arc<File>, PathBuf)>, StoreError> {
        let packs =
            self.open.iter().filter(|open| open.unsynced).map(|open| Ok((open.file.clone(), open.path.clone())));
        let directory = |path: &PathBuf| Ok((Arc::new(File::open(path).map_err(StoreError::io(path))?), path.clone()));
        packs.chain(self.entered.iter().map(directory)).collect()
    }

    /// All that was [`unsynced`](Packs::unsynced) is on disk.
    pub(super) fn synced(&mut self) {
        self.open.iter_mut().for_each(|open| open.unsynced = false);
        self.entered.clear();
    }

    /// Closes the packs that `gone` says are.
    pub(super) fn close(&mut self, gone: impl Fn(&Pack) -> bool) {
        self.open.retain(|open| !gone(&open.pack));
    }

    /// The place of a pack among the open ones, where it is put when it is not there.
    fn place(&mut self, catalog: &Catalog, pack: Pack) -> Result<usize, StoreError> {
        if let Some(at) = self.open.iter().position(|open| open.pack == pack) {
            return Ok(at);
        }
        // Packs of other days are done with as soon as they are on disk.
        self.open.retain(|open| open.unsynced || open.pack.level != pack.level);
        let path = pack.path(&self.dir, catalog.levels());
        let directory = Pack::directory(&self.dir, catalog.levels(), pack.level);
        let is_new = !path.exists();
        if is_new && !directory.exists() {
            fs::create_dir(&directory).map_err(StoreError::io(&directory))?;
            self.entered.insert(self.dir.clone());
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = Arc::new(file.map_err(StoreError::io(&path))?);
        if is_new {
            self.entered.insert(directory);
        }
        self.open.push(OpenPack { pack, path, file, end: catalog.pack_end(&pack), unsynced: false });
        Ok(self.open.len() - 1)
    }
}
