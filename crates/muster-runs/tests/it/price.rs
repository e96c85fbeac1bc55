//! What plans cost, where the file does not tell everything any more.

use muster_model::policy::{Policy, Purpose};
use muster_model::price::PlanCost;
use muster_model::run::RunState;
use muster_runs::Engine;

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, backup_days: 7 }
";
/// A server costs 10 + 10 + 20, and its backup each 7 days as much as its disk again.
const PRICES: &str = "\
currency: RUB
locations:
  SdnSpb:
    base: { cpu: 10, ram: 10, disk: { ssd: 1 } }
    backup: 1
";

/// A server that leaves the file, or goes with it, costs its backups until then; a renamed one keeps them.
#[test]
fn backups_of_servers_that_the_file_forgot_are_counted() {
    let stage = Stage::new(17);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (space, account) = ("default".into(), "onecloud".into());
        engine.set_prices(&me(), &space, &account, "prices.yaml", PRICES).await.unwrap();
        let run = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        let cost = async |text: &str, purpose: Purpose| -> (String, String) {
            let policy = Policy { purpose, allow_deletes: Some(2), ..outside_only() };
            let plan = propose(&engine, text, policy).await.unwrap();
            let PlanCost { now, then, unpriced, .. } =
                engine.planned(plan).await.unwrap().plan.unwrap().cost.unwrap();
            assert_eq!(unpriced, []);
            (now.to_string(), then.to_string())
        };
        let pair = |now: &str, then: &str| (now.to_owned(), then.to_owned());
        let all = cost(SHOP, Purpose::Update).await;
        assert_eq!(all, pair("120.00", "120.00"));
        assert_eq!(
            cost(&SHOP.replace("count: 2", "count: 1"), Purpose::Update).await,
            pair("120.00", "60.00")
        );
        assert_eq!(cost(SHOP, Purpose::Destroy).await, pair("120.00", "0.00"));
        assert_eq!(cost(&SHOP.replace("web: {", "app: { was: [web],"), Purpose::Update).await, all);
    });
    lived.result.unwrap();
}
