//! Where infrastructure files are: found by name below a few directories, and the root they belong to.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::document::Files;
use crate::document::path::{file_name, is_document, parent, stem};
use crate::id::InfrastructureName;

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

/// An infrastructure file that can be named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    /// Its path below the root.
    pub path: String,
    /// The infrastructure's name: the path below the directory that is searched, without extension and without
    /// `infrastructure/` of old files, its parts joined by `.`: `infra/prod/api.yml` is `prod.api`. Two files
    /// of one name would fight over each other's servers, so they are never both accepted.
    pub name: InfrastructureName,
}

/// Finds an infrastructure file by its name without extension; by a longer end of its path (`prod/api`); by its
/// infrastructure's name (`prod.api`); or by its whole path.
///
/// `listing` holds every file below the root; `directories` are those of the configuration, searched after
/// [`DIRECTORIES`].
///
/// # Errors
/// An unknown name with the nearest one and where it was looked for; several files of one name with all paths.
pub fn find(written: &str, directories: &[String], listing: &Files) -> Result<Template, Box<Diagnostic>> {
    let all = candidates(directories, listing);
    let name = written.strip_prefix("./").unwrap_or(written);
    let exact = all.iter().position(|template| template.path == name);
    let named = || all.iter().position(|template| template.name.as_str() == name && !name.is_empty());
    let index = match exact.or_else(named) {
        Some(index) => index,
        None => by_end(name, &all).map_err(|several| match several.is_empty() {
            true => Box::new(unknown(written, &all, directories)),
            false => Box::new(ambiguous(written, &several)),
        })?,
    };
    let found = &all[index];
    let same: Vec<&str> =
        all.iter().filter(|other| other.name == found.name).map(|other| other.path.as_str()).collect();
    if same.len() > 1 {
        return Err(Box::new(ambiguous(found.name.as_str(), &same)));
    }
    Ok(found.clone())
}

/// The one file whose path ends so, or all that do.
fn by_end<'t>(name: &str, all: &'t [Template]) -> Result<usize, Vec<&'t str>> {
    let wanted = if is_document(name) { without_extension(name) } else { name };
    let fits = |path: &str| {
        let without = without_extension(path);
        let ends =
            without.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'));
        ends && !wanted.is_empty() && (!is_document(name) || path.ends_with(name))
    };
    let found: Vec<usize> = (0..all.len()).filter(|index| fits(&all[*index].path)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        several => Err(several.iter().map(|index| all[*index].path.as_str()).collect()),
    }
}

/// Every infrastructure file that can be named, sorted by path.
pub fn candidates(directories: &[String], listing: &Files) -> Vec<Template> {
    let configured =
        directories.iter().map(|directory| directory.trim_start_matches("./").trim_end_matches('/'));
    let directories: Vec<&str> = DIRECTORIES.iter().copied().chain(configured).collect();
    let below = |path: &'_ str| {
        directories.iter().find_map(|directory| match *directory {
            "" | "." => Some(path.to_owned()),
            directory => path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned),
        })
    };
    let is_other = |part: &str| OTHER_DIRECTORIES.contains(&part) || part.starts_with('.');
    let documents = listing.paths().filter(|path| is_document(path) && file_name(path) != ROOT_MARKER);
    documents
        .filter_map(|path| {
            let below = below(path)?;
            let inside = parent(&below);
            if !inside.is_empty() && inside.split('/').any(is_other) {
                return None;
            }
            let name = below.strip_prefix("infrastructure/").unwrap_or(&below);
            let name = InfrastructureName(without_extension(name).replace('/', "."));
            Some(Template { path: path.to_owned(), name })
        })
        .collect()
}

fn without_extension(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(start, _)| start)
}

fn ambiguous(name: &str, paths: &[&str]) -> Diagnostic {
    let mut list: Vec<String> =
        paths.iter().take(LISTED_MAX).map(|path| format!("`{}`", shown(path))).collect();
    if paths.len() > LISTED_MAX {
        list.push(format!("{} more", paths.len() - LISTED_MAX));
    }
    let message = format!("`{}` could be any of {}", shown(name), list.join(", "));
    Diagnostic::error("ambiguous-template", message).help(
        "name it with its directory; two files of one name in one place cannot both be used: rename one",
    )
}

fn unknown(name: &str, all: &[Template], directories: &[String]) -> Diagnostic {
    let always = DIRECTORIES.iter().map(|directory| format!("./{directory}"));
    let looked: Vec<String> = always.chain(directories.iter().map(|directory| shown(directory))).collect();
    let known: BTreeSet<&str> = all
        .iter()
        .map(|template| stem(&template.path))
        .chain(all.iter().map(|template| template.name.as_str()))
        .collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => {
            "there is no infrastructure file at all; write `infra/NAME.yaml`".to_owned()
        }
        None => {
            let names: BTreeSet<&str> = all.iter().map(|template| template.name.as_str()).collect();
            let list = names.iter().take(LISTED_MAX).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(LISTED_MAX);
            if more == 0 { format!("there is: {list}") } else { format!("there is: {list} and {more} more") }
        }
    };
    let message = format!("there is no infrastructure file `{}` below {}", shown(name), looked.join(", "));
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
