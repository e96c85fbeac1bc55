//! ICT-42: what a provider may do to its answers without breaking the client.

use muster_model::server::{Performance, ServerState};

use super::stub::{SERVER, Stub, ok, status};

async fn read(body: &str) -> Vec<muster_model::server::SeenServer> {
    let body = body.to_owned();
    Stub::new(move |_, _| ok(&body)).cloud().servers().await.unwrap_or_else(|error| panic!("{error}"))
}

/// ICT-42: unknown fields, unknown states, strings for scalars, other cases of names, `null` and absent fields.
#[tokio::test(start_paused = true)]
async fn odd_servers_are_read() {
    let odd = r#"[{"Id": "x-1", "name": 12, "STATE": "InPool", "isPowerOn": "False", "CPU": "4", "RAM": 4096.0, "HDD": null,
        "HDDType": "nvme", "Image": null, "IsHighPerformance": "true", "DCLocation": null, "Brand": {"New": [1, {"x": "y"}]},
        "LinkedNetworks": null, "LinkedSshKeys": [8, {"ID": "9", "Title": "t"}, null], "DateCreate": "2026-01-02T03:04:05.7",
        "PrimaryNetworkIp": "198.18.0.9", "IP": ""}]"#;
    let server = read(odd).await.remove(0);
    assert_eq!(server.id.as_str(), "x-1");
    assert_eq!((server.name.as_str(), server.state), ("12", ServerState::Other("InPool".into())));
    assert!(!server.power_on);
    assert_eq!((server.size.cpu, server.size.ram_mb, server.size.disk_gb), (4, 4096, 0));
    assert_eq!((server.size.disk_type.as_str(), server.size.performance), ("NVME", Performance::High));
    assert_eq!((server.image.as_str(), server.location.as_str()), ("", ""));
    assert_eq!(server.address.as_deref(), Some("198.18.0.9"));
    assert_eq!(server.admin_user, None);
    assert_eq!(server.keys, ["8".into(), "9".into()]);
    assert_eq!(server.created_at.unwrap().to_string(), "2026-01-02T00:04:05.7Z");
}

/// ICT-42: an empty account is an empty list; a byte-order mark and white space around it do not matter.
#[tokio::test(start_paused = true)]
async fn lists_may_be_empty() {
    assert!(read("[]").await.is_empty());
    assert!(read("\u{feff} [ ]\r\n").await.is_empty());
    assert_eq!(read(&format!("[{SERVER},{SERVER}]")).await.len(), 2);
}

/// ICT-42: all life-cycle words; case does not matter, unknown ones are kept.
#[tokio::test(start_paused = true)]
async fn states_are_words() {
    for (word, state) in [
        ("New", ServerState::New),
        ("active", ServerState::Active),
        ("Blocked", ServerState::Blocked),
        ("NeedMoney", ServerState::NeedMoney),
        ("Deleting", ServerState::Deleting),
        ("MigrationFromPool", ServerState::Other("MigrationFromPool".into())),
        ("", ServerState::Other(String::new())),
    ] {
        let body = format!(
            "[{}]",
            SERVER.replace("\"Active\", \"IsPowerOn\"", &format!("\"{word}\", \"IsPowerOn\""))
        );
        assert_eq!(read(&body).await[0].state, state);
    }
}

fn links(links: &str) -> String {
    let start = SERVER.find("\"LinkedNetworks\"").unwrap();
    let end = SERVER.find(" \"DCLocation\"").unwrap();
    format!("[{}\"LinkedNetworks\": {links}, {}]", &SERVER[..start], &SERVER[end..])
}

/// ICT-42: the word for private links is not known, so the list of private networks decides.
#[tokio::test(start_paused = true)]
async fn private_links_are_told_from_public_ones() {
    let body = links(
        r#"[{"NetworkID": 10, "NetworkType": "PublicShared"}, {"NetworkID": 11, "NetworkType": "publicSharedIPv6"},
            {"NetworkID": 77, "NetworkType": "Whatever", "LinkState": "New"}, {"NetworkID": "77"},
            {"NetworkID": 12, "NetworkType": "Whatever"}, {"NetworkID": 13}]"#,
    );
    let stub = Stub::new(move |_, asked| match asked.path.as_str() {
        "/server" => ok(&body),
        "/network" => ok(r#"[{"ID": 77, "Name": "back"}]"#),
        "/account" => ok(r#"{"ID": 1}"#),
        _ => ok("[]"),
    });
    let cloud = stub.cloud();
    let public = |server: &muster_model::server::SeenServer| -> Vec<bool> {
        server.links.iter().map(|link| link.public).collect()
    };
    let world = cloud.observe().await.unwrap();
    assert_eq!(public(&world.servers[0]), [true, true, false, false, true, true]);
    assert!(!world.servers[0].links[2].ready, "LinkState New");
    // The list alone takes a link of an unknown type for private: it may be the one a step waits for.
    let servers = cloud.servers().await.unwrap();
    assert_eq!(public(&servers[0]), [true, true, false, false, false, true]);
}

/// ICT-42: success may be 200 or 201, with an Action or with nothing.
#[tokio::test(start_paused = true)]
async fn success_has_several_forms() {
    for (code, body) in
        [(200, ""), (201, r#"{"State": "InProgress"}"#), (202, "null"), (204, ""), (200, "{}")]
    {
        let stub = Stub::new(move |_, _| status(code, body));
        let cloud = stub.cloud();
        cloud.delete_server(&"1".into()).await.unwrap();
        cloud.link_network(&"1".into(), &"2".into()).await.unwrap();
    }
}

/// ICT-42: "it does not exist" has a status that is not known for certain.
#[tokio::test(start_paused = true)]
async fn gone_is_gone_whatever_the_status() {
    for (code, body) in [
        (404, ""),
        (404, "<html>404</html>"),
        (404, r#"{"Message": "Server not found"}"#),
        (400, r#"{"Message": "Server not found."}"#),
        (500, r#"{"message": "server not found"}"#),
        (200, r#"{"Message": "Server not found"}"#),
    ] {
        let stub = Stub::new(move |_, _| status(code, body));
        let cloud = stub.cloud();
        assert_eq!(cloud.server(&"1".into()).await.unwrap(), None, "{code} {body}");
        assert!(cloud.first_login(&"1".into()).await.unwrap().is_none());
        assert!(!cloud.action_in_progress(&"1".into()).await.unwrap());
        cloud.delete_server(&"1".into()).await.unwrap();
        assert_eq!(stub.asked().len(), 4, "nothing is asked twice");
    }
}

/// ICT-42: the balance is a bare number or a quoted one.
#[tokio::test(start_paused = true)]
async fn balances_are_bare() {
    for (body, amount) in [("12.5", "12.5"), ("\"-3,20\"", "-3,20"), (" 0\n", "0")] {
        let stub = Stub::new(move |_, _| ok(body));
        assert_eq!(stub.cloud().balance().await.unwrap().amount, amount);
    }
    for (body, words) in [
        ("{}", "expected an amount of money"),
        ("<html>12</html>", "a web page, not data"),
        ("", "expected an amount of money"),
        ("\"soon\"", "expected an amount of money"),
    ] {
        let stub = Stub::new(move |_, _| ok(body));
        let error = stub.cloud().balance().await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
