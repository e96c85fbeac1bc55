//! ICT-66: `muster infra convert` with the real binary: what it prints, what it writes, and what it never overwrites.

use crate::nodes::ok;
use crate::place::{Place, SHOP};

const OLD: &str = "\
# The old shop
spb:
  VDC_options: {DC: Xelent, pull: hight} # the good pool
  Servers:
    - Web: {template: small, playbook: base, value: 2} # two
  priv_net:
    back: {servers: [Web]}
";

/// An old project beside the new one.
fn old_place() -> Place {
    let place = Place::new(SHOP);
    for (file, text) in [
        ("templates/infrastructure/spb.yml", OLD),
        ("templates/servers/small.yml", "CPU: 1\nRAM: 1024\nHDD: 20\nHDDType: SSD\nImageID: 3492\n"),
        ("templates/playbooks/base.yml", "- hosts: all\n  tasks: []\n"),
    ] {
        let path = place.project().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    place
}

/// ICT-61, ICT-66: the file takes the old one's place, servers made from the old one fit it exactly, and asking again
/// writes nothing to the provider.
#[tokio::test]
async fn a_converted_file_changes_nothing() {
    let place = old_place();
    ok(place.run(&["infra", "update", "spb", "--yes", "--skip-provision"]));
    let before = place.run(&["server", "list", "--format", "json"]).json(0);
    assert_eq!(before[0]["name"], "Web_1");

    let shown = ok(place.run(&["infra", "convert", "spb"]));
    assert!(shown.out.starts_with("# The old shop\nversion: 1\n"), "{shown:?}");
    assert!(shown.out.contains("  Web:  # two\n    count: 2\n"), "{shown:?}");
    assert!(shown.err.contains("`Ubuntu20.04x64`, which it was in 2023"), "{shown:?}");
    assert!(!shown.err.contains("old-word"), "{shown:?}");
    let file = place.project().join("templates/infrastructure/spb.yml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), OLD, "only shown");

    let to = "templates/infrastructure/spb.yml";
    let there = place.run(&["infra", "convert", "spb", "--to", to]);
    assert_eq!(there.code, 2, "{there:?}");
    assert!(there.err.contains("is there already; --force overwrites it"), "{there:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), OLD);
    let written = ok(place.run(&["infra", "convert", "spb", "--to", to, "--force"]));
    assert!(
        written.out.contains("2 servers, 1 networks, the same as in templates/infrastructure/spb.yml"),
        "{written:?}"
    );
    assert!(written.err.contains("muster infra plan spb"), "{written:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), shown.out);

    std::fs::remove_dir_all(place.project().join("templates/servers")).unwrap();
    let good = ok(place.run(&["validate", "spb"]));
    assert!(!good.out.contains("warning"), "{good:?}");
    place.writes().await;
    let again =
        place.run(&["infra", "update", "spb", "--yes", "--skip-provision", "--format", "json"]).json(0);
    assert_eq!(again["outcome"], "nothing-to-do", "{again}");
    assert_eq!(place.writes().await, Vec::<String>::new());
    let modern = place.run(&["infra", "convert", "spb"]);
    assert_eq!(modern.code, 2, "{modern:?}");
    assert!(modern.err.contains("it is in today's form already"), "{modern:?}");
}

/// A new place has a root of its own, and playbooks must lie below it.
#[test]
fn a_new_place_has_a_root_of_its_own() {
    let place = old_place();
    let outside = place.run(&["infra", "convert", "spb", "--to", "infra/spb.yaml"]);
    assert_eq!(outside.code, 2, "{outside:?}");
    assert!(outside.err.contains("does not lie below the new file's root"), "{outside:?}");
    assert!(!place.project().join("infra/spb.yaml").exists());

    std::fs::write(place.project().join("muster.yaml"), "").unwrap();
    let json = place.run(&["infra", "convert", "spb", "--to", "infra/spb.yaml", "--format", "json"]).json(0);
    assert_eq!((json["servers"].as_u64(), json["to"].as_str()), (Some(2), Some("infra/spb.yaml")), "{json}");
    let text = std::fs::read_to_string(place.project().join("infra/spb.yaml")).unwrap();
    assert!(text.contains("- playbook: templates/playbooks/base.yml"), "{text}");
    assert_eq!(json["text"], text.as_str());
    let next = json["next"].to_string();
    assert!(next.contains("Take templates/infrastructure/spb.yml away"), "{next}");

    let other =
        ok(place.run(&["infra", "convert", "templates/infrastructure/spb.yml", "--to", "infra/other.yaml"]));
    assert!(other.err.contains("stays with that name"), "{other:?}");
    let nowhere =
        place.run(&["infra", "convert", "templates/infrastructure/spb.yml", "--to", "no/such/spb.yaml"]);
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
    let forced = place.run(&["infra", "convert", "spb", "--force"]);
    assert_eq!(forced.code, 2, "{forced:?}");
}
