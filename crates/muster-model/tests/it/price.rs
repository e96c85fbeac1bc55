//! Price tables as documents: good ones, and every mistake with its place and the nearest word.

use muster_model::diagnostic::Style;
use muster_model::price::read_prices;

const GOOD: &str = "\
version: 1
currency: RUB
x-source: the calculator, in May
locations:
  SdnSpb:
    base: { cpu: 150, ram: 200.50, disk: { ssd: 9.5, SAS: '4' } }
    high: { cpu: 240, ram: 300, disk: { ssd: 12 } }
    backup: 1.25
    windows: 700
    address: 0
  DataSpace:
    high: { cpu: 1, ram: 1, disk: { ssd: 0.001 } }
";

#[test]
fn a_good_table() {
    insta::assert_json_snapshot!("price_table", read_prices("prices.yaml", GOOD.as_bytes()).unwrap());
    let json =
        r#"{"currency": "RUB", "locations": {"SdnSpb": {"base": {"cpu": 1, "ram": 2, "disk": {"ssd": 3}}}}}"#;
    let table = read_prices("prices.json", json.as_bytes()).unwrap();
    let kept = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<muster_model::price::PriceTable>(&kept).unwrap(), table);
}

#[test]
fn every_mistake_with_its_place() {
    let spb = |body: &str| format!("currency: RUB\nlocations:\n  SdnSpb:\n{body}");
    for (name, text) in [
        ("empty", String::new()),
        ("nothing_said", "version: 2\n".to_owned()),
        ("unknown_words", "curency: RUB\nlocation: {}\n".to_owned()),
        ("no_places", "currency: RUB\nlocations: {}\n".to_owned()),
        ("unknown_fields", spb("    bse: {}\n    high: { cpus: 1, ram: 1, disk: { sdd: 1 } }\n")),
        ("negative", spb("    base: { cpu: -150, ram: 200, disk: { ssd: 1 } }\n    backup: -0.5\n")),
        ("no_prices", spb("    base: { cpu: '1,5', ram: a lot, disk: { ssd: 1e3 } }\n    windows: 0.0001\n    address: 1000001\n")),
        ("wrong_kinds", spb("    base: 5\n    high: { cpu: , ram: [1], disk: 9 }\n")),
        ("no_pool", spb("    windows: 700\n")),
        ("missing_prices", spb("    base: { cpu: 1 }\n    high: { cpu: 1, ram: 1, disk: {} }\n")),
        ("one_place_twice", format!("{}  sdnspb: {{ high: {{ cpu: 1, ram: 1, disk: {{ ssd: 1 }} }} }}\n", spb("    base: { cpu: 1, ram: 1, disk: { ssd: 1 } }\n"))),
        ("long_currency", "currency: roubles of the Russian Federation\nlocations: { a: { base: { cpu: 1, ram: 1, disk: { ssd: 1 } } } }\n".to_owned()),
    ] {
        let problems = read_prices("prices.yaml", text.as_bytes()).expect_err(name).render(Style::Plain);
        insta::assert_snapshot!(format!("prices_{name}"), problems, &text);
    }
}
