//! The house rules as tests that read the source: who may import whom, what a room never holds, and what no
//! file may contain (`contents`). The tables are the rules; a change of a rule is a change of a table, with its
//! reason.

use crate::source::{self, Source};

mod contents;

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
        // outside only to ask whether machines can run here, the store only to put a run of several lanes together
        tests_import: &["muster-outside", "muster-store"],
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

/// A file that breaks a rule with a reason; the reason is for whoever reads this.
type Allowed = &'static [(&'static str, &'static str)];

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
    let mut named = Vec::new();
    for (start, _) in line.match_indices("muster_") {
        let before = line[..start].chars().next_back();
        let name: String =
            line[start..].chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        let crate_name = name.replace('_', "-");
        let after = line[start + name.len()..].trim_start();
        let is_path = after.starts_with("::") || after.starts_with(';') || after.starts_with("as ");
        let is_whole = before.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_');
        if is_whole && is_path && ROOMS.iter().any(|room| room.name == crate_name) {
            named.push(crate_name);
        }
    }
    named
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
            // A crate may name itself, to switch a feature on for its tests.
            if name.starts_with("muster")
                && name.as_str() != room.name
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
