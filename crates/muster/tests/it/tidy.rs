//! The house rules as tests that read the source: who may import whom, what a room never holds, and what no
//! file may contain. The tables are the rules; a change of a rule is a change of a table, with its reason.

use crate::source::{self, Source};

/// One room: its crate, which of our crates it may import, and which ones only its tests may.
struct Room {
    name: &'static str,
    imports: &'static [&'static str],
    tests_import: &'static [&'static str],
    /// Crates of others that would break the sentence this room makes true.
    never: &'static [&'static str],
}

const EFFECTS: &[&str] = &[
    "tokio",
    "async-trait",
    "futures",
    "reqwest",
    "rusqlite",
    "tokio-postgres",
    "axum",
    "hyper",
    "http",
    "rand",
    "rustix",
    "russh",
    "process-wrap",
    "tracing",
];
const DATABASE: &[&str] = &["rusqlite", "refinery", "tokio-postgres", "deadpool-postgres"];

/// The import table of the design.
const ROOMS: &[Room] = &[
    Room { name: "muster-model", imports: &[], tests_import: &[], never: EFFECTS },
    Room { name: "muster-planner", imports: &["muster-model"], tests_import: &[], never: EFFECTS },
    Room {
        name: "muster-outside",
        imports: &["muster-model"],
        tests_import: &[],
        never: &["rusqlite", "refinery", "tokio-postgres", "deadpool-postgres", "axum", "clap"],
    },
    Room {
        name: "muster-store",
        imports: &["muster-model"],
        tests_import: &[],
        never: &["reqwest", "axum", "hyper", "http", "russh", "clap"],
    },
    Room {
        name: "muster-sim",
        imports: &["muster-model", "muster-outside"], // outside only for local machines
        tests_import: &[],
        never: &["rusqlite", "refinery", "reqwest", "clap"],
    },
    Room { name: "muster-series", imports: &["muster-model"], tests_import: &[], never: EFFECTS },
    Room {
        name: "muster-runs",
        imports: &["muster-model", "muster-planner", "muster-outside", "muster-store", "muster-series"],
        tests_import: &["muster-sim"],
        never: &[
            "axum",
            "http",
            "hyper",
            "reqwest",
            "tower-http",
            "utoipa",
            "rusqlite",
            "refinery",
            "russh",
            "clap",
        ],
    },
    Room {
        name: "muster-api",
        imports: &["muster-model"],
        tests_import: &[],
        never: &["axum", "rusqlite", "refinery", "russh", "clap"],
    },
    Room {
        name: "muster-server",
        imports: &["muster-model", "muster-api", "muster-runs"],
        tests_import: &["muster-sim"],
        never: &["rusqlite", "refinery", "tokio-postgres", "reqwest", "russh", "clap"],
    },
    Room {
        name: "muster",
        imports: &["muster-model", "muster-api", "muster-runs", "muster-server", "muster-sim"],
        tests_import: &[],
        never: DATABASE,
    },
];

/// A part of the executable that may speak to a room the rest of it must not know.
struct Door {
    room: &'static str,
    files: &'static [&'static str],
}

/// Inside `crates/muster/src/`: a file, or a folder when it ends with `/`.
const DOORS: &[Door] = &[
    Door {
        room: "muster_runs",
        files: &["connect.rs", "connect/", "serve.rs", "serve/", "command/machine.rs", "command/child.rs"],
    },
    Door {
        room: "muster_server",
        files: &["connect.rs", "connect/", "serve.rs", "serve/", "command/machine.rs", "command/child.rs"],
    },
    Door {
        room: "muster_sim",
        files: &["command/sim.rs", "command/sim/", "command/rehearse.rs", "command/rehearse/"],
    },
];

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

/// A file that breaks a rule with a reason; the reason is for whoever reads this.
type Allowed = &'static [(&'static str, &'static str)];

const LINES_MAX: usize = 400;
const LONG_FILES: Allowed = &[];
const SHELL_FILES: Allowed = &[];
const GLOBAL_STATE: Allowed = &[];

fn allowed(list: Allowed, path: &str) -> bool {
    list.iter().any(|(file, _)| *file == path)
}

fn report(problems: Vec<String>, rule: &str) {
    assert!(problems.is_empty(), "{rule}\n  {}\n", problems.join("\n  "));
}

fn room_of(path: &str) -> &str {
    path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn sources() -> Vec<Source> {
    source::files("crates", ".rs")
        .into_iter()
        .filter(|file| file.path.split('/').nth(2) == Some("src"))
        .collect()
}

/// The crates of ours that a line names (`muster_model::…` and `use muster_model;`).
fn rooms_named(line: &str) -> Vec<String> {
    let word = regex::Regex::new(
        r"\bmuster_(model|planner|outside|store|sim|series|runs|api|server)\s*(::|;|\bas\b)",
    )
    .expect("a pattern");
    word.captures_iter(line).map(|found| format!("muster-{}", &found[1])).collect()
}

/// The tables above name exactly the crates that exist.
#[test]
fn every_room_has_a_row() {
    let mut rows: Vec<&str> = ROOMS.iter().map(|room| room.name).collect();
    rows.sort_unstable();
    assert_eq!(rows, source::crates());
}

/// What a `Cargo.toml` asks for is in the table.
#[test]
fn manifests_keep_to_the_import_table() {
    let mut problems = Vec::new();
    for room in ROOMS {
        let manifest = source::manifest(room.name);
        for name in &manifest.dependencies {
            if name.starts_with("muster") && !room.imports.contains(&name.as_str()) {
                problems.push(format!("{} depends on {name}", room.name));
            }
            if room.never.contains(&name.as_str()) {
                problems
                    .push(format!("{} depends on {name}, which does not belong into this room", room.name));
            }
        }
        for name in &manifest.dev_dependencies {
            if name.starts_with("muster")
                && !room.imports.contains(&name.as_str())
                && !room.tests_import.contains(&name.as_str())
            {
                problems.push(format!("the tests of {} depend on {name}", room.name));
            }
        }
    }
    report(problems, "The import table (DESIGN, The house) says who may import whom:");
}

/// What the source names is in the table too: a dependency that is there for one reason is not used for another.
#[test]
fn sources_keep_to_the_import_table() {
    let mut problems = Vec::new();
    for file in sources() {
        let name = room_of(&file.path);
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else { continue };
        for (number, line) in file.code() {
            for other in rooms_named(line) {
                if other != name && !room.imports.contains(&other.as_str()) {
                    problems.push(format!("{}:{number} names {other}", file.path));
                }
            }
        }
        for (number, line) in file.unit_tests() {
            for other in rooms_named(line) {
                if other != name
                    && !room.imports.contains(&other.as_str())
                    && !room.tests_import.contains(&other.as_str())
                {
                    problems.push(format!("{}:{number} names {other} in a test", file.path));
                }
            }
        }
    }
    report(problems, "The import table (DESIGN, The house) says who may import whom:");
}

/// The command line speaks the API; the few files that open the other rooms are listed.
#[test]
fn only_the_doors_of_the_executable_open_other_rooms() {
    let mut problems = Vec::new();
    for file in sources() {
        let Some(inside) = file.path.strip_prefix("crates/muster/src/") else { continue };
        for door in DOORS {
            let open = door
                .files
                .iter()
                .any(|place| inside == *place || (place.ends_with('/') && inside.starts_with(place)));
            for (number, _) in file.code().filter(|(_, line)| !open && line.contains(door.room)) {
                problems.push(format!(
                    "{}:{number} names {}, which is for {}",
                    file.path,
                    door.room,
                    door.files.join(", ")
                ));
            }
        }
    }
    report(problems, "Commands speak the API; these files go around it:");
}

/// ICT-56: no part depends on itself through others, test dependencies included.
#[test]
fn no_cycles_between_parts() {
    let names = source::crates();
    let mut after: Vec<(String, Vec<String>)> = names
        .iter()
        .map(|name| {
            let manifest = source::manifest(name);
            let ours = manifest.dependencies.into_iter().chain(manifest.dev_dependencies);
            (name.clone(), ours.filter(|other| other.starts_with("muster") && other != name).collect())
        })
        .collect();
    // Take away what depends on nothing that is left; what cannot be taken away is a cycle.
    while let Some(free) = after.iter().position(|(_, others)| others.is_empty()) {
        let (gone, _) = after.remove(free);
        for (_, others) in &mut after {
            others.retain(|other| *other != gone);
        }
    }
    let left: Vec<String> =
        after.into_iter().map(|(name, others)| format!("{name} → {}", others.join(", "))).collect();
    report(left, "Parts that depend on each other in a circle:");
}

/// ICT-56: collaborators come in as arguments. State that everybody can reach is the way around that.
#[test]
fn no_global_state() {
    let pattern = regex::Regex::new(r"^\s*(pub(\([a-z]+\))?\s+)?static\s+(mut\s|.*(Mutex|RwLock|OnceLock|OnceCell|LazyLock|Atomic|RefCell))").expect("a pattern");
    let mut problems = Vec::new();
    for file in sources().into_iter().filter(|file| !allowed(GLOBAL_STATE, &file.path)) {
        for (number, line) in
            file.code().filter(|(_, line)| pattern.is_match(line) || line.contains("thread_local!"))
        {
            problems.push(format!("{}:{number} {}", file.path, line.trim()));
        }
    }
    report(problems, "Global state; pass it as an argument, or add the file to GLOBAL_STATE with a reason:");
}

/// ICT-54: the tool-chain is pinned to one version, and the manifest says the same.
#[test]
fn the_toolchain_is_pinned() {
    let toolchain =
        std::fs::read_to_string(source::root().join("rust-toolchain.toml")).expect("rust-toolchain.toml");
    let pinned = regex::Regex::new(r#"(?m)^channel = "(\d+\.\d+)\.\d+"$"#).expect("a pattern");
    let version = pinned.captures(&toolchain).expect("an exact version, like 1.95.0")[1].to_owned();
    let workspace = std::fs::read_to_string(source::root().join("Cargo.toml")).expect("Cargo.toml");
    assert!(
        workspace.contains(&format!("rust-version = \"{version}\"")),
        "Cargo.toml names another version than {version}"
    );
    assert!(
        source::root().join("Cargo.lock").is_file(),
        "Cargo.lock is kept, so that builds are the same everywhere"
    );
}

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
    let traces = [concat!("/wo", "rk/"), concat!("/ro", "ot/wt")];
    let mut problems = Vec::new();
    for file in source::files(".", "") {
        for (index, line) in file.text.lines().enumerate() {
            // `.work` is our own folder, below the workspace.
            let line = line.replace("/.work/", "/");
            for trace in traces.iter().filter(|trace| line.contains(**trace)) {
                problems.push(format!("{}:{} `{trace}`", file.path, index + 1));
            }
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

/// ICT-45: every module with functions is named by a test: it has unit tests, or its crate's or the front
/// door's tests use one of its public functions or types.
#[test]
fn every_module_with_functions_has_a_test() {
    let item = regex::Regex::new(
        r"(?m)^\s*pub(?:\(\w+\))? (?:async )?(?:const )?(?:fn|struct|enum|trait|type) (\w+)",
    )
    .expect("a pattern");
    let tests: Vec<Source> = source::files("crates", ".rs")
        .into_iter()
        .filter(|file| file.path.split('/').nth(2) == Some("tests"))
        .collect();
    let mut all = sources();
    let unit: Vec<String> = all
        .iter()
        .map(|file| file.unit_tests().map(|(_, line)| line).collect::<Vec<_>>().join("\n"))
        .collect();
    let test_text: String = tests
        .iter()
        .map(|file| file.text.as_str())
        .chain(unit.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("\n");
    let words: std::collections::HashSet<&str> =
        test_text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    all.retain(|file| file.code().any(|(_, line)| line.contains("fn ")));
    let mut problems = Vec::new();
    for file in all {
        let code: String = file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let named = item.captures_iter(&code).any(|found| words.contains(&found[1]));
        // Commands, handlers and views are reached through the front door, by the word a person types.
        let stem = file
            .path
            .rsplit('/')
            .find(|part| *part != "mod.rs")
            .unwrap_or_default()
            .trim_end_matches(".rs")
            .to_owned();
        let front =
            file.path.starts_with("crates/muster/src/") || file.path.starts_with("crates/muster-server/src/");
        let has_own = file.unit_tests().next().is_some();
        if !named && !has_own && !(front && words.contains(stem.as_str())) {
            problems.push(file.path);
        }
    }
    report(problems, "Modules that no test names:");
}
