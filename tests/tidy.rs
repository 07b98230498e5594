//! What holds for the repository as a whole: who knows whom, how long files are, what is mentioned where.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use hitters::sink::SINKS;
use hitters_dataflows::sketch::SKETCHES;
use hitters_inputs::format::FORMATS;

const LONGEST_FILE: usize = 600;
const ENGINE: [&str; 2] = ["timely", "differential"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `directory` with one of these endings, built files and hidden ones left out.
fn files(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Complains about each of `wrong`, with paths from the root.
fn none(wrong: impl IntoIterator<Item = (PathBuf, String)>) {
    let lines: Vec<String> = wrong
        .into_iter()
        .map(|(path, why)| format!("{}: {why}", path.strip_prefix(root()).unwrap().display()))
        .collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

/// The names of the crates that a manifest depends on, for the build and for tests too.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            names.extend(section.trim_matches(['[', ']']).split_once("dependencies.").map(|(_, name)| name));
        } else if section.ends_with("dependencies]") && section != "[workspace.dependencies]" {
            names.extend(line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty() && !name.starts_with('#')));
        }
    }
    names
}

fn is_engine(name: &str) -> bool {
    ENGINE.iter().any(|engine| name.starts_with(engine))
}

#[test]
fn dependencies_are_found_however_they_are_written() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\ntimely.workspace = true\n# no\nb = \"1\"\n\n\
                    [dev-dependencies.c]\npath = \"c\"\n[workspace.dependencies]\nd = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest), ["timely", "b", "c"]);
}

#[test]
fn only_dataflows_knows_the_engine() {
    let manifest = |directory: &str| read(&root().join(directory).join("Cargo.toml"));
    let knows = |directory: &str| dependencies(&manifest(directory)).into_iter().any(is_engine);
    assert!(knows("dataflows"), "the engine must be where this test looks for it");
    assert!(!knows("inputs") && !manifest("inputs").contains("timely"), "inputs must not depend on the engine");
    assert!(!knows("."), "the program must use the engine through dataflows alone");
}

#[test]
fn files_are_short_enough_to_read() {
    let lines = |path: &PathBuf| read(path).lines().count();
    let long = files(root(), &[".rs"]).into_iter().map(|path| (lines(&path), path));
    none(long.filter(|(lines, _)| *lines > LONGEST_FILE).map(|(lines, path)| (path, format!("{lines} lines"))));
}

/// What is declared for tests alone: where its `#[cfg(test)]` is, and the line after the attributes.
fn declared_for_tests<'t>(lines: &[&'t str]) -> Vec<(usize, &'t str)> {
    let declared = |at: usize| lines[at + 1..].iter().find(|line| !line.starts_with("#["));
    let marked = (0..lines.len()).filter(|&at| lines[at] == "#[cfg(test)]");
    marked.filter_map(|at| Some((at, *declared(at)?))).collect()
}

/// The code of a file up to its tests, without comments; each line with its number.
fn code_for_use(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_inside = |declared: &str| declared.starts_with("mod ") && declared.ends_with('{');
    let tests = declared_for_tests(&lines).into_iter().find(|(_, declared)| is_inside(declared));
    let code = &lines[..tests.map_or(lines.len(), |(at, _)| at)];
    (1..).zip(code.iter().copied()).filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The files of modules that `path` declares for tests alone.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = read(path);
    let lines: Vec<&str> = text.lines().collect();
    let name = |declared: &str| Some(format!("{}.rs", declared.strip_prefix("mod ")?.strip_suffix(';')?));
    let names = declared_for_tests(&lines).into_iter().filter_map(|(_, declared)| name(declared));
    let places = [path.parent().unwrap().to_path_buf(), path.with_extension("")];
    names.flat_map(|name| places.each_ref().map(|place| place.join(&name))).collect()
}

#[test]
fn code_ends_where_tests_begin() {
    let text = "#[cfg(test)]\nmod a;\nfn b() {}\n// no\n#[cfg(test)]\n#[allow(x)]\nmod tests {\nfn c() {}\n}\n";
    let code: Vec<usize> = code_for_use(text).into_iter().map(|(number, _)| number).collect();
    assert_eq!(code, [1, 2, 3]);
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let sources = ["src", "inputs/src", "dataflows/src"].map(|directory| files(&root().join(directory), &[".rs"]));
    let sources = sources.concat();
    let for_tests: HashSet<PathBuf> = sources.iter().flat_map(|path| test_modules(path)).collect();
    let unwrapped = |path: &PathBuf| {
        let text = read(path);
        let lines = code_for_use(&text).into_iter().filter(|(_, line)| line.contains(".unwrap()"));
        lines.map(|(number, line)| (path.clone(), format!("line {number}: {}", line.trim()))).collect::<Vec<_>>()
    };
    none(sources.iter().filter(|path| !for_tests.contains(*path)).flat_map(unwrapped));
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let marked = |path: &PathBuf| {
        let text = read(path);
        let lines = (1..).zip(text.lines()).filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|(number, line)| (path.clone(), format!("line {number}: {}", line.trim()))).collect::<Vec<_>>()
    };
    none(files(root(), &[".rs", ".toml", ".md"]).iter().flat_map(marked));
}

#[test]
fn the_page_names_every_format_sketch_and_output() {
    let page = read(&root().join("README.md"));
    let names = FORMATS.iter().map(|format| format.name).chain(SINKS.iter().map(|sink| sink.name));
    let sketches = SKETCHES.iter().map(|sketch| sketch.name).filter(|name| !page.contains(&format!("\n{name} ")));
    let missing: Vec<&str> = names.filter(|name| !page.contains(&format!("`{name}`"))).chain(sketches).collect();
    assert!(missing.is_empty(), "README.md does not mention {}", missing.join(", "));
}
