//! Where infrastructure files are: found by name below a few directories, and the root they belong to.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::document::path::{file_name, is_document, parent, stem};

/// Directories that are always searched, below the root.
pub const DIRECTORIES: &[&str] = &["infra", "templates"];
/// The file that marks a root (`SEMANTICS.md` §1).
pub const ROOT_MARKER: &str = "muster.yaml";
/// Directories below which documents are something else: server templates and Ansible's files.
const OTHER_DIRECTORIES: &[&str] = &[
    "servers",
    "playbooks",
    "roles",
    "tasks",
    "handlers",
    "group_vars",
    "host_vars",
    "vars",
    "defaults",
    "meta",
];
/// The most names listed in a message.
const LISTED_MAX: usize = 10;

/// Finds an infrastructure file by its name without extension (or by a longer end of its path, `prod/shop`).
///
/// `listing` holds every file below the root; `directories` are those of the configuration, searched after
/// [`DIRECTORIES`].
///
/// # Errors
/// An unknown name with the nearest one and where it was looked for; several files of one name with all paths.
pub fn find(name: &str, directories: &[String], listing: &[String]) -> Result<String, Box<Diagnostic>> {
    let found = candidates(directories, listing);
    if let Some(exact) = found.iter().find(|path| **path == name) {
        return Ok((*exact).to_owned());
    }
    let wanted = if is_document(name) { without_extension(name) } else { name };
    let mut fitting: Vec<&str> = found.iter().copied().filter(|path| names(path, wanted)).collect();
    if is_document(name) {
        fitting.retain(|path| file_name(path) == file_name(name));
    }
    match fitting.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Box::new(unknown(name, wanted, &found, directories))),
        several => {
            let list =
                several.iter().take(LISTED_MAX).map(|path| format!("`{}`", shown(path))).collect::<Vec<_>>();
            let message = format!("`{}` could be any of {}", shown(name), list.join(", "));
            Err(Box::new(
                Diagnostic::error("ambiguous-template", message)
                    .help("name it with its directory, or with its extension"),
            ))
        }
    }
}

/// Every infrastructure file that can be named, sorted.
pub fn candidates<'l>(directories: &[String], listing: &'l [String]) -> Vec<&'l str> {
    let directories: Vec<&str> = DIRECTORIES
        .iter()
        .copied()
        .chain(directories.iter().map(|directory| directory.trim_start_matches("./").trim_end_matches('/')))
        .collect();
    let below = |path: &str| {
        directories.iter().find_map(|directory| {
            if directory.is_empty() || *directory == "." {
                return Some(path.to_owned());
            }
            path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned)
        })
    };
    let mut found: Vec<&str> = listing
        .iter()
        .map(String::as_str)
        .filter(|path| is_document(path) && file_name(path) != ROOT_MARKER)
        .filter(|path| {
            below(path).is_some_and(|rest| {
                let inside = parent(&rest);
                inside.is_empty()
                    || !inside
                        .split('/')
                        .any(|part| OTHER_DIRECTORIES.contains(&part) || part.starts_with('.'))
            })
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn without_extension(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(start, _)| start)
}

fn names(path: &str, wanted: &str) -> bool {
    let path = without_extension(path);
    path == wanted || path.strip_suffix(wanted).is_some_and(|before| before.ends_with('/'))
}

fn unknown(name: &str, wanted: &str, found: &[&str], directories: &[String]) -> Diagnostic {
    let looked: BTreeSet<String> = DIRECTORIES
        .iter()
        .map(|directory| format!("./{directory}"))
        .chain(directories.iter().map(|directory| shown(directory)))
        .collect();
    let looked = looked.into_iter().collect::<Vec<_>>().join(", ");
    let known: Vec<&str> = found.iter().map(|path| stem(path)).collect();
    let help = match nearest(wanted, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            "there is no infrastructure file at all; write `infra/NAME.yaml`".to_owned()
        }
        None => {
            let list = known.iter().take(LISTED_MAX).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
            let more = known.len().saturating_sub(LISTED_MAX);
            if more == 0 { format!("there is: {list}") } else { format!("there is: {list} and {more} more") }
        }
    };
    let message = format!("there is no infrastructure file `{}` below {looked}", shown(name));
    Diagnostic::error("unknown-template", message).help(help)
}

/// The root of an entry, both as absolute paths (`SEMANTICS.md` §1): the nearest ancestor that holds
/// `muster.yaml`; else the directory above `infrastructure/` for an old ict file; else the entry's directory.
pub fn root_of<'e>(entry: &'e str, has_marker: &dyn Fn(&str) -> bool) -> &'e str {
    let own = above(entry);
    let mut directory = own;
    loop {
        if has_marker(directory) {
            return directory;
        }
        if directory.is_empty() || directory == "/" {
            break;
        }
        directory = above(directory);
    }
    let mut directory = own;
    while !directory.is_empty() && directory != "/" {
        if file_name(directory) == "infrastructure" {
            return above(directory);
        }
        directory = above(directory);
    }
    own
}

/// The directory above, where `/` stays `/`.
fn above(path: &str) -> &str {
    let above = parent(path);
    if above.is_empty() && path.starts_with('/') { "/" } else { above }
}
