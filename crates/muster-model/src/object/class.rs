//! The classes of objects, and the one table of their fields (`spec/onecloud-api.md` §1.2, §1.4, §1.8).

use serde::{Deserialize, Serialize};

use super::{FieldValue, Fields};

/// A class of objects of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectClass {
    /// An operating system image, stock or made from a server.
    Image,
    /// A private network.
    Network,
    /// A public network with its firewall and tunnels.
    PublicNetwork,
    /// A public key for logging in.
    Key,
    /// A DNS domain.
    Zone,
    /// A record of a domain.
    Record,
    /// The account's object storage; there is one or none.
    Storage,
    /// A user of that storage.
    StorageUser,
    /// What the provider does, or did, to a server; only shown.
    Action,
}

/// Whether a field is given when an object is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It must be.
    Must,
    /// It may be.
    May,
    /// It cannot be; the provider decides.
    Never,
}

/// What a value of a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldForm {
    /// Any text that is not empty.
    Text,
    /// Latin letters and digits.
    Word,
    /// A whole number within bounds, in steps.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// The distance between two that are allowed.
        step: i64,
    },
    /// Yes or no.
    Flag,
    /// Rows that are only shown.
    Rows,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Its word in commands, plans and answers.
    pub word: &'static str,
    /// What its values look like.
    pub form: FieldForm,
    /// Whether it is given at creation.
    pub given: Given,
    /// Whether it can be changed later.
    pub is_changeable: bool,
    /// Whether the provider shows it afterwards.
    pub is_shown: bool,
    /// What it is, with its unit.
    pub about: &'static str,
}

const fn shown(word: &'static str, form: FieldForm, about: &'static str) -> FieldRule {
    FieldRule { word, form, given: Given::Never, is_changeable: false, is_shown: true, about }
}

const fn given(word: &'static str, form: FieldForm, how: Given, about: &'static str) -> FieldRule {
    FieldRule { word, form, given: how, is_changeable: false, is_shown: true, about }
}

const ANY: FieldForm = FieldForm::Number { min: 0, max: i64::MAX, step: 1 };

const IMAGE: &[FieldRule] = &[
    FieldRule {
        is_shown: false,
        ..given("server", FieldForm::Text, Given::Must, "the server it is made from, by its name or id")
    },
    given("technical", FieldForm::Word, Given::Must, "the technical name, which servers report"),
    shown("location", FieldForm::Text, "where it is on offer; empty = everywhere"),
    shown("disk_min_gb", ANY, "the least disk, in GB"),
    shown("family", FieldForm::Text, "Linux, Windows, Bsd, …"),
    shown("type", FieldForm::Text, "`GoldServer` for the provider's own"),
];

const NETWORK: &[FieldRule] = &[
    given("location", FieldForm::Text, Given::Must, "the place, by its title or technical name"),
    given("dhcp", FieldForm::Flag, Given::May, "whether the provider hands out addresses in it"),
    shown("capacity", ANY, "addresses in it"),
    shown("mask", FieldForm::Text, "the netmask"),
    shown("gateway", FieldForm::Text, "the gateway"),
    shown("bandwidth", ANY, "Mbit/s"),
    shown("servers", FieldForm::Text, "ids of the servers that are linked to it"),
];

const PUBLIC_NETWORK: &[FieldRule] = &[
    given("location", FieldForm::Text, Given::Must, "the place, by its title or technical name"),
    given("capacity", FieldForm::Number { min: 1, max: 65_536, step: 1 }, Given::Must, "addresses in it"),
    FieldRule {
        is_changeable: true,
        ..given("bandwidth", FieldForm::Number { min: 10, max: 1000, step: 10 }, Given::Must, "Mbit/s")
    },
    shown("cidr", FieldForm::Text, "its addresses"),
    shown("edge_address", FieldForm::Text, "the address of its edge"),
    shown("mask", FieldForm::Text, "the netmask"),
    shown("gateway", FieldForm::Text, "the gateway"),
    shown("dhcp", FieldForm::Flag, "whether the provider hands out addresses in it"),
    shown("firewall", FieldForm::Flag, "whether its firewall is on"),
    shown("firewall_default", FieldForm::Text, "what happens to what no rule names"),
    shown("firewall_rules", FieldForm::Rows, "the rules, in their order"),
    shown("tunnels", FieldForm::Rows, "VPN tunnels; their shared keys are never shown"),
    shown("servers", FieldForm::Text, "ids of the servers that are linked to it"),
];

const KEY: &[FieldRule] = &[
    given(super::PUBLIC_KEY, FieldForm::Text, Given::Must, "the OpenSSH line"),
    shown("active", FieldForm::Flag, "whether the provider uses it"),
];

const ZONE: &[FieldRule] = &[
    shown("delegated", FieldForm::Flag, "whether the domain's name servers are the provider's"),
    shown("records", ANY, "how many records it has"),
];

const RECORD: &[FieldRule] = &[
    given("type", FieldForm::Word, Given::Must, "A, AAAA, CNAME, MX, NS, TXT or SRV"),
    given("value", FieldForm::Text, Given::Must, "the address, the target or the text"),
    FieldRule { is_changeable: true, ..given("ttl", ANY, Given::May, "seconds") },
    given("priority", FieldForm::Number { min: 0, max: 65_535, step: 1 }, Given::May, "of MX and SRV"),
    given("weight", FieldForm::Number { min: 0, max: 65_535, step: 1 }, Given::May, "of SRV"),
    given("port", FieldForm::Number { min: 0, max: 65_535, step: 1 }, Given::May, "of SRV"),
];

const STORAGE: &[FieldRule] = &[
    shown("quota_bytes", ANY, "the most it holds; left out = no limit"),
    shown("owner", FieldForm::Text, "its first user"),
];

const STORAGE_USER: &[FieldRule] = &[
    FieldRule {
        is_shown: false,
        ..given(
            "persist_password",
            FieldForm::Flag,
            Given::May,
            "whether the provider keeps showing the password",
        )
    },
    shown("s3", FieldForm::Text, "the address for S3"),
    shown("swift", FieldForm::Text, "the address for Swift"),
    shown("ftp", FieldForm::Text, "the address for FTP"),
];

const ACTION: &[FieldRule] =
    &[shown("started", FieldForm::Text, "when it began"), shown("ended", FieldForm::Text, "when it ended")];

impl ObjectClass {
    /// All of them.
    pub const ALL: [ObjectClass; 9] = [
        ObjectClass::Image,
        ObjectClass::Network,
        ObjectClass::PublicNetwork,
        ObjectClass::Key,
        ObjectClass::Zone,
        ObjectClass::Record,
        ObjectClass::Storage,
        ObjectClass::StorageUser,
        ObjectClass::Action,
    ];

    /// The word for people and addresses.
    pub fn word(self) -> &'static str {
        match self {
            ObjectClass::Image => "image",
            ObjectClass::Network => "network",
            ObjectClass::PublicNetwork => "public-network",
            ObjectClass::Key => "key",
            ObjectClass::Zone => "zone",
            ObjectClass::Record => "record",
            ObjectClass::Storage => "storage",
            ObjectClass::StorageUser => "storage-user",
            ObjectClass::Action => "action",
        }
    }

    /// The class of a word.
    pub fn of_word(word: &str) -> Option<ObjectClass> {
        ObjectClass::ALL.into_iter().find(|class| class.word() == word)
    }

    /// The table's rows for it.
    pub fn fields(self) -> &'static [FieldRule] {
        match self {
            ObjectClass::Image => IMAGE,
            ObjectClass::Network => NETWORK,
            ObjectClass::PublicNetwork => PUBLIC_NETWORK,
            ObjectClass::Key => KEY,
            ObjectClass::Zone => ZONE,
            ObjectClass::Record => RECORD,
            ObjectClass::Storage => STORAGE,
            ObjectClass::StorageUser => STORAGE_USER,
            ObjectClass::Action => ACTION,
        }
    }

    /// The row of one field.
    pub fn field(self, word: &str) -> Option<&'static FieldRule> {
        self.fields().iter().find(|rule| rule.word == word)
    }

    /// Whether its objects are only shown.
    pub fn is_only_shown(self) -> bool {
        self == ObjectClass::Action
    }

    /// Whether its objects can be given another name.
    pub fn can_be_renamed(self) -> bool {
        matches!(self, ObjectClass::Network | ObjectClass::PublicNetwork)
    }

    /// Whether deleting one loses data that cannot be made again from what is known.
    pub fn holds_data(self) -> bool {
        matches!(self, ObjectClass::Image | ObjectClass::Storage | ObjectClass::StorageUser)
    }

    /// Whether two names of this class are the same: domains have no case.
    pub fn same_name(self, one: &str, other: &str) -> bool {
        match self {
            ObjectClass::Zone | ObjectClass::Record => {
                one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
            }
            ObjectClass::Image
            | ObjectClass::Network
            | ObjectClass::PublicNetwork
            | ObjectClass::Key
            | ObjectClass::Storage
            | ObjectClass::StorageUser
            | ObjectClass::Action => one == other,
        }
    }

    /// Checks fields that a person gave, and reads texts as what the table says they are.
    ///
    /// # Errors
    /// Every problem: which field, what it is, what is allowed.
    pub fn check(self, fields: &Fields, making: bool) -> Result<Fields, Vec<String>> {
        let mut read = Fields::new();
        let mut problems = Vec::new();
        for (word, value) in fields {
            let Some(rule) = self.field(word) else {
                let known: Vec<&str> = self
                    .fields()
                    .iter()
                    .filter(|rule| rule.given != Given::Never)
                    .map(|rule| rule.word)
                    .collect();
                problems.push(format!(
                    "a {} has no field \"{word}\" that can be given; it has: {}",
                    self.word(),
                    known.join(", ")
                ));
                continue;
            };
            let may = if making { rule.given != Given::Never } else { rule.is_changeable };
            if !may {
                problems.push(format!(
                    "{word} of a {} cannot be {}",
                    self.word(),
                    if making { "chosen: the provider decides it" } else { "changed; make another one" }
                ));
                continue;
            }
            match rule.read(value) {
                Ok(value) => {
                    read.insert(word.clone(), value);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if making {
            let missing = self
                .fields()
                .iter()
                .filter(|rule| rule.given == Given::Must && !fields.contains_key(rule.word));
            problems
                .extend(missing.map(|rule| format!("a {} needs {}: {}", self.word(), rule.word, rule.about)));
        }
        if problems.is_empty() { Ok(read) } else { Err(problems) }
    }
}

impl FieldRule {
    fn read(&self, value: &FieldValue) -> Result<FieldValue, String> {
        let text = value.to_string();
        let wrong = |wanted: &str| Err(format!("{} is \"{text}\"; {wanted}", self.word));
        match self.form {
            FieldForm::Text if text.trim().is_empty() => wrong("it must not be empty"),
            FieldForm::Text => Ok(FieldValue::Text(text.trim().to_owned())),
            FieldForm::Word if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                wrong("only Latin letters and digits are allowed")
            }
            FieldForm::Word => Ok(FieldValue::Text(text)),
            FieldForm::Number { min, max, step } => match text.parse::<i64>() {
                Ok(number) if number >= min && number <= max && (number - min) % step == 0 => {
                    Ok(FieldValue::Number(number))
                }
                Ok(_) | Err(_) => {
                    let steps = if step > 1 { format!(" in steps of {step}") } else { String::new() };
                    let most = if max == i64::MAX { String::new() } else { format!(" to {max}") };
                    wrong(&format!("it must be a whole number from {min}{most}{steps}"))
                }
            },
            FieldForm::Flag => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => Ok(FieldValue::Flag(true)),
                "no" | "false" | "off" => Ok(FieldValue::Flag(false)),
                _ => wrong("say yes or no"),
            },
            FieldForm::Rows => wrong("it is only shown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_again() {
        for class in ObjectClass::ALL {
            assert_eq!(ObjectClass::of_word(class.word()), Some(class));
            assert!(class.fields().iter().all(|rule| !rule.about.is_empty()));
        }
    }

    #[test]
    fn what_people_give_is_read_or_refused_all_at_once() {
        let given = |pairs: &[(&str, &str)]| -> Fields {
            pairs.iter().map(|(word, value)| ((*word).to_owned(), FieldValue::from(*value))).collect()
        };
        let good = given(&[("location", "SdnSpb"), ("capacity", "8"), ("bandwidth", "20")]);
        let read = ObjectClass::PublicNetwork.check(&good, true).unwrap();
        assert_eq!(read["bandwidth"], FieldValue::Number(20));
        let bad = given(&[("location", ""), ("bandwidth", "15"), ("cidr", "1.2.3.0/24"), ("speed", "9")]);
        let problems = ObjectClass::PublicNetwork.check(&bad, true).unwrap_err();
        assert_eq!(
            problems,
            [
                "bandwidth is \"15\"; it must be a whole number from 10 to 1000 in steps of 10",
                "cidr of a public-network cannot be chosen: the provider decides it",
                "location is \"\"; it must not be empty",
                "a public-network has no field \"speed\" that can be given; it has: location, capacity, bandwidth",
                "a public-network needs capacity: addresses in it",
            ]
        );
        let later = given(&[("location", "SdnSpb")]);
        assert_eq!(
            ObjectClass::PublicNetwork.check(&later, false).unwrap_err(),
            ["location of a public-network cannot be changed; make another one"]
        );
    }
}
