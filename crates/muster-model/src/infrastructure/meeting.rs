//! Entries of `deploy:` that would be in each other's way on a server: a directory holds the releases of one code.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, shown};
use crate::document::{Span, walk::Walk};
use crate::id::ServerName;
use crate::infrastructure::{CodeEntry, DeployEntry, Infrastructure};

/// Reports code that two entries deliver to the same directory of a server, or one to a place inside the other's: each
/// would remove the other's releases. `places` are those of the entries.
pub(super) fn code(walk: &mut Walk<'_>, file: &Infrastructure, places: &[Span]) {
    let code = file.deploy.iter().zip(places).filter_map(|(entry, at)| match entry {
        DeployEntry::Code(entry) => Some((entry.as_ref(), *at)),
        DeployEntry::Playbook(_) => None,
    });
    let mut earlier: Vec<(&CodeEntry, Span)> = Vec::new();
    for (entry, at) in code {
        let meets = earlier.iter().find_map(|(other, other_at)| {
            let near = is_within(&entry.to, &other.to) || is_within(&other.to, &entry.to);
            let server = if near { common(file, entry, other) } else { None };
            server.map(|server| (*other, *other_at, server))
        });
        if let Some((other, other_at, server)) = meets {
            let message = if entry.to == other.to {
                format!("two entries deliver code to `{}` on server `{server}`", shown(&entry.to))
            } else {
                format!(
                    "`{}` and `{}` are in each other's way on server `{server}`",
                    shown(&other.to),
                    shown(&entry.to)
                )
            };
            let diagnostic = Diagnostic::error("code-meets", message)
                .at(walk.place(at))
                .related(walk.place(other_at), "the other one")
                .help("a directory holds the releases of one code; give each its own, or other `hosts:`");
            walk.problems.push(diagnostic);
        }
        earlier.push((entry, at));
    }
}

/// Whether a directory is another one, or stands in it.
fn is_within(directory: &str, other: &str) -> bool {
    directory.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A server that both entries deliver to.
fn common(file: &Infrastructure, one: &CodeEntry, other: &CodeEntry) -> Option<ServerName> {
    let theirs: BTreeSet<&ServerName> = file.matching(&other.hosts).map(|server| &server.name).collect();
    file.matching(&one.hosts).find(|server| theirs.contains(&server.name)).map(|server| server.name.clone())
}
