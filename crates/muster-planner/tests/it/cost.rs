//! ICT-67: what a plan does to the monthly cost, by prices that are easy to reckon with.

use muster_model::infrastructure::Infrastructure;
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::price::{PlanCost, read_prices};
use muster_model::server::{Performance, ServerState};
use muster_planner::plan_cost;
use proptest::prelude::*;

use crate::world::{Setting, record, server};

/// A server of these tests (2 cores, 4 GB, 40 GB) costs 2 × 100 + 4 × 10 + 40 × 1 = 280 in the base pool, and
/// 2 × 200 + 4 × 10 + 40 × 1 = 480 in the high one.
const PRICES: &str = "\
currency: RUB
locations:
  SdnSpb:
    base: { cpu: 100, ram: 10, disk: { ssd: 1 } }
    high: { cpu: 200, ram: 10, disk: { ssd: 1 } }
    backup: 0.5
    windows: 1000
";

fn cost(setting: &Setting) -> PlanCost {
    cost_since(setting, None)
}

/// The same, where the file was applied before.
fn cost_since(setting: &Setting, before: Option<&Infrastructure>) -> PlanCost {
    let prices = read_prices("prices.yaml", PRICES.as_bytes()).unwrap();
    plan_cost(&prices, &setting.file, before, &setting.seen, &setting.plan())
}

fn amounts(setting: &Setting) -> (String, String) {
    let cost = cost(setting);
    assert_eq!(cost.unpriced, [], "{setting:?}");
    (cost.now.to_string(), cost.then.to_string())
}

fn pair(now: &str, then: &str) -> (String, String) {
    (now.to_owned(), then.to_owned())
}

#[test]
fn what_is_made_changed_and_deleted() {
    assert_eq!(amounts(&Setting::new(&["web-1", "web-2"])), pair("0.00", "560.00"));
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    assert_eq!(amounts(&setting), pair("560.00", "560.00"));
    setting.want("web-1").size.performance = Performance::High;
    setting.want("web-1").size.disk_gb = 60;
    assert_eq!(amounts(&setting), pair("560.00", "780.00"));
    setting.unwant("web-2");
    assert_eq!(amounts(&setting), pair("560.00", "500.00"));
    setting.want("web-1").image = "Debian 12".into();
    setting.policy.allow_replace = true;
    setting.policy.allow_deletes = Some(2);
    assert_eq!(amounts(&setting), pair("560.00", "500.00"), "a new one in the old one's place");
}

/// Windows is licensed; a backup each 14 days of 60 GB is 14 / 7 × 0.5 × 60 = 60, also when it stands already.
#[test]
fn licences_and_backups() {
    let mut setting = Setting::new(&["win-1"]);
    setting.want("win-1").image = "Windows Server 2022".into();
    setting.want("win-1").size.disk_gb = 60;
    setting.want("win-1").backup_days = 14;
    assert_eq!(amounts(&setting), pair("0.00", "1360.00"));
    let mut standing = Setting::standing(&["web-1"]);
    standing.want("web-1").backup_days = 7;
    assert_eq!(amounts(&standing), pair("300.00", "300.00"));
}

/// Strangers are not the file's, one that becomes ours is paid already, a stopped one costs the same, and one that is
/// being deleted costs nothing any more.
#[test]
fn who_counts() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.seen.world.servers.push(server("7", "stranger"));
    setting.at("web-1").power_on = false;
    assert_eq!(amounts(&setting), pair("280.00", "280.00"));
    let mut claimed = Setting::new(&["web-1"]);
    claimed.seen.world.servers.push(server("8", "web-1"));
    assert_eq!(amounts(&claimed), pair("280.00", "280.00"));
    let mut going = Setting::new(&[]);
    going.seen.world.servers.push(server("9", "old-1"));
    going.seen.owned.push(record(ObjectKind::Server, "9", "old-1", Claim::Created));
    going.at("old-1").state = ServerState::Deleting;
    assert_eq!(amounts(&going), pair("0.00", "0.00"));
}

#[test]
fn what_has_no_price_is_named_and_in_no_sum() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want("web-2").size.disk_type = "SAS".into();
    let cost = cost(&setting);
    assert_eq!((cost.now.to_string(), cost.then.to_string()), pair("560.00", "280.00"));
    assert_eq!(cost.unpriced.len(), 1);
    assert_eq!(cost.unpriced[0].server, "web-2");
    assert_eq!(cost.unpriced[0].missing, ["no price for SAS disks at SdnSpb (base)"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Carrying a plan out makes its `then` the next plan's `now`; and what stands costs the same whatever is wanted of
    /// it: also what is deleted, renamed or made anew by the plan.
    #[test]
    fn then_is_what_is_there_afterwards(
        servers in prop::collection::vec((1u32..9, 0u32..4, 0usize..5, 1u32..9), 1..7),
    ) {
        let mut setting = Setting::new(&[]);
        for (number, (cores, weeks, fate, _)) in servers.iter().enumerate() {
            let mut server = crate::world::wanted(&format!("web-{number}"));
            server.size.cpu = *cores;
            server.backup_days = weeks * 7;
            // What comes later.
            if *fate != 4 {
                setting.file.servers.push(server);
            }
        }
        let first = setting.plan();
        crate::apply::apply(&mut setting, &first);
        let applied = setting.file.clone();
        let stands = cost(&setting);
        prop_assert_eq!(stands.now, stands.then);

        setting.policy.allow_deletes = Some(20);
        setting.policy.allow_replace = true;
        for (number, (_, weeks, fate, cores)) in servers.iter().enumerate() {
            let name = format!("web-{number}");
            match fate {
                0 => setting.want(&name).size.cpu = *cores,
                1 => setting.unwant(&name),
                2 => {
                    let server = setting.want(&name);
                    server.was.push(name.as_str().into());
                    server.name = format!("app-{number}").as_str().into();
                }
                3 => setting.want(&name).image = "Debian 12".into(),
                _ => {
                    let mut server = crate::world::wanted(&name);
                    server.backup_days = weeks * 7;
                    setting.file.servers.push(server);
                }
            }
        }
        let before = cost_since(&setting, Some(&applied));
        prop_assert_eq!(before.now, stands.now, "{:?}", setting.plan());
        let plan = setting.plan();
        crate::apply::apply(&mut setting, &plan);
        let after = cost(&setting);
        prop_assert_eq!(before.then, after.now);
        prop_assert_eq!(after.now, after.then);
    }
}
