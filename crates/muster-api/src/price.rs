//! Prices of an account and what its servers cost, as said. Amounts are decimal text: `1234.50`.

use std::collections::BTreeMap;

use muster_model::price::{LocationPrices, PlanCost, PoolPrices, PriceTable, Unpriced};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};

/// A price table as a person wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceDocument {
    /// The file's name, for the places of problems.
    #[serde(default = "default_file")]
    pub file: String,
    /// Its text, YAML or JSON.
    pub text: String,
}

fn default_file() -> String {
    "prices.yaml".to_owned()
}

impl Said for PriceDocument {
    const TYPE: &'static str = "prices";
}

/// The prices of an account, each for a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricesAttributes {
    /// The word behind amounts.
    pub currency: String,
    /// Prices by place.
    pub locations: BTreeMap<String, LocationPricesSaid>,
}

impl Said for PricesAttributes {
    const TYPE: &'static str = "prices";
}

/// Prices of one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocationPricesSaid {
    /// The base pool.
    pub base: Option<PoolPricesSaid>,
    /// The high-performance pool.
    pub high: Option<PoolPricesSaid>,
    /// A GB of a disk that is backed up each seven days.
    pub backup: Option<String>,
    /// The licence of a Windows server.
    pub windows: Option<String>,
    /// A server's public address.
    pub address: Option<String>,
}

/// Prices of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolPricesSaid {
    /// A core.
    pub cpu: String,
    /// A GB of memory.
    pub ram: String,
    /// A GB of disk, by the kind of disk.
    pub disk: BTreeMap<String, String>,
}

impl PricesAttributes {
    /// The prices in the words of the API; their id is the account's name.
    pub fn resource(account: &str, table: &PriceTable) -> Resource<PricesAttributes> {
        let locations =
            table.locations.iter().map(|(place, prices)| (place.clone(), LocationPricesSaid::from(prices)));
        let said = PricesAttributes { currency: table.currency.clone(), locations: locations.collect() };
        Resource::new(account, said)
    }
}

impl From<&LocationPrices> for LocationPricesSaid {
    fn from(prices: &LocationPrices) -> LocationPricesSaid {
        LocationPricesSaid {
            base: prices.base.as_ref().map(PoolPricesSaid::from),
            high: prices.high.as_ref().map(PoolPricesSaid::from),
            backup: prices.backup.map(String::from),
            windows: prices.windows.map(String::from),
            address: prices.address.map(String::from),
        }
    }
}

impl From<&PoolPrices> for PoolPricesSaid {
    fn from(prices: &PoolPrices) -> PoolPricesSaid {
        let disk = prices.disk.iter().map(|(kind, price)| (kind.to_lowercase(), price.to_string()));
        PoolPricesSaid { cpu: prices.cpu.to_string(), ram: prices.ram.to_string(), disk: disk.collect() }
    }
}

/// What a plan does to the monthly cost of its file's servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanCostSaid {
    /// A month of the servers that are there.
    pub now: String,
    /// A month of the servers that are there afterwards.
    pub then: String,
    /// The difference with its sign: `+1234.50`.
    pub change: String,
    /// The word behind the amounts.
    pub currency: String,
    /// Servers that no amount contains, and which prices are missing for each.
    pub unpriced: Vec<UnpricedSaid>,
}

/// A server without a cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnpricedSaid {
    /// Its name.
    pub server: String,
    /// Which prices are missing, in words.
    pub missing: Vec<String>,
}

impl From<&Unpriced> for UnpricedSaid {
    fn from(unpriced: &Unpriced) -> UnpricedSaid {
        UnpricedSaid { server: unpriced.server.clone(), missing: unpriced.missing.clone() }
    }
}

impl From<&PlanCost> for PlanCostSaid {
    fn from(cost: &PlanCost) -> PlanCostSaid {
        PlanCostSaid {
            now: cost.now.to_string(),
            then: cost.then.to_string(),
            change: cost.then.since(cost.now),
            currency: cost.currency.clone(),
            unpriced: cost.unpriced.iter().map(UnpricedSaid::from).collect(),
        }
    }
}

/// What an account's servers cost, as the provider shows them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CostAttributes {
    /// The word behind the amounts.
    pub currency: String,
    /// An hour: a month / 720, rounded to 0.1.
    pub hour: String,
    /// A day: a month / 30.
    pub day: String,
    /// A month of all servers that have a cost.
    pub month: String,
    /// A year: twelve months.
    pub year: String,
    /// What the account has left, as the provider writes it.
    pub balance: String,
    /// For how many whole days that lasts; none where the balance is no plain number or nothing has a cost.
    pub days_left: Option<u64>,
    /// The servers, strangers included. Backups are not in their costs: the provider does not show them.
    pub servers: Vec<ServerCostSaid>,
}

impl Said for CostAttributes {
    const TYPE: &'static str = "costs";
}

/// What a server costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerCostSaid {
    /// Its id at the provider.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// The file that owns it; none for a stranger.
    pub infrastructure: Option<String>,
    /// A month; none where a price is missing.
    pub month: Option<String>,
    /// Which prices are missing, in words.
    pub missing: Vec<String>,
}
