//! The account, its balance and its project: requests 29 to 31.

use serde_json::{Value, json};

use super::project::Project;
use super::switches::Switches;

fn money(kopecks: i64) -> Value {
    // Kopecks are exact; a float only appears in the answer, as the provider's own does.
    json!(kopecks as f64 / 100.0)
}

fn balance(project: &Project) -> Value {
    json!({ "Real": money(project.balance_kopecks), "Bonus": 0.0, "Test": 0.0 })
}

/// `GET /account`.
pub(super) fn account(project: &Project) -> Value {
    json!({
        "ID": project.customer,
        "FirstName": "Simulated",
        "LastName": "Customer",
        "Email": format!("customer-{}@example.org", project.customer),
        "BalanceTillDateUtc": null,
        "ProjectBalances": [{ "ProjectId": project.id, "Balance": balance(project) }],
    })
}

/// `GET /customer/balance`: a bare number, possibly quoted.
pub(super) fn customer_balance(project: &Project, switches: &Switches) -> Value {
    let amount = money(project.balance_kopecks);
    if switches.balance_quoted { Value::String(amount.to_string()) } else { amount }
}

/// `GET /project`: an object with `Balances`; its other fields are guesses.
pub(super) fn project(project: &Project) -> Value {
    json!({ "ID": project.id, "Name": format!("project-{}", project.id), "Balances": balance(project) })
}
