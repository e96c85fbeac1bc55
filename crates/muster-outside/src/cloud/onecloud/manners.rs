//! Manners towards 1cloud (`SEMANTICS.md` §12): how many requests at once, how far apart, what is asked again,
//! after how long, and how often at most. What an answer *means* is decided in `judge.rs`.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use muster_model::World;
use muster_model::account::AccountSettings;
use tokio::sync::Semaphore;
use tokio::time::{sleep, sleep_until, timeout};

use super::judge::{Failure, Unreadable, Verdict, judge, judge_broken, judge_unreadable};
use super::pace::Pace;
use super::request::{Ask, Effect};
use crate::cloud::{CloudError, CloudErrorKind};
use crate::transport::Broken;

/// Longest time that one request may take, whatever the settings say (`SEMANTICS.md` §5).
pub const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(20);
/// Reads in flight at once.
pub const READS_IN_FLIGHT_MAX: usize = 6;
/// Most writes in flight that a setting may ask for.
pub const WRITES_IN_FLIGHT_MAX: usize = 64;
/// How often a passing fault is asked again.
pub const PASSING_RETRIES_MAX: u32 = 3;
/// How often a request is asked again after 429.
pub const LIMITED_RETRIES_MAX: u32 = 8;
/// How often a request is asked again after a 403 that may be a limit.
pub const FORBIDDEN_RETRIES_MAX: u32 = 3;
/// A 403 may be a limit if the key has worked within this time.
pub const KEY_WORKED_WITHIN: Duration = Duration::from_secs(600);
/// The first wait after a 403 that may be a limit; 2 + 4 + 8 s outlast a limit of one write in 10 s.
const FORBIDDEN_BACK_OFF: Duration = Duration::from_secs(2);
/// The first wait after another fault.
const BACK_OFF: Duration = Duration::from_millis(500);
/// The same towards an address on loopback, where nobody is spared by waiting.
const BACK_OFF_LOOPBACK: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// The manners of one account.
pub struct Manners {
    world: World,
    request_timeout: Duration,
    turn_timeout: Duration,
    back_off: Duration,
    reads: Semaphore,
    writes: Semaphore,
    read_pace: Pace,
    write_pace: Pace,
    /// When the key last worked, on the monotonic clock.
    worked_at: Mutex<Option<Duration>>,
}

/// How often one call was asked again, by reason.
#[derive(Default)]
struct Retries {
    passing: u32,
    limited: u32,
    forbidden: u32,
}

impl Retries {
    fn total(&self) -> u32 {
        self.passing + self.limited + self.forbidden
    }
}

impl Manners {
    /// The manners that the settings ask for, within the bounds above.
    pub fn new(settings: &AccountSettings, loopback: bool, world: World) -> Manners {
        let asked = Duration::from_millis(settings.request_timeout_ms);
        let back_off = if loopback { BACK_OFF_LOOPBACK } else { BACK_OFF };
        let writes = usize::try_from(settings.writes_in_flight).unwrap_or(WRITES_IN_FLIGHT_MAX);
        Manners {
            world,
            request_timeout: if asked.is_zero() {
                REQUEST_TIMEOUT_MAX
            } else {
                asked.min(REQUEST_TIMEOUT_MAX)
            },
            turn_timeout: Duration::from_millis(settings.wait_timeout_ms).max(REQUEST_TIMEOUT_MAX),
            back_off,
            reads: Semaphore::new(READS_IN_FLIGHT_MAX),
            writes: Semaphore::new(writes.clamp(1, WRITES_IN_FLIGHT_MAX)),
            read_pace: Pace::new(Duration::ZERO, back_off),
            write_pace: Pace::new(Duration::from_millis(settings.write_gap_ms), back_off),
            worked_at: Mutex::new(None),
        }
    }

    /// Carries out one call: waits for its turn, sends, reads, and asks again where that is certainly harmless.
    ///
    /// `hidden` are texts that no error may repeat. Dropping the future ends the call; a write that was under
    /// way then has an unknown outcome, which whoever dropped it must assume.
    pub async fn carry<T, Sending>(
        &self,
        ask: &Ask,
        hidden: &[&str],
        send: impl Fn() -> Sending,
        read: impl Fn(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, CloudError>
    where
        Sending: Future<Output = Result<Response<Bytes>, Broken>>,
    {
        let (turns, pace) = match ask.effect() {
            Effect::Read => (&self.reads, &self.read_pace),
            Effect::Write => (&self.writes, &self.write_pace),
        };
        // The turn is held through the retries: while one write is limited, another would be too.
        let _turn = match timeout(self.turn_timeout, turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => {
                let failure = Failure {
                    kind: CloudErrorKind::Transient,
                    what: format!("it had no turn within {} s", self.turn_timeout.as_secs()),
                    next: "Other requests of this account are stuck; try again later",
                };
                return Err(error(ask, failure, None, 0));
            }
        };
        let mut retries = Retries::default();
        // Bounded: every way round counts one of three kinds of retries, each of which has its maximum.
        loop {
            let slot = pace.slot();
            sleep_until(slot.at).await;
            let (verdict, status) = match timeout(self.request_timeout, send()).await {
                Err(_) => {
                    let silent = Broken::maybe_sent(format!("no answer within {:?}", self.request_timeout));
                    (judge_broken(ask, &silent, hidden), None)
                }
                Ok(Err(broken)) => (judge_broken(ask, &broken, hidden), None),
                Ok(Ok(answer)) => {
                    let status = answer.status().as_u16();
                    let after = answer.headers().get(http::header::RETRY_AFTER);
                    let after = after.and_then(|value| value.to_str().ok());
                    match judge(ask, status, after, answer.body(), hidden) {
                        None => {
                            self.key_works();
                            pace.fine();
                            match read(answer.body()) {
                                Ok(value) => return Ok(value),
                                Err(unreadable) => (judge_unreadable(ask, unreadable), Some(status)),
                            }
                        }
                        Some(verdict) => (verdict, Some(status)),
                    }
                }
            };
            let (failure, wait) = match verdict {
                Verdict::Passing(failure) if retries.passing < PASSING_RETRIES_MAX => {
                    retries.passing += 1;
                    (failure, doubled(self.back_off, retries.passing))
                }
                Verdict::Limited(after, failure) if retries.limited < LIMITED_RETRIES_MAX => {
                    retries.limited += 1;
                    pace.limited(&slot);
                    (failure, doubled(self.back_off, retries.limited).max(after.unwrap_or_default()))
                }
                Verdict::Forbidden(failure)
                    if retries.forbidden < FORBIDDEN_RETRIES_MAX && self.key_worked_lately() =>
                {
                    retries.forbidden += 1;
                    pace.limited(&slot);
                    (failure, doubled(FORBIDDEN_BACK_OFF, retries.forbidden))
                }
                Verdict::Limited(_, failure)
                | Verdict::Forbidden(failure)
                | Verdict::Passing(failure)
                | Verdict::Fail(failure) => return Err(error(ask, failure, status, retries.total())),
            };
            tracing::debug!(
                doing = %ask.doing,
                retry = retries.total(),
                "asking again: cannot {}: {}", ask.doing, failure.what
            );
            sleep(self.jittered(wait)).await;
        }
    }

    fn jittered(&self, wait: Duration) -> Duration {
        let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0);
        wait + Duration::from_millis(self.world.random.below(quarter + 1))
    }

    fn key_works(&self) {
        let now = self.world.clock.monotonic();
        *self.worked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn key_worked_lately(&self) -> bool {
        let worked_at = *self.worked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.world.clock.monotonic();
        worked_at.is_some_and(|then| now.saturating_sub(then) <= KEY_WORKED_WITHIN)
    }
}

/// The wait before the `count`-th retry: the first, doubled each time, up to its maximum.
fn doubled(first: Duration, count: u32) -> Duration {
    let factor = 1u32 << count.saturating_sub(1).min(16);
    first.saturating_mul(factor).min(BACK_OFF_MAX)
}

fn error(ask: &Ask, failure: Failure, status: Option<u16>, retries: u32) -> CloudError {
    let tries = match retries {
        0 => String::new(),
        more => format!(" (after {} tries)", more + 1),
    };
    let what = failure.what.trim_end_matches('.');
    CloudError {
        kind: failure.kind,
        doing: ask.doing.clone(),
        message: format!("{what}{tries}. {}.", failure.next),
        status,
    }
}
