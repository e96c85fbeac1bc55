//! Steps about objects of an account when something goes wrong on the way: answers are lost, others change things
//! meanwhile, requests have to wait.

use std::time::Duration;

use muster_model::account::AccountSettings;
use muster_model::id::{PlanId, SpaceName};
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{Fields, ObjectClass, ObjectVerb, ObjectWish, SeenObject};
use muster_model::plan::{Action, HostAction};
use muster_model::policy::Policy;
use muster_model::rights::{Authority, Role};
use muster_model::run::{Run, RunState};
use muster_runs::objects::ObjectProposal;
use muster_runs::queue::QueueState;
use muster_runs::{Engine, EngineError, Start};
use muster_sim::onecloud::Durations;
use serde_json::{Value, json};

use crate::process::{Cut, Stage, ended, me, outside_only, update};

const SHOP: &str = "version: 1\nlocation: SdnSpb\nstats: false\nservers:\n  web: { image: Debian11x64, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd }\n";

fn stage(seed: u64) -> Stage {
    let settings = AccountSettings { wait_timeout_ms: 300_000, ..AccountSettings::default() };
    Stage::with(seed, Durations::real(), settings)
}

async fn proposed(engine: &Engine, wishes: Vec<ObjectWish>) -> Result<PlanId, EngineError> {
    let (space, account) = ("default".into(), "onecloud".into());
    engine.submit_objects(&me(), ObjectProposal { space, account, wishes, idempotency_key: None }).await
}

/// Plans and carries out; the plan must have something to do.
async fn done(engine: &Engine, wish: ObjectWish) -> Run {
    let plan = proposed(engine, vec![wish]).await.unwrap();
    let run = engine.approve(&me(), plan, None).await.unwrap();
    ended(engine, run).await
}

fn present(class: ObjectClass, name: &str) -> ObjectWish {
    ObjectWish::Present { class, name: name.into(), fields: Fields::new() }
}

fn absent(class: ObjectClass, name: &str) -> ObjectWish {
    ObjectWish::Absent { class, name: name.into() }
}

fn records(name: &str, kind: RecordType, values: &[&str]) -> ObjectWish {
    let data = |value: &&str| RecordData { value: (*value).to_owned(), ..RecordData::default() };
    ObjectWish::Records(RecordSet {
        zone: "example.org".into(),
        name: name.into(),
        kind,
        records: values.iter().map(data).collect(),
        keep_others: false,
        remove: false,
    })
}

fn rebuilt() -> ObjectWish {
    ObjectWish::Rebuilt { server: "web-1".into(), image: None, sysprep: false }
}

/// How often the provider was asked for this.
fn asked(stage: &Stage, is: impl Fn(&str, &str, &Value) -> bool) -> usize {
    stage.simulator.journal().iter().filter(|entry| is(&entry.method, &entry.path, &entry.body)).count()
}

fn rebuilds(stage: &Stage) -> usize {
    asked(stage, |method, path, _| method == "POST" && path.ends_with("/rebuild"))
}

async fn seen_records(engine: &Engine) -> Vec<SeenObject> {
    let (space, account) = ("default".into(), "onecloud".into());
    engine.objects(&me(), &space, &account, ObjectClass::Record, Some("example.org")).await.unwrap()
}

/// What the records say, but for the domain's own.
async fn texts(engine: &Engine) -> Vec<String> {
    let found = seen_records(engine).await;
    let said = found.iter().filter(|one| one.name != "@");
    let mut said: Vec<String> =
        said.map(|one| format!("{} {}", one.text("type"), one.text("value"))).collect();
    said.sort();
    said
}

/// A disk is wiped once: when the answer is lost, when the looks afterwards fail, and when it takes too long, the request
/// is not sent again; a person is told.
#[test]
fn a_rebuild_is_never_sent_twice() {
    for (seed, fault, goes_well) in [
        (
            91,
            json!({"match": {"method": "POST", "path": "/server/*"}, "fault": "drop_answer_after_effect"}),
            false,
        ),
        (
            92,
            json!({"match": {"method": "GET", "path": "/server/*"}, "times": 40, "fault": {"status": 500}}),
            true,
        ),
        (93, json!({"match": {"method": "POST", "path": "/server/*"}, "fault": "stuck_action"}), false),
    ] {
        let stage = stage(seed);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            update(&engine, SHOP, outside_only()).await.unwrap();
            let plan = proposed(&engine, vec![rebuilt()]).await.unwrap();
            if !goes_well {
                stage.fault(fault.clone());
            }
            let run = engine.approve(&me(), plan, None).await.unwrap();
            if !goes_well {
                return ended(&engine, run).await;
            }
            // Looking is bent only once the rebuild has been accepted.
            while rebuilds(&stage) == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            stage.fault(fault.clone());
            ended(&engine, run).await
        });
        let run = lived.result.unwrap();
        assert_eq!(rebuilds(&stage), 1, "{fault}: {run:?}");
        if !goes_well {
            assert_eq!(run.state, RunState::Failed, "{fault}: {run:?}");
        }
    }
}

/// A new disk has no keys: those of the file come back in the same run, and the next update has nothing to do.
#[test]
fn a_rebuilt_server_gets_the_keys_of_its_file() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJX0q2Y0mXh8n0d7n1l9b1oY1V0h4m2yX3d5c6b7a8f9 me@laptop";
    let shop = SHOP.replace("image:", &format!("keys: [\"{key}\"], image:"));
    let stage = stage(88);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, &shop, Policy::default()).await.unwrap();
        let plan = proposed(&engine, vec![rebuilt()]).await.unwrap();
        let steps = engine.planned(plan).await.unwrap().plan.unwrap().draft.steps;
        let keys: Vec<Vec<String>> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Host(HostAction::Reach { keys, .. }) => Some(keys.clone()),
                _ => None,
            })
            .collect();
        let run = engine.approve(&me(), plan, None).await.unwrap();
        let run = ended(&engine, run).await;
        (keys, run, update(&engine, &shop, Policy::default()).await.unwrap().0)
    });
    let (keys, run, left) = lived.result.unwrap();
    assert_eq!(keys, [[key]]);
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!(left, 0, "nothing is left for the next update");
}

/// A create whose answer is lost is found again, and not made twice.
#[test]
fn a_lost_answer_makes_one_object() {
    let stage = stage(94);
    stage.fault(json!({"match": {"method": "POST", "path": "/dns"}, "fault": "drop_answer_after_effect"}));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await
    });
    assert_eq!(lived.result.unwrap().state, RunState::Succeeded);
    assert_eq!(asked(&stage, |method, path, _| method == "POST" && path.eq_ignore_ascii_case("/dns")), 1);
}

/// Texts that differ in their case only are two texts, for the plan and for the step.
#[test]
fn a_text_of_another_case_takes_the_place_of_the_first() {
    let stage = stage(95);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await;
        done(&engine, records("key", RecordType::Txt, &["ABC"])).await;
        done(&engine, records("key", RecordType::Txt, &["abc"])).await;
        texts(&engine).await
    });
    assert_eq!(lived.result.unwrap(), ["TXT abc"]);
}

/// A new record that is refused leaves the old one: the name still answers.
#[test]
fn a_refused_record_leaves_the_old_one() {
    let stage = stage(96);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await;
        done(&engine, records("www", RecordType::A, &["192.0.2.1"])).await;
        stage.fault(json!({"match": {"method": "POST", "path": "/dns/*"}, "fault": {"status": 400}}));
        let run = done(&engine, records("www", RecordType::A, &["192.0.2.2"])).await;
        assert_eq!(run.state, RunState::Failed, "{run:?}");
        let left = texts(&engine).await;
        done(&engine, records("www", RecordType::A, &["192.0.2.2"])).await;
        (left, texts(&engine).await)
    });
    assert_eq!(lived.result.unwrap(), (vec!["A 192.0.2.1".to_owned()], vec!["A 192.0.2.2".to_owned()]));
}

/// What was changed between the plan and the run is not deleted or renamed by it.
#[test]
fn what_moved_since_the_plan_stays() {
    let stage = stage(97);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await;
        done(&engine, records("www", RecordType::A, &["192.0.2.1"])).await;
        let location = Fields::from([("location".to_owned(), "SdnSpb".into())]);
        let network =
            ObjectWish::Present { class: ObjectClass::Network, name: "back".into(), fields: location };
        done(&engine, network).await;
        let rename = ObjectWish::Changed {
            class: ObjectClass::Network,
            name: "back".into(),
            rename: Some("front".into()),
            fields: Fields::new(),
        };
        let found = seen_records(&engine).await;
        let www = found.iter().find(|one| one.name == "www").unwrap().id.to_string();
        let www: u64 = www.parse().unwrap();
        let mut said = Vec::new();
        for (wish, drift) in [
            (records("www", RecordType::A, &[]), json!({"record": www, "set": {"Name": "www", "IP": "192.0.2.9"}})),
            (absent(ObjectClass::Zone, "example.org"), json!({"record": "example.org", "create": {"TypeRecord": "A", "Name": "new", "IP": "192.0.2.3"}})),
            (rename, json!({"network": "back", "set": {"Name": "renamed"}})),
        ] {
            let plan = proposed(&engine, vec![wish]).await.unwrap();
            stage.drift(drift);
            let run = engine.approve(&me(), plan, None).await.unwrap();
            let run = ended(&engine, run).await;
            assert_eq!(run.state, RunState::Failed, "{run:?}");
            said.push(run.message.unwrap());
        }
        (said, texts(&engine).await)
    });
    let (said, left) = lived.result.unwrap();
    assert_eq!(left, ["A 192.0.2.3", "A 192.0.2.9"], "{said:?}");
    assert!(said[0].contains("192.0.2.1") && said[0].contains("192.0.2.9"), "{said:?}");
    assert!(said[1].contains("records of zone example.org was"), "{said:?}");
    assert!(said[2].contains("is called renamed now"), "{said:?}");
}

/// Requests about objects wait like others, and are still what was asked when their turn comes; two different ones are
/// not taken for one, and people who care for different objects are not in each other's way.
#[test]
fn requests_about_objects_wait_for_their_turn() {
    let stage = stage(98);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await;
        let first = proposed(&engine, vec![records("www", RecordType::A, &["192.0.2.1"])]).await.unwrap();
        let soon = Start { countdown: Some(Duration::from_secs(30)), ..Start::default() };
        let first = engine.start(&me(), first, soon).await.unwrap();
        let other = proposed(&engine, vec![records("mail", RecordType::A, &["192.0.2.4"])]).await.unwrap();
        let mut rows = Vec::new();
        for value in ["192.0.2.2", "192.0.2.3"] {
            let plan = proposed(&engine, vec![records("www", RecordType::A, &[value])]).await.unwrap();
            let busy = engine.approve(&me(), plan, None).await.unwrap_err();
            assert!(matches!(&busy, EngineError::Conflict(text) if text.starts_with("busy")), "{busy}");
            rows.push(engine.enqueue(&me(), plan, Start::default(), Duration::from_secs(600)).await.unwrap());
        }
        // A plan about another name is newer than nothing that it touches.
        let other = engine.approve(&me(), other, None).await.unwrap();
        assert_eq!(ended(&engine, other).await.state, RunState::Succeeded);
        assert_eq!(ended(&engine, first).await.state, RunState::Succeeded);
        for row in &mut rows {
            while row.state == QueueState::Waiting {
                tokio::time::sleep(Duration::from_millis(300)).await;
                *row = engine.queued(&me(), row.plan).await.unwrap();
            }
            assert_eq!(row.state, QueueState::Begun, "{:?}", row.message);
            assert_eq!(ended(&engine, row.run.unwrap()).await.state, RunState::Succeeded);
        }
        texts(&engine).await
    });
    let left = lived.result.unwrap();
    // Which of the two came last is nobody's promise.
    assert!(["A 192.0.2.2", "A 192.0.2.3"].contains(&left[0].as_str()), "{left:?}");
    assert_eq!(left[1..], ["A 192.0.2.4"]);
}

/// A domain is read by many steps together, not by each of them.
#[test]
fn an_import_reads_its_domain_now_and_then() {
    let stage = stage(89);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Zone, "example.org")).await;
        let values: Vec<String> = (0..200).map(|number| format!("text {number}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        stage.simulator.clear_journal();
        let run = done(&engine, records("all", RecordType::Txt, &values)).await;
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        let read = asked(&stage, |method, path, _| method == "GET" && path.starts_with("/dns/"));
        (read, texts(&engine).await.len())
    });
    let (read, made) = lived.result.unwrap();
    assert_eq!(made, 200);
    assert!(read <= 40, "{read} times for 200 records");
}

/// The password of a storage user is said to be lost only where it was lost.
#[test]
fn a_password_that_was_heard_is_not_called_lost() {
    let stage = stage(99);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        done(&engine, present(ObjectClass::Storage, "storage")).await;
        let plan = proposed(&engine, vec![present(ObjectClass::StorageUser, "backup")]).await.unwrap();
        let run = engine.approve(&me(), plan, None).await.unwrap();
        while asked(&stage, |method, path, _| method == "POST" && path == "/storage/users") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The wait for it fails once, and a further attempt finds what the first one made.
        let looks = json!({"method": "GET", "path": "/storage/users*"});
        stage.fault(json!({"match": looks, "times": 5, "fault": {"status": 500}}));
        let run = ended(&engine, run).await;
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        let said = format!("{:?}", crate::process::journal_of(&engine, run.id).await);
        let (space, account) = ("default".into(), "onecloud".into());
        let heard = engine.object_password(&me(), &space, &account, "backup").await;
        let again = ObjectWish::Done {
            class: ObjectClass::StorageUser,
            name: "backup".into(),
            verb: ObjectVerb::ChangePassword,
        };
        let operator = Authority {
            actor: "olga".into(),
            owner: false,
            roles: vec![(SpaceName::from("default"), Role::Operator)],
        };
        let proposal = ObjectProposal { space, account, wishes: vec![again], idempotency_key: None };
        let denied = engine.submit_objects(&operator, proposal).await;
        (said, heard.is_ok(), denied)
    });
    let (said, heard, denied) = lived.result.unwrap();
    assert!(said.contains("HTTP 500") && said.contains("Attempt(2)"), "{said}");
    assert!(heard && !said.contains("was lost"), "{said}");
    assert!(matches!(denied, Err(EngineError::Denied(_))), "{denied:?}");
}
