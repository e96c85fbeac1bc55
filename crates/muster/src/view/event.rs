//! One event as one line that reads alone.

use muster_api::event::{Event, Happened};

use super::style::{BAD, FAINT, GOOD, STRONG, WARN};

/// An event as a line; none for what a person need not see.
pub fn line(event: &Event) -> Option<String> {
    let target = event.target.as_deref().unwrap_or("run");
    let action = event.action.as_deref().unwrap_or("");
    let because = |message: &str| if message.is_empty() { String::new() } else { format!(": {message}") };
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
            "failed" | "unreachable" => format!("{host}: {BAD}{task} {outcome}{BAD:#}{}", because(message)),
            "changed" => format!("{host}: {WARN}{task} changed{WARN:#}"),
            "skipped" => return None,
            _ => format!("{host}: {FAINT}{task} {outcome}{FAINT:#}"),
        },
    })
}
