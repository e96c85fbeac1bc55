//! ICT-57: a file is named without its extension and found below a few directories.

use muster_model::diagnostic::Style;
use muster_model::document::Files;
use muster_model::infrastructure::find::{candidates, find, root_of};

fn listing() -> Files {
    let mut files = Files::new();
    for path in [
        "infra/shop.yaml",
        "infra/prod/api.yml",
        "infra/test/api.yml",
        "infra/both.yml",
        "infra/both.json",
        "templates/infrastructure/old.yml",
        "templates/servers/min_01.yml",
        "templates/playbooks/shop.yml",
        "infra/.hidden/x.yml",
        "infra/readme.md",
        "deep/er/extra.yaml",
        "muster.yaml",
        "loose.yaml",
    ] {
        files.list(path);
    }
    files
}

#[test]
fn by_name_below_the_directories() {
    let extra = ["./deep/".to_owned()];
    for (written, path, name) in [
        ("shop", "infra/shop.yaml", "shop"),
        ("old", "templates/infrastructure/old.yml", "old"),
        ("extra", "deep/er/extra.yaml", "er.extra"),
        ("prod/api", "infra/prod/api.yml", "prod.api"),
        ("test.api", "infra/test/api.yml", "test.api"),
        ("infra/shop.yaml", "infra/shop.yaml", "shop"),
        ("./infra/shop.yaml", "infra/shop.yaml", "shop"),
        ("shop.yaml", "infra/shop.yaml", "shop"),
    ] {
        let found = find(written, &extra, &listing()).unwrap();
        assert_eq!((found.path.as_str(), found.name.as_str()), (path, name), "{written}");
    }
    assert_eq!(candidates(&[], &listing()).len(), 6);
}

#[test]
fn unknown_and_ambiguous_names() {
    for name in [
        "shpo",
        "nothing-like-it",
        "api",
        "both",
        "both.json",
        "infra/both.yml",
        "min_01",
        "extra",
        "../shop",
        "",
    ] {
        let problem = find(name, &[], &listing()).unwrap_err().render(Style::Plain);
        insta::assert_snapshot!(format!("find_{}", name.replace(['.', '/'], "_")), problem);
    }
    let none = find("shop", &["deep".to_owned()], &Files::new()).unwrap_err().render(Style::Plain);
    insta::assert_snapshot!("find_in_nothing", none);
}

#[test]
fn roots() {
    let root =
        |entry: &'static str, marked: &'static str| root_of(entry, &|directory: &str| directory == marked);
    assert_eq!(root("/home/me/fleet/infra/shop.yaml", "/home/me/fleet"), "/home/me/fleet");
    assert_eq!(root("/home/me/infra/shop.yaml", "none"), "/home/me/infra");
    assert_eq!(root("/home/me/templates/infrastructure/shop.yml", "none"), "/home/me/templates");
    assert_eq!(root("/home/me/templates/infrastructure/sub/shop.yml", "none"), "/home/me/templates");
    assert_eq!(root("/home/me/templates/infrastructure/shop.yml", "/home/me"), "/home/me");
    assert_eq!(root("/shop.yml", "/"), "/");
    assert_eq!(root("/infrastructure/shop.yml", "none"), "/");
    assert_eq!(root("infra/shop.yml", "none"), "infra");
    assert_eq!(root("shop.yml", ""), "");
}
