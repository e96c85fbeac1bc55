//! Limits of concurrency on this node: which keys have one, what of it this node holds, and which steps use it.
//!
//! The store counts what each node holds ([`muster_store::Lanes::hold_quota`]); here it is handed out, so that a step
//! costs no transaction: a node takes several at once and gives back what it does not use. Beginning a step only looks
//! into memory; a task of its own ([`keep`]) asks the store while lanes execute here, and ends with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_model::limit::LimitKey;
use muster_model::plan::{Action, Plan, ProvisionAction, Step};
use muster_store::{QuotaRow, QuotaWish};
use tokio::sync::Notify;
use tokio::time::Instant;

mod keep;
mod settings;

pub use settings::Limit;

/// The most that is taken at once for steps that could begin: what one node takes, another one waits for.
const BLOCK: u32 = 8;
/// How often a limit that is used up is asked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long something may be held without a step that uses it.
const IDLE_FOR: Duration = Duration::from_secs(1);

/// The limits as one node sees them.
pub(crate) struct Limits {
    state: Mutex<State>,
    /// Something is to be asked of the store.
    wake: Notify,
    /// Steps that wait may try again.
    given_back: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// The limits, as they were read last.
    caps: BTreeMap<LimitKey, u32>,
    pots: BTreeMap<LimitKey, Pot>,
    /// Lanes that execute here.
    lanes: usize,
    /// Whether the task that asks the store lives.
    is_kept: bool,
}

/// What this node has of one key.
struct Pot {
    /// Steps under way, limited or not: a limit that is set meanwhile counts them too.
    used: u32,
    /// Held in the store.
    held: u32,
    /// Steps that could begin if more were held.
    wanted: u32,
    /// All nodes together hold more than the limit, which was lowered.
    is_over: bool,
    /// To be given back when a step ends: this node holds most of a limit that is used up, and others may wait for it.
    gives_way: u32,
    /// The store gave no answer: it may count more or less than `held`.
    is_unsure: bool,
    /// When a step last ended or began to wait for another key, or when something was granted.
    used_at: Instant,
    /// Not asked for again before.
    again_at: Instant,
}

impl Pot {
    fn new() -> Pot {
        let now = Instant::now();
        Pot {
            used: 0,
            held: 0,
            wanted: 0,
            is_over: false,
            gives_way: 0,
            is_unsure: false,
            used_at: now,
            again_at: now,
        }
    }

    fn has_free(&self) -> bool {
        !self.is_over && self.held > self.used + self.gives_way
    }

    /// Whether what a step gives back is not for the next step here.
    fn gives_back(&self) -> bool {
        self.is_over || self.gives_way > 0
    }

    fn is_empty(&self) -> bool {
        self.used == 0 && self.held == 0 && self.wanted == 0 && !self.is_unsure
    }

    /// How much should be held now, if that is another number than what is.
    fn wish(&self, limited: bool, lanes: usize, now: Instant) -> Option<u32> {
        let needed = self.used + self.wanted.min(BLOCK);
        let goal = if !limited || lanes == 0 {
            0
        } else if self.is_over {
            self.held.min(self.used)
        } else if self.gives_way > 0 && self.held > self.used {
            self.held - self.gives_way.min(self.held - self.used)
        } else if needed > self.held {
            needed
        } else if self.wanted == 0 && now >= self.used_at + IDLE_FOR {
            self.used
        } else {
            self.held
        };
        let is_due = goal < self.held || now >= self.again_at;
        ((goal != self.held || self.is_unsure) && is_due).then_some(goal)
    }
}

impl State {
    fn cap(&self, key: &LimitKey) -> Option<u32> {
        self.caps.get(key).or_else(|| self.caps.get(&key.or_else()?)).copied()
    }

    fn pot(&mut self, key: &LimitKey) -> &mut Pot {
        self.pots.entry(key.clone()).or_insert_with(Pot::new)
    }

    /// Takes note of the limits.
    fn read(&mut self, rows: &[QuotaRow]) {
        let key_of = |row: &QuotaRow| LimitKey::from_stored(&row.key);
        self.caps = rows.iter().filter_map(|row| Some((key_of(row)?, row.cap?))).collect();
        let held: BTreeMap<_, _> = rows.iter().filter_map(|row| Some((key_of(row)?, row.held))).collect();
        let keys: Vec<LimitKey> = self.pots.keys().cloned().collect();
        for key in keys {
            let cap = self.cap(&key);
            let by_all = held.get(&key).copied().unwrap_or_default();
            let pot = self.pot(&key);
            pot.is_over = cap.is_some_and(|cap| by_all > cap);
            let has_most = cap.is_some_and(|cap| by_all >= cap && pot.held > cap / 2);
            pot.gives_way = u32::from(has_most);
        }
    }
}

/// What a step under way counts towards; given back when dropped.
pub(crate) struct Tokens {
    limits: Arc<Limits>,
    keys: Vec<LimitKey>,
}

/// A lane that executes here; the limits are followed as long as there is one.
pub(crate) struct Following(Arc<Limits>);

impl Limits {
    /// Nothing is limited until something was read. `given_back` is told when steps that wait may try again.
    pub(crate) fn new(given_back: Arc<Notify>) -> Arc<Limits> {
        Arc::new(Limits { state: Mutex::default(), wake: Notify::new(), given_back })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in between cannot leave a number half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of each key for a step that is about to begin, or says which key is used up first. `ready` steps could
    /// begin. Keys are taken in their order and kept in that order while the step waits for a later one, so that two
    /// nodes never wait for each other.
    pub(crate) fn try_take(self: &Arc<Limits>, keys: Vec<LimitKey>, ready: u32) -> Result<Tokens, LimitKey> {
        let mut state = self.state();
        let mut lacking = None;
        for key in &keys {
            let is_host = matches!(key, LimitKey::Host(..));
            if lacking.is_some() && !is_host {
                break;
            }
            if state.cap(key).is_none() {
                continue;
            }
            let pot = state.pot(key);
            if !pot.has_free() {
                // Other steps that are ready may be for other hosts. The hosts of a playbook are asked for together:
                // the first of many would be given back before the last one is there.
                pot.wanted = pot.wanted.max(if is_host { 1 } else { ready.max(1) });
                lacking.get_or_insert_with(|| key.clone());
            } else if lacking.is_none() {
                pot.used_at = Instant::now();
            }
        }
        if let Some(lacking) = lacking {
            self.wake.notify_one();
            return Err(lacking);
        }
        for key in &keys {
            let pot = state.pot(key);
            pot.used += 1;
            pot.wanted = pot.wanted.saturating_sub(1);
        }
        drop(state);
        Ok(Tokens { limits: self.clone(), keys })
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        let mut state = self.limits.state();
        let (mut is_limited, mut gives_back) = (false, false);
        for key in &self.keys {
            is_limited |= state.cap(key).is_some();
            let pot = state.pot(key);
            pot.used = pot.used.saturating_sub(1);
            pot.used_at = Instant::now();
            gives_back |= pot.gives_back();
            if pot.is_empty() {
                state.pots.remove(key);
            }
        }
        drop(state);
        if gives_back {
            self.limits.wake.notify_one();
        }
        if is_limited {
            self.limits.given_back.notify_waiters();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.state().lanes -= 1;
        self.0.wake.notify_one();
    }
}

/// What a step counts towards, in the order in which it is taken.
pub(crate) fn keys_of(plan: &Plan, step: &Step) -> Vec<LimitKey> {
    let space = &plan.space;
    let host = |name: &str| LimitKey::Host(space.clone(), name.to_owned());
    let mut keys = match &step.action {
        Action::Server(_) | Action::Network(_) | Action::Key(_) | Action::Object(_) | Action::Dns(_) => vec![
            LimitKey::Account(space.clone(), plan.account.clone()),
            LimitKey::Provider(plan.identity.provider),
        ],
        Action::Host(_) => vec![host(&step.target)],
        Action::Provision(ProvisionAction::CheckNetwork { pairs, .. }) => {
            pairs.iter().map(|pair| host(pair.from.name.as_str())).collect()
        }
        // Nothing outside is asked or changed.
        Action::Record(_) | Action::Provision(ProvisionAction::Inventory { .. }) => Vec::new(),
        Action::Provision(action) => action.hosts().iter().map(|to| host(to.name.as_str())).collect(),
    };
    keys.push(LimitKey::Space(space.clone()));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn wish_for(key: &LimitKey, number: u32) -> QuotaWish {
    QuotaWish { key: key.stored(), or_else: key.or_else().map(|other| other.stored()), number }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> LimitKey {
        LimitKey::read("provider:onecloud", &"default".into()).unwrap()
    }

    fn limited(cap: u32) -> Arc<Limits> {
        let limits = Limits::new(Arc::default());
        limits.state().lanes = 1;
        limits.state().read(&[QuotaRow { key: provider().stored(), cap: Some(cap), held: 0 }]);
        limits
    }

    fn wish(limits: &Limits) -> Option<u32> {
        let mut state = limits.state();
        let (limited, lanes) = (state.cap(&provider()).is_some(), state.lanes);
        state.pot(&provider()).wish(limited, lanes, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn blocks_are_taken_for_what_is_ready_and_given_back_when_idle() {
        let limits = limited(100);
        let take = |ready| limits.try_take(vec![provider()], ready);
        assert_eq!(take(3).err(), Some(provider()));
        assert_eq!(wish(&limits), Some(3), "no more than what could begin");
        assert!(take(500).is_err());
        assert_eq!(wish(&limits), Some(BLOCK));
        limits.state().pot(&provider()).held = 2;
        let first = take(1).ok().unwrap();
        let second = take(1).ok().unwrap();
        assert!(take(1).is_err(), "two are held");
        limits.state().pot(&provider()).wanted = 0;
        drop(first);
        assert_eq!(wish(&limits), None, "the next step may come at once");
        tokio::time::advance(IDLE_FOR).await;
        assert_eq!(wish(&limits), Some(1), "one is in use");
        drop(second);
        limits.state().lanes = 0;
        assert_eq!(wish(&limits), Some(0), "nothing executes here");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lowered_limit_lets_nothing_begin_and_a_removed_one_everything() {
        let limits = limited(4);
        let take = || limits.try_take(vec![provider()], 1);
        limits.state().pot(&provider()).held = 4;
        let one = take().ok().unwrap();
        let row = |cap| QuotaRow { key: provider().stored(), cap, held: 4 };
        limits.state().read(&[row(Some(2))]);
        assert!(take().is_err());
        assert_eq!(wish(&limits), Some(1), "three are given back");
        limits.state().read(&[row(None)]);
        assert!(take().is_ok());
        assert_eq!(wish(&limits), Some(0));
        drop(one);
    }

    #[tokio::test(start_paused = true)]
    async fn steps_that_began_before_the_limit_count_too() {
        let limits = Limits::new(Arc::default());
        limits.state().lanes = 1;
        let begun: Vec<_> = (0..3).map(|_| limits.try_take(vec![provider()], 1).ok().unwrap()).collect();
        assert_eq!(wish(&limits), None, "no limit, no question");
        limits.state().read(&[QuotaRow { key: provider().stored(), cap: Some(2), held: 0 }]);
        assert_eq!(wish(&limits), Some(3));
        limits.state().pot(&provider()).held = 2;
        assert!(limits.try_take(vec![provider()], 1).is_err());
        drop(begun);
        assert!(limits.try_take(vec![provider()], 1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_most_of_a_limit_gives_way_one_by_one() {
        let limits = limited(4);
        let take = || limits.try_take(vec![provider()], 9).ok();
        limits.state().pot(&provider()).held = 4;
        let mut begun: Vec<_> = (0..4).map(|_| take().unwrap()).collect();
        limits.state().read(&[QuotaRow { key: provider().stored(), cap: Some(4), held: 4 }]);
        assert_eq!(wish(&limits), None, "all are in use");
        begun.pop();
        assert!(take().is_none(), "another node may have it");
        assert_eq!(wish(&limits), Some(3));
        limits.state().pot(&provider()).held = 2;
        limits.state().read(&[QuotaRow { key: provider().stored(), cap: Some(4), held: 4 }]);
        begun.truncate(1);
        assert!(take().is_some(), "half is a fair share");
    }

    #[tokio::test(start_paused = true)]
    async fn the_hosts_of_a_playbook_are_asked_for_together_and_kept_in_order() {
        let space = muster_model::id::SpaceName::from("default");
        let limits = limited(1);
        let each = LimitKey::EachHost(space.clone());
        limits.state().read(&[QuotaRow { key: each.stored(), cap: Some(1), held: 0 }]);
        let hosts: Vec<_> = (0..100).map(|n| LimitKey::Host(space.clone(), format!("web-{n:03}"))).collect();
        let take = || limits.try_take(hosts.clone(), 1);
        let wish = |key: &LimitKey| limits.state().pot(key).wish(true, 1, Instant::now());
        assert_eq!(take().err().as_ref(), hosts.first());
        assert!(hosts.iter().all(|key| wish(key) == Some(1)));
        for key in hosts.iter().filter(|key| **key != hosts[50]) {
            let mut state = limits.state();
            let pot = state.pot(key);
            (pot.held, pot.wanted) = (1, 0);
        }
        tokio::time::advance(IDLE_FOR).await;
        assert_eq!(take().err().as_ref(), hosts.get(50));
        assert_eq!(wish(&hosts[49]), None, "kept for when the other one is there");
        assert_eq!(wish(&hosts[51]), Some(0), "who has what comes before must not wait for what comes after");
        limits.state().pot(&hosts[50]).held = 1;
        assert!(take().is_ok());
    }
}
