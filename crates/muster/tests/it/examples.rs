//! What people copy: the files of the README, the documents and the demo are read by the program itself, and the
//! commands and options of the documents are asked of it.

use std::process::Command;

use muster_model::config::read_config;
use muster_model::document::Files;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Checked, Inputs, load};

use crate::source;

fn loaded(entry: &str, files: &Files, what: &str) -> Checked {
    let checked = load(&InfrastructureName::from("shop"), files, entry, &Inputs::default());
    let checked = checked.unwrap_or_else(|problems| {
        panic!("{what}\n{}", problems.render(muster_model::diagnostic::Style::Plain))
    });
    assert!(!checked.infrastructure.servers.is_empty(), "{what} wants servers");
    checked
}

/// The blocks of a document between ```` ```yaml ```` and the next fence.
fn yaml_blocks(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(source::root().join(document)).expect("the document");
    text.split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a closed block").to_owned())
        .collect()
}

/// Each infrastructure file in the documents is a good one.
#[test]
fn files_in_documents_are_good() {
    for document in ["README.md", "docs/infrastructure-file.md"] {
        let blocks = yaml_blocks(document);
        assert!(!blocks.is_empty(), "{document} shows a file");
        for block in blocks {
            let mut files = Files::new();
            files.insert("infra/shop.yaml", block.as_bytes());
            for path in ["playbooks/base.yml", "playbooks/site.yml", "playbooks/web.yml", "app/index.html"] {
                files.list(path);
            }
            loaded("infra/shop.yaml", &files, document);
        }
    }
}

/// The demo's file is good, with its playbooks and code in place, and wants what the demo promises: three
/// servers in two groups and one network.
#[test]
fn the_demo_is_good() {
    let mut files = Files::new();
    for file in source::files("examples/demo", "") {
        let path = file.path.strip_prefix("examples/demo/").expect("below it").to_owned();
        files.insert(path, file.text.as_bytes());
    }
    let demo = loaded("infra/shop.yaml", &files, "examples/demo");
    assert_eq!(demo.infrastructure.servers.len(), 3);
    assert_eq!(demo.infrastructure.networks.len(), 1);
    assert_eq!(demo.playbooks.len(), 2);
    let marker = std::fs::read(source::root().join("examples/demo/muster.yaml")).expect("the root marker");
    assert!(read_config("muster.yaml", &marker).is_ok(), "the demo's muster.yaml");
}

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(words)
        .arg("--help")
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "muster {} --help: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The first cells of a document's tables: what stands in backticks there.
fn first_cells(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(source::root().join(document)).expect("the document");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split(" |").next().expect("a cell").replace('`', "")).collect()
}

/// Every command and every option in docs/commands.md exists.
#[test]
fn commands_in_documents_exist() {
    let options: String = ["update", "deploy", "rollback"].map(|word| help(&["infra", word])).concat();
    let (mut commands, mut flags) = (0, 0);
    for cell in first_cells("docs/commands.md") {
        if cell.starts_with("--") {
            for flag in cell.split(", ").map(|text| text.split(' ').next().expect("a word")) {
                assert!(
                    options.contains(&format!("{flag} ")) || options.contains(&format!("{flag}\n")),
                    "no option {flag}"
                );
                flags += 1;
            }
        } else if cell.starts_with(|letter: char| letter.is_lowercase()) {
            let words: Vec<&str> =
                cell.split(' ').take_while(|word| word.chars().all(char::is_lowercase)).collect();
            let usage = help(&words);
            assert!(usage.contains(words.last().expect("a word")), "muster {cell}: {usage}");
            commands += 1;
        }
    }
    assert!(commands > 20 && flags > 10, "{commands} commands and {flags} options were looked at");
}

/// Links between our documents lead somewhere.
#[test]
fn links_in_documents_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").expect("a pattern");
    let mut dead = Vec::new();
    for file in source::files(".", ".md") {
        let folder = source::root().join(&file.path).parent().expect("a folder").to_owned();
        for found in link.captures_iter(&file.text) {
            if !folder.join(&found[1]).exists() {
                dead.push(format!("{} → {}", file.path, &found[1]));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n  {}", dead.join("\n  "));
}
