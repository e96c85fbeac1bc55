//! Reading our own source: the files, and which of their lines are code. Shared by `tidy` and `conformance`.
//! A line reader, not a parser: the rules it serves are written so that a line is enough.

use std::path::{Path, PathBuf};

/// The workspace's directory.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace exists")
}

/// One file of ours, by its path from the root, with `/` between.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// The lines that the program is made of, with their numbers: no comments, and nothing from the first
    /// `#[cfg(test)]` on (unit tests stand at the end of a file).
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The lines of the unit tests: from the first `#[cfg(test)]` on, no comments.
    pub fn unit_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .skip_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Names of directories that hold nothing of ours.
const NOT_OURS: [&str; 5] = ["target", ".work", ".git", "node_modules", "__pycache__"];

/// Every text file below `folder` (from the root) whose name ends with `ending`, sorted by path.
pub fn files(folder: &str, ending: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !NOT_OURS.contains(&name.as_str()) {
                    open.push(path);
                }
            } else if name.ends_with(ending)
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                let path =
                    path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The names of our crates, sorted.
pub fn crates() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("crates"))
        .expect("crates/ exists")
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What one crate's `Cargo.toml` asks for.
pub struct Manifest {
    pub dependencies: Vec<String>,
    pub dev_dependencies: Vec<String>,
}

/// Reads the names below `[dependencies]` and `[dev-dependencies]` (also their `[target.….dependencies]` forms).
pub fn manifest(name: &str) -> Manifest {
    let text =
        std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("a manifest");
    let mut manifest = Manifest { dependencies: Vec::new(), dev_dependencies: Vec::new() };
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        if section.ends_with("dev-dependencies") {
            manifest.dev_dependencies.push(key.to_owned());
        } else if section.ends_with("dependencies") {
            manifest.dependencies.push(key.to_owned());
        }
    }
    manifest
}
