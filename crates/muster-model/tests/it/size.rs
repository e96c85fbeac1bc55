//! Large files: bounded work, every problem list bounded.

use muster_model::diagnostic::{DIAGNOSTICS_MAX, Style};

use crate::support::load_text;

/// 10,000 servers written one by one fit the bounds (a file of about 0.7 MiB).
#[test]
fn ten_thousand_entries() {
    let mut text = String::from("version: 1\nservers:\n");
    for number in 0..10_000 {
        text += &format!("  s{number}x: {{image: Debian 12, cpu: 2, ram: 4 GiB, groups: [a]}}\n");
    }
    let found = load_text(&text).unwrap().infrastructure;
    assert_eq!(found.servers.len(), 10_000);
}

#[test]
fn a_list_of_problems_has_an_end() {
    let mut text = String::from("version: 1\nservers:\n");
    for number in 0..5_000 {
        text += &format!("  s{number}: {{image: x, cpu: 0}}\n");
    }
    let problems = load_text(&text).unwrap_err();
    assert_eq!((problems.items.len(), problems.left_out), (DIAGNOSTICS_MAX, 4_900));
    assert!(problems.render(Style::Plain).ends_with("and 4900 more"));
}
