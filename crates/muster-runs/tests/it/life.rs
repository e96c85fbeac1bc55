//! Life with an account: what happens to it and to its offers between two runs, and in the middle of one.

use muster_model::Secret;
use muster_model::account::AccountSettings;
use muster_model::policy::{Policy, Purpose};
use muster_model::run::{Run, RunState};
use muster_runs::Engine;
use muster_sim::onecloud::{Durations, Simulator, SimulatorConfig};
use serde_json::json;

use crate::process::{Cut, KEY, Stage, ended, me, outside_only, propose_as, propose_to, update};

fn file(servers: usize) -> String {
    format!(
        "version: 1\nlocation: SdnSpb\nstats: false\nservers:\n  web: {{ count: {servers}, image: Debian11x64, cpu: 1, \
         ram: 1 GiB, disk: 20 GiB ssd }}\n"
    )
}

/// One update in a process of its own.
fn updated(stage: &Stage, text: &str, policy: Policy) -> Result<Option<Run>, String> {
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, text, policy).await.map(|(_, run)| run).map_err(|error| error.to_string())
    });
    lived.result.unwrap()
}

fn converges(stage: &Stage, text: &str) {
    let run = updated(stage, text, outside_only()).unwrap();
    assert!(run.as_ref().is_none_or(|run| run.state == RunState::Succeeded), "{run:?}");
    assert!(updated(stage, text, outside_only()).unwrap().is_none(), "nothing is left to do");
}

/// ICT-10: an account that runs out of money in the middle: what was not made is said, and once there is money the next
/// update goes on and makes nothing twice.
#[test]
fn money_runs_out_in_the_middle() {
    let stage = Stage::with(21, Durations::real(), AccountSettings::default());
    stage.drift(json!({"server_price": 100.0}));
    stage.drift(json!({"balance": 650.0}));
    let run = updated(&stage, &file(12), outside_only()).unwrap().unwrap();
    assert_eq!(run.state, RunState::Failed, "{run:?}");
    let message = run.message.unwrap();
    assert!(message.contains("money") && message.contains("muster infra update shop"), "{message}");
    let unpaid = stage.simulator.servers().len();
    assert!(unpaid <= 12, "{unpaid}");
    stage.drift(json!({"balance": 5_000.0}));
    converges(&stage, &file(12));
    assert_eq!(stage.simulator.servers().len(), 12);
}

/// A quota that is reached at the seventh of twelve servers: the provider's words are told, what was made stays, and
/// a larger quota lets the next update make the rest.
#[test]
fn a_quota_is_reached_at_server_seven_of_twelve() {
    let stage = Stage::new(22);
    stage.drift(json!({"quota": {"servers": 6}}));
    let run = updated(&stage, &file(12), outside_only()).unwrap().unwrap();
    assert_eq!(run.state, RunState::Failed, "{run:?}");
    let message = run.message.unwrap();
    assert!(message.contains("the provider says:"), "{message}");
    assert_eq!(stage.simulator.servers().len(), 6);
    stage.drift(json!({"quota": {"servers": 20}}));
    converges(&stage, &file(12));
    assert_eq!(stage.simulator.servers().len(), 12);
}

/// A location that closes: what is there stays as it is, a new server is refused with the locations there are.
#[test]
fn a_location_closes() {
    let stage = Stage::new(23);
    converges(&stage, &file(1));
    stage.drift(json!({"location": "SdnSpb", "delete": true}));
    let refused = updated(&stage, &file(2), outside_only()).unwrap_err();
    assert!(refused.contains("location") && refused.contains("DsMsk"), "{refused}");
    assert_eq!(stage.simulator.servers().len(), 1);
}

/// An image that got another number is found by its name; one that vanished changes nothing on servers that have it,
/// and refuses a new one with the nearest that there is.
#[test]
fn an_image_moves_and_vanishes() {
    let stage = Stage::new(24);
    converges(&stage, &file(1));
    stage.drift(json!({"image": "Debian11x64", "set": {"ID": 99_783}}));
    converges(&stage, &file(2));
    assert_eq!(stage.simulator.servers().len(), 2);
    stage.drift(json!({"image": "Debian11x64", "delete": true}));
    let refused = updated(&stage, &file(3), outside_only()).unwrap_err();
    assert!(refused.contains("Debian11x64") && refused.contains("Debian10x64"), "{refused}");
    let same = updated(&stage, &file(2), outside_only());
    assert!(same.as_ref().is_ok_and(Option::is_none), "servers that have it stay: {same:?}");
}

/// A server that got another name in the panel is still ours by its id: told, not made again.
#[test]
fn a_server_is_renamed_in_the_panel() {
    let stage = Stage::new(25);
    converges(&stage, &file(2));
    stage.drift(json!({"server": "web-1", "set": {"Name": "renamed-by-hand"}}));
    assert!(updated(&stage, &file(2), outside_only()).unwrap().is_none());
    let mut names: Vec<String> = stage.simulator.servers().iter().map(|server| server.name.clone()).collect();
    names.sort();
    assert_eq!(names, ["renamed-by-hand", "web-2"]);
}

/// Two files that want one name: the second is refused with the first one's, until the first gives the server up; then
/// the second adopts it. Nothing is made or deleted on the way.
#[test]
fn two_files_claim_one_server() {
    let stage = Stage::new(26);
    converges(&stage, &file(1));
    let change = |name: &'static str, policy: Policy| {
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let plan = propose_as(&engine, name, &file(1), policy).await.unwrap();
            let view = engine.planned(plan).await.unwrap();
            let draft = view.plan.unwrap().draft;
            if !draft.refusals.is_empty() {
                return Err(format!("{:?}", draft.refusals));
            }
            if draft.steps.is_empty() {
                return Ok(draft.waiting.len());
            }
            let run = engine.approve(&me(), plan, None).await.unwrap();
            let run = ended(&engine, run).await;
            assert_eq!(run.state, RunState::Succeeded, "{run:?}");
            Ok(0)
        });
        lived.result.unwrap()
    };
    let id = stage.simulator.servers()[0].id;
    let refused = change("other", outside_only()).unwrap_err();
    assert!(refused.contains("shop"), "{refused}");
    let names = Policy { purpose: Purpose::Disown, names: ["web-1".to_owned()].into(), ..outside_only() };
    change("shop", names.clone()).unwrap();
    change("other", Policy { purpose: Purpose::Adopt, ..names }).unwrap();
    assert_eq!(change("other", outside_only()), Ok(0), "nothing is left to do");
    let servers = stage.simulator.servers();
    assert_eq!((servers.len(), servers[0].id), (1, id));
    let refused = change("shop", outside_only()).unwrap_err();
    assert!(refused.contains("other"), "{refused}");
}

/// A file in a second account of the same customer.
struct Second {
    stage: Stage,
}

impl Second {
    const NAME: &str = "second";

    /// A provider with two projects, the second of them a registered account.
    fn new() -> Second {
        let key = KEY.replace("00", "ab");
        let mut stage = Stage::new(27);
        let config = SimulatorConfig::new(vec![KEY.to_owned(), key.clone()], stage.clock.clone());
        stage.simulator = Simulator::new(config);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let (url, settings) = ("http://127.0.0.1:1".to_owned(), stage.settings.clone());
            let space = "default".into();
            engine
                .register(&me(), &space, Second::NAME.into(), url, Secret::new(key), settings)
                .await
                .unwrap();
        });
        lived.result.unwrap();
        Second { stage }
    }

    /// The plan's steps there (`None`: in the file's own account), carried out; or why it is refused.
    fn apply(&self, account: Option<&str>, text: &str, policy: Policy) -> Result<usize, String> {
        let lived = self.stage.process(Cut::Never, async |engine: Engine| {
            let plan = propose_to(&engine, account, "shop", text, policy).await.unwrap();
            let draft = engine.planned(plan).await.unwrap().plan.unwrap().draft;
            if !draft.refusals.is_empty() {
                return Err(format!("{:?}", draft.refusals));
            }
            if !draft.steps.is_empty() {
                let run = engine.approve(&me(), plan, None).await.unwrap();
                let run = ended(&engine, run).await;
                assert_eq!(run.state, RunState::Succeeded, "{run:?}");
            }
            Ok(draft.steps.len())
        });
        lived.result.unwrap()
    }

    /// Numbers and names of the servers and networks of a project.
    fn standing(&self, project: usize) -> Vec<(u64, String)> {
        let servers = self.stage.simulator.servers_of(project).into_iter().map(|one| (one.id, one.name));
        let networks = self.stage.simulator.networks_of(project).into_iter().map(|one| (one.id, one.name));
        servers.chain(networks).collect()
    }
}

/// One file, applied to two accounts: the same names stand in both, each with records of its own, and whatever is
/// changed, lost, given up or deleted in one, the other is as it was and has nothing to do.
#[test]
fn one_file_in_two_accounts() {
    let second = Second::new();
    let there = Some(Second::NAME);
    let text = |servers: usize| {
        let linked = file(servers).replace("20 GiB ssd", "20 GiB ssd, networks: [backend]");
        format!("{linked}networks:\n  backend: {{ dhcp: true }}\n")
    };
    let both = text(2);
    assert!(second.apply(None, &both, outside_only()).unwrap() > 0);
    let first = second.standing(0);
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(second.standing(1).is_empty());
    assert!(
        second.apply(there, &both, outside_only()).unwrap() > 0,
        "what stands elsewhere does not stand here"
    );
    let names = |standing: &[(u64, String)]| -> Vec<String> {
        standing.iter().map(|(_, name)| name.clone()).collect()
    };
    assert_eq!(names(&second.standing(1)), names(&first));
    assert!(second.standing(1).iter().all(|one| !first.contains(one)), "each has its own");

    let untouched = || {
        assert_eq!(second.standing(0), first);
        assert_eq!(second.apply(None, &both, outside_only()), Ok(0));
        assert_eq!(second.standing(0), first);
    };
    assert_eq!(second.apply(there, &both, outside_only()), Ok(0));
    untouched();
    // One that was lost there is made there.
    second.stage.drift(json!({"server": "web-1", "delete": true, "project": 1}));
    untouched();
    assert!(second.apply(there, &both, outside_only()).unwrap() > 0);
    untouched();
    // Fewer there, and one that is given up there.
    let allowed = Policy { allow_deletes: Some(9), ..outside_only() };
    assert!(second.apply(there, &text(1), allowed.clone()).unwrap() > 0);
    assert_eq!(names(&second.standing(1)), ["web-1", "backend"]);
    untouched();
    let one = ["web-1".to_owned()].into();
    let disown = Policy { purpose: Purpose::Disown, names: one, ..outside_only() };
    assert_eq!(second.apply(there, &text(1), disown.clone()), Ok(1));
    untouched();
    assert_eq!(second.apply(there, &text(1), Policy { purpose: Purpose::Adopt, ..disown }), Ok(1));
    // All of it there.
    assert!(second.apply(there, &text(1), Policy { purpose: Purpose::Destroy, ..allowed }).unwrap() > 0);
    assert_eq!(second.standing(1), []);
    untouched();
}
