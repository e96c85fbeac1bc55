//! Paths inside a document: always relative to the root, `/` between parts, never out of the root.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// It says nothing.
    #[error("the path is empty")]
    Empty,
    /// It starts at the file system's root, or at somebody's home.
    #[error("the path is absolute; paths are relative to the root")]
    Absolute,
    /// `..` leads out of the root.
    #[error("the path leaves the root")]
    Leaves,
    /// It has a control character, a backslash or a drive letter.
    #[error("the path has a character that paths here do not have")]
    Character,
    /// It is too long.
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
}

/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;

/// A path below the root in its one spelling: `./app/` becomes `app`, `a/../b` becomes `b`, `.` becomes empty.
///
/// # Errors
/// [`PathProblem`] for what is empty, absolute, or leads out of the root.
pub fn normal(path: &str) -> Result<String, PathProblem> {
    if path.is_empty() {
        return Err(PathProblem::Empty);
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(PathProblem::TooLong);
    }
    if path.starts_with(['/', '~']) {
        return Err(PathProblem::Absolute);
    }
    if path.chars().any(|char| char.is_control() || char == '\\') || is_drive(path) {
        return Err(PathProblem::Character);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(PathProblem::Leaves)?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    // What is left is judged too: `./~` would be `~`, somebody's home, when it is read again.
    if path.starts_with('~') {
        return Err(PathProblem::Absolute);
    }
    if is_drive(&path) { Err(PathProblem::Character) } else { Ok(path) }
}

/// Whether it begins with a drive letter, as in `c:`.
fn is_drive(path: &str) -> bool {
    path.as_bytes().get(1) == Some(&b':')
}

/// The directory a file stands in; empty for the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A path below a directory (empty = the root).
pub fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A document's name: the file's, without extension.
pub fn stem(path: &str) -> &str {
    let name = file_name(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Whether a file is a document by its extension.
pub fn is_document(path: &str) -> bool {
    file_name(path).rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty() && matches!(extension.to_ascii_lowercase().as_str(), "yml" | "yaml" | "json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_and_never_out_of_the_root() {
        assert_eq!(normal("./app/"), Ok("app".to_owned()));
        assert_eq!(normal("a//b/../c"), Ok("a/c".to_owned()));
        assert_eq!(normal("."), Ok(String::new()));
        assert_eq!(normal("a/../.."), Err(PathProblem::Leaves));
        assert_eq!(normal("../x"), Err(PathProblem::Leaves));
        assert_eq!(normal("/etc/passwd"), Err(PathProblem::Absolute));
        assert_eq!(normal("~/x"), Err(PathProblem::Absolute));
        assert_eq!(normal("./~"), Err(PathProblem::Absolute));
        assert_eq!(normal("a/../~/x"), Err(PathProblem::Absolute));
        assert_eq!(normal("a/~"), Ok("a/~".to_owned()));
        assert_eq!(normal("c:/x"), Err(PathProblem::Character));
        assert_eq!(normal("./c:/x"), Err(PathProblem::Character));
        assert_eq!(normal("a\\b"), Err(PathProblem::Character));
        assert_eq!(normal("a\0b"), Err(PathProblem::Character));
        assert_eq!(normal(""), Err(PathProblem::Empty));
    }

    #[test]
    fn names_of_documents() {
        assert_eq!(stem("infra/shop.yml"), "shop");
        assert_eq!(stem("shop.prod.yaml"), "shop.prod");
        assert!(
            is_document("a/B.YML") && is_document("x.json") && !is_document("x.txt") && !is_document(".yml")
        );
    }
}
