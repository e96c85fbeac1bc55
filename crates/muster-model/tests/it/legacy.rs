//! ICT-66: old ict files, in every shape of their time.

use muster_model::diagnostic::{Diagnostics, Style};
use muster_model::document::Files;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Checked, Form, Inputs, load};
use muster_model::server::Performance;

const MIN_01: &str = "CPU: 2\nRAM: 1024\nHDD: 40\nHDDType: SSD\nImageID: 3492\n";

fn load_old(text: &str) -> Result<Checked, Diagnostics> {
    let mut files = Files::new();
    files.insert("templates/infrastructure/shop.yml", text.as_bytes());
    files.insert("templates/servers/min_01.yml", MIN_01.as_bytes());
    files.insert(
        "templates/servers/big/huge.yaml",
        "CPU: 8\nRAM: 16384\nHDD: 240\nHDDType: ssd\nImageID: \"77\"\n".as_bytes(),
    );
    files.insert("templates/servers/broken.yml", "CPU: none\nRam: 1024\nHDD: 40\n".as_bytes());
    for name in ["Nginx_install", "PosgreSQL_install"] {
        files.list(format!("templates/playbooks/{name}.yml"));
    }
    load(&InfrastructureName::from("shop"), &files, "templates/infrastructure/shop.yml", &Inputs::default())
}

/// ICT-61: a role with a count makes role_1 … role_n.
/// ICT-66: one of the old shapes gives the servers it always gave.
#[test]
fn the_list_shape() {
    let text = "shop-spb:\n  VDC_options: {DC: Xelent, pull: base}\n  Servers:\n    - Web: {template: min_01, playbook: Nginx_install, value: 2}\n    - Db:  {template: big/huge, playbook: PosgreSQL_install, value: 1}\n";
    let checked = load_old(text).unwrap();
    assert_eq!(checked.form, Form::Ict);
    insta::assert_json_snapshot!("legacy_list", checked.infrastructure);
    insta::assert_snapshot!("legacy_list_warnings", checked.warnings.render(Style::Plain));
}

/// ICT-66: one of the old shapes gives the servers it always gave.
#[test]
fn the_map_shape_with_networks_and_hight() {
    let text = "shop:\n  VDC_options: {DC: DataSpace, pull: hight}\n  servers:\n    Web: {template: min_01, value: 3}\n    Db:\n  priv_net:\n    back: {IsDHCP: True, servers: [Web, Db_1]}\n    lone: {IsDHCP: no}\n";
    let checked = load_old(text).unwrap();
    let found = &checked.infrastructure;
    let names: Vec<_> = found.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["Web_1", "Web_2", "Web_3", "Db_1"]);
    assert!(found.servers.iter().all(|server| server.location == "DataSpace"));
    assert!(found.servers.iter().all(|server| server.size.performance == Performance::High));
    assert!(found.servers.iter().all(|server| server.networks.contains(&"back".into())));
    assert_eq!((found.networks[&"back".into()].dhcp, found.networks[&"lone".into()].dhcp), (true, false));
    // What `Db` leaves unsaid was min_02, which is read as ict shipped it.
    assert_eq!((found.servers[3].size.ram_mb, found.servers[3].image.as_str()), (4_096, "Ubuntu20.04x64"));
    insta::assert_snapshot!("legacy_map_warnings", checked.warnings.render(Style::Plain));
}

/// ICT-66: one of the old shapes gives the servers it always gave.
#[test]
fn the_one_role_shapes() {
    let named = load_old("task:\n  name: Web\n  template: min_01\n  value: 2\n").unwrap().infrastructure;
    assert_eq!(
        named.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(),
        ["Web_1", "Web_2"]
    );
    let bare = load_old("Web:\n  template: min_01\n").unwrap().infrastructure;
    assert_eq!(bare.servers[0].name.as_str(), "Web_1");
    assert_eq!(bare.servers[0].playbooks, ["templates/playbooks/Nginx_install.yml"]);
}

#[test]
fn value_nought_is_none_and_above_ten_is_fine() {
    let found = load_old(
        "t:\n  Servers:\n    - Web: {template: min_01, value: 0}\n    - Db: {template: min_01, value: 40}\n",
    )
    .unwrap();
    assert_eq!(found.infrastructure.servers.len(), 40);
}

#[test]
fn mistakes_in_old_files() {
    for (name, text) in [
        (
            "same_role",
            "a:\n  Servers:\n    - Web: {template: min_01}\nb:\n  Servers:\n    - Web: {template: min_01}\n",
        ),
        ("unknown_template", "a:\n  Servers:\n    - Web: {template: min_o1}\n"),
        ("broken_template", "a:\n  Servers:\n    - Web: {template: broken}\n"),
        (
            "unknown_words",
            "a:\n  VDC_options: {dc: Xelent, pull: medium}\n  Severs: []\n  Servers:\n    - Web: {templat: min_01, value: -1}\n    - Db\n",
        ),
        (
            "unknown_role",
            "a:\n  Servers:\n    - Web: {template: min_01}\n  priv_net:\n    back: {servers: [Wbe]}\n",
        ),
        ("missing_playbook", "a:\n  Servers:\n    - Web: {template: min_01, playbook: Ngnix_install}\n"),
        ("escaping", "a:\n  Servers:\n    - Web: {template: ../../etc/passwd, playbook: ../x}\n"),
    ] {
        let problems = load_old(text).expect_err(name).render(Style::Plain);
        insta::assert_snapshot!(format!("legacy_{name}"), problems, text);
    }
}

#[test]
fn beside_infrastructure_without_templates() {
    let mut files = Files::new();
    files.insert("infrastructure/shop.yml", "a:\n  Servers:\n    - Web: {template: own}\n".as_bytes());
    files.insert("servers/own.yml", MIN_01.as_bytes());
    let name = InfrastructureName::from("shop");
    let checked = load(&name, &files, "infrastructure/shop.yml", &Inputs::default()).unwrap();
    assert!(checked.files_used.contains("servers/own.yml"));
    assert!(checked.infrastructure.deploy.is_empty(), "the old default playbook is not there");
}
