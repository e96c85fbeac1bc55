//! How many objects of each kind one project may hold: what the provider grants an account.
//!
//! A project begins with the simulator's own bounds; drift can take some of that away, so that "the third server is
//! refused" needs no thousands of servers.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::switches::Limits;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Servers,
    Networks,
    PublicNetworks,
    Keys,
    Images,
    Domains,
    /// Of one domain.
    Records,
    StorageUsers,
}

impl Counted {
    const ALL: [Counted; 8] = [
        Counted::Servers,
        Counted::Networks,
        Counted::PublicNetworks,
        Counted::Keys,
        Counted::Images,
        Counted::Domains,
        Counted::Records,
        Counted::StorageUsers,
    ];

    fn words(self) -> &'static str {
        match self {
            Counted::Servers => "servers",
            Counted::Networks => "networks",
            Counted::PublicNetworks => "public networks",
            Counted::Keys => "SSH keys",
            Counted::Images => "images",
            Counted::Domains => "domains",
            Counted::Records => "records",
            Counted::StorageUsers => "storage users",
        }
    }

    fn most(self, limits: &Limits) -> usize {
        match self {
            Counted::Servers => limits.servers_max,
            Counted::Networks => limits.networks_max,
            Counted::PublicNetworks => limits.public_networks_max,
            Counted::Keys => limits.keys_max,
            Counted::Images => limits.images_max,
            Counted::Domains => limits.domains_max,
            Counted::Records => limits.records_max,
            Counted::StorageUsers => limits.storage_users_max,
        }
    }
}

/// The quota of one project.
#[derive(Clone, Debug)]
pub(super) struct Quota([usize; Counted::ALL.len()]);

impl Quota {
    /// As much as the simulator can hold.
    pub fn new(limits: &Limits) -> Quota {
        Quota(Counted::ALL.map(|one| one.most(limits)))
    }

    /// Refuses one more when there are `count` already.
    pub fn check(&self, what: Counted, count: usize) -> Result<(), Refusal> {
        let max = self.0[what as usize];
        if count < max {
            return Ok(());
        }
        Err(Refusal::bad(format!("No more than {max} {} are allowed", what.words())))
    }

    /// Sets `{"servers": 3, "SSH keys": null, …}`; null goes back to the simulator's own bound, which cannot be
    /// passed. Nothing is changed when a word or number is not understood.
    pub fn set(&mut self, wanted: &Map<String, Value>, limits: &Limits) -> Result<(), String> {
        let mut after = self.clone();
        for (word, value) in wanted {
            let what = Counted::ALL.into_iter().find(|one| one.words().eq_ignore_ascii_case(word));
            let Some(what) = what else {
                let known = Counted::ALL.map(Counted::words).join(", ");
                return Err(format!("nothing called {word:?} is counted; there are: {known}"));
            };
            let most = what.most(limits);
            after.0[what as usize] = match value {
                Value::Null => most,
                number => {
                    let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                    number.ok_or_else(|| format!("quota of {word} must be a whole number"))?.min(most)
                }
            };
        }
        *self = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quota_is_set_by_words_and_never_above_the_bound() {
        let limits = Limits { servers_max: 5, ..Limits::default() };
        let mut quota = Quota::new(&limits);
        let mut set = |words: Value| {
            let done = quota.set(words.as_object().unwrap(), &limits);
            done.map(|()| quota.clone())
        };
        let two = set(json!({"Servers": 2})).unwrap();
        assert!(two.check(Counted::Servers, 1).is_ok());
        assert_eq!(two.check(Counted::Servers, 2).unwrap_err().message, "No more than 2 servers are allowed");
        assert!(set(json!({"servers": 1, "ships": 1})).unwrap_err().contains("storage users"));
        assert!(set(json!({"servers": -1})).is_err());
        let many = set(json!({"servers": 1000})).unwrap();
        assert!(many.check(Counted::Servers, 4).is_ok() && many.check(Counted::Servers, 5).is_err());
        assert!(set(json!({"servers": null})).unwrap().check(Counted::Servers, 4).is_ok());
    }
}
