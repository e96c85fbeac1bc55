//! Accounts as said, and their registration.

use jiff::Timestamp;
use muster_model::account::{Account, AccountSettings};
use muster_model::cloud::{SeenImage, SeenLocation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};
use crate::secret::SecretText;

/// What is said about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountAttributes {
    /// The person's name for it.
    pub name: String,
    /// Which kind of cloud: `onecloud`.
    pub provider: String,
    /// The customer's id at the provider.
    pub customer: String,
    /// The project's id at the provider; empty where there is none.
    pub project: String,
    /// The base address of the API.
    pub url: String,
    /// How it wants to be treated.
    pub settings: SettingsSaid,
}

impl Said for AccountAttributes {
    const TYPE: &'static str = "accounts";
}

impl AccountAttributes {
    /// The account in the words of the API.
    pub fn resource(account: &Account) -> Resource<AccountAttributes> {
        let said = AccountAttributes {
            name: account.name.to_string(),
            provider: account.identity.provider.word().to_owned(),
            customer: account.identity.customer.clone(),
            project: account.identity.project.clone(),
            url: account.url.clone(),
            settings: SettingsSaid::from(&account.settings),
        };
        Resource::new(account.name.as_str(), said)
    }
}

/// Manners towards the provider, as said. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsSaid {
    /// Time between two reads of the one list, in ms; 0 = the default.
    pub poll_ms: u64,
    /// Writes in flight at once.
    pub writes_in_flight: u32,
    /// Least time between two writes, in ms.
    pub write_gap_ms: u64,
    /// Longest time of one request, in ms.
    pub request_timeout_ms: u64,
    /// How long a create without an answer may stay invisible, in ms; 0 = the default.
    pub settle_ms: u64,
    /// Longest wait for the provider, in ms.
    pub wait_timeout_ms: u64,
}

impl Default for SettingsSaid {
    fn default() -> Self {
        SettingsSaid::from(&AccountSettings::default())
    }
}

impl From<&AccountSettings> for SettingsSaid {
    fn from(settings: &AccountSettings) -> Self {
        SettingsSaid {
            poll_ms: settings.poll_ms,
            writes_in_flight: settings.writes_in_flight,
            write_gap_ms: settings.write_gap_ms,
            request_timeout_ms: settings.request_timeout_ms,
            settle_ms: settings.settle_ms,
            wait_timeout_ms: settings.wait_timeout_ms,
        }
    }
}

impl From<SettingsSaid> for AccountSettings {
    fn from(said: SettingsSaid) -> Self {
        AccountSettings {
            poll_ms: said.poll_ms,
            writes_in_flight: said.writes_in_flight,
            write_gap_ms: said.write_gap_ms,
            request_timeout_ms: said.request_timeout_ms,
            settle_ms: said.settle_ms,
            wait_timeout_ms: said.wait_timeout_ms,
        }
    }
}

/// Ask for an account to be registered under the name in the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRegistration {
    /// The Space.
    #[serde(default = "crate::plan::default_space")]
    pub space: String,
    /// The base address of the API.
    pub url: String,
    /// The API key; checked at the provider, then sealed.
    #[schema(value_type = String, format = Password, write_only)]
    pub key: SecretText,
    /// How it wants to be treated.
    #[serde(default)]
    pub settings: SettingsSaid,
}

impl Said for AccountRegistration {
    const TYPE: &'static str = "accounts";
}

/// What the provider said about the account just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountTestAttributes {
    /// The person's name for it.
    pub name: String,
    /// Which kind of cloud.
    pub provider: String,
    /// The customer's id at the provider.
    pub customer: String,
    /// The project's id at the provider; empty where there is none.
    pub project: String,
    /// The balance, as the provider writes it.
    pub balance: String,
}

impl Said for AccountTestAttributes {
    const TYPE: &'static str = "account-tests";
}

/// What the account's provider offers, as of a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OffersAttributes {
    /// The person's name for the account.
    pub account: String,
    /// When the provider said so.
    pub seen_at: Timestamp,
    /// Where servers can be made.
    pub locations: Vec<LocationSaid>,
    /// What they can be made of.
    pub images: Vec<ImageSaid>,
}

/// A place on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocationSaid {
    /// The word for `location:` in a file.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Values of `performance:` that exist there.
    pub performance: Vec<String>,
}

/// An image on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageSaid {
    /// The word for `image:` in a file.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The place it is offered at; empty = everywhere.
    pub location: String,
    /// The least disk it needs, in GiB; 0 = not said.
    pub disk_min_gb: u32,
    /// `Linux`, `Windows`, ….
    pub family: String,
}

impl Said for OffersAttributes {
    const TYPE: &'static str = "offers";
}

impl OffersAttributes {
    /// Offers in the words of the API.
    pub fn new(
        account: &str,
        seen_at: Timestamp,
        images: &[SeenImage],
        locations: &[SeenLocation],
    ) -> OffersAttributes {
        let location = |seen: &SeenLocation| LocationSaid {
            name: seen.technical.clone(),
            title: seen.title.clone(),
            performance: [("base", seen.base_pool), ("high", seen.high_pool)]
                .into_iter()
                .filter(|(_, exists)| *exists)
                .map(|(word, _)| word.to_owned())
                .collect(),
        };
        let image = |seen: &SeenImage| ImageSaid {
            name: seen.technical.clone(),
            title: seen.display.clone(),
            location: seen.location.clone(),
            disk_min_gb: seen.disk_min_gb,
            family: seen.family.clone(),
        };
        OffersAttributes {
            account: account.to_owned(),
            seen_at,
            locations: locations.iter().map(location).collect(),
            images: images.iter().map(image).collect(),
        }
    }

    /// Only what is offered at one place, named by its word or its title.
    pub fn at(mut self, place: &str) -> OffersAttributes {
        let is_it = |location: &LocationSaid| {
            [&location.name, &location.title].iter().any(|word| word.eq_ignore_ascii_case(place))
        };
        self.locations.retain(is_it);
        let names: Vec<&str> = self.locations.iter().map(|location| location.name.as_str()).collect();
        self.images.retain(|image| {
            image.location.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(&image.location))
        });
        self
    }
}
