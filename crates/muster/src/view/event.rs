//! One event as one line that reads alone.

use muster_api::event::{Event, Happened};

use super::style::{BAD, FAINT, GOOD, STRONG, WARN};

/// An event as a line; none for what a person need not see.
pub fn line(event: &Event) -> Option<String> {
    let target = event.target.as_deref().unwrap_or("run");
    let action = event.action.as_deref().unwrap_or("");
    let because = |message: &str| reason(target, message);
    Some(match &event.what {
        Happened::Run { state, message } => {
            let message = message.as_deref().unwrap_or("");
            format!("{STRONG}run {state}{STRONG:#}{}", because(message))
        }
        Happened::Started { attempt, .. } if *attempt > 1 => format!("{target}: {action}, attempt {attempt}"),
        Happened::Started { .. } => format!("{target}: {action} …"),
        Happened::Succeeded { already: true, .. } => {
            format!("{target}: {GOOD}{action}{GOOD:#} {FAINT}was so already{FAINT:#}")
        }
        Happened::Succeeded { output, .. } => {
            let output =
                if output.is_empty() { String::new() } else { format!(" {FAINT}({output}){FAINT:#}") };
            format!("{target}: {GOOD}{action} done{GOOD:#}{output}")
        }
        Happened::Failed { message, again: true, .. } => {
            format!("{target}: {WARN}{action} failed, trying again{WARN:#}{}", because(message))
        }
        Happened::Failed { message, class, again: false, .. } => {
            let unknown = if class == "unknown-outcome" { " with unknown outcome" } else { "" };
            format!("{target}: {BAD}{action} failed{unknown}{BAD:#}{}", because(message))
        }
        Happened::Skipped { message, .. } => {
            format!("{target}: {FAINT}{action} not begun{FAINT:#}{}", because(message))
        }
        Happened::Progress { message, .. } => format!("{target}: {message}"),
        Happened::Task { host, task, outcome, message, .. } => match outcome.as_str() {
            "failed" | "unreachable" => {
                format!("{host}: {BAD}{task} {outcome}{BAD:#}{}", reason(host, message))
            }
            "changed" => format!("{host}: {WARN}{task} changed{WARN:#}"),
            "skipped" => return None,
            _ => format!("{host}: {FAINT}{task} {outcome}{FAINT:#}"),
        },
    })
}

/// Why, without the name that the line begins with.
fn reason(target: &str, message: &str) -> String {
    let rest = message.strip_prefix(target).unwrap_or_default();
    if rest.starts_with(": ") || rest.starts_with(" (") {
        return rest.to_owned();
    }
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::style::plain;

    fn event(what: Happened) -> Event {
        Event {
            run: "0199".into(),
            lane: 0,
            seq: 1,
            at: "2026-11-21T05:00:00Z".parse().unwrap(),
            target: Some("web-1".into()),
            action: Some("create server".into()),
            what,
        }
    }

    #[test]
    fn each_event_reads_alone() {
        let failed = |again, class: &str| Happened::Failed {
            step: 1,
            attempt: 1,
            class: class.into(),
            message: "HTTP 500".into(),
            again,
        };
        let all = [
            Happened::Started { step: 1, attempt: 1 },
            Happened::Started { step: 1, attempt: 2 },
            Happened::Succeeded { step: 1, attempt: 1, already: false, output: "server 17".into() },
            Happened::Succeeded { step: 1, attempt: 1, already: true, output: String::new() },
            failed(true, "transient"),
            failed(false, "refused"),
            failed(false, "unknown-outcome"),
            Happened::Failed {
                step: 1,
                attempt: 2,
                class: "refused".into(),
                message: "web-1 (192.0.2.1): root was not let in".into(),
                again: false,
            },
            Happened::Skipped { step: 1, message: "the run ended before".into() },
            Happened::Progress { step: Some(1), message: "waiting for the provider".into() },
            Happened::Task {
                step: 1,
                host: "web-2".into(),
                task: "install nginx".into(),
                outcome: "changed".into(),
                message: String::new(),
            },
        ];
        let lines: Vec<String> = all.into_iter().filter_map(|what| line(&event(what))).collect();
        insta::assert_snapshot!(plain(&lines.join("\n")));
        let run = Event {
            target: None,
            action: None,
            ..event(Happened::Run { state: "succeeded".into(), message: None })
        };
        assert_eq!(plain(&line(&run).unwrap()), "run succeeded");
    }
}
