//! Revisions as people read them: the history, one of them in full, how two differ.

use std::fmt::Write;

use muster_api::plan::PurposeSaid;
use muster_api::revision::{
    AppliedServerSaid, DifferenceAttributes, FileDifferenceSaid, InsideSaid, RevisionAttributes,
};

use super::style::{BAD, FAINT, GOOD, STRONG, WARN};
use super::table::{draw, size};
use crate::command::report::Row;

/// Letters of a version that are drawn.
const VERSION_CHARS: usize = 12;
/// Fields that differ, drawn one by one.
const FIELDS_SHOWN_MAX: usize = 1_000;

/// The history of a file, the newest first.
pub fn list(revisions: &[Row<RevisionAttributes>]) -> String {
    let rows = revisions.iter().map(|Row { said, .. }| {
        vec![
            said.number.to_string(),
            said.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            said.actor.clone(),
            purpose(said.purpose).to_owned(),
            said.state.clone(),
            changes(said),
            said.run.clone(),
            note(said),
        ]
    });
    draw(&["revision", "applied", "by", "what", "outcome", "changes", "run", "note"], rows.collect())
}

fn purpose(purpose: PurposeSaid) -> &'static str {
    match purpose {
        PurposeSaid::Update => "update",
        PurposeSaid::Deploy => "deploy",
        PurposeSaid::Destroy => "destroy",
        PurposeSaid::Adopt => "adopt",
        PurposeSaid::Disown => "disown",
    }
}

fn changes(said: &RevisionAttributes) -> String {
    let summary = &said.summary;
    let mut text = format!("+{} ~{} -{}", summary.create, summary.change, summary.delete);
    if summary.replace > 0 {
        let _ = write!(text, " ±{}", summary.replace);
    }
    if summary.provision > 0 {
        let _ = write!(text, " »{}", summary.provision);
    }
    text
}

fn note(said: &RevisionAttributes) -> String {
    let back = said.rollback_to.map(|number| format!("rollback to {number}"));
    let message = said.message.as_ref().map(|message| message.lines().next().unwrap_or_default().to_owned());
    let gone = (!said.kept).then(|| "its files are not kept any more".to_owned());
    back.into_iter().chain(message).chain(gone).collect::<Vec<_>>().join("; ")
}

/// One revision in full.
pub fn one(said: &RevisionAttributes) -> String {
    let mut out = format!(
        "{STRONG}{} revision {}{STRONG:#} {FAINT}at {} ({}){FAINT:#}\n",
        said.infrastructure, said.number, said.account, said.identity
    );
    let color = match said.state.as_str() {
        "succeeded" => GOOD,
        "ready" | "running" => STRONG,
        "failed" | "cancelled" => BAD,
        _ => WARN,
    };
    let ended = said.ended_at.map(|at| at.strftime(" at %Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let back = said.rollback_to.map(|number| format!(", a rollback to {number}")).unwrap_or_default();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "{FAINT}{name:<10}{FAINT:#} {value}");
    };
    let applied = said.started_at.strftime("%Y-%m-%d %H:%M:%S");
    field("applied", &format!("{applied} by {}: {}{back}", said.actor, purpose(said.purpose)));
    field("outcome", &format!("{color}{}{color:#}{ended}", said.state));
    if let Some(message) = &said.message {
        field("", message);
    }
    field("plan", &format!("{}: {}", said.plan, said.summary.text));
    field("run", &said.run);
    let Some(detail) = &said.detail else {
        field("files", "not kept any more");
        return out;
    };
    let entry = detail.entry.as_deref().unwrap_or("no file");
    field("files", &format!("{entry}, {} in its bundle {}", detail.files, version(&said.bundle)));
    if !detail.vars.is_empty() {
        field("variables", &detail.vars.join(", "));
    }
    if !detail.env.is_empty() {
        field("from env", &detail.env.join(", "));
    }
    match &detail.applied {
        None => out.push_str("\nIt did not end well, so nobody noted what was there.\n"),
        Some(applied) if applied.servers.is_empty() => out.push_str("\nAfter it, no server was there.\n"),
        Some(_) => {
            out.push('\n');
            out.push_str(&servers(said));
        }
    }
    if let Some(entry) = &detail.entry {
        let _ = writeln!(
            out,
            "\n{FAINT}Print {entry} as it was: muster infra history {} --revision {} --file{FAINT:#}",
            said.infrastructure, said.number
        );
    }
    out
}

/// Servers as a revision left them.
pub fn servers(said: &RevisionAttributes) -> String {
    let applied = said.detail.as_ref().and_then(|detail| detail.applied.as_ref());
    let servers = applied.map(|applied| applied.servers.as_slice()).unwrap_or_default();
    let rows = servers.iter().map(|server| {
        let inside: Vec<String> = server.inside.iter().map(inside).collect();
        vec![
            server.name.clone(),
            server.id.clone(),
            server_size(server),
            server.power.clone().unwrap_or_else(|| "-".into()),
            server.location.clone(),
            server.image.clone(),
            or_dash(server.networks.join(", ")),
            or_dash(inside.join(", ")),
        ]
    });
    draw(&["server", "id", "size", "power", "location", "image", "networks", "inside"], rows.collect())
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".into() } else { text }
}

fn server_size(server: &AppliedServerSaid) -> String {
    let (Some(cpu), Some(ram), Some(disk)) = (server.cpu, server.ram_mb, server.disk_gb) else {
        return "-".into();
    };
    let kind = server.disk_type.clone().unwrap_or_default();
    format!("{cpu} cpu, {}, {disk} GiB {kind}", size(u64::from(ram) * 1024 * 1024))
}

fn inside(inside: &InsideSaid) -> String {
    let failed = if inside.succeeded { "" } else { " (failed)" };
    format!("{} {}{failed}", inside.what, version(&inside.version))
}

fn version(digest: &str) -> &str {
    digest.get(..VERSION_CHARS).unwrap_or(digest)
}

/// What differs in what is wanted, as columns.
pub fn fields(found: &DifferenceAttributes) -> String {
    let rows = found.fields.iter().map(|field| {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        vec![field.target.clone(), field.field.clone(), value(&field.old), value(&field.new)]
    });
    draw(&["what", "field", "before", "after"], rows.collect())
}

/// How a revision differs from another one, or from the file as it is now.
pub fn differences(found: &DifferenceAttributes) -> String {
    let other = found.to.map_or_else(|| "the file as it is here".to_owned(), |to| format!("revision {to}"));
    let mut out =
        format!("{STRONG}{}: from revision {} to {other}{STRONG:#}\n", found.infrastructure, found.from);
    if found.fields.is_empty() && found.files.is_empty() {
        out.push_str("\nNothing differs.\n");
        return out;
    }
    out.push_str("\nWhat is wanted:\n");
    if found.fields.is_empty() {
        out.push_str("  the same\n");
    }
    for field in found.fields.iter().take(FIELDS_SHOWN_MAX) {
        let name = if field.field.is_empty() { String::new() } else { format!(" {}", field.field) };
        let _ = match (&field.old, &field.new) {
            (None, Some(new)) => writeln!(out, "  {GOOD}+ {}{name}{GOOD:#}  {new}", field.target),
            (Some(old), None) => writeln!(out, "  {BAD}- {}{name}{BAD:#}  {old}", field.target),
            (old, new) => {
                let value = |value: &Option<String>| match value.as_deref() {
                    None | Some("") => "nothing".to_owned(),
                    Some(value) => value.to_owned(),
                };
                writeln!(out, "  {WARN}~ {}{name}{WARN:#}  {} → {}", field.target, value(old), value(new))
            }
        };
    }
    if found.fields.len() > FIELDS_SHOWN_MAX {
        let more = found.fields.len() - FIELDS_SHOWN_MAX;
        let _ = writeln!(out, "  … and {more} more (--format json has all)");
    }
    if !found.files.is_empty() {
        out.push_str("\nFiles:\n");
        found.files.iter().for_each(|file| file_line(&mut out, file));
    }
    if found.files_more > 0 {
        let _ = writeln!(out, "  … and {} more", found.files_more);
    }
    for diff in found.files.iter().filter_map(|file| file.diff.as_ref()) {
        out.push('\n');
        diff.lines().for_each(|line| diff_line(&mut out, line));
    }
    out
}

fn file_line(out: &mut String, file: &FileDifferenceSaid) {
    let (mark, color) = match (&file.old, &file.new) {
        (None, _) => ("+", GOOD),
        (_, None) => ("-", BAD),
        (Some(_), Some(_)) => ("~", WARN),
    };
    let note = file.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
    let _ = writeln!(out, "  {color}{mark} {}{color:#}{note}", file.path);
}

fn diff_line(out: &mut String, line: &str) {
    let color = match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => STRONG,
        Some(b'+') => GOOD,
        Some(b'-') => BAD,
        Some(b'@') => FAINT,
        _ => {
            let _ = writeln!(out, "{line}");
            return;
        }
    };
    let _ = writeln!(out, "{color}{line}{color:#}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::style::plain;
    use muster_api::plan::SummarySaid;
    use muster_api::revision::{AppliedSaid, FieldDifferenceSaid, RevisionDetail};

    fn revision(number: u32, state: &str) -> RevisionAttributes {
        RevisionAttributes {
            infrastructure: "shop".into(),
            account: "onecloud".into(),
            identity: "onecloud:17/3".into(),
            number,
            purpose: PurposeSaid::Deploy,
            rollback_to: (number == 3).then_some(1),
            plan: "01994d1e-0000-7000-8000-000000000002".into(),
            run: "01994d1e-0000-7000-8000-000000000001".into(),
            state: state.into(),
            message: (state == "failed").then(|| "create server web-3: HTTP 500".into()),
            actor: "ann".into(),
            started_at: "2026-11-21T05:00:00Z".parse().unwrap(),
            ended_at: Some("2026-11-21T05:01:00Z".parse().unwrap()),
            summary: SummarySaid {
                create: 2,
                replace: 1,
                provision: 3,
                text: "2 to create, 0 to change, 1 to replace, 0 to delete".into(),
                ..SummarySaid::default()
            },
            bundle: "ab".repeat(32),
            kept: number > 1,
            detail: None,
        }
    }

    /// ICT-69: the history of a file, the newest first, with who, when and how it ended.
    #[test]
    fn a_history_tells_who_when_and_how_it_ended() {
        let rows: Vec<_> = [(3, "succeeded"), (2, "failed"), (1, "succeeded")]
            .into_iter()
            .map(|(number, state)| Row { id: number.to_string(), said: revision(number, state) })
            .collect();
        insta::assert_snapshot!(list(&rows));
    }

    /// ICT-69: one revision names the versions inside each server.
    #[test]
    fn a_revision_names_the_versions_on_each_server() {
        let inside = |what: &str, succeeded| InsideSaid {
            what: what.into(),
            version: "0123456789abcdef".repeat(4),
            succeeded,
            at: "2026-11-21T05:01:00Z".parse().unwrap(),
        };
        let server = AppliedServerSaid {
            name: "web-1".into(),
            id: "17".into(),
            provider_name: "web-1".into(),
            claim: "created".into(),
            cpu: Some(2),
            ram_mb: Some(4096),
            disk_gb: Some(40),
            disk_type: Some("SSD".into()),
            performance: Some("base".into()),
            power: Some("running".into()),
            location: "SdnSpb".into(),
            networks: vec!["backend".into()],
            image: "Ubuntu22.04x64".into(),
            inside: vec![inside("code:/srv/app", true), inside("site.yml", false)],
        };
        let mut said = revision(2, "succeeded");
        said.detail = Some(RevisionDetail {
            entry: Some("infra/shop.yaml".into()),
            vars: vec!["workers".into()],
            env: vec![],
            documents: [("infra/shop.yaml".to_owned(), "cd".repeat(32))].into(),
            files: 3,
            applied: Some(AppliedSaid { servers: vec![server], networks: Default::default() }),
        });
        insta::assert_snapshot!(plain(&one(&said)));
        assert!(one(&revision(1, "succeeded")).contains("not kept any more"));
    }

    #[test]
    fn differences_are_fields_then_files_then_texts() {
        let field = |target: &str, field: &str, old: Option<&str>, new: Option<&str>| FieldDifferenceSaid {
            target: target.into(),
            field: field.into(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let mut found = DifferenceAttributes {
            infrastructure: "shop".into(),
            from: 1,
            to: Some(2),
            fields: vec![
                field("server web-1", "cpu", Some("1"), Some("2")),
                field("server web-3", "", None, Some("cpu 1, ram 1024 MB")),
                field("server web-1", "networks", Some("backend"), Some("")),
            ],
            files: vec![
                FileDifferenceSaid {
                    path: "infra/shop.yaml".into(),
                    old: Some("aa".into()),
                    new: Some("bb".into()),
                    diff: Some(
                        "--- a/infra/shop.yaml\n+++ b/infra/shop.yaml\n@@ -1 +1 @@\n-cpu: 1\n+cpu: 2\n"
                            .into(),
                    ),
                    note: None,
                },
                FileDifferenceSaid {
                    path: "secrets.yml".into(),
                    old: None,
                    new: Some("cc".into()),
                    diff: None,
                    note: Some("it is encrypted".into()),
                },
            ],
            files_more: 0,
        };
        insta::assert_snapshot!(plain(&differences(&found)));
        found.fields.clear();
        found.files.clear();
        assert!(differences(&found).ends_with("Nothing differs.\n"));
    }
}
