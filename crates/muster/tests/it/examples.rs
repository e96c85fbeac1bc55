//! What people copy: the files of the README, the documents and the demo are read by the program itself.

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
