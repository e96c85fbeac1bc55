//! `code:` of an entry of `deploy:`: where code comes from, how it is built, and how a release begins to serve.

use std::collections::BTreeMap;

use crate::code::{
    ArchiveSource, BUILD_WITHIN_S, Build, CodeSource, GitSource, HEALTH_WITHIN_S, Health, HttpCheck, Shared,
};
use crate::diagnostic::shown;
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Span, Value, path};
use crate::infrastructure::check::Surroundings;
use crate::infrastructure::{CodeEntry, DeployEntry, Hosts};

use super::deploy::file_path;
use super::syntax::*;

/// The longest time for a build or for getting healthy, in seconds: four hours.
const WITHIN_MAX_S: u32 = 4 * 3600;
/// Schemes of a repository's URL.
const GIT_SCHEMES: &[&str] = &["https", "http", "ssh", "git", "file"];
/// Archives that are not read.
const OTHER_ARCHIVES: &[&str] =
    &[".zip", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar.zst", ".tzst", ".7z", ".rar"];
/// Variables that a build has anyway.
const BUILD_OWN: &[&str] = &["PATH", "HOME", "LANG", "RELEASE", "REVISION"];

/// Reads what an entry delivers.
pub(crate) fn code_entry(
    walk: &mut Walk<'_>,
    code: &Entry,
    around: &mut Surroundings<'_>,
) -> Option<DeployEntry> {
    let body = walk.map(&code.node, blame(code), "`code`")?;
    walk.only(body, "`code`", CODE_BODY, &[]);
    let keep = field(body, "keep")
        .and_then(|entry| walk.whole(entry, "`keep`", 0..=KEEP_MAX))
        .unwrap_or(KEEP_DEFAULT);
    let build = field(body, "build").map(|entry| build(walk, entry));
    let shared = field(body, "shared").map(|entry| shared(walk, entry)).unwrap_or_default();
    let health = field(body, "health").map(|entry| health(walk, entry));
    let restart =
        field(body, "restart").and_then(|entry| command(walk, entry, "`restart`")).unwrap_or_default();
    let from = match field(body, "from") {
        None => {
            let message = "`code` does not say `from` where";
            walk.error_help(code.key.at, "missing-field", message, "e.g. `from: ./app`");
            None
        }
        Some(entry) => source(walk, entry, around),
    };
    let to = match field(body, "to") {
        None => {
            let message = "`code` does not say `to` where";
            walk.error_help(code.key.at, "missing-field", message, "e.g. `to: /srv/app`");
            None
        }
        Some(entry) => target(walk, entry),
    };
    let (from, to) = (from?, to?);
    let (build, health) = (build.unwrap_or_default(), health.unwrap_or_default());
    let hosts = Hosts::All;
    Some(DeployEntry::Code(Box::new(CodeEntry { from, to, hosts, keep, build, shared, health, restart })))
}

fn source(walk: &mut Walk<'_>, entry: &Entry, around: &mut Surroundings<'_>) -> Option<CodeSource> {
    let Value::Map(entries) = &entry.node.value else {
        let written = walk.text(&entry.node, blame(entry), "`from`")?;
        let path = file_path(walk, &written, blame(entry))?;
        around.want_directory(walk, &path, blame(entry));
        return Some(CodeSource::Directory(path));
    };
    let found = match (field(entries, "git"), field(entries, "archive")) {
        (Some(git), None) => {
            walk.only(entries, "`from` of a git repository", FROM_GIT, &[]);
            let revision = match field(entries, "revision") {
                Some(entry) => revision(walk, entry),
                None => Some("HEAD".to_owned()),
            };
            let (git, path) = (repository(walk, git), inner_path(walk, entries, "path"));
            CodeSource::Git(GitSource { git: git?, revision: revision?, path: path? })
        }
        (None, Some(archive)) => {
            walk.only(entries, "`from` of an archive", FROM_ARCHIVE, &[]);
            let (written, path) = (archive_path(walk, archive), inner_path(walk, entries, "path"));
            let source = CodeSource::Archive(ArchiveSource { archive: written?, path: path? });
            around.want_archive(walk, &source, blame(archive));
            return Some(source);
        }
        (Some(_), Some(archive)) => {
            let message = "`from` has either `git` or `archive`, not both";
            walk.error_help(archive.key.at, "two-kinds", message, "make two entries, or leave one out");
            return None;
        }
        (None, None) => {
            let words: Vec<&'static str> = [FROM_GIT, FROM_ARCHIVE].concat();
            walk.only(entries, "`from`", &words, &[]);
            let message = "`from` is a directory, or says `git:` or `archive:`";
            let help =
                "e.g. `from: ./app`, `from: { git: ., revision: main }` or `from: { archive: ./app.tar.gz }`";
            walk.error_help(entry.key.at, "missing-field", message, help);
            return None;
        }
    };
    around.code.insert(found.bundle_directory());
    Some(found)
}

/// A repository: a URL without credentials, or a path.
fn repository(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    let at = blame(entry);
    let written = walk.text(&entry.node, at, "`git`")?;
    let problem = if written.starts_with('-') {
        Some(("looks like an option of git", "write a URL, or the path of a repository"))
    } else if written.contains("::") {
        Some(("names a program of git's to be run", "use https, ssh, or a path"))
    } else if let Some((scheme, rest)) = written.split_once("://") {
        let user = rest.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
        match user {
            _ if !GIT_SCHEMES.contains(&scheme) => {
                Some(("has a scheme that is not used for code", "use https, ssh, http, git, file, or a path"))
            }
            Some(user) if user.contains(':') || scheme.starts_with("http") => Some((
                "has credentials in it, and those never stand in a file",
                "leave them out; git asks its credential helper, or use ssh with a key",
            )),
            Some(_) | None => None,
        }
    } else {
        None
    };
    match problem {
        None => Some(written),
        Some((problem, help)) => {
            // What may be a password is not shown.
            let name = if written.contains('@') {
                "the repository".to_owned()
            } else {
                format!("`{}`", shown(&written))
            };
            walk.error_help(at, "bad-repository", format!("{name} {problem}"), help);
            None
        }
    }
}

fn revision(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    let at = blame(entry);
    let written = walk.text(&entry.node, at, "`revision`")?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+@~^-".contains(&byte);
    if written.starts_with('-') || written.contains("..") || !written.bytes().all(good) {
        let message = format!("`{}` cannot be a revision", shown(&written));
        walk.error_help(
            at,
            "bad-revision",
            message,
            "write a branch, a tag or a commit, e.g. `main` or `v1.2`",
        );
        return None;
    }
    Some(written)
}

fn archive_path(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    let at = blame(entry);
    let written = walk.text(&entry.node, at, "`archive`")?;
    let lower = written.to_ascii_lowercase();
    if let Some(kind) = OTHER_ARCHIVES.iter().find(|kind| lower.ends_with(**kind)) {
        let message = format!("`{}`: archives of the kind `{kind}` are not read", shown(&written));
        walk.error_help(at, "bad-archive", message, "pack it as .tar.gz or .tar");
        return None;
    }
    file_path(walk, &written, at)
}

/// A directory inside a source or a build; empty where nothing is said.
fn inner_path(walk: &mut Walk<'_>, entries: &[Entry], word: &str) -> Option<String> {
    let Some(entry) = field(entries, word) else { return Some(String::new()) };
    let written = walk.text(&entry.node, blame(entry), &format!("`{word}`"))?;
    match path::normal(&written) {
        Ok(path) => Some(path),
        Err(problem) => {
            walk.error(blame(entry), "bad-path", format!("`{}`: {problem}", shown(&written)));
            None
        }
    }
}

fn build(walk: &mut Walk<'_>, entry: &Entry) -> Option<Build> {
    let Value::Map(entries) = &entry.node.value else {
        let command = command(walk, entry, "`build`")?;
        let (output, env) = (String::new(), BTreeMap::new());
        return Some(Build { command, output, env, within_s: BUILD_WITHIN_S });
    };
    walk.only(entries, "`build`", BUILD, &[]);
    let within_s = within(walk, entries, BUILD_WITHIN_S);
    let output = inner_path(walk, entries, "output");
    let mut env = BTreeMap::new();
    if let Some(entry) = field(entries, "env")
        && let Some(entries) = walk.map(&entry.node, blame(entry), "`env`")
    {
        for entry in entries {
            let name = entry.key.text.as_str();
            let good = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !good || BUILD_OWN.contains(&name) {
                let message = format!("`{}` cannot be a variable of a build", shown(name));
                let help = format!("letters, digits and `_`, and not one of {}", BUILD_OWN.join(", "));
                walk.error_help(entry.key.at, "bad-name", message, help);
            } else if let Some(value) = walk.text(&entry.node, blame(entry), &format!("`{name}`")) {
                env.insert(name.to_owned(), value);
            }
        }
    }
    let Some(written) = field(entries, "command") else {
        let help = "e.g. `command: [make, dist]`";
        walk.error_help(entry.key.at, "missing-field", "`build` does not say its `command`", help);
        return None;
    };
    let command = command(walk, written, "`command`")?;
    Some(Build { command, output: output?, env, within_s })
}

fn shared(walk: &mut Walk<'_>, entry: &Entry) -> Shared {
    let Value::Map(entries) = &entry.node.value else {
        let message = "`shared` wants a map of directories and files";
        let help = "what is missing is made, so say which is which: `shared: { directories: [uploads], files: [.env] }`";
        walk.error_help(blame(entry), "wrong-kind", message, help);
        return Shared::default();
    };
    walk.only(entries, "`shared`", SHARED, &[]);
    let mut taken: Vec<(String, Span)> = Vec::new();
    let mut paths = |word: &str| -> Vec<String> {
        let Some(entry) = field(entries, word) else { return Vec::new() };
        let mut found = Vec::new();
        for (written, at) in walk.texts(entry, &format!("`{word}`")) {
            let Some(path) = inside(walk, &written, at) else { continue };
            let meets = |other: &str| {
                let below =
                    |one: &str, two: &str| one.strip_prefix(two).is_some_and(|rest| rest.starts_with('/'));
                other == path || below(other, &path) || below(&path, other)
            };
            if let Some((other, _)) = taken.iter().find(|(other, _)| meets(other)) {
                let message = format!("`{}` and `{}` are in each other's way", shown(other), shown(&path));
                walk.error(at, "duplicate", message);
                continue;
            }
            taken.push((path.clone(), at));
            found.push(path);
        }
        found
    };
    let (directories, files) = (paths("directories"), paths("files"));
    Shared { directories, files }
}

/// A path inside a release that is not the release itself.
fn inside(walk: &mut Walk<'_>, written: &str, at: Span) -> Option<String> {
    match path::normal(written) {
        Ok(path) if path.is_empty() => {
            walk.error(at, "bad-path", format!("`{}` is the whole release", shown(written)));
            None
        }
        Ok(path) => Some(path),
        Err(problem) => {
            walk.error(at, "bad-path", format!("`{}`: {problem}", shown(written)));
            None
        }
    }
}

fn health(walk: &mut Walk<'_>, entry: &Entry) -> Option<Health> {
    let entries = walk.map(&entry.node, blame(entry), "`health`")?;
    walk.only(entries, "`health`", HEALTH, &[]);
    let within_s = within(walk, entries, HEALTH_WITHIN_S);
    let command = field(entries, "command").map(|entry| command(walk, entry, "`command`"));
    let status = field(entries, "status").map(|entry| (entry, walk.whole(entry, "`status`", 100..=599)));
    let http = field(entries, "http").map(|entry| address(walk, entry));
    if let (Some((status, _)), None) = (&status, &http) {
        walk.error_help(
            status.key.at,
            "missing-field",
            "`status` is that of `http`, and there is none",
            "add `http:`",
        );
    }
    if command.is_none() && http.is_none() {
        let help =
            "e.g. `health: { http: \"http://127.0.0.1:8080/healthz\" }`, or a `command` in the new release";
        walk.error_help(entry.key.at, "missing-field", "`health` says neither `command` nor `http`", help);
        return None;
    }
    let status = status.and_then(|(_, status)| status).and_then(|status| u16::try_from(status).ok());
    let http = match http {
        Some(address) => {
            let (port, path) = address?;
            Some(HttpCheck { port, path, status: status.unwrap_or(200) })
        }
        None => None,
    };
    Some(Health { command: command.unwrap_or(Some(Vec::new()))?, http, within_s })
}

/// Port and path of a URL on the server itself.
fn address(walk: &mut Walk<'_>, entry: &Entry) -> Option<(u16, String)> {
    let at = blame(entry);
    let written = walk.text(&entry.node, at, "`http`")?;
    let read = || -> Result<(u16, String), &'static str> {
        let rest = written.strip_prefix("http://").ok_or("does not begin with `http://`")?;
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0)),
            None => (host, Some(80)),
        };
        if host != "127.0.0.1" && host != "localhost" {
            return Err("is not on the server itself");
        }
        if path.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'#') {
            return Err("has a path that cannot be asked for");
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok((port.ok_or("has no usable port")?, format!("{slash}{path}")))
    };
    match read() {
        Ok(found) => Some(found),
        Err(problem) => {
            let help = "it is asked on each server, through SSH: e.g. `http://127.0.0.1:8080/healthz`";
            walk.error_help(at, "bad-address", format!("`{}` {problem}", shown(&written)), help);
            None
        }
    }
}

/// A program and its arguments: a list, because nothing is read by a shell.
fn command(walk: &mut Walk<'_>, entry: &Entry, what: &str) -> Option<Vec<String>> {
    let Value::List(items) = &entry.node.value else {
        let words = entry.node.spelling().map(|text| text.split_whitespace().collect::<Vec<_>>().join(", "));
        let example =
            words.filter(|words| !words.is_empty()).unwrap_or_else(|| "program, argument".to_owned());
        let message = format!("{what} wants a list: the program and its arguments");
        walk.error_help(
            blame(entry),
            "wrong-kind",
            message,
            format!("no shell reads it: `[{}]`", shown(&example)),
        );
        return None;
    };
    let words: Vec<String> = walk.texts(entry, what).into_iter().map(|(word, _)| word).collect();
    if items.is_empty() {
        walk.error(entry.key.at, "empty", format!("{what} is empty"));
    }
    (!items.is_empty() && words.len() == items.len()).then_some(words)
}

/// `within: 30s`, in seconds.
fn within(walk: &mut Walk<'_>, entries: &[Entry], default: u32) -> u32 {
    let Some(entry) = field(entries, "within") else { return default };
    let Some(written) = walk.text(&entry.node, blame(entry), "`within`") else { return default };
    let digits = written.len() - written.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let unit = match written[digits..].trim() {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let seconds = unit.and_then(|unit: u32| written[..digits].parse::<u32>().ok()?.checked_mul(unit));
    match seconds.filter(|seconds| (1..=WITHIN_MAX_S).contains(seconds)) {
        Some(seconds) => seconds,
        None => {
            let message = format!("`within` is `{}`; it wants a time from 1s to 4h", shown(&written));
            walk.error_help(blame(entry), "bad-duration", message, "write it like `30s`, `10m` or `1h`");
            default
        }
    }
}

/// An absolute directory on a server, in its one spelling.
fn target(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    let written = walk.text(&entry.node, blame(entry), "`to`")?;
    let read = || -> Result<String, &'static str> {
        let Some(below) = written.strip_prefix('/') else { return Err("is not absolute") };
        if written.split('/').any(|part| part == ".." || part == ".") {
            return Err("has `.` or `..` in it");
        }
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        match parts.first() {
            None => Err("is the whole machine"),
            Some(&("proc" | "sys" | "dev")) => Err("belongs to the system's kernel"),
            Some(_) => Ok(format!("/{}", parts.join("/"))),
        }
    };
    match read() {
        Ok(target) => Some(target),
        Err(problem) => {
            let help = "write a directory of its own, e.g. `/srv/app`";
            walk.error_help(blame(entry), "bad-path", format!("`{}` {problem}", shown(&written)), help);
            None
        }
    }
}
