//! Domains: requests 32 to 35. Their records are in `record`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::drift::DriftError;
use super::durations::ms;
use super::input::Fields;
use super::quota::Counted;
use super::record::Record;
use super::refusal::Refusal;
use super::switches::Switches;
use super::view::{self, Answer, date_of_dns};
use super::world::World;

/// One domain with its records.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub id: u64,
    pub name: String,
    pub records: BTreeMap<u64, Record>,
    /// Whether the registry points to the provider's name servers.
    delegated: bool,
    created: Timestamp,
    /// From when on it is `Active`.
    ready: Timestamp,
    state_word: Option<String>,
}

impl Domain {
    fn state(&self, now: Timestamp) -> &str {
        self.state_word.as_deref().unwrap_or(if self.ready <= now { "Active" } else { "New" })
    }

    fn view(&self, state: &str, now: Timestamp, switches: &Switches) -> Value {
        json!({
            "ID": self.id,
            "Name": self.name,
            "TechName": self.name.replace('.', "_"),
            "State": state,
            "DateCreate": date_of_dns(self.created, self.id),
            "IsDelegate": self.delegated,
            "LinkedRecords": self.records.values().map(|record| record.view_now(&self.name, now, switches))
                .collect::<Vec<_>>(),
        })
    }

    /// The same with the state that it has now.
    pub fn view_now(&self, now: Timestamp, switches: &Switches) -> Value {
        self.view(self.state(now), now, switches)
    }
}

/// Longest label of a name, in characters.
const LABEL_CHARS_MAX: usize = 63;

/// A second-level domain, in small letters; nothing else can be a zone.
fn check_domain(name: &str) -> Result<String, Refusal> {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let label_fits = |label: &&str| {
        !label.is_empty()
            && label.chars().count() <= LABEL_CHARS_MAX
            && label.chars().all(|one| one.is_alphanumeric() || one == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !labels.iter().all(label_fits) {
        return Err(Refusal::bad("Name is not a domain"));
    }
    if labels.len() != 2 {
        return Err(Refusal::bad("Only second-level domains are supported"));
    }
    Ok(name)
}

impl World {
    pub(super) fn domain_list(&self, project: usize) -> Answer {
        let (state, only) = (self.twist.state.as_deref(), self.twist.only.as_deref());
        let shown = self.projects[project].rest.domains.values().map(|domain| {
            let state = state.filter(|_| only.is_none_or(|name| domain.name == name));
            domain.view(state.unwrap_or(domain.state(self.now)), self.now, &self.switches)
        });
        view::json(&shown.collect::<Vec<_>>())
    }

    fn domain(&self, project: usize, id: u64) -> Result<&Domain, Refusal> {
        self.projects[project].rest.domains.get(&id).ok_or_else(|| Refusal::not_found("Domain"))
    }

    pub(super) fn domain_read(&self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let domain = self.domain(project, id)?;
        let state = self.twist.state.as_deref().unwrap_or(domain.state(self.now));
        Ok(view::json(&domain.view(state, self.now, &self.switches)))
    }

    pub(super) fn domain_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let name = fields.text("Name")?.ok_or_else(|| Refusal::bad("Parameter Name is required"))?;
        let id = self.make_domain(project, &name)?;
        let domain = self.domain(project, id)?;
        let state = domain.state_word.as_deref().unwrap_or("New");
        Ok(view::json(&domain.view(state, self.now, &self.switches)))
    }

    fn make_domain(&mut self, project: usize, name: &str) -> Result<u64, Refusal> {
        let name = check_domain(name)?;
        let holds = &self.projects[project];
        if holds.rest.domains.values().any(|domain| domain.name == name) {
            return Err(Refusal::bad("Domain exists already"));
        }
        holds.quota.check(Counted::Domains, holds.rest.domains.len())?;
        let ready = self.after(ms(self.durations.dns_ms));
        let id = self.counters.domain();
        let domain = Domain {
            id,
            name,
            records: BTreeMap::new(),
            delegated: false,
            created: self.now,
            ready,
            state_word: self.twist.state.clone(),
        };
        self.projects[project].rest.domains.insert(id, domain);
        Ok(id)
    }

    pub(super) fn domain_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        match self.projects[project].rest.domains.remove(&id) {
            Some(_) => Ok(Answer::Empty),
            None => Err(Refusal::not_found("Domain")),
        }
    }

    /// Drift: somebody adds a domain in the web panel.
    pub(super) fn add_domain(
        &mut self,
        project: usize,
        name: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let now = self.now;
        let id = self.make_domain(project, name)?;
        if let Some(domain) = self.projects[project].rest.domains.get_mut(&id) {
            domain.ready = now;
        }
        let done = self.set_domain(project, id, fields);
        if done.is_err() {
            self.projects[project].rest.domains.remove(&id);
        }
        done
    }

    /// Drift: `State` and `IsDelegate` of a domain.
    pub(super) fn set_domain(
        &mut self,
        project: usize,
        id: u64,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let read = Fields::of_object(fields);
        let Some(domain) = self.projects[project].rest.domains.get_mut(&id) else { return Ok(()) };
        let mut after = (domain.delegated, domain.state_word.clone());
        for (field, _) in read.iter() {
            match field {
                "isdelegate" => after.0 = read.flag(field)?.unwrap_or(after.0),
                "state" => after.1 = read.text(field)?,
                _ => {
                    return Err(DriftError::Form(format!("a domain has no field {field:?} that can be set")));
                }
            }
        }
        (domain.delegated, domain.state_word) = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_second_level_domains_are_zones() {
        for (name, zone) in
            [("Example.ORG", "example.org"), ("пример.рф.", "пример.рф"), (" a-b.c ", "a-b.c")]
        {
            assert_eq!(check_domain(name).as_deref(), Ok(zone), "{name}");
        }
        for name in ["org", "www.example.org", "example..org", "-a.org", "a_b.org", "a b.org", ".", ""] {
            assert!(check_domain(name).is_err(), "{name}");
        }
        let long = format!("{}.org", "a".repeat(64));
        assert!(check_domain(&long).is_err());
    }
}
