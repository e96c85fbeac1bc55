//! One request from its arrival to its answer: journal, key, faults, effect.

use axum::body::Bytes;

use super::create::NewServer;
use super::durations::ms;
use super::fault::{Fault, FaultRule};
use super::input::Fields;
use super::project::Lag;
use super::refusal::Refusal;
use super::route::Route;
use super::simulator::Inner;
use super::switches::RateLimit;
use super::view::Answer;
use super::world::{Due, Twist, Understood};

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct RawRequest {
    /// Method, upper-case.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The body; none when it was larger than allowed.
    pub body: Option<Bytes>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answer {
        /// Status.
        status: u16,
        /// `Content-Type`; none when the body is empty.
        content_type: Option<&'static str>,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Bytes,
    },
    /// The connection is closed without an answer.
    Dropped,
    /// No answer comes.
    Hang,
}

/// Content type of every JSON answer.
pub(super) const JSON: &str = "application/json; charset=utf-8";

impl Outcome {
    /// A JSON answer.
    pub(super) fn json(status: u16, body: Vec<u8>) -> Outcome {
        Outcome::Answer { status, content_type: Some(JSON), headers: Vec::new(), body: body.into() }
    }

    fn of(result: Result<Answer, Refusal>) -> Outcome {
        match result {
            Ok(Answer::Json(body)) => Outcome::json(200, body),
            Ok(Answer::Empty) => {
                Outcome::Answer { status: 200, content_type: None, headers: Vec::new(), body: Bytes::new() }
            }
            Err(refusal) => Outcome::json(refusal.status, refusal.body()),
        }
    }
}

/// The faults of one request, sorted by what they bend.
#[derive(Default)]
struct Bent {
    instead: Option<Outcome>,
    late_ms: Option<u64>,
    stale_ms: Option<u64>,
    twice: bool,
    stranger: Option<bool>,
    after: Option<Fault>,
    twist: Twist,
}

impl Bent {
    fn of(rule: Option<FaultRule>) -> Bent {
        let mut bent = Bent::default();
        let Some(rule) = rule else { return bent };
        bent.twist.only = rule.name;
        for fault in rule.faults {
            match fault {
                Fault::Status(status) => bent.instead = Some(Outcome::of(Err(refusal_of(status)))),
                Fault::NoMessage(status) => bent.instead = Some(Outcome::json(status, b"{}".to_vec())),
                Fault::Html(status) => bent.instead = Some(html(status)),
                Fault::Hang => bent.instead = Some(Outcome::Hang),
                Fault::EffectAfterMs(late) => bent.late_ms = Some(late),
                Fault::StaleListMs(stale) => bent.stale_ms = Some(stale),
                Fault::DuplicateEffect => bent.twice = true,
                Fault::SameNameByStranger { newer } => bent.stranger = Some(newer),
                Fault::StuckAction => bent.twist.stuck = true,
                Fault::State(word) => bent.twist.state = Some(word),
                Fault::DropAnswerAfterEffect | Fault::HangAfterEffect | Fault::Truncated => {
                    bent.after = Some(fault);
                }
            }
        }
        bent
    }
}

fn refusal_of(status: u16) -> Refusal {
    let message = match status {
        400 => "The request is invalid.",
        401 => "Authorization has been denied for this request.",
        403 => "Access is denied.",
        404 => "Object not found",
        429 => "Too many requests.",
        _ => "An error has occurred. Contact support.",
    };
    Refusal::new(status, message)
}

fn html(status: u16) -> Outcome {
    let page = "<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head>\n<body><h1>Bad Gateway</h1><hr>nginx</body></html>\n";
    Outcome::Answer {
        status,
        content_type: Some("text/html; charset=utf-8"),
        headers: Vec::new(),
        body: Bytes::from_static(page.as_bytes()),
    }
}

impl Inner {
    /// Carries a request to its outcome, at the present moment, and journals it.
    pub(super) fn respond(&mut self, raw: &RawRequest) -> Outcome {
        let body = raw.body.clone().unwrap_or_default();
        let at = self.world.now.to_string();
        let number = self.journal.push(at, raw.method.clone(), raw.path.clone(), &body);
        let outcome = self.outcome(raw);
        let status = match &outcome {
            Outcome::Answer { status, .. } => *status,
            Outcome::Dropped | Outcome::Hang => 0,
        };
        self.journal.answered(number, status);
        outcome
    }

    fn outcome(&mut self, raw: &RawRequest) -> Outcome {
        let path = raw.path.split('?').next().unwrap_or("");
        let project = match self.project_of(raw.authorization.as_deref()) {
            Ok(project) => project,
            Err(refusal) => return Outcome::of(Err(refusal)),
        };
        if let Err(refusal) = self.check_rate(project, &raw.method) {
            return Outcome::of(Err(refusal));
        }
        let Some(body) = &raw.body else {
            return Outcome::of(Err(Refusal::new(413, "The request entity is too large.")));
        };
        let route = Route::read(path);
        let fields = Fields::read(raw.content_type.as_deref(), body);
        let named = self.name_of(project, route.as_ref(), fields.as_ref().ok());
        let bent = Bent::of(self.take_fault(&raw.method, path, named.as_deref()));
        if let Some(instead) = bent.instead {
            return instead;
        }
        let Some(route) = route else {
            return Outcome::of(Err(Refusal::new(
                404,
                format!("No resource was found that matches '{path}'."),
            )));
        };
        // A body is only looked at where one is expected.
        let fields = match (fields, raw.method.as_str()) {
            (Ok(fields), _) => fields,
            (Err(_), "GET" | "DELETE") => Fields::default(),
            (Err(refusal), _) => return Outcome::of(Err(refusal)),
        };
        let request = Understood { method: raw.method.clone(), route, fields };
        self.effect(project, request, bent)
    }

    fn effect(&mut self, project: usize, request: Understood, bent: Bent) -> Outcome {
        let world = &mut self.world;
        if let Some(behind_ms) = bent.stale_ms {
            world.projects[project].lag = Some(Lag { until: world.after(ms(behind_ms)), behind_ms });
        }
        if let Some(late) = bent.late_ms {
            if world.late_effects < world.limits.late_effects_max {
                world.late_effects += 1;
                let at = world.after(ms(late));
                world.schedule(at, Due::LateEffect { project, request: Box::new(request) });
            }
            return Outcome::Dropped;
        }
        world.twist = bent.twist;
        if let Some(newer) = bent.stranger {
            // A create that will be refused has no name to take.
            if let (Route::Servers, "POST", Ok(like)) =
                (&request.route, request.method.as_str(), world.check_new_server(project, &request.fields))
            {
                let twist = std::mem::take(&mut world.twist);
                let _refused_when_full = world.make_stranger(project, &NewServer { ..like }, newer);
                world.twist = twist;
            }
        }
        let result = world.perform(project, &request);
        if bent.twice && request.method != "GET" && result.is_ok() {
            let _second_answer_is_not_sent = world.perform(project, &request);
        }
        world.twist = Twist::default();
        match bent.after {
            Some(Fault::DropAnswerAfterEffect) => Outcome::Dropped,
            Some(Fault::HangAfterEffect) => Outcome::Hang,
            Some(Fault::Truncated) => truncated(Outcome::of(result)),
            _ => Outcome::of(result),
        }
    }

    /// The project of a key, or 401.
    fn project_of(&self, authorization: Option<&str>) -> Result<usize, Refusal> {
        let denied = || Refusal::new(401, "Authorization has been denied for this request.");
        let (scheme, key) = authorization.unwrap_or("").trim().split_once(' ').ok_or_else(denied)?;
        let key = key.trim();
        let found =
            self.world.projects.iter().position(|project| project.keys_accepted.iter().any(|one| one == key));
        found.filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or_else(denied)
    }

    fn check_rate(&mut self, project: usize, method: &str) -> Result<(), Refusal> {
        let Some(RateLimit { get_gap_ms, write_gap_ms, status }) = self.world.switches.rate_limit.clone()
        else {
            return Ok(());
        };
        let now = self.world.now;
        let project = &mut self.world.projects[project];
        let (last, gap_ms) = match method {
            "GET" => (&mut project.last_get, get_gap_ms),
            _ => (&mut project.last_write, write_gap_ms),
        };
        let free = last.and_then(|last| last.checked_add(ms(gap_ms)).ok());
        if free.is_some_and(|free| now < free) {
            return Err(refusal_of(status));
        }
        *last = Some(now);
        Ok(())
    }

    /// The name that a request is about: of the server, network, image, key, domain or user in its path, or else in
    /// its body.
    fn name_of(&self, project: usize, route: Option<&Route>, fields: Option<&Fields>) -> Option<String> {
        let project = &self.world.projects[project];
        match route? {
            Route::Network(id) => project.networks.get(id).map(|network| network.name.clone()),
            Route::PublicNetwork(id) => {
                project.rest.public_networks.get(id).map(|network| network.name.clone())
            }
            Route::Image(id) => project.rest.images.get(id).map(|own| own.image.name.clone()),
            Route::SshKey(id) => project.rest.ssh_keys.get(id).map(|key| key.title.clone()),
            Route::Domain(domain) | Route::RecordIn { domain, .. } => {
                project.rest.domains.get(domain).map(|domain| domain.name.clone())
            }
            Route::StorageUser(id)
            | Route::StorageUserPassword(id)
            | Route::StorageUserBlock(id)
            | Route::StorageUserUnblock(id) => {
                project.rest.storage.as_ref()?.users.get(id).map(|user| user.name.clone())
            }
            route => match route.server() {
                Some(id) => project.servers.get(&id).map(|server| server.name.clone()),
                None => {
                    let text = |name| fields.and_then(|fields| fields.text(name).ok().flatten());
                    text("Name").or_else(|| text("Title")).or_else(|| text("UserName"))
                }
            },
        }
    }

    /// The first rule that is about the request, used up by one.
    fn take_fault(&mut self, method: &str, path: &str, name: Option<&str>) -> Option<FaultRule> {
        let list = method == "GET" && Route::read(path).is_some_and(|route| route.lists_named());
        let at = self.faults.iter().position(|rule| {
            rule.matches(method, path) && (list || rule.name.is_none() || rule.name.as_deref() == name)
        })?;
        let rule = self.faults[at].clone();
        self.faults[at].times -= 1;
        if self.faults[at].times == 0 {
            self.faults.remove(at);
        }
        Some(rule)
    }
}

fn truncated(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Answer { status, content_type, headers, body } => {
            let half = body.slice(..body.len() / 2);
            Outcome::Answer { status, content_type, headers, body: half }
        }
        other => other,
    }
}
