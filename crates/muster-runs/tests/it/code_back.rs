//! Releases that servers keep: at several accounts, and the way back to one of a revision.

use std::collections::BTreeMap;

use muster_model::Secret;
use muster_model::id::RevisionNumber;
use muster_model::plan::{Action, ProvisionAction};
use muster_model::policy::{Policy, Purpose};
use muster_model::run::RunState;
use muster_runs::{Engine, RollBack};
use muster_sim::onecloud::{Durations, Simulator, SimulatorConfig};

use crate::code::{SHOP, deploy, proposed};
use crate::process::*;

/// The key of a second account.
const SECOND: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// A file has servers at two accounts: each account is asked for its own, and the answer says whose they are.
#[test]
fn releases_of_servers_at_two_accounts() {
    let mut stage = Stage::new(5);
    let mut config = SimulatorConfig::new(vec![KEY.to_owned(), SECOND.to_owned()], stage.clock.clone());
    config.durations = Durations::instant();
    stage.simulator = Simulator::new(config);
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (space, url) = ("default".into(), "http://127.0.0.1:1".to_owned());
        let (key, settings) = (Secret::new(SECOND), stage.settings.clone());
        engine.register(&me(), &space, "second".into(), url, key, settings).await.unwrap();
        deploy(&engine, None).await.unwrap();
        let alone = engine.releases(&me(), &space, &"shop".into()).await.unwrap();
        let text = SHOP.replace("account: onecloud", "account: second");
        let plan = engine.submit(&me(), proposed(&engine, &text, None).await).await.unwrap();
        engine.planned(plan).await.unwrap();
        let run = engine.approve(&me(), plan, None).await.unwrap();
        let run = ended(&engine, run).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        (alone, engine.releases(&me(), &space, &"shop".into()).await.unwrap())
    });
    let (alone, both) = lived.result.unwrap();
    assert!(alone.len() == 3 && alone.iter().all(|seen| seen.account.is_none()), "{alone:?}");
    let of = |account: &str| {
        let theirs =
            both.iter().filter(|seen| seen.account.as_ref().is_some_and(|name| name.as_str() == account));
        theirs.filter(|seen| seen.error.is_none()).count()
    };
    assert_eq!((both.len(), of("onecloud"), of("second")), (6, 3, 3), "{both:?}");
}

/// Goes back to a revision: which code its plan brings, what it says first, and how its run ended if there was one.
async fn gone_back(engine: &Engine, to: u32) -> (Vec<String>, String, Option<RunState>) {
    let wish = RollBack {
        space: "default".into(),
        infrastructure: "shop".into(),
        account: None,
        to: Some(RevisionNumber(to)),
        deploy: None,
        keep_disks: false,
        env: BTreeMap::new(),
        policy: Policy::default(),
        idempotency_key: None,
    };
    let plan = engine.roll_back(&me(), wish).await.unwrap();
    let view = engine.planned(plan).await.unwrap();
    let draft = &view.plan.as_ref().unwrap().draft;
    assert_eq!(draft.refusals, []);
    let code = draft.steps.iter().filter_map(|step| match &step.action {
        Action::Provision(ProvisionAction::Release(action)) => Some(action.release.clone()),
        Action::Provision(ProvisionAction::Code(_)) => Some("delivered".to_owned()),
        _ => None,
    });
    let (code, words) = (code.collect(), draft.notes[0].message.clone());
    if draft.steps.is_empty() {
        return (code, words, None);
    }
    let run = engine.approve(&me(), plan, None).await.unwrap();
    let run = ended(engine, run).await;
    (code, words, Some(run.state))
}

/// ICT-37: going back to a revision that went to a release goes to that release; its files never count as what was there.
#[test]
fn going_back_to_a_release_that_a_revision_went_to() {
    let stage = Stage::new(5);
    let said = "current bbbb\nrelease bbbb 1700000000\nnumber 2\nrelease aaaa 1600000000\nnumber 1\n";
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
        stage.hosts.answer(host, "muster-look ", 0, said, "");
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let done = async |text: &str, purpose: Purpose, release: Option<&str>| {
            let mut proposal = proposed(&engine, text, release).await;
            proposal.policy.purpose = purpose;
            let plan = engine.submit(&me(), proposal).await.unwrap();
            engine.planned(plan).await.unwrap();
            let run = engine.approve(&me(), plan, None).await.unwrap();
            let run = ended(&engine, run).await;
            assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        };
        let larger = SHOP.replace("cpu: 1", "cpu: 2");
        done(SHOP, Purpose::Deploy, None).await;
        done(SHOP, Purpose::Deploy, Some("1")).await;
        done(&larger, Purpose::Update, None).await;
        done(&larger, Purpose::Deploy, None).await;

        // What the servers had in revision 3 was release 1, which no revision here delivered.
        let (code, words, state) = gone_back(&engine, 3).await;
        assert_eq!((code.len(), state), (0, None), "{words}");
        assert!(words.contains("is not known any more"), "{words}");

        let (code, words, state) = gone_back(&engine, 2).await;
        assert_eq!((code, state), (vec!["aaaa".to_owned()], Some(RunState::Succeeded)), "{words}");
        assert!(words.contains("goes to release aaaa, as revision 2 did"), "{words}");
        let (code, words, _) = gone_back(&engine, 2).await;
        assert_eq!(code.len(), 0, "they have it: {words}");

        done(&larger, Purpose::Deploy, None).await;
        let fewer = "current bbbb\nrelease bbbb 1700000000\nnumber 2\n";
        stage.hosts.answer("web-3", "muster-look ", 0, fewer, "");
        let (code, words, _) = gone_back(&engine, 2).await;
        assert_eq!(code.len(), 0, "{words}");
        assert!(words.contains("not kept everywhere: web-3 keeps 2 bbbb (current)"), "{words}");
    });
    lived.result.unwrap();
}
