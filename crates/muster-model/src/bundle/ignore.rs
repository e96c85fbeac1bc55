//! `.musterignore`: what never becomes part of a bundle.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::document::{Source, Span};

/// The file with patterns, at the root.
pub const IGNORE_FILE: &str = ".musterignore";
/// The most patterns.
pub const PATTERNS_MAX: usize = 1_000;
/// What is ignored without saying so: version control, Muster's own data, Python's and editors' leftovers.
const ALWAYS: &[&str] =
    &[".git", ".hg", ".svn", ".muster", "__pycache__", "*.pyc", ".DS_Store", "*.swp", "*.retry"];

/// Patterns as in a `.gitignore`: one a line, `#` for remarks, `!` takes one back, the last that fits decides.
#[derive(Clone, Debug)]
pub struct Ignore {
    set: GlobSet,
    /// Beside each pattern of the set: whether it ignores (false: takes back).
    ignores: Vec<bool>,
}

impl Ignore {
    /// Only what is always ignored.
    pub fn standard() -> Ignore {
        Ignore::read("").unwrap_or(Ignore { set: GlobSet::empty(), ignores: Vec::new() })
    }

    /// Reads the text of a `.musterignore`, on top of what is always ignored.
    ///
    /// # Errors
    /// Every pattern that cannot be read, with its place.
    pub fn read(text: &str) -> Result<Ignore, Diagnostics> {
        let source = Source::new(IGNORE_FILE, text);
        let mut problems = Diagnostics::new();
        let mut set = GlobSetBuilder::new();
        let mut ignores = Vec::new();
        let mut start = 0;
        let own = text.split_inclusive('\n').map(|line| {
            let at = Span { start, end: start + line.trim_end().len() };
            start += line.len();
            (line.trim_start_matches('\u{feff}').trim_end(), Some(at))
        });
        let always = ALWAYS.iter().map(|pattern| (*pattern, None));
        for (line, at) in always.chain(own) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if ignores.len() / 2 >= PATTERNS_MAX {
                problems.push(Diagnostic::error(
                    "too-much",
                    format!("`{IGNORE_FILE}` has more than {PATTERNS_MAX} patterns"),
                ));
                break;
            }
            let (pattern, takes_back) = line.strip_prefix('!').map_or((line, false), |rest| (rest, true));
            let pattern = pattern.strip_prefix('\\').unwrap_or(pattern).trim_end_matches('/');
            // As in git: a `/` before the end ties the pattern to the root, otherwise it fits at any depth.
            let tied = pattern.contains('/');
            let body = pattern.trim_start_matches('/');
            let full = if tied { body.to_owned() } else { format!("**/{body}") };
            for glob in [full.clone(), format!("{full}/**")] {
                match GlobBuilder::new(&glob).literal_separator(true).build() {
                    Ok(glob) => {
                        set.add(glob);
                        ignores.push(!takes_back);
                    }
                    Err(error) => {
                        let message =
                            format!("the pattern `{}` cannot be read: {}", shown(line), error.kind());
                        let diagnostic = Diagnostic::error("bad-pattern", message);
                        problems.push(match at {
                            Some(at) => diagnostic.at(source.place(at)),
                            None => diagnostic,
                        });
                        break;
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems.sorted());
        }
        let set = set.build().map_err(|error| {
            Diagnostics::from(Diagnostic::error(
                "bad-pattern",
                format!("`{IGNORE_FILE}` cannot be read: {}", error.kind()),
            ))
        })?;
        Ok(Ignore { set, ignores })
    }

    /// Whether a file (its path below the root) stays out of the bundle.
    pub fn ignores(&self, path: &str) -> bool {
        self.set.matches(path).last().is_some_and(|index| self.ignores[*index])
    }
}
