//! The exact text of every request, and what its answer becomes.

use muster_model::cloud::{NetworkSpec, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::server::{Performance, Power, ServerState, Size};

use super::stub::{Asked, KEY, Reply, SERVER, Stub, ok, status};

fn size() -> Size {
    Size { cpu: 2, ram_mb: 2048, disk_gb: 40, disk_type: "SSD".into(), performance: Performance::High }
}

fn spec(backup_days: u32) -> ServerSpec {
    ServerSpec {
        name: "web \"1\"".into(),
        size: size(),
        location: "SdnSpb".into(),
        image_id: "3783".into(),
        image: "Debian11x64".into(),
        backup_days,
    }
}

const NETWORK: &str = r#"{"ID": 77, "Name": "back", "State": "New", "IsDHCP": true, "DCLocation": "SdnSpb", "LinkedServers":
  [{"LinkID": 5, "LinkState": "New", "IP": "", "MAC": "", "ServerID": 500123}]}"#;

fn answers(_: usize, asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/server") => ok(&format!("[{SERVER}]")),
        ("GET", "/server/500123") | ("POST", "/server") => ok(SERVER),
        ("GET", "/server/500123/action") => {
            ok(r#"[{"ID": 2, "Type": "Resize", "State": "Postponed", "EndDate": null},
            {"ID": 1, "Type": "Create", "State": "Completed", "StartDate": "2026-01-02T03:04:05.7"}]"#)
        }
        ("POST" | "PUT", path) if path.starts_with("/server/") => {
            ok(r#"{"ID": 3, "Type": "Resize", "State": "InProgress"}"#)
        }
        ("DELETE", _) => ok(""),
        ("GET", "/network") => ok(&format!("[{NETWORK}]")),
        ("POST", "/network") => ok(NETWORK),
        ("GET", "/image") => ok(r#"[{"ID": "3492", "Name": "Ubuntu20.04x64", "DisplayName": "Ubuntu 20.04",
            "DCLocation": "", "Hdd": 10, "Family": "Linux", "Type": "GoldServer"}]"#),
        ("GET", "/dcLocation") => {
            ok(r#"[{"ID": 1, "Title": "Xelent", "TechTitle": "SdnSpb", "ShortTitle": "СПБ",
            "IsEnableLowPool": true, "IsEnableHighPool": "true", "IsEnableBackup": true, "HiddenToNewProjects": "False"},
            {"ID": 99, "Title": "Lab", "TechTitle": "Lab", "IsOnlyForAdmins": true}]"#)
        }
        ("GET", "/sshkey") => {
            ok(r#"[{"ID": 8, "Title": "anna", "PublicKey": "AAAAB3Nza", "IsActive": true}]"#)
        }
        ("POST", "/sshkey") => ok(r#"{"ID": 9, "Title": "ours", "PublicKey": "ssh-ed25519 AAAA"}"#),
        ("GET", "/account") => ok(r#"{"ID": 4001, "Email": "a@example.org", "Balance": null,
            "ProjectBalances": [{"ProjectId": 31, "Balance": {"Real": 1.5, "Bonus": 0, "Test": 0}}]}"#),
        ("GET", "/customer/balance") => ok("\"1234.50\""),
        other => status(400, &format!(r#"{{"Message": "no such request {other:?}"}}"#)),
    }
}

/// ICT-42: every request of the client in its exact form, over a real socket.
#[tokio::test]
async fn requests_have_their_exact_text() {
    let stub = Stub::new(answers);
    let cloud = stub.serve().await;
    let id = ProviderId::from("500123");
    let network = ProviderId::from("77");
    assert_eq!(cloud.servers().await.unwrap().len(), 1);
    let server = cloud.server(&id).await.unwrap().unwrap();
    assert_eq!(server.state, ServerState::Active);
    let link = &server.links[0];
    assert_eq!((link.id.as_ref(), link.bandwidth_mbit), (Some(&"1".into()), Some(10)));
    assert_eq!((link.mac.as_str(), link.mask.as_str()), ("00:50:56:00:00:01", "255.255.255.0"));
    cloud.create_server(&spec(0), &[]).await.unwrap();
    cloud.create_server(&spec(7), &["8".into(), "k-9".into()]).await.unwrap();
    cloud.resize_server(&id, &size()).await.unwrap();
    cloud.set_power(&id, Power::Running, false).await.unwrap();
    cloud.set_power(&id, Power::Stopped, true).await.unwrap();
    cloud.set_power(&id, Power::Stopped, false).await.unwrap();
    cloud.link_network(&id, &network).await.unwrap();
    cloud.unlink_network(&id, &network).await.unwrap();
    cloud.set_bandwidth(&id, &"1".into(), 50).await.unwrap();
    cloud.delete_server(&id).await.unwrap();
    assert!(cloud.action_in_progress(&id).await.unwrap(), "a postponed action is still to come");
    assert_eq!(cloud.networks().await.unwrap()[0].servers, std::slice::from_ref(&id));
    let spec = NetworkSpec { name: "back".into(), location: "SdnSpb".into(), dhcp: true };
    let made = cloud.create_network(&spec).await.unwrap();
    assert!(!made.ready && made.state == "New");
    cloud.delete_network(&network).await.unwrap();
    assert_eq!(cloud.images().await.unwrap()[0].id.as_str(), "3492");
    let locations = cloud.locations().await.unwrap();
    assert_eq!(locations.len(), 1, "a place for the provider's own people is not on offer");
    assert!(locations[0].high_pool && locations[0].base_pool);
    assert_eq!(cloud.keys().await.unwrap()[0].title, "anna");
    cloud.create_key("ours", "ssh-ed25519 AAAA").await.unwrap();
    assert_eq!(cloud.identify().await.unwrap().to_string(), "onecloud:4001/31");
    assert_eq!(cloud.balance().await.unwrap().amount, "1234.50");
    let (user, password) = cloud.first_login(&id).await.unwrap().unwrap();
    assert_eq!((user.as_str(), password.expose()), ("root", "Pa55-word-clear"));
    assert!(stub.asked().iter().all(|asked| asked.authorization == format!("Bearer {KEY}")));
    let size = r#""CPU":2,"RAM":2048,"HDD":40,"HDDType":"SSD""#;
    assert_eq!(
        stub.lines(),
        [
            "GET /server".to_owned(),
            "GET /server/500123".to_owned(),
            format!(
                r#"POST /server {{"Name":"web \"1\"",{size},"ImageID":3783,"isHighPerformance":true,"DCLocation":"SdnSpb"}}"#
            ),
            format!(
                r#"POST /server {{"Name":"web \"1\"",{size},"ImageID":3783,"isHighPerformance":true,"DCLocation":"SdnSpb","isBackupActive":true,"BackupPeriod":7,"SshKeys":[8,"k-9"]}}"#
            ),
            format!(r#"PUT /server/500123 {{{size},"isHighPerformance":true}}"#),
            r#"POST /server/500123/action {"Type":"PowerOn"}"#.to_owned(),
            r#"POST /server/500123/action {"Type":"ShutDownGuestOS"}"#.to_owned(),
            r#"POST /server/500123/action {"Type":"PowerOff"}"#.to_owned(),
            r#"POST /server/500123/action {"Type":"AddNetwork","NetworkID":77}"#.to_owned(),
            r#"POST /server/500123/action {"Type":"RemoveNetwork","NetworkID":77}"#.to_owned(),
            r#"POST /server/500123/action {"Bandwidth":50,"NetworkLinkID":1,"Type":"EditNetworkBandwidth"}"#
                .to_owned(),
            "DELETE /server/500123".to_owned(),
            "GET /server/500123/action".to_owned(),
            "GET /network".to_owned(),
            r#"POST /network {"Name":"back","DCLocation":"SdnSpb","IsDHCP":true}"#.to_owned(),
            "DELETE /network/77".to_owned(),
            "GET /image".to_owned(),
            "GET /dcLocation".to_owned(),
            "GET /sshkey".to_owned(),
            r#"POST /sshkey {"Title":"ours","PublicKey":"ssh-ed25519 AAAA"}"#.to_owned(),
            "GET /account".to_owned(),
            "GET /customer/balance".to_owned(),
            "GET /server/500123".to_owned(),
        ]
    );
}

/// One list of servers and five further lists, none per server, however many servers there are.
#[tokio::test(start_paused = true)]
async fn observing_takes_six_requests() {
    let stub = Stub::new(answers);
    let world = stub.cloud().observe().await.unwrap();
    let mut lines = stub.lines();
    lines.sort();
    assert_eq!(
        lines,
        ["GET /account", "GET /dcLocation", "GET /image", "GET /network", "GET /server", "GET /sshkey"]
    );
    assert_eq!(world.account.to_string(), "onecloud:4001/31");
    assert_eq!((world.servers.len(), world.networks.len(), world.images.len()), (1, 1, 1));
    assert!(world.servers[0].links[0].public);
}

/// An id cannot leave its segment of the path.
#[tokio::test(start_paused = true)]
async fn ids_stay_in_their_segment() {
    let stub = Stub::new(|_, _| ok(""));
    stub.cloud().delete_server(&"../network/1?x=é".into()).await.unwrap();
    assert_eq!(stub.lines(), ["DELETE /server/%2E%2E%2Fnetwork%2F1%3Fx%3D%C3%A9"]);
}

/// Two keys of one customer and project are one identity; where the provider does not tell, the host stands in.
#[tokio::test(start_paused = true)]
async fn identity_never_depends_on_the_key() {
    let two = r#"{"ID": "4001", "ProjectBalances": [{"ProjectId": 31}, {"ProjectId": "9"}]}"#;
    let cases: [(&'static str, Reply, Reply, &str); 5] = [
        ("none", ok(r#"{"ID": 4001}"#), status(404, ""), "onecloud:4001/"),
        ("asked", ok(two), ok(r#"{"ID": 31, "Balances": []}"#), "onecloud:4001/31"),
        ("lowest", ok(two), status(404, ""), "onecloud:4001/9"),
        ("absent", status(404, ""), status(404, ""), "onecloud:at-api.example.org/"),
        ("project", status(405, ""), ok(r#"{"ProjectId": 5}"#), "onecloud:at-api.example.org/5"),
    ];
    for (name, account, project, identity) in cases {
        let stub = Stub::new(move |_, asked| match asked.path.as_str() {
            "/account" => account.clone(),
            "/project" => project.clone(),
            other => panic!("{other}"),
        });
        assert_eq!(stub.cloud().identify().await.unwrap().to_string(), identity, "{name}");
    }
    // A failure is not an identity.
    let stub = Stub::new(|_, _| status(500, ""));
    stub.cloud().identify().await.unwrap_err();
}
