//! What is written about a journal entry or a line of output: pure, so that the same record is always the same
//! document under the same id. The fields' names are Edge's, so that its searches and pages go on working.

use jiff::Timestamp;
use muster_model::id::StepNumber;
use muster_model::plan::{Action, Plan, ProvisionAction, Step, text};
use muster_model::run::{Entry, EntryKind, FailureClass, Run, RunState};
use muster_outside::sink::{BASIC, DETAIL, Document};
use muster_store::OutputRecord;
use serde_json::{Map, Value};

use super::cursor::{RunCursor, UnderWay};

/// What all records of a run share.
pub(crate) struct About<'a> {
    /// The beginning of the indices' names.
    pub(crate) prefix: &'a str,
    /// The run.
    pub(crate) run: &'a Run,
    /// Its plan, unless that is gone.
    pub(crate) plan: Option<&'a Plan>,
    /// What was asked for: `update`, `deploy`, ….
    pub(crate) purpose: &'a str,
    /// The machine that executed it.
    pub(crate) host: &'a str,
}

/// One record under construction.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(mut self, name: &str, value: impl Into<Value>) -> Fields {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Fields {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    fn span(self, from: Timestamp, to: Timestamp) -> Fields {
        let seconds = to.duration_since(from).as_secs_f64().max(0.0);
        self.put("starttime", time(from)).put("endtime", time(to)).put("duration", seconds)
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl About<'_> {
    fn fields(&self, at: Timestamp) -> Fields {
        Fields(Map::new())
            .put("correlation", self.run.id.to_string())
            .put("timestamp", time(at))
            .put("worker_host", self.host)
            .put("space", self.run.space.as_str())
            .put("project", subject(self.run))
            .put("action", self.purpose)
            .put("actor", self.run.actor.as_str())
    }

    fn document(&self, kind: &str, at: Timestamp, id: String, fields: Fields) -> Document {
        // The day of the record and not of the sending: a repeat finds the index of the first attempt.
        let day = at.strftime("%Y-%m-%d");
        Document {
            index: format!("{}-{kind}-{day}", self.prefix),
            id,
            body: Value::Object(fields.0).to_string(),
        }
    }

    fn step(&self, number: StepNumber) -> Option<&Step> {
        self.plan?.draft.step(number)
    }

    fn of_step(&self, entry: &Entry, number: StepNumber) -> Fields {
        let fields =
            self.fields(entry.at).put("lane", entry.lane.0).put("seq", entry.seq.0).put("step", number.0);
        let Some(step) = self.step(number) else { return fields };
        fields
            .put("server", step.target.as_str())
            .put("method", method(&step.action))
            .put("task", text::describe(&step.action))
    }
}

/// `server.create`, `provision.playbook`: the names under which plans are stored.
fn method(action: &Action) -> String {
    let tag = |value: &Value| value.as_object().and_then(|map| map.keys().next().cloned());
    let stored = serde_json::to_value(action).unwrap_or_default();
    let Some(outer) = tag(&stored) else { return String::new() };
    match stored.get(&outer).and_then(tag) {
        Some(inner) => format!("{outer}.{inner}"),
        None => outer,
    }
}

/// Servers of a step that works on several.
fn hosts(step: &Step) -> Vec<&str> {
    match &step.action {
        Action::Provision(ProvisionAction::Inventory { .. }) => Vec::new(),
        Action::Provision(action) => action.hosts().iter().map(|host| host.name.as_str()).collect(),
        // Everything else is about one server, or about none; its target says which.
        _ => Vec::new(),
    }
}

/// The documents of one entry. The cursor remembers what a later entry needs.
pub(crate) fn of_entry(about: &About<'_>, entry: &Entry, cursor: &mut RunCursor) -> Vec<Document> {
    let id = format!("{}:{}:{}", entry.run, entry.lane, entry.seq);
    let at = entry.at;
    match &entry.kind {
        EntryKind::Run { state, message } => {
            let fields = about
                .fields(at)
                .put("lane", entry.lane.0)
                .put("seq", entry.seq.0)
                .put("server", subject(about.run))
                .put("method", "run")
                .put("task", format!("the run is {}", state.word()))
                .put("state", state.word())
                .put("status", of_state(*state))
                .maybe("description", message.clone());
            let fields = match state.is_final() {
                true => fields.span(about.run.started_at, at),
                false => fields.put("starttime", time(about.run.started_at)),
            };
            vec![about.document(BASIC, at, id, fields)]
        }
        EntryKind::Started { step, attempt } => {
            cursor.under_way.insert(step.0, UnderWay { since: at, hosts: Default::default() });
            let fields = |_: Option<&str>| {
                let reason = about.step(*step).map(|step| step.reason.words());
                about
                    .of_step(entry, *step)
                    .put("status", Value::Null)
                    .put("attempt", attempt.0)
                    .put("starttime", time(at))
                    .maybe("description", reason)
            };
            per_server(about, entry, *step, &id, fields)
        }
        EntryKind::Succeeded { step, attempt, already, output: _ } => {
            let under = ended(cursor, *step, true);
            let since = under.map_or(at, |under| under.since);
            let fields = |_: Option<&str>| {
                about
                    .of_step(entry, *step)
                    .put("status", true)
                    .put("attempt", attempt.0)
                    .put("already", *already)
                    .span(since, at)
            };
            per_server(about, entry, *step, &id, fields)
        }
        EntryKind::Failed { step, attempt, class, message, again } => {
            let under = ended(cursor, *step, !again);
            let since = under.as_ref().map_or(at, |under| under.since);
            let several = about.step(*step).is_some_and(|step| hosts(step).len() > 1);
            let fields = |server: Option<&str>| {
                let server = server.filter(|_| several);
                let fields = about
                    .of_step(entry, *step)
                    .put("status", status_of(under.as_ref(), server))
                    .put("attempt", attempt.0)
                    .put("class", of_class(*class))
                    .put("again", *again)
                    .span(since, at);
                match fields.0["status"] {
                    Value::Bool(true) => fields,
                    _ => fields.put("exception", message.as_str()),
                }
            };
            per_server(about, entry, *step, &id, fields)
        }
        EntryKind::Skipped { step, message } => {
            ended(cursor, *step, true);
            let fields = |_: Option<&str>| {
                about
                    .of_step(entry, *step)
                    .put("status", Value::Null)
                    .put("state", "skipped")
                    .put("description", message.as_str())
            };
            per_server(about, entry, *step, &id, fields)
        }
        EntryKind::Progress { step, message } => {
            let fields = match step {
                Some(step) => about.of_step(entry, *step),
                None => about.fields(at).put("lane", entry.lane.0).put("seq", entry.seq.0),
            };
            let fields = fields
                .put("category", "display")
                .put("level", "info")
                .put("status", Value::Null)
                .put("description", message.as_str());
            vec![about.document(DETAIL, at, id, fields)]
        }
        EntryKind::Task { step, host, task, outcome, message } => {
            let status = of_outcome(outcome);
            if let Some(under) = cursor.under_way.get_mut(&step.0) {
                let fine = under.hosts.entry(host.clone()).or_insert(true);
                *fine = *fine && status != Value::Bool(false);
            }
            let said = if status == Value::Bool(false) { "exception" } else { "description" };
            let fields = about
                .of_step(entry, *step)
                .put("server", host.as_str())
                .put("task", task.as_str())
                .put("outcome", outcome.as_str())
                .put("status", status)
                .maybe(said, Some(message.as_str()).filter(|message| !message.is_empty()))
                .put("endtime", time(at));
            vec![about.document(DETAIL, at, id, fields)]
        }
    }
}

/// One record of the step, and one of each of its servers where it works on several.
fn per_server(
    about: &About<'_>,
    entry: &Entry,
    step: StepNumber,
    id: &str,
    fields: impl Fn(Option<&str>) -> Fields,
) -> Vec<Document> {
    let mut documents = vec![about.document(BASIC, entry.at, id.to_owned(), fields(None))];
    for host in about.step(step).map(hosts).unwrap_or_default() {
        let fields = fields(Some(host)).put("server", host);
        documents.push(about.document(BASIC, entry.at, format!("{id}:{host}"), fields));
    }
    documents
}

fn ended(cursor: &mut RunCursor, step: StepNumber, for_good: bool) -> Option<UnderWay> {
    cursor.outcomes += u32::from(for_good);
    cursor.under_way.remove(&step.0)
}

/// How a failed step went on one of its servers. Of one that no task was told of nothing is known.
fn status_of(under: Option<&UnderWay>, server: Option<&str>) -> Value {
    let (Some(server), Some(under)) = (server, under) else { return Value::Bool(false) };
    let somebody_failed = under.hosts.values().any(|fine| !fine);
    match under.hosts.get(server) {
        Some(false) => Value::Bool(false),
        Some(true) if somebody_failed => Value::Bool(true),
        Some(true) | None => Value::Null,
    }
}

/// `shop` of "infrastructure shop".
fn subject(run: &Run) -> String {
    let whole = run.subject.to_string();
    whole.split_once(' ').map_or(whole.clone(), |(_, name)| name.to_owned())
}

fn of_state(state: RunState) -> Value {
    match state {
        RunState::Succeeded | RunState::Partly => Value::Bool(true),
        RunState::Failed | RunState::Cancelled | RunState::Stale => Value::Bool(false),
        RunState::Ready | RunState::Running | RunState::Interrupted | RunState::Superseded => Value::Null,
    }
}

fn of_class(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Refused => "refused",
        FailureClass::UnknownOutcome => "unknown-outcome",
    }
}

fn of_outcome(outcome: &str) -> Value {
    match outcome {
        "ok" | "changed" => Value::Bool(true),
        "failed" | "unreachable" => Value::Bool(false),
        _ => Value::Null,
    }
}

/// The document of one line of output.
pub(crate) fn of_line(about: &About<'_>, number: u64, line: &OutputRecord) -> Document {
    let step = about.step(StepNumber(line.step));
    let fields = about
        .fields(line.at)
        .put("step", line.step)
        .put("line", number)
        .put("server", line.target.as_str())
        .put("status", Value::Null)
        .put("message", line.text.as_str())
        .maybe("method", step.map(|step| method(&step.action)))
        .maybe("task", step.map(|step| text::describe(&step.action)));
    about.document(DETAIL, line.at, format!("{}:{}:{number}", about.run.id, line.step), fields)
}

/// The note that records of a run are missing.
pub(crate) fn of_loss(about: &About<'_>, lost: u64) -> Document {
    let at = about.run.ended_at.unwrap_or(about.run.started_at);
    let said = format!("at least {lost} records of this run were removed here before they could be sent");
    let fields = about
        .fields(at)
        .put("server", subject(about.run))
        .put("method", "run")
        .put("category", "display")
        .put("level", "warn")
        .put("status", Value::Null)
        .put("state", about.run.state.word())
        .put("description", said);
    about.document(BASIC, at, format!("{}:lost", about.run.id), fields)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_step_tells_the_servers_apart() {
        let hosts = BTreeMap::from([("web-1".to_owned(), false), ("web-2".to_owned(), true)]);
        let under = UnderWay { since: Timestamp::UNIX_EPOCH, hosts };
        assert_eq!(status_of(Some(&under), None), json!(false));
        assert_eq!(status_of(Some(&under), Some("web-1")), json!(false));
        assert_eq!(status_of(Some(&under), Some("web-2")), json!(true));
        assert_eq!(status_of(Some(&under), Some("web-3")), Value::Null);
        let under = UnderWay { hosts: BTreeMap::from([("web-2".to_owned(), true)]), ..under };
        assert_eq!(status_of(Some(&under), Some("web-2")), Value::Null, "it failed nowhere in particular");
    }

    #[test]
    fn times_have_three_digits() {
        let at = Timestamp::from_microsecond(1_795_000_000_001_999).unwrap();
        assert_eq!(time(at), "2026-11-18T11:06:40.001Z");
        assert_eq!(Fields(Map::new()).span(at, at).0["duration"], json!(0.0));
    }
}
