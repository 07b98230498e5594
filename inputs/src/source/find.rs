//! From what was typed to the inputs that are meant: files, globs, directories, `-`.

use std::path::Path;

/// Why an input cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Neither a file nor a directory, and no glob that matches anything.
    #[error("{0}: no such file, and as a glob it matches none")]
    Nothing(String),
    /// A directory without a file.
    #[error("{0}: the directory holds no file")]
    Empty(String),
    /// A glob that cannot be read.
    #[error("{0}: {1}")]
    BadGlob(String, String),
    /// A file or directory that cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
}

/// The inputs meant by `typed`, in order, each once: a directory stands for all files below it and a glob for what it
/// matches, both by name; names that start with a dot are left out below directories.
///
/// # Errors
/// [`FindError`] when one names nothing that can be read.
pub fn find(typed: &[String]) -> Result<Vec<String>, FindError> {
    let mut inputs = Vec::new();
    for name in typed {
        if name == "-" {
            inputs.push(name.clone());
        } else if Path::new(name).is_dir() {
            let before = inputs.len();
            walk(name, &mut inputs)?;
            if inputs.len() == before {
                return Err(FindError::Empty(name.clone()));
            }
        } else if std::fs::symlink_metadata(name).is_ok() {
            inputs.push(name.clone());
        } else {
            expand(name, &mut inputs)?;
        }
    }
    let mut seen = std::collections::HashSet::new();
    inputs.retain(|name| seen.insert(name.clone()));
    Ok(inputs)
}

/// Adds all files below `directory`.
fn walk(directory: &str, inputs: &mut Vec<String>) -> Result<(), FindError> {
    let unreadable = |e| FindError::Unreadable(directory.into(), e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            names.push(entry.path().to_string_lossy().into_owned());
        }
    }
    names.sort();
    for name in names {
        // A link to a directory is not followed: it may lead back up.
        let kind = std::fs::symlink_metadata(&name).map_err(|e| FindError::Unreadable(name.clone(), e))?;
        if kind.is_dir() {
            walk(&name, inputs)?;
        } else if !Path::new(&name).is_dir() {
            inputs.push(name);
        }
    }
    Ok(())
}

/// Adds what the glob `pattern` matches.
fn expand(pattern: &str, inputs: &mut Vec<String>) -> Result<(), FindError> {
    let before = inputs.len();
    // As shells do, and as directories are read.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options).map_err(|e| FindError::BadGlob(pattern.into(), e.to_string()))?;
    for path in paths {
        let path = path.map_err(|e| FindError::Unreadable(e.path().to_string_lossy().into_owned(), e.into()))?;
        match path.to_string_lossy() {
            name if path.is_dir() => walk(&name, inputs)?,
            name => inputs.push(name.into_owned()),
        }
    }
    if inputs.len() == before {
        return Err(FindError::Nothing(pattern.into()));
    }
    Ok(())
}
