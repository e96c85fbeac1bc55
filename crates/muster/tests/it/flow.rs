//! The main flows as a person goes through them: the program itself against a simulated cloud.

use serde_json::json;

use crate::place::{KEY, Place, SHOP};

const UPDATE: &[&str] = &["infra", "update", "shop"];

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    command.iter().chain(more).copied().collect()
}

/// ICT-01, ICT-04, ICT-43: one command creates, changes and deletes; the same file twice sends no write the second
/// time; the servers of the account are listed.
#[tokio::test]
async fn update_makes_servers_once() {
    let place = Place::new(SHOP);
    let first = place.run(&with(UPDATE, &["--yes", "--skip-provision", "--format", "json"])).json(0);
    assert_eq!(first["outcome"], "ran");
    assert_eq!(first["run"]["state"], "succeeded");
    assert_eq!(first["plan"]["summary"]["create"], 2);
    assert!(!place.writes().await.is_empty());

    let second = place.run(&with(UPDATE, &["--yes", "--skip-provision", "--format", "json"])).json(0);
    assert_eq!(second["outcome"], "nothing-to-do");
    assert_eq!(place.writes().await, Vec::<String>::new());

    let servers = place.run(&["server", "list", "--format", "json"]).json(0);
    let names: Vec<&str> =
        servers.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web-1", "web-2"]);
    assert_eq!(servers[0]["infrastructure"], "shop");

    std::fs::write(place.project().join("infra/shop.yaml"), SHOP.replace("count: 2", "count: 1")).unwrap();
    let third = place.run(&with(UPDATE, &["--yes", "--skip-provision", "--format", "json"])).json(0);
    assert_eq!(third["plan"]["summary"]["delete"], 1);
    let servers = place.run(&["server", "list", "--format", "json"]).json(0);
    assert_eq!(servers.as_array().unwrap().len(), 1);
}

/// ICT-62: before the question the numbers and names are shown; a dry run ends with 0, a check with 4.
#[tokio::test]
async fn a_plan_is_only_shown() {
    let place = Place::new(SHOP);
    let shown = place.run(&with(UPDATE, &["--dry-run", "--skip-provision"]));
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("web-1") && shown.out.contains("web-2"), "{}", shown.out);
    assert!(shown.out.contains("2 to create, 0 to change, 0 to replace, 0 to delete"), "{}", shown.out);
    assert_eq!(place.run(&with(UPDATE, &["--check", "--skip-provision"])).code, 4);
    let unasked = place.run(&with(UPDATE, &["--skip-provision"]));
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    assert_eq!(place.writes().await, Vec::<String>::new());

    place.run(&with(UPDATE, &["--yes", "--skip-provision"])).json_less(0);
    assert_eq!(place.run(&with(UPDATE, &["--check", "--skip-provision"])).code, 0);
    place.sim("drift", json!({"server": "web-1", "set": {"CPU": 2}})).await;
    let drifted = place.run(&with(UPDATE, &["--check", "--skip-provision", "--format", "json"])).json(4);
    assert_eq!(drifted["outcome"], "differences");
    assert_eq!(drifted["plan"]["steps"][0]["target"], "web-1");
}

/// ICT-19, ICT-21: at a terminal the question is asked once; anything but *yes* changes nothing and ends with 3.
#[tokio::test]
async fn no_means_no_and_yes_means_yes() {
    let place = Place::new(SHOP);
    for answer in ["no", "", "y"] {
        let declined = place.at_terminal(&with(UPDATE, &["--skip-provision"]), &[("(yes/no)", answer)]);
        assert_eq!(declined.code, 3, "{declined:?}");
        assert!(declined.out.contains("nothing was changed"), "{}", declined.out);
    }
    assert_eq!(place.writes().await, Vec::<String>::new());
    let agreed = place.at_terminal(&with(UPDATE, &["--skip-provision"]), &[("(yes/no)", "yes")]);
    assert_eq!(agreed.code, 0, "{agreed:?}");
    assert!(!place.writes().await.is_empty());
}

/// ICT-47, ICT-59: the first run asks for the key, asks again for a wrong one, checks it at the provider, stores it
/// sealed, and then still runs the command; the second run does not ask.
#[tokio::test]
async fn the_first_run_asks_and_goes_on() {
    let mut place = Place::new(SHOP);
    place.account = false;
    let typed = [("not shown):", "abc"), ("try again…not shown):", KEY), ("(yes/no)", "yes")];
    let first = place.at_terminal(&with(UPDATE, &["--skip-provision"]), &typed);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("try again"), "{}", first.out);
    assert!(!first.out.contains(KEY));
    let again = place.run(&with(UPDATE, &["--yes", "--skip-provision", "--format", "json"])).json(0);
    assert_eq!(again["outcome"], "nothing-to-do");
    for file in files(&place.home()) {
        let content = std::fs::read(&file).unwrap();
        let found = content.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "the key stands in clear text in {}", file.display());
    }
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn without_anybody_to_ask_the_first_run_says_what_to_set() {
    let mut place = Place::new(SHOP);
    place.account = false;
    let ran = place.run(UPDATE);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("ONECLOUD_API_KEY") && ran.err.contains("muster register"), "{}", ran.err);
}

#[tokio::test]
async fn a_saved_plan_is_carried_out_by_its_id_and_only_while_it_is_true() {
    let place = Place::new(SHOP);
    let plan = place.run(&["infra", "plan", "shop", "--skip-provision", "--format", "json"]).json(0);
    let id = plan["plan"]["id"].as_str().unwrap();
    let ran = place.run(&with(UPDATE, &["--yes", "--plan", id, "--format", "json"])).json(0);
    assert_eq!(ran["plan"]["id"], id);
    assert_eq!(ran["run"]["state"], "succeeded");
    let again = place.run(&with(UPDATE, &["--yes", "--plan", id]));
    assert_eq!(again.code, 6, "{again:?}");
}

#[tokio::test]
async fn a_run_can_be_looked_at_afterwards() {
    let place = Place::new(SHOP);
    let run =
        place.run(&with(UPDATE, &["--yes", "--skip-provision", "--format", "json"])).json(0)["run"].clone();
    let id = run["id"].as_str().unwrap();
    let list = place.run(&["run", "list", "--format", "json"]).json(0);
    assert_eq!(list[0]["id"], id);
    assert_eq!(list[0]["subject"], "infrastructure shop");
    assert!(list[0]["started_at"].is_string() && list[0]["ended_at"].is_string());
    assert_eq!(list[0]["steps"]["succeeded"], list[0]["steps"]["total"]);
    let log = place.run(&["run", "log", id, "--format", "json"]).json(0);
    let events = log.as_array().unwrap();
    assert!(
        events
            .iter()
            .enumerate()
            .all(|(index, event)| event["seq"] == index as u64 + 1 && event["run"] == id)
    );
    assert_eq!(events.last().unwrap()["state"], "succeeded");
    let attached = place.run(&["run", "attach", id]);
    assert_eq!(attached.code, 0, "{attached:?}");
    assert!(attached.out.contains("web-2: create server done"), "{}", attached.out);
    assert_eq!(place.run(&["run", "show", "nonsense"]).code, 2);
    assert_eq!(place.run(&["run", "show", "01a1fcbb-00c3-71cc-b607-4fbc27d3e372"]).code, 2);
    let resumed = place.run(&["run", "resume", id]);
    assert_eq!(resumed.code, 2, "{resumed:?}");
}

#[tokio::test]
async fn problems_of_a_document_are_exit_2_with_their_places() {
    let place = Place::new(&SHOP.replace("ram:", "rma:"));
    let ran = place.run(UPDATE);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("did you mean `ram`") && ran.err.contains("shop.yaml:9"), "{}", ran.err);
    let ran = place.run(&["--format", "json", "validate", "shop"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let failure: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(failure["exit"], 2);
    assert_eq!(failure["problems"][0]["code"], "document");
}

/// ICT-27: playbooks that cannot work are told like any other problem, by `validate` and by `deploy`, before anybody
/// is asked anything.
#[tokio::test]
async fn problems_of_playbooks_are_exit_2_with_their_places() {
    let shop = format!("{SHOP}deploy:\n  - playbook: site.yml\n    hosts: web\n");
    let place = Place::new(&shop);
    let site = "- hosts: web\n  roles: [ngnix]\n- hosts: wbe\n  tasks:\n    - debug: { msg: hi }\n";
    for (path, text) in
        [("muster.yaml", "version: 1\n"), ("site.yml", site), ("roles/nginx/tasks/main.yml", "[]\n")]
    {
        let path = place.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let validated = place.run(&["validate", "shop"]);
    assert_eq!(validated.code, 2, "{validated:?}");
    for words in ["--> site.yml:2:11", "did you mean `nginx`?", "--> site.yml:3:10", "did you mean `web`?"] {
        assert!(validated.err.contains(words), "{words}: {}", validated.err);
    }
    let deployed = place.run(&["infra", "deploy", "shop", "--yes"]);
    assert_eq!((deployed.code, &deployed.err), (2, &validated.err), "the same words");
    assert_eq!(place.writes().await, Vec::<String>::new());
    let updated = place.run(&with(UPDATE, &["--dry-run"]));
    assert_eq!(updated.code, 0, "an update reads no playbooks: {updated:?}");
    let without = place.run(&["infra", "deploy", "shop", "--dry-run", "--skip-provision"]);
    assert_eq!(without.code, 0, "{without:?}");
}

#[tokio::test]
async fn destroy_names_the_budget_it_needs() {
    let place = Place::new(SHOP);
    place.run(&with(UPDATE, &["--yes", "--skip-provision"])).json_less(0);
    let refused = place.run(&["infra", "destroy", "shop", "--yes"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.out.contains("--allow-deletes 2"), "{}", refused.out);
    let done =
        place.run(&["infra", "destroy", "shop", "--yes", "--allow-deletes", "2", "--format", "json"]).json(0);
    assert_eq!(done["run"]["state"], "succeeded");
    assert_eq!(place.run(&["server", "list", "--format", "json"]).json(0), json!([]));
}

impl crate::place::Ran {
    fn json_less(&self, code: i32) {
        assert_eq!(self.code, code, "{self:?}");
    }
}

#[tokio::test]
async fn the_settings_name_an_account_for_files_that_name_none() {
    let place = Place::new(SHOP);
    std::fs::write(place.project().join("muster.yaml"), "version: 1\naccount: elsewhere\n").unwrap();
    let refused = place.run(&with(UPDATE, &["--dry-run"]));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("no account is called elsewhere"), "{refused:?}");
    // What the file or the command says is nearer.
    assert_eq!(place.run(&with(UPDATE, &["--dry-run", "--account", "onecloud"])).code, 0);
    let named = SHOP.replace("version: 1\n", "version: 1\naccount: onecloud\n");
    std::fs::write(place.project().join("infra/shop.yaml"), named).unwrap();
    assert_eq!(place.run(&with(UPDATE, &["--dry-run"])).code, 0);
}
