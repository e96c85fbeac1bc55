//! DNS records: requests 36 to 39. The domains that they belong to are in `dns`, what they say in `record_data`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::drift::DriftError;
use super::durations::ms;
use super::input::Fields;
use super::quota::Counted;
use super::record_data::{RecordData, qualified};
use super::refusal::Refusal;
use super::switches::Switches;
use super::view::{self, Answer, date_of_dns};
use super::world::World;

/// One of the seven types of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// A mail server.
    Mx,
    /// A name server.
    Ns,
    /// A text.
    Txt,
    /// A service.
    Srv,
}

impl RecordType {
    /// All seven.
    pub const ALL: [RecordType; 7] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Mx,
        RecordType::Ns,
        RecordType::Txt,
        RecordType::Srv,
    ];

    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Txt => "TXT",
            RecordType::Srv => "SRV",
        }
    }

    /// Reads the API's word in any case.
    pub fn read(text: &str) -> Option<RecordType> {
        RecordType::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(text.trim()))
    }
}

/// The only lifetimes that are allowed, in seconds. 21160 is what the provider has, not 21600.
const TTLS: [u32; 14] = [1, 5, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 21_160, 43_200, 86_400, 2_592_000];
/// The lifetime of a record that names none; a guess.
const TTL_DEFAULT: u32 = 3_600;
/// What a record that exists already is refused with.
const DUPLICATE: &str = "Подобная запись для данного домена уже существует";

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub id: u64,
    pub data: RecordData,
    pub ttl: u32,
    created: Timestamp,
    /// From when on it is `Active`.
    ready: Timestamp,
    state_word: Option<String>,
}

impl Record {
    fn state(&self, now: Timestamp) -> &str {
        self.state_word.as_deref().unwrap_or(if self.ready <= now { "Active" } else { "New" })
    }

    /// How the API writes it. `id` and `TTL` are numbers, the rest is text; what a type has not is empty.
    pub fn view(&self, zone: &str, state: &str, switches: &Switches) -> Value {
        let state = if switches.record_state_null { Value::Null } else { state.into() };
        let mut value = json!({
            "ID": self.id,
            "TypeRecord": self.data.kind().word(),
            "IP": "", "HostName": "", "Priority": "", "Text": "", "MnemonicName": "", "ExtHostName": "",
            "State": state,
            "DateCreate": date_of_dns(self.created, self.id),
            "Service": "", "Proto": "", "Weight": "",
            "TTL": self.ttl,
            "Port": "", "Target": "",
            "CanonicalDescription": self.data.zone_line(zone, self.ttl),
        });
        let owner = |name: &str| {
            if switches.record_names_qualified { qualified(name, zone) } else { name.to_owned() }
        };
        let mut put = |field: &str, text: String| value[field] = text.into();
        match &self.data {
            RecordData::A { name, ip } => {
                put("HostName", owner(name));
                put("IP", ip.to_string());
            }
            RecordData::Aaaa { name, ip } => {
                put("HostName", owner(name));
                put("IP", ip.to_string());
            }
            RecordData::Cname { alias, target } => {
                put("HostName", target.clone());
                put("MnemonicName", alias.clone());
            }
            RecordData::Mx { host, priority } => {
                put("HostName", host.clone());
                put("Priority", priority.to_string());
            }
            RecordData::Ns { name, host } => {
                put("HostName", host.clone());
                put("ExtHostName", owner(name));
            }
            RecordData::Txt { name, text } => {
                put("HostName", qualified(name, zone));
                // Sometimes there is a space behind the quotes; here every other record has it.
                let space = if self.id.is_multiple_of(2) { " " } else { "" };
                put("Text", format!("\"{text}\"{space}"));
            }
            RecordData::Srv { name, service, proto, priority, weight, port, target } => {
                put("HostName", owner(name));
                let dot = if switches.srv_service_dot && !service.ends_with('.') { "." } else { "" };
                put("Service", format!("{service}{dot}"));
                put("Proto", proto.clone());
                put("Priority", priority.to_string());
                put("Weight", weight.to_string());
                put("Port", port.to_string());
                put("Target", target.clone());
            }
        }
        value
    }

    /// The same with the state that it has now.
    pub fn view_now(&self, zone: &str, now: Timestamp, switches: &Switches) -> Value {
        self.view(zone, self.state(now), switches)
    }
}

fn read_ttl(fields: &Fields) -> Result<Option<u32>, Refusal> {
    let ttl = fields.count("TTL")?;
    if ttl.is_some_and(|ttl| !TTLS.contains(&ttl)) {
        let known = TTLS.map(|ttl| ttl.to_string()).join(", ");
        return Err(Refusal::bad(format!("TTL must be one of {known}")));
    }
    Ok(ttl)
}

impl World {
    /// The domain that a record is in.
    fn domain_of(&self, project: usize, record: u64) -> Result<u64, Refusal> {
        let holds =
            self.projects[project].rest.domains.values().find(|domain| domain.records.contains_key(&record));
        holds.map(|domain| domain.id).ok_or_else(|| Refusal::not_found("Record"))
    }

    /// A record as it is shown: with a fault's word, with `New` to whoever just made it, or as it is.
    fn record_answer(&self, project: usize, id: u64, just_made: bool) -> Result<Answer, Refusal> {
        let domain = &self.projects[project].rest.domains[&self.domain_of(project, id)?];
        let record = domain.records.get(&id).ok_or_else(|| Refusal::not_found("Record"))?;
        let own = record.state_word.as_deref();
        let state = match self.twist.state.as_deref() {
            Some(state) => state,
            None if just_made => own.unwrap_or("New"),
            None => record.state(self.now),
        };
        Ok(view::json(&record.view(&domain.name, state, &self.switches)))
    }

    pub(super) fn record_read(&self, project: usize, id: u64) -> Result<Answer, Refusal> {
        self.record_answer(project, id, false)
    }

    pub(super) fn record_create(
        &mut self,
        project: usize,
        kind: RecordType,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let domain = fields.id("DomainId")?.ok_or_else(|| Refusal::bad("Parameter DomainId is required"))?;
        let id = self.make_record(project, domain, kind, fields)?;
        self.record_answer(project, id, true)
    }

    fn make_record(
        &mut self,
        project: usize,
        domain: u64,
        kind: RecordType,
        fields: &Fields,
    ) -> Result<u64, Refusal> {
        let data = RecordData::read(kind, fields)?;
        let ttl = read_ttl(fields)?.unwrap_or(TTL_DEFAULT);
        let holds = &self.projects[project];
        let zone = holds.rest.domains.get(&domain).ok_or_else(|| Refusal::bad("Domain not found"))?;
        if zone.records.values().any(|one| one.data.same(&data, &zone.name)) {
            return Err(Refusal::bad(DUPLICATE));
        }
        holds.quota.check(Counted::Records, zone.records.len())?;
        let ready = self.after(ms(self.durations.dns_ms));
        let (id, created) = (self.counters.record(), self.now);
        let record = Record { id, data, ttl, created, ready, state_word: self.twist.state.clone() };
        if let Some(zone) = self.projects[project].rest.domains.get_mut(&domain) {
            zone.records.insert(id, record);
        }
        Ok(id)
    }

    /// Says something else in place of a record. It is `New` again until name servers know.
    pub(super) fn record_update(
        &mut self,
        project: usize,
        kind: RecordType,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let domain = self.domain_of(project, id)?;
        if fields.id("DomainId")?.is_some_and(|said| said != domain) {
            return Err(Refusal::bad("Record is in another domain"));
        }
        let data = RecordData::read(kind, fields)?;
        let ttl = read_ttl(fields)?;
        let ready = self.after(ms(self.durations.dns_ms));
        let missing = || Refusal::not_found("Record");
        let zone = self.projects[project].rest.domains.get_mut(&domain).ok_or_else(missing)?;
        if zone.records.values().any(|one| one.id != id && one.data.same(&data, &zone.name)) {
            return Err(Refusal::bad(DUPLICATE));
        }
        let record = zone.records.get_mut(&id).ok_or_else(missing)?;
        if record.data.kind() != kind {
            return Err(Refusal::bad(format!("Record is of type {}", record.data.kind().word())));
        }
        record.data = data;
        record.ttl = ttl.unwrap_or(record.ttl);
        record.ready = ready;
        self.record_answer(project, id, true)
    }

    pub(super) fn record_delete(
        &mut self,
        project: usize,
        domain: u64,
        record: u64,
    ) -> Result<Answer, Refusal> {
        let zone = self.projects[project].rest.domains.get_mut(&domain);
        let zone = zone.ok_or_else(|| Refusal::not_found("Domain"))?;
        match zone.records.remove(&record) {
            Some(_) => Ok(Answer::Empty),
            None => Err(Refusal::not_found("Record")),
        }
    }

    /// Drift: somebody adds a record in the web panel.
    pub(super) fn add_record(
        &mut self,
        project: usize,
        domain: u64,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let read = Fields::of_object(fields);
        let word = read.text("TypeRecord")?.unwrap_or_default();
        let kind = RecordType::read(&word);
        let kind = kind.ok_or_else(|| DriftError::Form("TypeRecord must be one of the seven".to_owned()))?;
        let now = self.now;
        let id = self.make_record(project, domain, kind, &read)?;
        let record =
            self.projects[project].rest.domains.get_mut(&domain).and_then(|one| one.records.get_mut(&id));
        if let Some(record) = record {
            record.ready = now;
        }
        Ok(())
    }

    /// Drift: a record says something else. `State` and `TTL` alone may be set; else every field of its type.
    pub(super) fn set_record(
        &mut self,
        project: usize,
        id: u64,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let read = Fields::of_object(fields);
        let mut zones = self.projects[project].rest.domains.values_mut();
        let Some(record) = zones.find_map(|zone| zone.records.get_mut(&id)) else { return Ok(()) };
        let ttl = read.count("TTL")?.unwrap_or(record.ttl);
        let says_more = read.iter().any(|(field, _)| !["ttl", "state"].contains(&field));
        let data = if says_more { RecordData::read(record.data.kind(), &read)? } else { record.data.clone() };
        let says_state = read.iter().any(|(field, _)| field == "state");
        let word = if says_state { read.text("State")? } else { record.state_word.clone() };
        (record.data, record.ttl, record.state_word) = (data, ttl, word);
        Ok(())
    }
}
