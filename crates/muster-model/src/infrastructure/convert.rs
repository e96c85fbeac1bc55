//! An old ict file in today's form: the same servers, names, networks and playbooks; templates are inlined, comments
//! go along with what they stand at.
//!
//! The old file is read as always (`legacy.rs`), and what was read is written line by line. What comes out is read
//! once more before anybody gets it: if it does not mean the same, there is no conversion.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::document::walk::Walk;
use crate::document::{Files, Node, Source, Span, parse_bytes};
use crate::id::InfrastructureName;
use crate::server::Performance;

use super::check::{Inputs, Need, Surroundings, load};
use super::expand::expand;
use super::legacy;
use super::legacy_habit::HABITS;
use super::syntax::{ServerEntry, TOP, VERSION, Written};
use super::write::{disk_words, list, ram_words, scalar};
use super::{DeployEntry, Infrastructure};

mod anchor;
mod comment;

use anchor::Slot;

/// An old file in today's form.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The new file's text.
    pub text: String,
    /// What it wants.
    pub infrastructure: Infrastructure,
    /// What the conversion had to decide, sorted by place: images that were numbers, templates that are not there.
    /// The habits of the old form are gone with it and are not told again.
    pub warnings: Diagnostics,
    /// Documents that are inlined now, by their paths below the old root.
    pub inlined: BTreeSet<String>,
}

/// Writes an old ict file in today's form. `moved` tells where a path below the old file's root is below the new
/// one's; none if it is not below it. `target` is the new file's path below its root.
///
/// # Errors
/// Every problem of the old file at once; a file that is not an old one; what today's form cannot say.
pub fn convert(
    name: &InfrastructureName,
    files: &Files,
    entry: &str,
    target: &str,
    moved: &dyn Fn(&str) -> Option<String>,
) -> Result<Converted, Diagnostics> {
    let bytes = files.get(entry).ok_or_else(|| {
        Diagnostic::error("missing-file", format!("the file `{}` is not there", shown(entry)))
    })?;
    let (source, root) = parse_bytes(entry, bytes).map_err(|problem| Diagnostics::from(*problem))?;
    if !legacy::is_ict(&root) {
        return Err(not_old(&source, &root).into());
    }
    let mut walk = Walk::new(&source);
    let mut around = Surroundings::new(files, Need::Servers, entry);
    let mut written = legacy::read(&mut walk, &root, &mut around);
    let before = expand(&mut walk, name, written.clone());
    for server in written.servers.iter().filter(|server| server.key.0.starts_with("x-")) {
        let message = format!("the role `{}` cannot be written in today's form", shown(&server.key.0));
        walk.error_help(
            server.key.1,
            "not-in-this-version",
            message,
            "there `x-` begins what is yours; rename it",
        );
    }
    for network in written.networks.iter().filter(|network| network.key.0.starts_with("x-")) {
        let message = format!("the network `{}` cannot be written in today's form", shown(&network.key.0));
        walk.error_help(
            network.key.1,
            "not-in-this-version",
            message,
            "there `x-` begins what is yours; rename it",
        );
    }
    let inside = root.entries().unwrap_or_default().iter().filter_map(|task| task.node.entries()).flatten();
    for own in inside.filter(|entry| entry.key.text.starts_with("x-")) {
        let message = format!("`{}` is not carried over", shown(&own.key.text));
        walk.warn(own.key.at, "left-out", message, "today's form has no tasks; put it where you need it");
    }
    move_playbooks(&mut walk, &mut written, moved);
    let mut problems = walk.problems.sorted();
    problems.items.retain(|item| !HABITS.contains(&item.code.as_ref()));
    if problems.has_errors() {
        return Err(problems);
    }
    let anchors = anchor::anchors(&root, &written);
    let mut notes = comment::notes(&source, &root, &anchors);
    notes.append(&mut anchor::of_templates(&root, &written, &around));
    let text = comment::with_comments(lines(&written), notes);
    let infrastructure = read_back(name, &text, target, &written, &before)?;
    around.files_used.remove(entry);
    Ok(Converted { text, infrastructure, warnings: problems, inlined: around.files_used })
}

fn not_old(source: &Source, root: &Node) -> Diagnostic {
    let modern =
        root.entries().unwrap_or_default().iter().find(|entry| TOP.contains(&entry.key.text.as_str()));
    let diagnostic = Diagnostic::error("not-old", "this is no old ict file");
    match modern {
        Some(entry) => diagnostic
            .at(source.place(entry.key.at))
            .help("it is in today's form already; there is nothing to convert"),
        None => diagnostic
            .at(source.place(Span::default()))
            .help("an old file has named tasks with `VDC_options`, `Servers` or `servers`"),
    }
}

/// Playbooks get their paths below the new root.
fn move_playbooks(walk: &mut Walk<'_>, written: &mut Written, moved: &dyn Fn(&str) -> Option<String>) {
    for deploy in &mut written.deploy {
        let DeployEntry::Playbook(entry) = &mut deploy.entry else { continue };
        match moved(&entry.playbook) {
            Some(path) => entry.playbook = path,
            None => {
                let at = deploy.hosts.first().map(|(_, at)| *at).unwrap_or_default();
                walk.error_help(
                    at,
                    "outside",
                    format!(
                        "the playbook `{}` does not lie below the new file's root",
                        shown(&entry.playbook)
                    ),
                    "put an empty `muster.yaml` above both, or write the new file where the old one is",
                );
            }
        }
    }
}

/// Reads the new text and compares it with what the old one wants.
fn read_back(
    name: &InfrastructureName,
    text: &str,
    target: &str,
    written: &Written,
    before: &Infrastructure,
) -> Result<Infrastructure, Diagnostics> {
    let mut files = Files::new();
    files.insert(target, text.as_bytes());
    let mut wanted = before.clone();
    for server in &mut wanted.servers {
        // They are entries of `deploy:` now, for the same servers.
        server.playbooks.clear();
    }
    for (entry, deploy) in wanted.deploy.iter_mut().zip(&written.deploy) {
        if let (DeployEntry::Playbook(entry), DeployEntry::Playbook(moved)) = (entry, &deploy.entry) {
            entry.playbook.clone_from(&moved.playbook);
            files.list(entry.playbook.as_str());
        }
    }
    let read = load(name, &files, target, &Inputs::default())?;
    if read.infrastructure != wanted || !read.warnings.is_empty() {
        return Err(Diagnostic::error(
            "conversion-differs",
            "the new file would not mean the same as the old one",
        )
        .help("this is a defect of Muster: please report it with the old file; nothing was written")
        .into());
    }
    Ok(read.infrastructure)
}

/// One line of the new file, and what stands there.
pub(crate) struct Line {
    indent: usize,
    text: String,
    slots: Vec<Slot>,
}

fn line(indent: usize, text: impl Into<String>, slots: &[Slot]) -> Line {
    Line { indent, text: text.into(), slots: slots.to_vec() }
}

/// The new file, line by line.
fn lines(written: &Written) -> Vec<Line> {
    let mut lines = vec![line(0, format!("version: {VERSION}"), &[Slot::Head])];
    let common = common_location(written);
    if let Some(location) = common {
        lines.push(line(0, format!("location: {}", scalar(location)), &[Slot::Location]));
    }
    if let Some(first) = written.servers.first() {
        lines.push(line(0, format!("separator: _  # names stay as they were: {}", first.name(1)), &[]));
    }
    if !written.networks.is_empty() {
        lines.push(line(0, "networks:", &[Slot::Networks]));
    }
    for (number, network) in written.networks.iter().enumerate() {
        lines.push(line(1, format!("{}:", scalar(&network.key.0)), &[Slot::Network(number)]));
        lines.push(line(2, format!("dhcp: {}", network.dhcp), &[Slot::Dhcp(number)]));
        if common.is_none() {
            lines.push(line(2, format!("location: {}", scalar(&network.location)), &[]));
        }
    }
    if !written.servers.is_empty() {
        lines.push(line(0, "servers:", &[Slot::Servers]));
    }
    for (number, server) in written.servers.iter().enumerate() {
        lines.extend(server_lines(number, server, common.is_none()));
    }
    if !written.deploy.is_empty() {
        lines.push(line(0, "deploy:", &[Slot::Deploy]));
    }
    for (number, deploy) in written.deploy.iter().enumerate() {
        let DeployEntry::Playbook(entry) = &deploy.entry else { continue };
        let hosts: Vec<&str> = deploy.hosts.iter().map(|(host, _)| host.as_str()).collect();
        lines.push(line(1, format!("- playbook: {}", scalar(&entry.playbook)), &[Slot::Playbook(number)]));
        lines.push(line(2, format!("hosts: {}", list(&hosts)), &[]));
    }
    lines
}

fn server_lines(number: usize, server: &ServerEntry, says_location: bool) -> Vec<Line> {
    let size = &server.size;
    let mut lines = vec![line(1, format!("{}:", scalar(&server.key.0)), &[Slot::Server(number)])];
    let mut field = |text: String, slot: Slot| lines.push(line(2, text, &[slot]));
    if server.count != 1 {
        field(format!("count: {}", server.count), Slot::Count(number));
    }
    field(format!("image: {}", scalar(&server.image)), Slot::Image(number));
    field(format!("cpu: {}", size.cpu), Slot::Cpu(number));
    field(format!("ram: {}", ram_words(size.ram_mb)), Slot::Ram(number));
    field(format!("disk: {}", disk_words(size.disk_gb, &size.disk_type)), Slot::Disk(number));
    if size.performance == Performance::High {
        field(format!("performance: {}", size.performance), Slot::Pool(number));
    }
    if says_location {
        field(format!("location: {}", scalar(&server.location)), Slot::LocationOf(number));
    }
    if !server.networks.is_empty() {
        let networks: Vec<&str> = server.networks.iter().map(|(network, _)| network.as_str()).collect();
        field(format!("networks: {}", list(&networks)), Slot::Links(number));
    }
    lines
}

/// The one place of everything, if there is one.
fn common_location(written: &Written) -> Option<&str> {
    let mut all = written
        .servers
        .iter()
        .map(|server| server.location.as_str())
        .chain(written.networks.iter().map(|network| network.location.as_str()));
    let first = all.next()?;
    all.all(|location| location == first).then_some(first)
}
