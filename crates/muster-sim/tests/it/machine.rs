//! Servers with machines behind them: what is asked of the machines, and when.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster_sim::machines::{Interface, MachineError, MachineSpec, Machines, Started};
use muster_sim::onecloud::SimulatorConfig;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{Client, config, spec_with};

/// The hardware address that every interface really gets.
const REAL_MAC: &str = "02:00:00:00:00:01";

/// Machines that write down what they are asked, and start only when they are let.
#[derive(Default)]
struct Paper {
    asked: Mutex<Vec<String>>,
    let_start: Notify,
    fails: bool,
}

impl Paper {
    fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Machines for Paper {
    async fn start(&self, spec: &MachineSpec) -> Result<Started, MachineError> {
        self.let_start.notified().await;
        assert_eq!(spec.root_password.expose().len(), 14);
        self.note(format!(
            "start {} keys {:?} nets {}",
            spec.name,
            spec.authorized_keys,
            spec.interfaces.len()
        ));
        if self.fails {
            let reason = "no room".to_owned();
            return Err(MachineError { server: spec.server, attempted: "start", reason });
        }
        Ok(Started { address: Ipv4Addr::new(10, 77, 0, 2).into(), interfaces: spec.interfaces.clone() })
    }

    async fn rebuild(&self, spec: &MachineSpec) -> Result<Started, MachineError> {
        self.note(format!("rebuild {} keys {:?}", spec.image, spec.authorized_keys));
        Ok(Started { address: Ipv4Addr::new(10, 77, 0, 2).into(), interfaces: spec.interfaces.clone() })
    }

    async fn power_on(&self, _: u64) -> Result<(), MachineError> {
        self.note("on".to_owned());
        Ok(())
    }

    async fn power_off(&self, _: u64, graceful: bool) -> Result<(), MachineError> {
        self.note(format!("off graceful={graceful}"));
        Ok(())
    }

    async fn reboot(&self, _: u64, graceful: bool) -> Result<(), MachineError> {
        self.note(format!("reboot graceful={graceful}"));
        Ok(())
    }

    async fn delete(&self, _: u64) -> Result<(), MachineError> {
        self.note("delete".to_owned());
        Ok(())
    }

    async fn add_interface(&self, _: u64, interface: &Interface) -> Result<Interface, MachineError> {
        self.note(format!("plug {}", interface.mac));
        Ok(Interface { mac: REAL_MAC.to_owned(), ..interface.clone() })
    }

    async fn remove_interface(&self, _: u64, network: u64) -> Result<(), MachineError> {
        self.note(format!("unplug {network}"));
        Ok(())
    }
}

const REST: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_server_is_active_only_when_its_machine_answers_and_every_action_reaches_it() {
    let paper = Arc::new(Paper::default());
    let client = Client::of(SimulatorConfig { machines: Some(paper.clone()), ..config() });
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
    let key = client.post("/sshkey", json!({"Title": "k", "PublicKey": line})).await.ok()["ID"].clone();
    let network = client.create_network("back").await;
    let body = spec_with(json!({"SshKeys": [key]}));
    let id = client.post("/server", body).await.ok()["ID"].as_u64().unwrap();
    client.pass(1_000_000);
    tokio::task::yield_now().await;
    assert_eq!(client.server(id).await["State"], "New", "the machine does not answer yet");
    paper.let_start.notify_one();
    assert!(client.simulator.machines_at_rest(REST).await);
    let ready = client.server(id).await;
    assert_eq!((&ready["State"], &ready["IP"]), (&json!("Active"), &json!("10.77.0.2")));
    assert_eq!(paper.asked(), [format!("start s keys [{line:?}] nets 0")]);
    for (body, asked) in [
        (json!({"Type": "PowerOff"}), "off graceful=false"),
        (json!({"Type": "PowerOn"}), "on"),
        (json!({"Type": "PowerReboot"}), "reboot graceful=false"),
        (json!({"Type": "RebootGuestOS"}), "reboot graceful=true"),
        (json!({"Type": "AddNetwork", "NetworkID": network}), "plug 00:50:56:01:11:72"),
        (json!({"Type": "RemoveNetwork", "NetworkID": network}), &format!("unplug {network}")),
        (json!({"Type": "ShutDownGuestOS"}), "off graceful=true"),
    ] {
        let action = client.act(id, body).await.ok();
        assert!(client.simulator.machines_at_rest(REST).await);
        assert_eq!(client.action_state(id, &action).await, "Completed");
        assert_eq!(paper.asked(), [asked]);
        if let Some(link) = client.server(id).await["LinkedNetworks"].get(1) {
            assert_eq!(link["MAC"], REAL_MAC);
        }
    }
    client.post("/_sim/drift", json!({"server": "s", "set": {"LinkedNetworks": ["back"]}})).await.ok();
    assert!(client.simulator.machines_at_rest(REST).await);
    assert_eq!(client.server(id).await["LinkedNetworks"][1]["MAC"], REAL_MAC);
    assert!(paper.asked()[0].starts_with("plug"));
    client.post("/_sim/drift", json!({"server": "s", "set": {"IsPowerOn": true}})).await.ok();
    client.post(&format!("/server/{id}/rebuild"), json!({"ImageID": 4302})).await.ok();
    client.delete(&format!("/server/{id}")).await.ok();
    assert!(client.simulator.machines_at_rest(REST).await);
    assert_eq!(paper.asked(), ["on", "rebuild Debian12x64 keys []", "delete"]);
    client.get(&format!("/server/{id}")).await.refused(404);
}

#[tokio::test]
async fn a_machine_that_fails_leaves_its_server_new_and_the_state_says_why() {
    let paper = Arc::new(Paper { fails: true, ..Paper::default() });
    paper.let_start.notify_one();
    let client = Client::of(SimulatorConfig { machines: Some(paper), ..config() });
    let id = client.create("web").await;
    assert!(client.simulator.machines_at_rest(REST).await);
    client.pass(1_000_000);
    assert_eq!(client.server(id).await["State"], "New");
    let failure =
        client.simulator.state()["projects"][0]["servers"][0]["Actions"][0]["MachineFailure"].clone();
    assert!(failure.as_str().unwrap().contains("no room"), "{failure}");
}

#[tokio::test]
async fn all_machines_can_be_taken_away_also_those_that_are_still_starting() {
    let paper = Arc::new(Paper::default());
    let client = Client::of(SimulatorConfig { machines: Some(paper.clone()), ..config() });
    client.create("web").await;
    client.other().create("web").await;
    client.simulator.remove_all_servers();
    paper.let_start.notify_one();
    tokio::task::yield_now().await;
    paper.let_start.notify_one();
    assert!(client.simulator.machines_at_rest(REST).await);
    let asked = paper.asked();
    assert_eq!(asked.iter().filter(|one| one.as_str() == "delete").count(), 2, "{asked:?}");
    assert!(asked.last().is_some_and(|last| last == "delete"), "after the starts: {asked:?}");
    assert!(client.names().await.is_empty());
}
