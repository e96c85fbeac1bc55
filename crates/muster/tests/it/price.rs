//! Prices, the cost of plans and of an account, and the days that its balance lasts, with the real binary
//! against the simulated cloud.

use std::process::Command;

use serde_json::json;

use crate::nodes::ok;
use crate::place::{MUSTER, Place, Running, SHOP};

/// One server of the shop (1 core, 1 GB, 20 GB) costs 499.99 + 414.25 + 20 × 16.013 = 1234.50.
const PRICES: &str = "\
currency: RUB
locations:
  Xelent: # SdnSpb by its title
    base: { cpu: 499.99, ram: 414.25, disk: { ssd: 16.013 } }
";

fn prices(place: &Place, name: &str, text: &str) {
    std::fs::write(place.project().join(name), text).unwrap();
}

fn with_prices(place: &Place) {
    prices(place, "prices.yaml", PRICES);
    let set = ok(place.run(&["account", "prices", "set", "onecloud", "prices.yaml"]));
    assert_eq!(set.out, "onecloud has prices in RUB for Xelent\n");
}

/// Without prices nothing is said; with them each plan has one line, and machines get the numbers.
async fn plans_tell_their_cost(place: &Place) {
    let plan = ["infra", "plan", "shop"];
    assert!(!ok(place.run(&plan)).out.contains("cost per month"));
    let without = place.run(&["infra", "plan", "shop", "--format", "json"]).json(0);
    assert!(without["plan"].get("cost").is_none(), "{without}");
    let none = place.run(&["account", "cost"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.err.contains("muster account prices set onecloud FILE"), "{none:?}");

    with_prices(place);
    let shown = ok(place.run(&plan)).out;
    assert!(shown.contains("cost per month: 0.00 → 2 469.00 RUB (+2 469.00)\n"), "{shown}");
    let made = ok(place.run(&["infra", "update", "shop", "--yes", "--skip-provision"])).out;
    assert!(made.contains("cost per month: 0.00 → 2 469.00 RUB (+2 469.00)\n"), "{made}");
    let same = ok(place.run(&plan)).out;
    assert!(same.contains("cost per month: 2 469.00 → 2 469.00 RUB (+0.00)\n"), "{same}");

    let shop = SHOP.replace("count: 2", "count: 1").replace("20 GiB ssd", "30 GiB sas");
    std::fs::write(place.project().join("infra/shop.yaml"), &shop).unwrap();
    let json = place.run(&["infra", "plan", "shop", "--format", "json"]).json(0);
    let missing = json!([{"server": "web-1", "missing": ["no price for SAS disks at SdnSpb (base)"]}]);
    let cost = &json["plan"]["cost"];
    assert_eq!((&cost["now"], &cost["then"]), (&json!("2469.00"), &json!("0.00")), "{cost}");
    assert_eq!(
        (&cost["change"], &cost["currency"], &cost["unpriced"]),
        (&json!("-2469.00"), &json!("RUB"), &missing)
    );
    let shown = ok(place.run(&plan)).out;
    assert!(shown.contains("without web-1 (no price for SAS disks at SdnSpb (base))"), "{shown}");
    std::fs::write(place.project().join("infra/shop.yaml"), SHOP).unwrap();
}

/// Two servers of 1234.50, a stopped one counts in full; the balance of 12,345 roubles lasts 150 days.
async fn an_account_tells_its_cost(place: &Place) {
    place.sim("drift", json!({"server": "web-2", "set": {"IsPowerOn": false}})).await;
    place.sim("drift", json!({"balance": 12345})).await;
    let cost = place.run(&["account", "cost", "--format", "json"]).json(0);
    assert_eq!(cost["month"], "2469.00", "{cost}");
    assert_eq!(
        (&cost["hour"], &cost["day"], &cost["year"]),
        (&json!("3.40"), &json!("82.30"), &json!("29628.00"))
    );
    assert_eq!(cost["days_left"], 150, "{cost}");
    assert_eq!(cost["servers"][1]["name"], "web-2");
    assert_eq!(cost["servers"][1]["month"], "1234.50");
    assert_eq!(cost["servers"][1]["infrastructure"], "shop");

    place.sim("drift", json!({"create": {"Name": "old", "DCLocation": "DsMsk"}})).await;
    let text = ok(place.run(&["account", "cost"])).out;
    for said in [
        "2 469.00 RUB a month: 3.40 an hour, 82.30 a day, 29 628.00 a year",
        "without 1 of 3 servers: a price is missing",
        "no prices for the location DsMsk",
        "days left 150",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let table = ok(place.run(&["account", "cost", "--format", "table"])).out;
    assert!(table.contains("RUB A MONTH") && !table.contains("days left"), "{table}");
    let yaml = ok(place.run(&["account", "cost", "--format", "yaml"])).out;
    assert!(yaml.contains("days_left: 150"), "{yaml}");
    place.sim("drift", json!({"server": "old", "delete": true})).await;
}

fn prices_are_shown_and_removed(place: &Place) {
    let shown = ok(place.run(&["account", "prices", "show"])).out;
    assert!(shown.contains("ssd 16.013") && shown.contains("in RUB"), "{shown}");
    let json = place.run(&["account", "prices", "show", "--format", "json"]).json(0);
    assert_eq!(json["locations"]["Xelent"]["base"]["ram"], "414.25", "{json}");
    ok(place.run(&["account", "prices", "remove", "onecloud"]));
    for words in [&["account", "prices", "show"][..], &["account", "prices", "remove", "onecloud"]] {
        let gone = place.run(words);
        assert_eq!(gone.code, 2, "{gone:?}");
        assert!(gone.err.contains("muster account prices set onecloud FILE"), "{gone:?}");
    }
    assert_eq!(place.run(&["secret", "list"]).out, "No secrets.\n", "prices are no secrets of a person");
}

/// ICT-67: with prices the balance is shown with the days that it lasts.
#[tokio::test]
async fn prices_and_costs() {
    let place = Place::new(SHOP);
    plans_tell_their_cost(&place).await;
    an_account_tells_its_cost(&place).await;
    prices_are_shown_and_removed(&place);
}

/// The same over a server, whose context has no file of ours.
#[tokio::test]
async fn prices_and_costs_at_a_server() {
    let place = Place::new(SHOP);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    let _server = Running::start(command);
    plans_tell_their_cost(&place).await;
    an_account_tells_its_cost(&place).await;
    prices_are_shown_and_removed(&place);
}

/// A bad table is refused whole, with every place, and the prices of before stay.
#[test]
fn a_bad_table_changes_nothing() {
    let place = Place::new(SHOP);
    with_prices(&place);
    prices(&place, "bad.yaml", "curency: RUB\nlocations:\n  SdnSpb:\n    base: { cpu: -1, ram: 1 }\n");
    let refused = place.run(&["account", "prices", "set", "onecloud", "bad.yaml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    for said in
        ["bad.yaml:1:1", "did you mean `currency`?", "bad.yaml:4:18", "is less than nothing", "`disk`"]
    {
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    }
    let missing = place.run(&["account", "prices", "set", "onecloud", "nowhere.yaml"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    let nobody = place.run(&["account", "prices", "set", "nobody", "prices.yaml"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    assert!(nobody.err.contains("no account is called nobody"), "{nobody:?}");
    let json = place.run(&["account", "prices", "show", "--format", "json"]).json(0);
    assert_eq!(json["locations"]["Xelent"]["base"]["ram"], "414.25", "{json}");
}
