//! What a file may contain: words that do not belong into a room, SQL, leftovers, length, shell strings, traces
//! of somebody's machine, and modules without a test.

use std::collections::HashSet;

use super::{Allowed, allowed, report, room_of, sources};
use crate::source;

/// Words that stand for something a room must not do, looked for in its code (not in comments or unit tests).
struct Never {
    rooms: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const NEVER: &[Never] = &[
    Never {
        rooms: &["muster-model", "muster-planner", "muster-series"],
        words: &[
            "async fn",
            ".await",
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "Instant::now",
            "SystemTime",
            "Timestamp::now",
        ],
        reason: "decisions are pure: no async, I/O, clock or environment",
    },
    Never {
        rooms: &["muster-runs"],
        words: &["axum", "StatusCode", "HeaderMap", "reqwest", "hyper::", "http::", "IntoResponse"],
        reason: "what is going on does not know how it was asked",
    },
    Never {
        rooms: &["muster-planner"],
        words: &["tracing::", "println!", "eprintln!"],
        reason: "the planner's reasons are its log: they belong into the plan",
    },
];

const LINES_MAX: usize = 400;
const LONG_FILES: Allowed = &[(
    "crates/muster-runs/tests/it/seed.rs",
    "one random life: its acts and its laws share one state and are read in one go",
)];
const SHELL_FILES: Allowed = &[(
    "crates/muster-outside/src/host/ssh/quote.rs",
    "the one place that makes a script of a constant text; data are its arguments, never part of it",
)];

/// Rooms do not do what their sentence excludes.
#[test]
fn rooms_keep_to_their_nature() {
    let mut problems = Vec::new();
    for file in sources() {
        for rule in NEVER.iter().filter(|rule| rule.rooms.contains(&room_of(&file.path))) {
            for (number, line) in file.code() {
                for word in rule.words.iter().filter(|word| line.contains(**word)) {
                    problems.push(format!("{}:{number} `{word}`: {}", file.path, rule.reason));
                }
            }
        }
    }
    report(problems, "Words that do not belong into a room:");
}

/// The only SQL is in the store.
#[test]
fn sql_lives_in_the_store() {
    let sql = regex::Regex::new(
        r#"(?i)"\s*(select\s+.+\s+from\s|insert\s+(or\s+\w+\s+)?into\s|update\s+\w+\s+set\s|delete\s+from\s|(create|alter|drop)\s+(table|index|view)\s|pragma\s|begin\s+immediate)"#,
    )
    .expect("a pattern");
    let mut problems = Vec::new();
    for file in sources().into_iter().filter(|file| room_of(&file.path) != "muster-store") {
        for (number, line) in file.code().filter(|(_, line)| sql.is_match(line)) {
            problems.push(format!("{}:{number} {}", file.path, line.trim()));
        }
    }
    report(problems, "SQL outside muster-store:");
}

/// Every module says what lives there.
#[test]
fn every_module_opens_with_its_purpose() {
    let problems = source::files("crates", ".rs")
        .into_iter()
        .filter(|file| !file.text.trim_start().starts_with("//!"))
        .map(|file| file.path)
        .collect();
    report(problems, "Modules that do not open with `//!` (what lives here, what does not, the idea):");
}

/// Nothing half-done is left in the program, and no test is switched off.
#[test]
fn no_leftovers() {
    // Put together from halves, so that this file does not find itself.
    let in_sources = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
        concat!("FIX", "ME"),
        concat!("XX", "X "),
    ];
    let everywhere = [concat!("#[ig", "nore")];
    let mut problems = Vec::new();
    for file in source::files("crates", ".rs") {
        let source = file.path.split('/').nth(2) == Some("src");
        for (index, line) in file.text.lines().enumerate() {
            let words = everywhere.iter().chain(in_sources.iter().filter(|_| source));
            for word in words.filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{} `{word}`", file.path, index + 1));
            }
        }
    }
    report(problems, "Leftovers (a test that must not run everywhere says so: docs/testing.md):");
}

/// A file holds one concept; at 400 lines there is a second one inside.
#[test]
fn no_long_files() {
    let mut problems = Vec::new();
    for file in source::files("crates", ".rs").into_iter().filter(|file| !allowed(LONG_FILES, &file.path)) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{} has {lines} lines", file.path));
        }
    }
    report(problems, "Files over 400 lines; split them, or add them to LONG_FILES with a reason:");
}

/// Commands are argument lists. A shell string built from data is a hole.
#[test]
fn no_shell_strings() {
    let shell =
        regex::Regex::new(r#""(/bin/|/usr/bin/)?(sh|bash|dash)"[\s\S]{0,80}?"-l?c""#).expect("a pattern");
    let mut problems = Vec::new();
    for file in sources().into_iter().filter(|file| !allowed(SHELL_FILES, &file.path)) {
        let code: String = file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        if let Some(found) = shell.find(&code) {
            problems.push(format!("{}: {}", file.path, found.as_str().replace('\n', " ")));
        }
    }
    report(problems, "Shell strings; build an argument list, or add the file to SHELL_FILES with a reason:");
}

/// Nothing of the place where this was written is kept.
#[test]
fn no_traces_of_the_workplace() {
    // Absolute paths only (`.work/` and `templates/work/` are fine), put together so that this file is clean.
    let trace = regex::Regex::new(concat!(r#"(^|[\s"'`=(:,])/(wo"#, "rk|ro", "ot/wt)/")).expect("a pattern");
    let mut problems = Vec::new();
    // In a further work tree of git, `.git` is a file with the way to the first one.
    for file in source::files(".", "").into_iter().filter(|file| file.path != ".git") {
        for (index, line) in file.text.lines().enumerate().filter(|(_, line)| trace.is_match(line)) {
            problems.push(format!("{}:{} {}", file.path, index + 1, line.trim()));
        }
    }
    report(problems, "Paths of somebody's machine:");
}

/// ICT-44: tests have a directory of their own in every part, and one command runs them.
#[test]
fn every_part_has_tests_and_one_command_runs_them() {
    let mut problems = Vec::new();
    for name in source::crates() {
        let main = source::root().join("crates").join(&name).join("tests/it/main.rs");
        let text = std::fs::read_to_string(main).unwrap_or_default();
        let inside = source::files(&format!("crates/{name}"), ".rs")
            .iter()
            .any(|file| file.text.contains("#[test]") || file.text.contains("::test"));
        if !text.contains("mod ") && !inside {
            problems.push(format!("crates/{name}/tests/it has no test"));
        }
    }
    let ci = std::fs::read_to_string(source::root().join(".ci/run")).expect(".ci/run");
    assert!(ci.contains("exec ./dev test"), ".ci/run runs what the README names");
    report(problems, "Parts without tests:");
}

/// ICT-45: every module with functions can be reached from a test. A module is reached when a test names one
/// of its items, or when reached code does; what is left over is code that no test can run. (Names, not calls:
/// how much of a reached function runs is what measured coverage says.)
#[test]
fn every_module_with_functions_has_a_test() {
    let item = regex::Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:async )?(?:const )?(?:unsafe )?(?:fn|struct|enum|trait|type|const) (\w+)")
        .expect("a pattern");
    let text =
        |lines: Vec<(usize, &str)>| lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let tests = source::files("crates", ".rs")
        .into_iter()
        .filter(|file| file.path.split('/').nth(2) == Some("tests"));
    let mut known: HashSet<String> = tests.flat_map(|file| words(&file.text)).collect();
    let mut open = Vec::new();
    for file in sources() {
        known.extend(words(&text(file.unit_tests().collect())));
        let code = text(file.code().collect());
        let items: Vec<String> = item.captures_iter(&code).map(|found| found[1].to_owned()).collect();
        // Commands and handlers are reached by the word that a person types: the name of their file.
        let stem = file
            .path
            .trim_end_matches("/mod.rs")
            .trim_end_matches(".rs")
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        if code.contains("fn ") {
            open.push((file.path, stem, items, code));
        }
    }
    loop {
        let (reached, left): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, stem, items, _)| {
            known.contains(stem) || items.iter().any(|item| known.contains(item))
        });
        open = left;
        if reached.is_empty() {
            break;
        }
        known.extend(reached.iter().flat_map(|(_, _, _, code)| words(code)));
    }
    report(open.into_iter().map(|(path, ..)| path).collect(), "Modules that no test reaches:");
}

fn words(text: &str) -> HashSet<String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_owned).collect()
}
