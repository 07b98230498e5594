//! The directory of a store: its lock, and files that appear in it whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::error::StoreError;
use super::part::Part;
use super::{keys, manifest};

/// Locks a directory against other writers, for as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path)(error)),
    }
}

/// Makes an empty store; the manifest comes last, and at once.
pub(super) fn create(dir: &Path, finest: i64, part: &Part) -> Result<(), StoreError> {
    const OURS: [&str; 3] = ["lock", keys::NAME, "manifest.new"];
    for entry in fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let name = entry.map_err(StoreError::io(dir))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Err(StoreError::Occupied { dir: dir.display().to_string() });
        }
    }
    File::create(dir.join(keys::NAME)).and_then(|file| file.sync_all()).map_err(StoreError::io(dir))?;
    replace_manifest(dir, &manifest::header(finest, part, 0))
}

/// Puts a whole new manifest in place of the one there is, if there is one.
pub(super) fn replace_manifest(dir: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = dir.join("manifest.new");
    File::create(&new)
        .and_then(|file| file.write_all_at(bytes, 0).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, dir.join(manifest::NAME)))
        .and_then(|()| sync(dir))
        .map_err(StoreError::io(&new))
}

/// Brings a directory's entries to disk.
pub(super) fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Brings files and directories to disk, side by side: each would wait for the same journal and a part of the disk's time.
///
/// # Errors
/// [`StoreError::Io`] with the path of one that the system does not bring there.
pub(super) fn sync_together(files: &[(Arc<File>, PathBuf)]) -> Result<(), StoreError> {
    let sync = |(file, path): &(Arc<File>, PathBuf)| file.sync_all().map_err(StoreError::io(path));
    let Some((first, others)) = files.split_first() else { return Ok(()) };
    thread::scope(|scope| {
        let begin = |file| (file, thread::Builder::new().spawn_scoped(scope, move || sync(file)));
        let others: Vec<_> = others.iter().map(begin).collect();
        sync(first)?;
        others.into_iter().try_for_each(|(file, other)| match other {
            Ok(other) => other.join().expect("syncing does not panic"),
            // Where there can be no more threads, this one does it.
            Err(_) => sync(file),
        })
    })
}
