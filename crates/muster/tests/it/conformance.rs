//! The table of `docs/conformance.md`: which line of the mission is proven by which test. It is written from
//! the tests' own comments (`./dev conformance`) and compared with them here, so it cannot drift. By hand are
//! only two columns, *where* and *decision*; they are kept when the table is written anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::source;

const TABLE: &str = "docs/conformance.md";
const LINES: &str = "docs/checklist.tsv";

const HEAD: &str = "# What is proven, and by which test

One row for each line of the mission (`docs/checklist.tsv`) that a test names. `./dev conformance` writes this
file from the comments of the tests; a test fails when the two differ. The columns *where* and *decision* are
written by hand and kept. *Where* is the room that does it; without a better word it is the tested crate.

";
const COLUMNS: &str = "| line | what | where | tests | decision |\n| --- | --- | --- | --- | --- |\n";
const OPEN: &str = "\n## Not yet true\n\n";
const ALL_TRUE: &str = "Every line that this version promises has a test.\n";

/// One line of the mission: a short title, and whether this version promises it.
struct Line {
    id: String,
    promised: bool,
    title: String,
}

fn lines() -> Vec<Line> {
    let text = std::fs::read_to_string(source::root().join(LINES)).expect("the checklist");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, '\t');
            let mut next = || parts.next().unwrap_or_else(|| panic!("three columns: {line}")).to_owned();
            let (id, when, title) = (next(), next(), next());
            assert!(["now", "later"].contains(&when.as_str()), "`now` or `later`: {line}");
            Line { id, promised: when == "now", title }
        })
        .collect()
}

/// A test and the lines its comment or name claims.
#[derive(Debug, PartialEq)]
struct Claim {
    file: String,
    function: String,
    ids: Vec<String>,
}

/// What the finder looks for; made once, because making a pattern costs more than using it.
struct Patterns {
    id: regex::Regex,
    id_in_name: regex::Regex,
    function: regex::Regex,
    attribute: regex::Regex,
    case: regex::Regex,
}

impl Patterns {
    fn new() -> Patterns {
        let pattern = |text: &str| regex::Regex::new(text).expect("a pattern");
        Patterns {
            id: pattern(r"\b(ICT|ALF|NEP|EDG)-[0-9]+\b"),
            id_in_name: pattern(r"(?:^|_)(ict|alf|nep|edg)_([0-9]+)(?:_|$)"),
            function: pattern(r"^\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn ([a-zA-Z0-9_]+)"),
            attribute: pattern(r"^\s*#\[(?:[a-z_]+::)*test\b"),
            case: pattern(r"^\s*([a-z_]+::[a-z0-9_]+),$"),
        }
    }
}

/// How the list of cases begins of which macros make tests, one for each case and provider.
const CASES: &str = "$tests! {";

/// Finds the test functions of one file and the ids in their doc comments (`ICT-42`) or names (`ict_42`), and the same
/// of a list of cases.
fn claims_in(file: &str, text: &str, patterns: &Patterns) -> Vec<Claim> {
    let Patterns { id, id_in_name, function, attribute, case } = patterns;
    let (mut claims, mut ids, mut is_test, mut open_brackets) = (Vec::new(), Vec::new(), false, 0_i64);
    let mut in_cases = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let brackets =
            |line: &str| line.matches(['[', '(']).count() as i64 - line.matches([']', ')']).count() as i64;
        if open_brackets > 0 {
            open_brackets += brackets(line); // an attribute over several lines
        } else if trimmed.starts_with("///") {
            ids.extend(id.find_iter(line).map(|found| found.as_str().to_owned()));
        } else if trimmed.starts_with("#[") {
            is_test |= attribute.is_match(line);
            open_brackets = brackets(line);
        } else if let Some(found) = function.captures(line)
            && is_test
        {
            let name = found[1].to_owned();
            ids.extend(
                id_in_name
                    .captures_iter(&name)
                    .map(|found| format!("{}-{}", found[1].to_uppercase(), &found[2])),
            );
            ids.sort();
            ids.dedup();
            if !ids.is_empty() {
                claims.push(Claim { file: file.to_owned(), function: name, ids: std::mem::take(&mut ids) });
            }
            is_test = false;
        } else if let Some(found) = case.captures(line)
            && in_cases
        {
            if !ids.is_empty() {
                let function = found[1].to_owned();
                claims.push(Claim { file: file.to_owned(), function, ids: std::mem::take(&mut ids) });
            }
        } else if !trimmed.starts_with("//") {
            in_cases = trimmed == CASES;
            ids.clear();
            is_test = false;
        }
    }
    claims
}

fn claims() -> Vec<Claim> {
    let patterns = Patterns::new();
    source::files("crates", ".rs")
        .iter()
        .flat_map(|file| claims_in(&file.path, &file.text, &patterns))
        .collect()
}

/// The columns written by hand: line → (where, decision).
fn kept(table: &str) -> BTreeMap<String, (String, String)> {
    table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 5 && cells[0].contains('-') && cells[0] != "---")
        .map(|cells| (cells[0].to_owned(), (cells[2].to_owned(), cells[4].to_owned())))
        .collect()
}

/// The file as it ought to be.
fn render(lines: &[Line], claims: &[Claim], kept: &BTreeMap<String, (String, String)>) -> String {
    let mut text = format!("{HEAD}{COLUMNS}");
    let mut open = Vec::new();
    for line in lines {
        let tests: Vec<&Claim> = claims.iter().filter(|claim| claim.ids.contains(&line.id)).collect();
        let Some(first) = tests.first() else {
            if line.promised {
                open.push(line);
            }
            continue;
        };
        let room = first.file.split('/').take(2).collect::<Vec<_>>().join("/");
        let (place, decision) = kept.get(&line.id).cloned().unwrap_or((format!("`{room}`"), "–".to_owned()));
        let tests: Vec<String> =
            tests.iter().map(|claim| format!("`{}::{}`", claim.file, claim.function)).collect();
        writeln!(text, "| {} | {} | {place} | {} | {decision} |", line.id, line.title, tests.join("<br>"))
            .expect("a string grows");
    }
    text.push_str(OPEN);
    if open.is_empty() {
        text.push_str(ALL_TRUE);
    }
    for line in open {
        writeln!(text, "- {}: {}", line.id, line.title).expect("a string grows");
    }
    text
}

/// Every id that a test claims is a line of the mission, and the table says what the tests say.
#[test]
fn the_table_is_what_the_tests_claim() {
    let (lines, claims) = (lines(), claims());
    let path = source::root().join(TABLE);
    let table = std::fs::read_to_string(&path).unwrap_or_default();
    for claim in &claims {
        for id in &claim.ids {
            assert!(
                lines.iter().any(|line| line.id == *id),
                "{}::{} names {id}, which {LINES} does not have",
                claim.file,
                claim.function
            );
        }
    }
    let wanted = render(&lines, &claims, &kept(&table));
    if std::env::var_os("MUSTER_CONFORMANCE_WRITE").is_some() {
        std::fs::write(&path, &wanted).expect("the table can be written");
        return;
    }
    assert!(
        table == wanted,
        "{TABLE} is not what the tests say; run ./dev conformance\n{}",
        first_difference(&table, &wanted)
    );
}

fn first_difference(table: &str, wanted: &str) -> String {
    let (mut one, mut other) = (table.lines(), wanted.lines());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return "only the line ends differ".to_owned(),
            (left, right) if left == right => {}
            (left, right) => {
                return format!(
                    "  the file:  {}\n  the tests: {}",
                    left.unwrap_or("(end)"),
                    right.unwrap_or("(end)")
                );
            }
        }
    }
}

/// Each promised line stands in the table exactly once: with a test, or openly as not yet true. Places that
/// the table names exist.
#[test]
fn every_promised_line_is_answered() {
    let table = std::fs::read_to_string(source::root().join(TABLE)).expect("the table");
    for line in lines().iter().filter(|line| line.promised) {
        let row = format!("| {} | ", line.id);
        let open = format!("- {}: ", line.id);
        let count = table.lines().filter(|text| text.starts_with(&row) || text.starts_with(&open)).count();
        assert_eq!(count, 1, "{} stands {count} times in {TABLE}", line.id);
    }
    let quoted = regex::Regex::new(r"`((?:crates|docs|examples|dev\.d|testing|\.devcontainer|\.ci)/[^`:]*)")
        .expect("a pattern");
    for found in quoted.captures_iter(&table) {
        assert!(source::root().join(&found[1]).exists(), "{TABLE} names {}, which does not exist", &found[1]);
    }
}

/// The finder of claims sees comments, names, attributes over several lines, and generated cases.
#[test]
fn claims_are_found() {
    // The margin keeps the finder from taking this sample for real tests.
    let text = "
    |/// ICT-04: nothing the second time. Also ICT-65.
    |#[tokio::test(flavor = \"multi_thread\",
    |    worker_threads = 2)]
    |async fn second_update_is_silent() {}
    |
    |#[test]
    |fn ict_12_creates() {}
    |
    |/// ICT-99: a helper is no test.
    |fn helper() {}
    |
    |/// Says nothing.
    |#[test]
    |fn plain() {}
    |
    |$tests! {
    |    /// NEP-03: a case of a list.
    |    life::one_lives,
    |    life::another_lives,
    |}
    |
    |list! {
    |    /// NEP-99: a list of something else.
    |    life::nothing,
    |}
    |
    |proptest! {
    |    /// ICT-09: generated.
    |    #[test]
    |    fn converges(x in 0..3) {}
    |}
";
    let found: Vec<(String, String)> = claims_in("f.rs", &text.replace("    |", ""), &Patterns::new())
        .into_iter()
        .map(|claim| (claim.function, claim.ids.join(" ")))
        .collect();
    let expected = [
        ("second_update_is_silent", "ICT-04 ICT-65"),
        ("ict_12_creates", "ICT-12"),
        ("life::one_lives", "NEP-03"),
        ("converges", "ICT-09"),
    ];
    assert_eq!(found, expected.map(|(function, ids)| (function.to_owned(), ids.to_owned())));
}

/// What a person wrote into the table survives writing it anew, and a line without a test moves below.
#[test]
fn hand_written_columns_survive() {
    let lines = [
        Line { id: "ICT-01".into(), promised: true, title: "one".into() },
        Line { id: "ICT-02".into(), promised: true, title: "two".into() },
        Line { id: "ICT-03".into(), promised: false, title: "three".into() },
    ];
    let claims = [Claim {
        file: "crates/muster/tests/it/a.rs".into(),
        function: "f".into(),
        ids: vec!["ICT-01".into()],
    }];
    let first = render(&lines, &claims, &BTreeMap::new());
    assert!(
        first.contains("| ICT-01 | one | `crates/muster` | `crates/muster/tests/it/a.rs::f` | – |"),
        "{first}"
    );
    assert!(first.contains("- ICT-02: two") && !first.contains("ICT-03"), "{first}");
    let edited = first.replace("`crates/muster` |", "`crates/muster-model` |").replace("– |", "because |");
    assert_eq!(render(&lines, &claims, &kept(&edited)), edited);
}
