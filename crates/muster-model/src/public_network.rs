//! Public networks of a file: addresses of one's own behind an edge with a firewall.
//!
//! The provider shows the firewall and lets nobody change it but a person in its panel, so a file can only say what it
//! is to be, and a plan what differs.

use serde::{Deserialize, Serialize};

use crate::id::ProviderId;
use crate::object::{FieldValue, Fields, ObjectClass, ObjectDraft, SeenObject};

/// The highest speed of a public network in Mbit/s; the least is a step of links.
pub const PUBLIC_BANDWIDTH_MBIT_MAX: u32 = 1_000;

/// The most addresses of a public network.
pub const ADDRESSES_MAX: u32 = 65_536;

/// A public network as the file wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedPublicNetwork {
    /// The place, as written.
    pub location: String,
    /// How many addresses it has. Acts at creation only.
    pub addresses: u32,
    /// Its speed in Mbit/s.
    pub bandwidth_mbit: u32,
    /// Whether it may be deleted when it leaves the file.
    pub protect: bool,
    /// What its firewall is to be; none is nobody's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
}

/// A firewall as expected. What is left out is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// What happens to what no rule names: `allow` or `deny`, or another word of the provider.
    pub default: Option<String>,
    /// The rules, in their order.
    pub rules: Option<Vec<FirewallRule>>,
}

/// One rule of a firewall, in the provider's words without their capitals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRule {
    /// What it does: `allow` or `deny`.
    pub action: String,
    /// `any`, `tcp`, `udp`, `tcpandudp` or `icmp`.
    pub protocol: String,
    /// Where it comes from.
    pub source: String,
    /// From which port.
    pub source_port: String,
    /// Where it goes.
    pub destination: String,
    /// To which port.
    pub destination_port: String,
}

/// What stands for everything in a rule.
pub const ANY: &str = "any";

impl FirewallRule {
    /// The rule in words, which is also what is compared.
    pub fn words(&self) -> String {
        format!(
            "{} {} from {} port {} to {} port {}",
            self.action,
            self.protocol,
            self.source,
            self.source_port,
            self.destination,
            self.destination_port
        )
    }

    /// From a row as the provider shows it.
    fn of(row: &Fields) -> FirewallRule {
        let word = |name: &str| {
            let text = row.get(name).map(ToString::to_string).unwrap_or_default();
            let text = text.trim().to_ascii_lowercase();
            if text.is_empty() { ANY.to_owned() } else { text }
        };
        FirewallRule {
            action: word("action"),
            protocol: word("protocol"),
            source: word("source"),
            source_port: word("source_port"),
            destination: word("destination"),
            destination_port: word("destination_port"),
        }
    }
}

/// A public network as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPublicNetwork {
    /// The provider's id.
    pub id: ProviderId,
    /// The provider's name; need not be unique.
    pub name: String,
    /// The provider's word for its state.
    pub state: String,
    /// The place: the provider's technical word; empty if it does not say.
    pub location: String,
    /// How many addresses it has, where the provider says it.
    pub addresses: Option<u32>,
    /// Its speed in Mbit/s, where the provider says it.
    pub bandwidth_mbit: Option<u32>,
    /// Ids of the servers that are linked to it, as the provider writes them; empty if there are none.
    pub servers: String,
    /// Its firewall.
    pub firewall: Firewall,
}

impl SeenPublicNetwork {
    /// From an object of the account.
    pub fn of(seen: &SeenObject) -> SeenPublicNetwork {
        let number = |word: &str| match seen.fields.get(word) {
            Some(FieldValue::Number(number)) => u32::try_from(*number).ok(),
            _ => None,
        };
        let enabled = match seen.fields.get("firewall") {
            Some(FieldValue::Flag(enabled)) => Some(*enabled),
            _ => None,
        };
        let default = seen.text("firewall_default").to_ascii_lowercase();
        let rules = match seen.fields.get("firewall_rules") {
            Some(FieldValue::Rows(rows)) => Some(rows.iter().map(FirewallRule::of).collect()),
            _ => None,
        };
        SeenPublicNetwork {
            id: seen.id.clone(),
            name: seen.name.clone(),
            state: seen.state.clone(),
            location: seen.text("location"),
            addresses: number("capacity"),
            bandwidth_mbit: number("bandwidth"),
            servers: seen.text("servers"),
            firewall: Firewall { enabled, default: Some(default).filter(|word| !word.is_empty()), rules },
        }
    }
}

/// What a create request for a public network says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicNetworkSpec {
    /// The name.
    pub name: String,
    /// The place: the provider's technical word.
    pub location: String,
    /// How many addresses.
    pub addresses: u32,
    /// Its speed in Mbit/s.
    pub bandwidth_mbit: u32,
}

impl PublicNetworkSpec {
    /// As an object of the account.
    pub fn draft(&self) -> ObjectDraft {
        ObjectDraft {
            class: ObjectClass::PublicNetwork,
            name: self.name.clone(),
            of: None,
            fields: Fields::from([
                ("location".to_owned(), self.location.as_str().into()),
                ("capacity".to_owned(), FieldValue::Number(i64::from(self.addresses))),
                ("bandwidth".to_owned(), FieldValue::Number(i64::from(self.bandwidth_mbit))),
            ]),
        }
    }
}

impl Firewall {
    /// What is otherwise than expected, one sentence each.
    pub fn differences(&self, seen: &Firewall) -> Vec<String> {
        let mut found = Vec::new();
        let word = |on: bool| if on { "on" } else { "off" };
        if let Some(wanted) = self.enabled
            && seen.enabled != Some(wanted)
        {
            let is = seen.enabled.map_or("not shown", word);
            found.push(format!("it is {is} and should be {}", word(wanted)));
        }
        if let Some(wanted) = &self.default
            && seen.default.as_ref() != Some(wanted)
        {
            let is = seen.default.as_deref().unwrap_or("not shown");
            found.push(format!("what no rule names is `{is}` and should be `{wanted}`"));
        }
        let Some(wanted) = &self.rules else { return found };
        let there = seen.rules.as_deref().unwrap_or_default();
        for at in 0..wanted.len().max(there.len()) {
            let number = at + 1;
            match (wanted.get(at), there.get(at)) {
                (Some(wanted), Some(there)) if wanted == there => {}
                (Some(wanted), Some(there)) => {
                    found.push(format!(
                        "rule {number} is `{}` and should be `{}`",
                        there.words(),
                        wanted.words()
                    ));
                }
                (Some(wanted), None) => found.push(format!("rule {number} is missing: `{}`", wanted.words())),
                (None, Some(there)) => found.push(format!("rule {number} is too many: `{}`", there.words())),
                (None, None) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(port: &str) -> FirewallRule {
        FirewallRule {
            action: "allow".into(),
            protocol: "tcp".into(),
            source: ANY.into(),
            source_port: ANY.into(),
            destination: ANY.into(),
            destination_port: port.into(),
        }
    }

    /// ICT-36: each difference of a firewall is named; what the file does not say is not compared.
    #[test]
    fn a_firewall_is_compared_rule_by_rule() {
        let wanted = Firewall {
            enabled: Some(true),
            default: Some("deny".into()),
            rules: Some(vec![rule("443"), rule("22")]),
        };
        assert_eq!(wanted.differences(&wanted), Vec::<String>::new());
        assert_eq!(Firewall::default().differences(&wanted), Vec::<String>::new());
        let seen = Firewall {
            enabled: Some(false),
            default: Some("allow".into()),
            rules: Some(vec![rule("80"), rule("22"), rule("25")]),
        };
        let found = wanted.differences(&seen);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "it is off and should be on");
        assert!(
            found[2].starts_with("rule 1 is `allow tcp from any port any to any port 80` and"),
            "{found:?}"
        );
        assert!(found[3].starts_with("rule 3 is too many"), "{found:?}");
        let few = Firewall { rules: Some(vec![rule("443")]), ..Firewall::default() };
        assert_eq!(wanted.differences(&few).len(), 3);
    }

    #[test]
    fn a_firewall_is_read_in_the_providers_words() {
        let row = Fields::from([
            ("action".to_owned(), "Allow".into()),
            ("protocol".to_owned(), "TcpAndUdp".into()),
            ("destination_port".to_owned(), "443".into()),
        ]);
        assert_eq!(FirewallRule::of(&row).words(), "allow tcpandudp from any port any to any port 443");
    }
}
