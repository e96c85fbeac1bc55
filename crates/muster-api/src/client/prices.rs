//! Routes about prices and costs.

use http::Method;

use super::{Answer, Client, encoded};
use crate::document::{One, Resource};
use crate::media::{BASE, JSON_API};
use crate::price::{CostAttributes, PriceDocument, PricesAttributes};

fn path(account: &str) -> String {
    format!("{BASE}/accounts/{}/prices", encoded(account))
}

impl Client {
    /// The prices of an account; *not found* if it has none.
    pub async fn prices(&self, account: &str) -> Answer<Resource<PricesAttributes>> {
        self.one(&path(account)).await
    }

    /// Sets the prices of an account.
    pub async fn set_prices(
        &self,
        account: &str,
        document: PriceDocument,
    ) -> Answer<Resource<PricesAttributes>> {
        Ok(self.call::<_, One<PricesAttributes>>(Method::PUT, &path(account), document).await?.data)
    }

    /// Forgets the prices of an account; *not found* if it has none.
    pub async fn remove_prices(&self, account: &str) -> Answer<()> {
        self.send(Self::request(Method::DELETE, &path(account), JSON_API, None)?).await.map(drop)
    }

    /// What every server of an account costs now, and how long the balance lasts.
    pub async fn account_cost(&self, account: &str) -> Answer<Resource<CostAttributes>> {
        self.one(&format!("{BASE}/accounts/{}/cost", encoded(account))).await
    }
}
