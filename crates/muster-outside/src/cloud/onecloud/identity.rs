//! Who an account is (`SEMANTICS.md` §3): customer and project as the provider tells them, **never the key**,
//! so that two keys of one project are one identity and a rotated key changes nothing.
//!
//! The rule, in order:
//! 1. The customer is `Account.ID`.
//! 2. The project is the only `ProjectId` of `Account.ProjectBalances`, where there is exactly one.
//! 3. Where there are several, `/project` is asked which one the key belongs to. If it does not say, the
//!    **lowest** id stands for the customer: a customer who adds a second project then keeps the identity under
//!    which the first one's servers are recorded. (Two projects of a customer are then one identity to us; their
//!    servers still differ by id.)
//! 4. Where there are none, the project is empty.
//! 5. Where the provider has no `/account` at all (404, 405, 501), the customer is `at-HOST` after the base
//!    address, and the project what `/project` says, or empty. Any other failure is an error: an identity must
//!    not change because one request failed.

use std::collections::BTreeSet;

use muster_model::account::{AccountIdentity, Provider};

use super::wire;

/// What `/account` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The customer's id.
    pub id: String,
    /// The customer's projects, as far as it names any.
    pub projects: Vec<String>,
}

/// Reads `/account`.
pub fn customer(account: wire::Account<'_>) -> Customer {
    let projects: BTreeSet<String> = account
        .projects
        .0
        .iter()
        .map(|balance| balance.project.owned())
        .filter(|id| !id.is_empty())
        .collect();
    Customer { id: account.id.0.0, projects: projects.into_iter().collect() }
}

/// Reads `/project`: its own id, if it says one.
pub fn project(project: wire::Project<'_>) -> Option<String> {
    [project.id.owned(), project.project.owned()].into_iter().find(|id| !id.is_empty())
}

/// Whether `/project` must be asked as well.
pub fn needs_project(customer: Option<&Customer>) -> bool {
    customer.is_none_or(|customer| customer.projects.len() > 1)
}

/// Decides by the rule above.
pub fn decide(customer: Option<Customer>, project: Option<String>, host: &str) -> AccountIdentity {
    let (customer, project) = match customer {
        None => (format!("at-{host}"), project.unwrap_or_default()),
        Some(customer) => {
            let project = match customer.projects.len() {
                0 => String::new(),
                1 => customer.projects[0].clone(),
                // `min` by number where they are numbers: "9" is before "10".
                _ => project
                    .or_else(|| customer.projects.iter().min_by_key(|id| (id.len(), *id)).cloned())
                    .unwrap_or_default(),
            };
            (customer.id, project)
        }
    };
    AccountIdentity { provider: Provider::Onecloud, customer, project }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, projects: &[&str]) -> Option<Customer> {
        Some(Customer { id: id.into(), projects: projects.iter().map(|id| (*id).into()).collect() })
    }

    fn said(customer: Option<Customer>, project: Option<&str>) -> String {
        decide(customer, project.map(str::to_owned), "api.1cloud.ru").to_string()
    }

    #[test]
    fn the_rule_holds() {
        assert_eq!(said(named("7", &["31"]), None), "onecloud:7/31");
        assert_eq!(said(named("7", &[]), None), "onecloud:7/");
        assert_eq!(said(named("7", &["31", "9"]), Some("31")), "onecloud:7/31");
        assert_eq!(said(named("7", &["10", "9"]), None), "onecloud:7/9");
        assert_eq!(said(None, None), "onecloud:at-api.1cloud.ru/");
        assert_eq!(said(None, Some("5")), "onecloud:at-api.1cloud.ru/5");
        // A second project does not change who the first one is.
        assert_eq!(said(named("7", &["9"]), None), said(named("7", &["9", "10"]), None));
        assert_eq!(said(named("7", &["9"]), None), said(named("7", &["9", "10"]), Some("9")));
    }
}
