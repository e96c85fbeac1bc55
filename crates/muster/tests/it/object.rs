//! Objects of an account with the real program against the simulated provider: images, networks, keys, DNS, storage,
//! servers made anew and copied; and all of it taken back.

use serde_json::{Value, json};

use crate::place::{Place, Ran, SHOP};

fn done(place: &Place, words: &[&str]) -> Ran {
    let ran = place.run(words);
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    ran
}

fn list(place: &Place, words: &[&str]) -> Vec<Value> {
    let mut all = words.to_vec();
    all.extend(["--format", "json"]);
    done(place, &all).json(0).as_array().unwrap().clone()
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["name"].as_str().unwrap()).collect()
}

/// The run of the last answer.
fn run_of(place: &Place, words: &[&str]) -> String {
    let mut all = words.to_vec();
    all.extend(["--yes", "--format", "json"]);
    done(place, &all).json(0)["run"]["id"].as_str().unwrap().to_owned()
}

/// Networks of both kinds are made, renamed, changed, deleted; what is there already is no work.
#[tokio::test]
async fn networks_are_managed_one_by_one() {
    let place = Place::new(SHOP);
    let create = ["network", "create", "back", "--location", "Xelent", "--yes"];
    done(&place, &create);
    let second = place.run(&create);
    assert_eq!(second.code, 0);
    assert!(second.out.contains("othing to do"), "{second:?}");
    let networks = list(&place, &["network", "list"]);
    assert_eq!(names(&networks), ["back"]);
    assert_eq!(networks[0]["fields"]["location"], "SdnSpb");
    assert_eq!(networks[0]["state"], "Active", "the command waited for it");

    let renamed = run_of(&place, &["network", "rename", "back", "front"]);
    assert_eq!(names(&list(&place, &["network", "list"])), ["front"]);
    done(&place, &["run", "undo", &renamed, "--yes"]);
    assert_eq!(names(&list(&place, &["network", "list"])), ["back"]);
    let gone = run_of(&place, &["network", "delete", "back"]);
    assert!(list(&place, &["network", "list"]).is_empty());
    done(&place, &["run", "undo", &gone, "--yes"]);
    assert_eq!(names(&list(&place, &["network", "list"])), ["back"]);

    let public =
        ["network", "public", "create", "edge", "--location", "SdnSpb", "--capacity", "8", "--bandwidth"];
    let wrong = place.run(&[&public[..], &["15", "--yes"]].concat());
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.out.contains("from 10 to 1000 in steps of 10"), "{wrong:?}");
    done(&place, &[&public[..], &["20", "--yes"]].concat());
    let changed = run_of(&place, &["network", "public", "change", "edge", "--bandwidth", "50"]);
    assert_eq!(list(&place, &["network", "public", "list"])[0]["fields"]["bandwidth"], 50);
    done(&place, &["run", "undo", &changed, "--yes"]);
    assert_eq!(list(&place, &["network", "public", "list"])[0]["fields"]["bandwidth"], 20);
    done(&place, &["network", "public", "delete", "edge", "--yes"]);
    assert!(list(&place, &["network", "public", "list"]).is_empty());
}

/// Every type of record is made, read back as it was meant, changed, and taken back; a zone file goes both ways.
#[tokio::test]
async fn domains_and_records_are_managed() {
    let place = Place::new(SHOP);
    done(&place, &["dns", "zone", "create", "example.com", "--yes"]);
    let below = place.run(&["dns", "zone", "create", "shop.example.com", "--yes"]);
    assert!(below.code == 2 && below.out.contains("two parts only"), "{below:?}");

    let set = |words: &[&str]| run_of(&place, &[&["dns", "record", "set", "example.com"], words].concat());
    set(&["www", "A", "203.0.113.7", "203.0.113.8", "--ttl", "300"]);
    set(&["@", "AAAA", "2001:db8::7"]);
    set(&["shop", "CNAME", "www.example.com"]);
    set(&["@", "MX", "mx.example.com", "--preference", "5"]);
    set(&["sub", "NS", "ns1.example.net"]);
    set(&["@", "TXT", "v=spf1 -all"]);
    set(&["_sip._tcp", "SRV", "sip.example.com", "--port", "5060", "--weight", "7"]);
    let shown = |kind: &str| {
        let filter = format!("type={kind}");
        list(&place, &["dns", "record", "list", "example.com", "--where", &filter, "--sort", "value"])
            .into_iter()
            .map(|record| {
                let fields = &record["fields"];
                format!("{} {}", record["name"].as_str().unwrap(), fields["value"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("A"), ["www 203.0.113.7", "www 203.0.113.8"]);
    assert_eq!(shown("AAAA"), ["@ 2001:db8::7"]);
    assert_eq!(shown("CNAME"), ["shop www.example.com"]);
    assert_eq!(shown("MX"), ["@ mx.example.com"]);
    assert_eq!(shown("NS"), ["sub ns1.example.net"]);
    assert_eq!(shown("TXT"), ["@ v=spf1 -all"]);
    assert_eq!(shown("SRV"), ["_sip._tcp sip.example.com"]);
    for again in [
        ["www", "A", "203.0.113.7", "203.0.113.8"].as_slice(),
        &["@", "TXT", "v=spf1 -all"],
        &["shop", "CNAME", "www.example.com."],
        &["@", "MX", "mx.example.com", "--preference", "5"],
    ] {
        let ran = place.run(&[&["dns", "record", "set", "example.com"], again, &["--yes"]].concat());
        assert!(ran.code == 0 && ran.out.contains("othing to do"), "{again:?}: {ran:?}");
    }

    let zone = done(&place, &["dns", "zone", "export", "example.com"]).out;
    assert!(zone.contains("www 300 IN A 203.0.113.7"), "{zone}");
    let changed = set(&["www", "A", "203.0.113.9"]);
    assert_eq!(shown("A"), ["www 203.0.113.9"]);
    done(&place, &["run", "undo", &changed, "--yes"]);
    assert_eq!(shown("A"), ["www 203.0.113.7", "www 203.0.113.8"]);
    done(&place, &["dns", "record", "delete", "example.com", "www", "A", "203.0.113.7", "--yes"]);
    done(&place, &["dns", "record", "delete", "example.com", "@", "MX", "mx.example.com", "--yes"]);
    done(&place, &["dns", "record", "add", "example.com", "extra", "TXT", "not in the file", "--yes"]);

    let file = place.project().join("example.zone");
    std::fs::write(&file, &zone).unwrap();
    done(&place, &["dns", "zone", "import", "example.com", "example.zone", "--exact", "--yes"]);
    assert_eq!(done(&place, &["dns", "zone", "export", "example.com"]).out, zone, "as it was exported");
    std::fs::write(&file, "www IN A 203.0.113\n").unwrap();
    let broken = place.run(&["dns", "zone", "import", "example.com", "example.zone", "--yes"]);
    assert!(broken.code == 2 && broken.err.contains("expected IPv4 address"), "{broken:?}");
}

#[tokio::test]
async fn keys_and_images_are_managed() {
    let place = Place::new(SHOP);
    std::fs::write(place.project().join("me.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me\n").unwrap();
    done(&place, &["key", "add", "laptop", "me.pub", "--yes"]);
    assert_eq!(names(&list(&place, &["key", "list"])), ["laptop"]);
    let again = place.run(&["key", "add", "laptop", "me.pub", "--yes"]);
    assert!(again.out.contains("othing to do"), "{again:?}");
    done(&place, &["key", "delete", "laptop", "--yes"]);

    done(&place, &["infra", "update", "shop", "--yes", "--skip-provision"]);
    done(&place, &["image", "create", "golden", "--from", "web-1", "--yes"]);
    let images = list(&place, &["image", "list", "--where", "technical=golden"]);
    assert_eq!(images.len(), 1, "{images:?}");
    let stock = place.run(&["image", "delete", "Ubuntu20.04x64", "--yes"]);
    assert_eq!(stock.code, 2, "{stock:?}");
    done(&place, &["image", "delete", images[0]["id"].as_str().unwrap(), "--yes"]);
    assert!(list(&place, &["image", "list", "--where", "technical=golden"]).is_empty());

    let wrong = place.run(&["image", "list", "--where", "colour=red"]);
    assert!(wrong.code == 2 && wrong.err.contains("it has id, name, state, "), "{wrong:?}");
}

/// ICT-67: the balance and the project of the account are shown, as they are now.
#[tokio::test]
async fn balance_and_project_are_shown() {
    let place = Place::new(SHOP);
    let shown = |what: &str| done(&place, &["account", what, "--format", "json"]).json(0);
    for roubles in [1234.5, -10.25, 0.0] {
        place.sim("drift", json!({"balance": roubles})).await;
        let balance = shown("balance")["balance"].as_str().unwrap().to_owned();
        assert_eq!(balance.parse::<f64>().unwrap(), roubles);
        let text = done(&place, &["account", "balance"]).out;
        assert!(text.contains(&balance), "{balance}: {text}");
        let project = shown("project");
        assert_eq!(
            (&project["customer"], &project["project"]),
            (&json!("7001"), &json!("8001")),
            "{project}"
        );
        let left = project["project_balance"][0]["real"].as_str().unwrap();
        assert_eq!(left.parse::<f64>().unwrap(), roubles, "{project}");
    }
}

/// A storage user's password is shown to who asks for it, and stands nowhere else.
#[tokio::test]
async fn storage_and_its_users_are_managed() {
    let place = Place::new(SHOP);
    done(&place, &["storage", "activate", "--yes"]);
    let made = run_of(&place, &["storage", "user", "create", "backup"]);
    let password = done(&place, &["storage", "user", "show", "backup", "--password"]).out.trim().to_owned();
    assert!(password.len() >= 6, "{password}");
    crate::spy::absent_below(&place.home(), &password);
    let spy = crate::spy::watch(&[&password]);
    for words in
        [["run", "log", &made].as_slice(), &["run", "show", &made], &["storage", "user", "show", "backup"]]
    {
        let shown = done(&place, words);
        assert!(!shown.out.contains(&password), "{words:?}");
    }
    done(&place, &["storage", "user", "password", "backup", "--yes"]);
    let other = done(&place, &["storage", "user", "show", "backup", "--password"]).out.trim().to_owned();
    assert_ne!(other, password);
    crate::spy::absent_below(&place.home(), &other);
    assert_eq!(spy.end(), std::collections::BTreeSet::new());
    let blocked = run_of(&place, &["storage", "user", "block", "backup"]);
    assert_eq!(list(&place, &["storage", "user", "list"])[0]["state"], "Blocked");
    done(&place, &["run", "undo", &blocked, "--yes"]);
    assert_eq!(list(&place, &["storage", "user", "list"])[0]["state"], "Active");
    done(&place, &["storage", "user", "delete", "backup", "--yes"]);
    done(&place, &["storage", "deactivate", "--yes"]);
    assert_eq!(place.run(&["storage", "show"]).code, 2);
}

/// A server is made anew under its id and address; a copy is another server and no file's.
#[tokio::test]
async fn servers_are_rebuilt_and_copied() {
    let place = Place::new(SHOP);
    done(&place, &["infra", "update", "shop", "--yes", "--skip-provision"]);
    let before = list(&place, &["server", "list"]);
    let other = place.run(&["server", "rebuild", "web-1", "--image", "Debian11x64", "--yes"]);
    assert!(other.code == 2 && other.out.contains("belongs to the file shop"), "{other:?}");
    done(&place, &["server", "copy", "web-1", "twin", "--yes"]);
    let after = list(&place, &["server", "list"]);
    let twin = after.iter().find(|server| server["name"] == "twin").unwrap();
    assert!(twin["infrastructure"].is_null(), "{twin}");
    assert!(place.run(&["server", "copy", "web-1", "twin", "--yes"]).out.contains("choose another name"));
    let rebuilt = done(&place, &["server", "rebuild", "twin", "--image", "Debian11x64", "--yes"]);
    assert!(rebuilt.out.contains("disk is written anew"), "{rebuilt:?}");
    let twin_now =
        list(&place, &["server", "list"]).into_iter().find(|server| server["name"] == "twin").unwrap();
    assert_eq!((&twin_now["id"], &twin_now["address"]), (&twin["id"], &twin["address"]));
    assert_eq!(twin_now["image"], "Debian11x64");
    assert_eq!(before.len() + 1, after.len());
    let actions = list(&place, &["server", "actions", "twin"]);
    assert!(actions.iter().all(|action| action["state"] == "Completed"), "{actions:?}");
    assert!(!actions.is_empty());
    // ICT-04: the file's own servers are as they were.
    let plan = done(&place, &["infra", "plan", "shop", "--skip-provision", "--format", "json"]).json(0);
    assert_eq!(plan["plan"]["steps"].as_array().map(Vec::len), Some(0), "{plan}");
}

/// What a tired person types by mistake is answered with the word that was meant.
#[tokio::test]
async fn words_of_records_that_are_easily_mistaken() {
    let place = Place::new(SHOP);
    let mail = ["dns", "record", "set", "example.org", "@", "MX", "mx.example.org", "--priority", "10"];
    let wrong = place.run(&mail);
    assert!(wrong.code == 2 && wrong.err.contains("--preference"), "{wrong:?}");
    done(&place, &["dns", "zone", "create", "example.org", "--yes"]);
    let unasked = place.run(&["dns", "record", "set", "example.org", "www", "A", "192.0.2.1"]);
    assert!(unasked.code == 2 && !unasked.err.contains("--plan"), "{unasked:?}");
    done(&place, &["dns", "record", "set", "example.org", "www", "A", "192.0.2.1", "--yes"]);
    let mistyped = done(&place, &["dns", "record", "delete", "example.org", "wwww", "A", "--yes"]);
    assert!(mistyped.out.contains("Did you mean \"www\""), "{mistyped:?}");
    let cyrillic = place.run(&["image", "create", "образ", "--from", "web-1", "--yes"]);
    assert!(cyrillic.code == 2 && cyrillic.err.contains("--technical"), "{cyrillic:?}");
}

/// Servers are found and ordered by any of their fields, over all accounts together.
#[tokio::test]
async fn servers_are_found_and_ordered() {
    let place = Place::new(&SHOP.replace("count: 2", "count: 11"));
    done(&place, &["infra", "update", "shop", "--yes"]);
    let names = |words: &[&str]| -> Vec<String> {
        let all = [&["server", "list", "--format", "json"], words].concat();
        let rows = done(&place, &all).json(0);
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names(&[]);
    assert_eq!((all.len(), &all[1], &all[10]), (11, &"web-2".to_owned(), &"web-11".to_owned()));
    assert_eq!(names(&["--sort=-name"])[..2], ["web-11", "web-10"]);
    assert_eq!(names(&["--where", "name=web-7", "--where", "cpu=1"]), ["web-7"]);
    assert_eq!(names(&["--where", "cpu=2"]), Vec::<String>::new());
    assert_eq!(names(&["--infra", "shop", "--power", "running"]).len(), 11);
    let wrong = place.run(&["server", "list", "--sort", "colour"]);
    assert!(wrong.code == 2 && wrong.err.contains("it has id, name, infrastructure"), "{wrong:?}");
}
