//! Columns: one row a thing, one line a row.

use comfy_table::{Cell, Table, presets};
use muster_api::account::OffersAttributes;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::plan::PlanAttributes;
use muster_api::queue::QueuedAttributes;
use muster_api::release::ReleasesAttributes;
use muster_api::run::RunAttributes;
use muster_api::server::ServerAttributes;
use muster_api::stats::StatsAttributes;
use muster_model::code::short;

use super::{data, event, object, plan, price, revision};
use crate::command::Report;
use crate::command::report::{Row, StepExplained};

/// A table as text; trailing blanks removed.
pub fn draw(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|word| Cell::new(word.to_uppercase())));
    for row in rows {
        table.add_row(row);
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
        text.push('\n');
    }
    text
}

/// A page of a list: only the first one names the columns.
pub fn page(page: &Report, first: bool) -> String {
    let text = report(page);
    match text.split_once('\n') {
        Some((_, rows)) if !first => rows.to_owned(),
        Some(_) | None => text,
    }
}

/// Anything as columns; what has no columns is drawn as YAML.
pub fn report(report: &Report) -> String {
    match report {
        Report::Nothing => String::new(),
        Report::Text(text) => text.clone(),
        Report::Planned(planned) => steps(&planned.plan.said),
        Report::Run(run) => runs(std::slice::from_ref(run)),
        Report::Runs(list) => runs(list),
        Report::Queue(list) => queue(list),
        Report::Server(server) => servers(std::slice::from_ref(server)),
        Report::Servers(list) => servers(list),
        Report::Infrastructure(owned) => objects(&owned.said),
        Report::Objects(class, list) => object::many(*class, list),
        Report::Releases(list) => releases(list),
        Report::Stats(list) => stats(list),
        Report::Revisions(list) => revision::list(list),
        Report::Revision(row) => revision::servers(&row.said),
        Report::Differences(found) => revision::fields(&found.said),
        Report::Accounts(list) => draw(
            &["account", "provider", "customer", "project", "url"],
            list.iter()
                .map(|row| {
                    let said = &row.said;
                    vec![
                        said.name.clone(),
                        said.provider.clone(),
                        said.customer.clone(),
                        said.project.clone(),
                        said.url.clone(),
                    ]
                })
                .collect(),
        ),
        Report::Explained(explained) => self::explained(&explained.steps),
        Report::Contexts(contexts) => draw(
            &["", "context", "url"],
            contexts
                .iter()
                .map(|known| {
                    let mark = if known.current { "*" } else { "" };
                    let url = known.url.clone().unwrap_or_else(|| "(this machine)".into());
                    vec![mark.to_owned(), known.name.clone(), url]
                })
                .collect(),
        ),
        Report::Offers(offers) => self::offers(offers),
        Report::Prices(prices) => price::prices(&prices.said),
        Report::Cost(cost) => price::servers(&cost.said),
        Report::Files(files) => draw(
            &["file", "path", "servers", "networks", "last run"],
            files
                .iter()
                .map(|file| {
                    vec![
                        file.name.clone(),
                        file.path.clone().unwrap_or_else(|| "(not here)".into()),
                        file.servers.to_string(),
                        file.networks.to_string(),
                        file.last_run_state.clone().unwrap_or_else(|| "-".into()),
                    ]
                })
                .collect(),
        ),
        Report::Secrets(list) => {
            draw(&["secret"], list.iter().map(|row| vec![row.said.name.clone()]).collect())
        }
        Report::Limits(list) => draw(
            &["limit", "at once", "taken now"],
            list.iter()
                .map(|row| vec![row.said.key.clone(), row.said.cap.to_string(), row.said.taken.to_string()])
                .collect(),
        ),
        Report::Checks(checks) => draw(
            &["what", "well", "message"],
            checks
                .iter()
                .map(|check| {
                    let well = if check.well { "yes" } else { "no" };
                    vec![check.what.clone(), well.to_owned(), check.message.clone()]
                })
                .collect(),
        ),
        Report::Events(events) => draw(
            &["seq", "at", "event"],
            events
                .iter()
                .filter_map(|said| {
                    let line = event::line(said)?;
                    Some(vec![said.seq.to_string(), said.at.to_string(), strip(&line)])
                })
                .collect(),
        ),
        Report::Found(events) => draw(
            &["at", "run", "lane:seq", "event"],
            events
                .iter()
                .map(|said| {
                    let line = event::line(said).unwrap_or_else(|| said.text());
                    let place = format!("{}:{}", said.lane, said.seq);
                    vec![said.at.to_string(), said.run.clone(), place, strip(&line)]
                })
                .collect(),
        ),
        Report::Output(lines) => draw(
            &["step", "target", "text"],
            lines
                .iter()
                .map(|line| vec![line.step.to_string(), line.target.clone(), line.text.clone()])
                .collect(),
        ),
        Report::Did(_)
        | Report::Object(_)
        | Report::Details(_)
        | Report::Account(_)
        | Report::AccountTest(_)
        | Report::Validated(_)
        | Report::Converted(_) => data::yaml(report),
    }
}

/// Steps with their reasons.
pub fn explained(steps: &[StepExplained]) -> String {
    let rows = steps.iter().map(|step| {
        vec![
            step.number.to_string(),
            step.target.clone(),
            step.action.clone(),
            step.why.clone(),
            step.state.clone(),
            step.last.clone(),
        ]
    });
    draw(&["step", "target", "action", "why", "state", ""], rows.collect())
}

/// Locations, then images.
pub fn offers(offers: &OffersAttributes) -> String {
    let locations = offers
        .locations
        .iter()
        .map(|location| vec![location.name.clone(), location.title.clone(), location.performance.join(", ")]);
    let everywhere = |location: &str| if location.is_empty() { "(all)".into() } else { location.to_owned() };
    let images = offers.images.iter().map(|image| {
        let disk = if image.disk_min_gb == 0 { "-".into() } else { format!("{} GiB", image.disk_min_gb) };
        vec![image.name.clone(), image.title.clone(), everywhere(&image.location), image.family.clone(), disk]
    });
    let mut text = draw(&["location", "title", "performance"], locations.collect());
    text.push('\n');
    text.push_str(&draw(&["image", "title", "at", "family", "least disk"], images.collect()));
    text
}

fn strip(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn steps(plan: &PlanAttributes) -> String {
    let shown = plan.steps.iter().take(plan::STEPS_SHOWN_MAX).map(|step| {
        let (mark, _) = super::style::sign(step.sign);
        let changes =
            step.changes.iter().map(|change| format!("{}: {} → {}", change.field, change.old, change.new));
        vec![
            step.number.to_string(),
            mark.to_owned(),
            step.target.clone(),
            step.action.clone(),
            changes.collect::<Vec<_>>().join(", "),
            step.reason.clone(),
        ]
    });
    draw(&["step", "", "target", "action", "changes", "reason"], shown.collect())
}

/// Runs.
pub fn runs<T: std::borrow::Borrow<Row<RunAttributes>>>(runs: &[T]) -> String {
    let rows = runs.iter().map(|run| {
        let Row { id, said } = run.borrow();
        vec![
            id.clone(),
            said.state_words(),
            said.subject.clone(),
            said.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            said.ended_at.map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            format!("{}/{}", said.steps.succeeded, said.steps.total),
        ]
    });
    draw(&["run", "state", "subject", "started", "ended", "steps"], rows.collect())
}

/// Queued requests.
fn queue(requests: &[Row<QueuedAttributes>]) -> String {
    let rows = requests.iter().map(|Row { id, said }| {
        vec![
            id.clone(),
            said.state.clone(),
            said.subject.clone(),
            said.asked_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            said.give_up_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            said.run.clone().or_else(|| said.message.clone()).unwrap_or_else(|| "-".into()),
        ]
    });
    draw(&["request", "state", "subject", "asked", "until", "run, or why not"], rows.collect())
}

/// Servers.
pub fn servers<T: std::borrow::Borrow<Row<ServerAttributes>>>(servers: &[T]) -> String {
    let rows = servers.iter().map(|server| {
        let Row { id, said } = server.borrow();
        vec![
            id.clone(),
            said.name.clone(),
            said.state.clone(),
            said.power.clone(),
            said.cpu.to_string(),
            size(u64::from(said.ram_mb) * 1024 * 1024),
            format!("{} GiB {}", said.disk_gb, said.disk_type),
            said.location.clone(),
            said.address.clone().unwrap_or_else(|| "-".into()),
            said.infrastructure.clone().unwrap_or_else(|| "-".into()),
        ]
    });
    let header = ["id", "name", "state", "power", "cpu", "ram", "disk", "location", "address", "file"];
    draw(&header, rows.collect())
}

/// What a file owns.
pub fn objects(owned: &InfrastructureAttributes) -> String {
    let rows = owned.objects.iter().map(|object| {
        vec![
            object.kind.clone(),
            object.name.clone(),
            object.id.clone(),
            object.claim.clone(),
            if object.protect { "yes" } else { "no" }.to_owned(),
            object.since.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            if object.provision_failed.is_empty() { "-".into() } else { object.provision_failed.join(", ") },
        ]
    });
    draw(&["kind", "name", "id", "claim", "protected", "since", "failed inside"], rows.collect())
}

/// Releases, the newest first.
pub fn releases(places: &[Row<ReleasesAttributes>]) -> String {
    let mut rows = Vec::new();
    for Row { said, .. } in places {
        let server = match &said.account {
            None => said.server.clone(),
            Some(account) => format!("{} ({account})", said.server),
        };
        let place = [server, said.to.clone()];
        if said.releases.is_empty() {
            let why = said.error.clone().unwrap_or_else(|| "no release".into());
            rows.push([&place[..], &[String::new(), String::new(), why]].concat());
        }
        for release in &said.releases {
            let state = if said.unfinished.as_ref() == Some(&release.name) {
                "unfinished"
            } else if said.current.as_ref() == Some(&release.name) {
                "current"
            } else {
                ""
            };
            let rest = [
                release.number.map_or_else(|| "-".into(), |number| number.to_string()),
                state.to_owned(),
                short(&release.name).to_owned(),
                release.at.map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
                release.source.clone().unwrap_or_else(|| "-".into()),
            ];
            rows.push([&place[..], &rest].concat());
        }
    }
    draw(&["server", "directory", "number", "", "release", "since", "from"], rows)
}

/// Load of servers.
pub fn stats(stats: &[Row<StatsAttributes>]) -> String {
    let rows = stats.iter().map(|row| {
        let said = &row.said;
        if let Some(error) = &said.error {
            let mut cells = vec![said.server.clone(), error.clone()];
            cells.resize(8, String::new());
            return cells;
        }
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
        let share = |free: Option<u64>, all: Option<u64>| match (free, all) {
            (Some(free), Some(all)) => format!("{} of {}", size(all.saturating_sub(free)), size(all)),
            _ => "-".to_owned(),
        };
        vec![
            said.server.clone(),
            said.cpu_busy_percent.map_or_else(|| "-".into(), |busy| format!("{busy:.1} %")),
            format!("{} {} {}", number(said.load_1m), number(said.load_5m), number(said.load_15m)),
            share(said.memory_available_bytes, said.memory_total_bytes),
            share(said.disk_available_bytes, said.disk_total_bytes),
            rate(said.receive_bytes_per_second),
            rate(said.transmit_bytes_per_second),
            said.uptime_seconds.map_or_else(|| "-".into(), uptime),
        ]
    });
    draw(&["server", "cpu busy", "load", "memory", "disk", "received", "sent", "up"], rows.collect())
}

fn rate(bytes: Option<f64>) -> String {
    // A rate fits a u64 by far; a negative one (a counter that was reset) shows as 0.
    bytes.map_or_else(|| "-".into(), |bytes| format!("{}/s", size(bytes.max(0.0) as u64)))
}

fn uptime(seconds: f64) -> String {
    let minutes = (seconds / 60.0) as u64;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() < 0.05 || unit == 0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_long_list_are_named_once() {
        let names = |name: &str| {
            let said = muster_api::secret::SecretAttributes { name: name.into() };
            Report::Secrets(vec![Row::from(muster_api::Resource::new(name, said))])
        };
        assert_eq!(page(&names("one"), true), "SECRET\none\n");
        assert_eq!(page(&names("two"), false), "two\n");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(4 * 1024 * 1024 * 1024), "4 GiB");
        assert_eq!(size(1536 * 1024), "1.5 MiB");
        assert_eq!(uptime(59.0), "0 min");
        assert_eq!(uptime(90_000.0), "1 d 1 h");
    }
}
