//! A directory in which a page's commands run: it looks like the root of the repository, and like a place with a log and
//! a history, but nothing is written to the repository itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::shell::has;

/// The directory; it goes with the value.
pub struct Scratch {
    directory: TempDir,
}

impl Scratch {
    /// Makes one for the repository at `root`.
    pub fn new(root: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        symlink(root.join("inputs"), directory.path().join("inputs")).unwrap();
        fs::copy(root.join("inputs/samples/access.log"), directory.path().join("access.log")).unwrap();
        if has("git") {
            commit_for_weeks(directory.path());
        }
        Scratch { directory }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A history of two authors over three weeks.
fn commit_for_weeks(directory: &Path) {
    git(directory, &["init", "--quiet"], 0);
    for (at, author) in ["ada", "bob", "ada", "ada", "bob", "ada"].into_iter().enumerate() {
        let author = format!("--author={author} <{author}@example.com>");
        let commit = ["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "step", &author];
        git(directory, &commit, 1_767_225_600 + 4 * 86_400 * at);
    }
}

fn git(directory: &Path, arguments: &[&str], seconds: usize) {
    let date = format!("{seconds} +0000");
    let mut command = Command::new("git");
    command.args(["-c", "user.name=test", "-c", "user.email=test@example.com"]).args(arguments).current_dir(directory);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
    for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(inherited);
    }
    let done = command.output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
