//! The history of a file: one method a route.

use http::Method;

use super::{Answer, Client, encoded};
use crate::document::{One, Resource};
use crate::media::BASE;
use crate::plan::{PlanAttributes, PlanRequest};
use crate::revision::{DifferenceAttributes, RevisionAttributes, RevisionFileAttributes, RollbackRequest};

impl Client {
    /// The newest revisions of a file first.
    pub async fn revisions(
        &self,
        infrastructure: &str,
        account: Option<&str>,
        limit: u32,
    ) -> Answer<Vec<Resource<RevisionAttributes>>> {
        self.list(&path(infrastructure, "revisions", account, &[("limit", limit.to_string())])).await
    }

    /// One revision in full.
    pub async fn revision(
        &self,
        infrastructure: &str,
        account: Option<&str>,
        number: u32,
    ) -> Answer<Resource<RevisionAttributes>> {
        self.one(&path(infrastructure, &format!("revisions/{number}"), account, &[])).await
    }

    /// One file of a revision as it was; the infrastructure file where none is named.
    pub async fn revision_file(
        &self,
        infrastructure: &str,
        account: Option<&str>,
        number: u32,
        file: Option<&str>,
    ) -> Answer<Resource<RevisionFileAttributes>> {
        let file: Vec<_> = file.map(|file| ("path", file.to_owned())).into_iter().collect();
        self.one(&path(infrastructure, &format!("revisions/{number}/file"), account, &file)).await
    }

    /// How one revision differs from another.
    pub async fn difference(
        &self,
        infrastructure: &str,
        account: Option<&str>,
        from: u32,
        to: u32,
    ) -> Answer<Resource<DifferenceAttributes>> {
        let below = format!("revisions/{from}/differences");
        self.one(&path(infrastructure, &below, account, &[("to", to.to_string())])).await
    }

    /// How a revision differs from a file as it is now; its blobs were sent before.
    pub async fn difference_from(
        &self,
        infrastructure: &str,
        account: Option<&str>,
        from: u32,
        now: PlanRequest,
    ) -> Answer<Resource<DifferenceAttributes>> {
        let path = path(infrastructure, &format!("revisions/{from}/differences"), account, &[]);
        Ok(self.call::<_, One<DifferenceAttributes>>(Method::POST, &path, now).await?.data)
    }

    /// Asks for a plan that goes back to an earlier revision; it is *observing* when this returns.
    pub async fn roll_back(
        &self,
        infrastructure: &str,
        request: RollbackRequest,
    ) -> Answer<Resource<PlanAttributes>> {
        let path = path(infrastructure, "rollbacks", None, &[]);
        Ok(self.call::<_, One<PlanAttributes>>(Method::POST, &path, request).await?.data)
    }
}

fn path(infrastructure: &str, below: &str, account: Option<&str>, more: &[(&str, String)]) -> String {
    let mut path = format!("{BASE}/infrastructures/{}/{below}", encoded(infrastructure));
    let account = account.map(|account| ("account", account.to_owned()));
    for (index, (name, value)) in account.iter().chain(more).enumerate() {
        let mark = if index == 0 { '?' } else { '&' };
        path.push_str(&format!("{mark}{name}={}", encoded(value)));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_the_account_and_the_rest() {
        assert_eq!(path("shop", "revisions", None, &[]), "/api/v1/infrastructures/shop/revisions");
        assert_eq!(
            path("prod.api", "revisions/3/file", Some("a b"), &[("path", "infra/shop.yaml".into())]),
            "/api/v1/infrastructures/prod.api/revisions/3/file?account=a%20b&path=infra%2Fshop.yaml"
        );
    }
}
