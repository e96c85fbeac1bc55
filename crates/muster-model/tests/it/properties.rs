//! What must always hold, whatever a file says.

use std::collections::BTreeSet;

use muster_model::bundle::{Ignore, Manifest, ManifestFile};
use muster_model::config::{Found, ict_config, read_config};
use muster_model::diagnostic::{DIAGNOSTICS_MAX, Style};
use muster_model::document::{Files, escaped, parse_bytes, parts, path};
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Inputs, load};
use proptest::prelude::*;

use crate::support::load_text;

/// Words and marks of our format, thrown together: likelier to get deep than random bytes.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "version: 1\n",
        "servers:\n",
        "  web: ",
        "{image: x}\n",
        "  db:\n",
        "    image: Debian 12\n",
        "    count: ",
        "3\n",
        "-1\n",
        "networks:\n",
        "  back:\n",
        "deploy:\n",
        "  - playbook: ",
        "    hosts: ",
        "all\n",
        "vars:\n",
        "  a: 1\n",
        "${var:a}",
        "${env:X}",
        "${",
        "}",
        "&a ",
        "*a",
        "<<: *a\n",
        "- ",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "[",
        "]",
        "{",
        ", ",
        "|",
        ">\n",
        "#",
        "\u{feff}",
        "é",
        "\r\n",
        "!!str ",
        "VDC_options: {DC: x, pull: hight}\n",
        "t:\n  Servers:\n    - Web: {value: 2}\n",
        "priv_net:\n",
        "x-own: 1\n",
        "keys: [",
        "was: [web]\n",
        "ram: 4 GiB\n",
        "disk: 40 GiB ssd\n",
        "0x1f",
        "1e9",
        "~",
        "---\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        judge(&bytes);
    }

    #[test]
    fn nothing_panics_on_words_thrown_together(text in pieces()) {
        judge(text.as_bytes());
    }

    #[test]
    fn counts_expand_to_as_many_different_names(counts in prop::collection::vec(0u32..200, 1..8)) {
        let mut text = String::from("version: 1\nservers:\n");
        for (index, count) in counts.iter().enumerate() {
            text += &format!("  s{index}x: {{image: x, count: {count}}}\n");
        }
        let found = load_text(&text).unwrap().infrastructure;
        let names: BTreeSet<_> = found.servers.iter().map(|server| server.name.clone()).collect();
        prop_assert_eq!(names.len() as u32, counts.iter().sum::<u32>());
        prop_assert_eq!(found.servers.len(), names.len());
        for server in &found.servers {
            prop_assert!(server.groups.contains(&server.key.as_str().into()));
        }
    }

    #[test]
    fn scaling_down_removes_the_highest_numbers(many in 1u32..100, fewer in 0u32..100) {
        let names = |count: u32| -> Vec<String> {
            let text = format!("version: 1\nservers:\n  web: {{image: x, count: {count}}}\n");
            load_text(&text).unwrap().infrastructure.servers.iter().map(|server| server.name.to_string()).collect()
        };
        let fewer = fewer.min(many);
        prop_assert_eq!(&names(many)[..fewer as usize], &names(fewer)[..]);
    }

    #[test]
    fn escaped_text_comes_back(text in ".{0,40}") {
        prop_assert_eq!(parts(&escaped(&text)).unwrap(), vec![muster_model::document::Part::Text(text)]);
    }

    #[test]
    fn a_good_path_never_leaves_the_root(written in "[a./~ \\\\-]{0,20}") {
        if let Ok(found) = path::normal(&written) {
            prop_assert!(!found.starts_with('/') && !found.split('/').any(|part| part == ".."));
            if !found.is_empty() {
                prop_assert_eq!(path::normal(&found), Ok(found.clone()));
            }
        }
    }

    #[test]
    fn different_bundles_have_different_digests(names in prop::collection::btree_set("[a-c/]{1,6}", 0..5), other in prop::collection::btree_set("[a-c/]{1,6}", 0..5)) {
        let manifest = |names: &BTreeSet<String>| Manifest {
            files: names.iter().map(|name| (name.clone(), ManifestFile::of(name.as_bytes(), false))).collect(),
        };
        prop_assert_eq!(names == other, manifest(&names).digest() == manifest(&other).digest());
    }
}

/// Reads the bytes in every way a file can be read; each ends in a good answer or in drawn problems.
fn judge(bytes: &[u8]) {
    for file in ["infra/shop.yaml", "infra/shop.json"] {
        let mut files = Files::new();
        files.insert(file, bytes);
        files.insert("templates/servers/min_02.yml", bytes);
        if let Err(problems) = load(&InfrastructureName::from("shop"), &files, file, &Inputs::default()) {
            assert!(!problems.is_empty() && problems.items.len() <= DIAGNOSTICS_MAX);
            assert!(!problems.render(Style::Plain).contains('\u{1b}'));
            let _ = problems.render(Style::Coloured);
            let json = serde_json::to_string(&problems).unwrap();
            assert_eq!(
                serde_json::from_str::<muster_model::diagnostic::Diagnostics>(&json).unwrap(),
                problems
            );
        }
    }
    let _ = parse_bytes("x.yml", bytes);
    let _ = read_config("muster.yaml", bytes);
    let _ = ict_config("data/ict_conf.json", Found::File(bytes));
    let _ = Ignore::read(&String::from_utf8_lossy(bytes));
}
