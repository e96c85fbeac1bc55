//! Configuration: settings, and the API key of an old ict installation.

use muster_model::config::{ConfigState, Found, KeyProblem, api_key, ict_config, read_config};
use muster_model::diagnostic::Style;

const KEY: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

/// ICT-47: missing directory, missing file, empty file, wrong key length, good file.
#[test]
fn the_old_configuration_in_every_state() {
    let state = |found: Found<'_>| ict_config("data/ict_conf.json", found);
    let file = |text: &str| ict_config("data/ict_conf.json", Found::File(text.as_bytes()));
    assert_eq!(state(Found::NoDirectory), ConfigState::MissingDirectory);
    assert_eq!(state(Found::NoFile), ConfigState::MissingFile);
    for empty in ["", "\n", "{}", "{\"API_key\": \"\"}", "{\"API_key\": null}", "{\"Config\": []}"] {
        assert_eq!(file(empty), ConfigState::Empty, "{empty:?}");
    }
    assert_eq!(file("{\"API_key\": \"abc\"}"), ConfigState::BadKey(KeyProblem::Length(3)));
    let long = format!("{{\"API_key\": \"{KEY}0\"}}");
    assert_eq!(file(&long), ConfigState::BadKey(KeyProblem::Length(65)));
    let new =
        format!("{{\"API_key\": \"{KEY}\", \"Datestamp\": \"21.5\", \"VDC_list\": [], \"OS_list\": []}}");
    let old = format!(
        "{{\"Config\":[{{\"API_key\":\"{KEY}\"}},{{\"date_stamp\":\"1.4\"}},{{\"servers\":[]}},{{\"vdc\":[]}}]}}"
    );
    for good in [new, old] {
        match file(&good) {
            ConfigState::Good(key) => assert_eq!(key.expose(), KEY),
            other => panic!("{other:?}"),
        }
    }
    // A key of digits only is a number in JSON if somebody left the quotes out; its spelling is kept.
    assert!(matches!(file(&format!("{{\"API_key\": {}}}", "7".repeat(64))), ConfigState::Good(_)));
    let ConfigState::Unreadable(problems) = file(&format!("{{\"API_key\": \"{KEY}\" oops")) else {
        panic!("unreadable")
    };
    assert!(!problems.render(Style::Plain).contains(KEY), "the key must not be shown");
    assert!(matches!(file("[1, 2]"), ConfigState::Unreadable(_)));
}

#[test]
fn the_form_of_a_key() {
    assert_eq!(api_key(&format!(" {KEY}\n")).unwrap().expose(), KEY);
    assert_eq!(api_key("  "), Err(KeyProblem::Empty));
    assert_eq!(
        api_key("abc").unwrap_err().to_string(),
        "the API key has 3 characters; it has to be exactly 64"
    );
    let wrong = KEY.replacen('9', "x", 1);
    assert_eq!(
        api_key(&wrong).unwrap_err().to_string(),
        "the API key's character 10 is not one of 0-9 and a-f"
    );
}

#[test]
fn settings_of_a_root_and_a_person() {
    let root = read_config("muster.yaml", b"templates: [./stacks/, deep/er]\naccount: prod\n").unwrap();
    assert_eq!(root.templates, ["stacks", "deep/er"]);
    let person = read_config("config.yaml", b"templates: mine\naccount: other\nx-own: 1\n").unwrap();
    let both = root.over(person);
    assert_eq!(both.templates, ["stacks", "deep/er", "mine"]);
    assert_eq!(both.account.unwrap().as_str(), "prod");
    assert_eq!(read_config("muster.yaml", b"").unwrap(), Default::default());
    let wrong =
        read_config("muster.yaml", b"template: x\ntemplates: [../up, /abs]\naccount: {}\n").unwrap_err();
    insta::assert_snapshot!("wrong_config", wrong.render(Style::Plain));
}
