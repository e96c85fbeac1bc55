//! Answers as people read them.

use std::fmt::Write;

use muster_api::run::RunAttributes;

use super::style::{BAD, FAINT, GOOD, STRONG, WARN};
use super::{event, object, plan, price, revision, table};
use crate::command::Report;
use crate::command::report::{Outcome, Planned, Row};

/// An answer; `plan_shown` = the plan was drawn before, while the command worked.
pub fn report(report: &Report, plan_shown: bool, quiet: bool) -> String {
    match report {
        Report::Nothing => String::new(),
        Report::Text(text) => text.clone(),
        Report::Did(_) if quiet => String::new(),
        Report::Did(sentence) => format!("{sentence}\n"),
        Report::Planned(planned) => planned_text(planned, plan_shown),
        Report::Run(run) => run_text(run),
        Report::Queue(requests) if requests.is_empty() => "No request waits or waited.\n".into(),
        Report::Runs(runs) if runs.is_empty() => "No runs yet.\n".into(),
        Report::Servers(servers) if servers.is_empty() => "No servers.\n".into(),
        Report::Files(files) if files.is_empty() => {
            "No infrastructure files here, and nothing is owned.\n".into()
        }
        Report::Accounts(accounts) if accounts.is_empty() => {
            "No account is known; register one with: muster register\n".into()
        }
        Report::Secrets(names) if names.is_empty() => "No secrets.\n".into(),
        Report::Limits(limits) if limits.is_empty() => {
            "Nothing is limited; set a limit with: muster limit set KEY NUMBER\n".into()
        }
        Report::Objects(class, objects) if objects.is_empty() => object::none(*class),
        Report::Object(one) => object::one(one),
        Report::Details(said) => object::details(said),
        Report::Stats(stats) if stats.is_empty() => "No running servers.\n".into(),
        Report::Runs(_)
        | Report::Queue(_)
        | Report::Servers(_)
        | Report::Files(_)
        | Report::Accounts(_)
        | Report::Secrets(_)
        | Report::Limits(_)
        | Report::Contexts(_)
        | Report::Objects(..)
        | Report::Releases(_)
        | Report::Revisions(_)
        | Report::Stats(_) => table::report(report),
        Report::Revision(row) => revision::one(&row.said),
        Report::Differences(found) => revision::differences(&found.said),
        Report::Events(events) => events.iter().filter_map(event::line).map(|line| line + "\n").collect(),
        Report::Found(events) if events.is_empty() => "Nothing found.\n".into(),
        Report::Found(events) => events.iter().map(found).collect(),
        Report::Output(lines) => {
            lines.iter().map(|line| format!("{}: {}\n", line.target, line.text)).collect()
        }
        Report::Account(account) => {
            let said = &account.said;
            fields(&[
                ("account", said.name.clone()),
                ("provider", said.provider.clone()),
                ("customer", said.customer.clone()),
                ("project", said.project.clone()),
                ("address", said.url.clone()),
            ])
        }
        Report::AccountTest(test) => {
            let said = &test.said;
            fields(&[
                ("account", said.name.clone()),
                ("provider", said.provider.clone()),
                ("customer", said.customer.clone()),
                ("project", said.project.clone()),
                ("balance", said.balance.clone()),
            ])
        }
        Report::Explained(explained) => {
            let mut out = run_text(&explained.run);
            for sentence in &explained.because {
                if explained.run.said.message.as_ref() != Some(sentence) {
                    let _ = writeln!(out, "{sentence}");
                }
            }
            out.push('\n');
            out.push_str(&table::explained(&explained.steps));
            out
        }
        Report::Offers(offers) => {
            let mut out = table::offers(offers);
            let at = offers.seen_at.strftime("%Y-%m-%d %H:%M UTC");
            let _ = writeln!(
                out,
                "\n{FAINT}As the provider said at {at}; to ask again: muster account refresh {}{FAINT:#}",
                offers.account
            );
            out
        }
        Report::Prices(prices) => price::prices(&prices.said),
        Report::Cost(found) => price::cost(&found.said),
        Report::Server(server) => {
            let said = &server.said;
            fields(&[
                ("server", said.name.clone()),
                ("id", server.id.clone()),
                ("account", said.account.clone()),
                ("file", said.infrastructure.clone().unwrap_or_else(|| "none: not ours".into())),
                ("state", format!("{}, {}", said.state, said.power)),
                (
                    "size",
                    format!(
                        "{} cpu, {} MiB, {} GiB {}, {}",
                        said.cpu, said.ram_mb, said.disk_gb, said.disk_type, said.performance
                    ),
                ),
                ("location", said.location.clone()),
                ("image", said.image.clone()),
                ("address", said.address.clone().unwrap_or_else(|| "-".into())),
                (
                    "private",
                    if said.private_addresses.is_empty() {
                        "-".into()
                    } else {
                        said.private_addresses.join(", ")
                    },
                ),
            ])
        }
        Report::Infrastructure(owned) => {
            let said = &owned.said;
            let names = match said.records {
                0 => String::new(),
                count => format!(", {count} DNS records"),
            };
            let mut out = format!(
                "{STRONG}{}{STRONG:#}: {} servers, {} networks{names}\n",
                said.name, said.servers, said.networks
            );
            if let (Some(run), Some(state)) = (&said.last_run, &said.last_run_state) {
                let _ = writeln!(out, "last run {run}: {state}");
            }
            if !said.objects.is_empty() {
                out.push('\n');
                out.push_str(&table::objects(said));
            }
            out
        }
        Report::Validated(file) => {
            let mut out = String::new();
            for warning in &file.warnings {
                let _ = writeln!(out, "{}\n", warning.render(muster_model::diagnostic::Style::Coloured));
            }
            let _ = writeln!(
                out,
                "{GOOD}{} is good{GOOD:#}: {} servers, {} networks, {} files in its bundle",
                file.name, file.servers, file.networks, file.files
            );
            out
        }
        Report::Converted(file) => match &file.to {
            None => file.text.clone(),
            Some(to) => format!(
                "{GOOD}{to} is written{GOOD:#}: {} servers, {} networks, the same as in {}\n",
                file.servers, file.networks, file.from
            ),
        },
        Report::Checks(checks) => {
            let mut out = String::new();
            for check in checks {
                let (mark, color) = match (check.well, check.needed) {
                    (true, _) => ("✓", GOOD),
                    (false, false) => ("!", WARN),
                    (false, true) => ("✗", BAD),
                };
                let _ = writeln!(out, "{color}{mark}{color:#} {:<18} {}", check.what, check.message);
            }
            out
        }
    }
}

/// An event among those of other runs.
fn found(said: &muster_api::event::Event) -> String {
    let at = said.at.strftime("%Y-%m-%d %H:%M:%S");
    let line = event::line(said).unwrap_or_else(|| said.text());
    format!("{FAINT}{at} {}{FAINT:#} {line}\n", said.run)
}

pub fn fields(fields: &[(&str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{FAINT}{name:<10}{FAINT:#} {value}\n")).collect()
}

fn planned_text(planned: &Planned, plan_shown: bool) -> String {
    let mut out = if plan_shown { String::new() } else { plan::plan(&planned.plan.said) };
    match planned.outcome {
        Outcome::NothingToDo | Outcome::Refused => {}
        Outcome::Declined => out.push_str("Declined; nothing was changed.\n"),
        Outcome::Shown | Outcome::Differences => {
            if !planned.plan.said.steps.is_empty() {
                let _ = writeln!(
                    out,
                    "{FAINT}Only shown; nothing was changed. Plan {}{FAINT:#}",
                    planned.plan.id
                );
            }
        }
        Outcome::Detached => {
            if let Some(run) = &planned.run {
                let _ = writeln!(
                    out,
                    "Run {} goes on in the background. Follow it with: muster run attach {}",
                    run.id, run.id
                );
            }
        }
        Outcome::Queued => {
            out.push_str("It waits for its turn; what becomes of it: muster run queue\n");
        }
        Outcome::Ran => {
            if let Some(run) = &planned.run {
                out.push_str(&run_text(run));
            }
        }
    }
    out
}

/// A run in a few lines: how it ended, what was left, what to do next.
pub fn run_text(run: &Row<RunAttributes>) -> String {
    let said = &run.said;
    let color = match said.state.as_str() {
        "succeeded" => GOOD,
        "ready" | "running" => STRONG,
        "partly" | "interrupted" | "stale" | "superseded" => WARN,
        _ => BAD,
    };
    let mut out = format!("Run {} {color}{}{color:#}", run.id, said.state_words());
    let steps = &said.steps;
    let _ = write!(out, ": {} of {} steps done", steps.succeeded, steps.total);
    for (count, word) in
        [(steps.failed, "failed"), (steps.running, "under way"), (steps.skipped, "not begun")]
    {
        if count > 0 {
            let _ = write!(out, ", {count} {word}");
        }
    }
    out.push_str(".\n");
    if let Some(message) = &said.message {
        let _ = writeln!(out, "{message}");
    }
    match said.state.as_str() {
        "ready" if said.begins_at.is_some() => {
            let _ = writeln!(out, "Revoke it with nothing done: muster run cancel {}", run.id);
        }
        "interrupted" => {
            let _ = writeln!(out, "Take it up again with: muster run resume {}", run.id);
        }
        "stale" => {
            out.push_str("The world moved since the plan was made; nothing was touched. Plan again.\n")
        }
        "failed" => {
            let _ = writeln!(out, "What happened: muster run log {}", run.id);
            let _ = writeln!(out, "Try what failed again: muster run retry {}", run.id);
        }
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::style::plain;
    use crate::view::{data, sample};
    use muster_api::run::StepCountsSaid;

    fn run(state: &str, message: Option<&str>) -> Row<RunAttributes> {
        Row {
            id: "01994d1e-0000-7000-8000-000000000001".into(),
            said: RunAttributes {
                space: "default".into(),
                subject: "infrastructure shop".into(),
                infrastructure: Some("shop".into()),
                plan: "01994d1e-0000-7000-8000-000000000002".into(),
                state: state.into(),
                is_final: state != "interrupted",
                message: message.map(str::to_owned),
                actor: "ann".into(),
                started_at: "2026-11-21T05:00:00Z".parse().unwrap(),
                ended_at: None,
                begins_at: None,
                begins_in_seconds: None,
                steps: StepCountsSaid { total: 5, succeeded: 3, failed: 1, running: 0, skipped: 1 },
            },
        }
    }

    #[test]
    fn a_run_ends_with_the_next_step() {
        let text: String = ["succeeded", "failed", "interrupted", "stale"]
            .iter()
            .map(|state| {
                run_text(&run(state, (*state == "failed").then_some("create server web-1: HTTP 500")))
            })
            .collect();
        insta::assert_snapshot!(plain(&text));
    }

    #[test]
    fn a_declined_plan_says_that_nothing_was_changed() {
        let plan = Row { id: "p1".into(), said: sample::plan() };
        let report = Report::Planned(Box::new(Planned { outcome: Outcome::Declined, plan, run: None }));
        assert_eq!(super::report(&report, true, false), "Declined; nothing was changed.\n");
    }

    #[test]
    fn machines_get_ids_among_the_attributes() {
        let value = data::value(&Report::Runs(vec![run("succeeded", None)]));
        let first = &value[0];
        assert_eq!(first["id"], "01994d1e-0000-7000-8000-000000000001");
        assert_eq!(first["state"], "succeeded");
        assert_eq!(first["subject"], "infrastructure shop");
        assert_eq!(first["steps"]["succeeded"], 3);
        assert!(first["ended_at"].is_null());
        let yaml = data::yaml(&Report::Runs(vec![run("succeeded", None)]));
        assert!(yaml.contains("state: succeeded"), "{yaml}");
    }

    #[test]
    fn runs_as_a_table() {
        let table = table::report(&Report::Runs(vec![run("succeeded", None), run("interrupted", None)]));
        insta::assert_snapshot!(table);
    }
}
