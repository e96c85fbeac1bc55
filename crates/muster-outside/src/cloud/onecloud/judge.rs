//! What an answer means for the call that asked: take it, ask again, or fail. Pure.
//!
//! The one rule that must never be bent: a write that *may* have taken effect is never asked again here
//! (`SEMANTICS.md` §4). A limit (429, sometimes 403) and a connection that never opened certainly had no effect.

use std::time::Duration;

use super::excerpt::{excerpt, hide, looks_like_html};
use super::request::{About, Ask, Effect};
use super::wire;
use crate::cloud::CloudErrorKind;
use crate::transport::Broken;

/// Longest text of a provider that an error repeats, in characters.
const MESSAGE_MAX: usize = 300;

/// Longest waiting time asked for by an answer (`Retry-After`) that is obeyed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What follows from an answer that is no success, or from there being none.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A limit: wait, at least this long if it says so, and ask again.
    Limited(Option<Duration>, Failure),
    /// 403: a limit if the key has just worked, else a refusal.
    Forbidden(Failure),
    /// A passing fault without effect: ask again.
    Passing(Failure),
    /// It failed.
    Fail(Failure),
}

/// How a call fails, if it fails now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: CloudErrorKind,
    /// What went wrong.
    pub what: String,
    /// What to do next.
    pub next: &'static str,
}

impl Failure {
    fn new(kind: CloudErrorKind, what: String, next: &'static str) -> Failure {
        Failure { kind, what, next }
    }
}

const NEXT_AGAIN: &str = "Try again in a few minutes; if it goes on, ask the provider's support";
const NEXT_LOOK: &str =
    "Whether it took effect is not known; run the command again: Muster looks before it acts";
const NEXT_KEY: &str = "Check the key in the provider's panel and register the account again";
const NEXT_RIGHT: &str =
    "Check in the provider's panel what this key may do, and whether the account is blocked or unpaid";
const NEXT_LIMIT: &str =
    "Wait a minute and try again, or set a longer write gap or poll time for this account";
const NEXT_CORRECT: &str = "Nothing was changed; correct what it names and run the command again";
const NEXT_ADDRESS: &str =
    "Check the account's address (ONECLOUD_URL) and whether it can be reached from here";
const NEXT_GONE: &str = "It may have been deleted elsewhere; plan again";
const NEXT_SHAPE: &str = "This version does not understand the provider's answer: check the account's address, \
                          and report this message if the address is right";

/// Judges a status and body; none means success by its status, so that the body is to be read.
pub fn judge(
    ask: &Ask,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    hidden: &[&str],
) -> Option<Verdict> {
    if (200..300).contains(&status) {
        None
    } else {
        Some(judge_failure(ask, status, retry_after, body, hidden))
    }
}

fn judge_failure(ask: &Ask, status: u16, retry_after: Option<&str>, body: &[u8], hidden: &[&str]) -> Verdict {
    use CloudErrorKind::{NotFound, Refused, Transient, Unauthorized, UnknownOutcome};
    let says = words(body, hidden);
    let what = |otherwise: &str| match &says {
        Some(words) => format!("the provider says: {words}"),
        None => otherwise.to_owned(),
    };
    if status == 401 {
        return Verdict::Fail(Failure::new(Unauthorized, what("the key is not accepted"), NEXT_KEY));
    }
    if status >= 400 && is_missing(ask, status, body) {
        return Verdict::Fail(Failure::new(NotFound, what("it does not exist"), NEXT_GONE));
    }
    match status {
        429 => {
            let wait = retry_after
                .and_then(|text| text.trim().parse::<u64>().ok())
                .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
            let failure =
                Failure::new(Transient, what("the provider limits the rate of requests"), NEXT_LIMIT);
            Verdict::Limited(wait, failure)
        }
        403 => Verdict::Forbidden(Failure::new(Refused, what("the provider refuses it"), NEXT_RIGHT)),
        300..400 => Verdict::Fail(Failure::new(
            Refused,
            "the address answers with a redirection to another one".to_owned(),
            NEXT_ADDRESS,
        )),
        404 | 405 | 501 => {
            let kind = if status == 404 && ask.effect() == Effect::Read { NotFound } else { Refused };
            Verdict::Fail(Failure::new(kind, what("the address does not know this request"), NEXT_ADDRESS))
        }
        408 | 500.. => match ask.effect() {
            Effect::Read => {
                Verdict::Passing(Failure::new(Transient, what("the provider has a fault"), NEXT_AGAIN))
            }
            Effect::Write => {
                Verdict::Fail(Failure::new(UnknownOutcome, what("the provider has a fault"), NEXT_LOOK))
            }
        },
        _ => Verdict::Fail(Failure::new(Refused, what("the provider refuses it"), NEXT_CORRECT)),
    }
}

/// Judges a request that got no answer.
pub fn judge_broken(ask: &Ask, broken: &Broken, hidden: &[&str]) -> Verdict {
    let what = hide(broken.message.clone(), hidden);
    match (broken.never_sent, ask.effect()) {
        (true, _) => Verdict::Passing(Failure::new(CloudErrorKind::Transient, what, NEXT_ADDRESS)),
        (false, Effect::Read) => Verdict::Passing(Failure::new(CloudErrorKind::Transient, what, NEXT_AGAIN)),
        (false, Effect::Write) => {
            Verdict::Fail(Failure::new(CloudErrorKind::UnknownOutcome, what, NEXT_LOOK))
        }
    }
}

/// Why a body of a successful answer could not be used.
#[derive(Debug)]
pub enum Unreadable {
    /// Broken off, empty, a web page: asking again may help.
    Damaged(String),
    /// Whole, but of another shape: asking again gives the same.
    Shape(String),
    /// It says that the object does not exist, under a status of success.
    Missing(String),
}

/// Judges a successful answer whose body could not be used.
pub fn judge_unreadable(ask: &Ask, unreadable: Unreadable) -> Verdict {
    use CloudErrorKind::{NotFound, Refused, Transient, UnknownOutcome};
    match (unreadable, ask.effect()) {
        (Unreadable::Missing(what), _) => Verdict::Fail(Failure::new(NotFound, what, NEXT_GONE)),
        (Unreadable::Damaged(what), Effect::Read) => {
            Verdict::Passing(Failure::new(Transient, what, NEXT_AGAIN))
        }
        (Unreadable::Shape(what), Effect::Read) => Verdict::Fail(Failure::new(Refused, what, NEXT_SHAPE)),
        (Unreadable::Damaged(what) | Unreadable::Shape(what), Effect::Write) => {
            Verdict::Fail(Failure::new(UnknownOutcome, what, NEXT_LOOK))
        }
    }
}

/// The provider's own `Message`, bounded.
pub fn message(body: &[u8]) -> Option<String> {
    let refusal: wire::Refusal<'_> = serde_json::from_slice(without_mark(body)).ok()?;
    let text = refusal.message.owned();
    if text.is_empty() {
        return None;
    }
    let mut bounded: String = text.chars().take(MESSAGE_MAX).collect();
    if bounded.len() < text.len() {
        bounded.push('…');
    }
    Some(bounded)
}

/// What a refusal says: its `Message`, else a piece of it, else nothing.
fn words(body: &[u8], hidden: &[&str]) -> Option<String> {
    if let Some(message) = message(body) {
        // Through the mask as well: a provider that quotes a password back must not get it into a log.
        return Some(hide(super::excerpt::mask_words(&message), hidden));
    }
    let piece = excerpt(body, None, hidden);
    match (piece.is_empty(), looks_like_html(body)) {
        (true, _) => None,
        (false, true) => Some(format!("(a web page) {piece}")),
        (false, false) => Some(piece),
    }
}

/// Whether an answer says that the object of the request does not exist. The status of that is not known for
/// certain (`spec/onecloud-api.md` §1.10), its words are.
pub fn is_missing(ask: &Ask, status: u16, body: &[u8]) -> bool {
    let words = match ask.about {
        About::Server => "server not found",
        About::Network => "network not found",
        // What each of these calls itself is not known; the status decides, or words that end so.
        About::Object => {
            return status == 404
                || message(body)
                    .is_some_and(|text| text.trim_end_matches('.').to_lowercase().ends_with("not found"));
        }
        About::Account => return false,
    };
    let says = message(body).map(|text| text.trim_end_matches('.').to_lowercase());
    match says {
        Some(says) if says == words => true,
        // A 404 about something else that the request names (the network of a link) is a refusal.
        Some(says) if says.ends_with("not found") => false,
        Some(_) | None => status == 404,
    }
}

/// A body without the byte-order mark that some servers put first.
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}
