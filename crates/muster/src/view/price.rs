//! Prices and costs as people read them.

use muster_api::price::{CostAttributes, LocationPricesSaid, PlanCostSaid, PricesAttributes};

use super::style::{STRONG, WARN};
use super::table::draw;

/// Servers without a cost that are named one by one (`--format json` has all).
const UNPRICED_SHOWN_MAX: usize = 3;

/// The one line of a plan about its cost.
pub fn plan(cost: &PlanCostSaid) -> String {
    let mut line = format!(
        "{STRONG}cost per month: {} → {} {} ({}){STRONG:#}",
        grouped(&cost.now),
        grouped(&cost.then),
        cost.currency,
        grouped(&cost.change)
    );
    if !cost.unpriced.is_empty() {
        let named = cost.unpriced.iter().take(UNPRICED_SHOWN_MAX);
        let named: Vec<String> =
            named.map(|one| format!("{} ({})", one.server, one.missing.join("; "))).collect();
        let more = match cost.unpriced.len().saturating_sub(UNPRICED_SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        line += &format!(", {WARN}without{WARN:#} {}{more}", named.join(", "));
    }
    line + "\n"
}

/// What an account's servers cost, with the sum and what is left.
pub fn cost(cost: &CostAttributes) -> String {
    let mut text = if cost.servers.is_empty() { "No servers.\n".to_owned() } else { servers(cost) };
    let word = &cost.currency;
    text += &format!(
        "\n{STRONG}{} {word} a month{STRONG:#}: {} an hour, {} a day, {} a year\n",
        grouped(&cost.month),
        grouped(&cost.hour),
        grouped(&cost.day),
        grouped(&cost.year)
    );
    let unpriced = cost.servers.iter().filter(|server| server.month.is_none()).count();
    if unpriced > 0 {
        text += &format!(
            "{WARN}without {unpriced} of {} servers{WARN:#}: a price is missing\n",
            cost.servers.len()
        );
    }
    let days = cost.days_left.map_or_else(|| "-".to_owned(), |days| days.to_string());
    let balance = if cost.balance.is_empty() { "-" } else { &cost.balance };
    text += &format!("balance {balance}, days left {days}\n");
    text
}

/// The servers with their costs.
pub fn servers(cost: &CostAttributes) -> String {
    let rows = cost.servers.iter().map(|server| {
        vec![
            server.id.clone(),
            server.name.clone(),
            server.infrastructure.clone().unwrap_or_else(|| "-".into()),
            server.month.as_deref().map_or_else(|| "-".into(), grouped),
            server.missing.join("; "),
        ]
    });
    draw(&["id", "name", "file", &format!("{} a month", cost.currency), ""], rows.collect())
}

/// A price table, one pool a row.
pub fn prices(prices: &PricesAttributes) -> String {
    let rows = prices.locations.iter().flat_map(|(place, at)| rows(place, at));
    let header =
        ["location", "pool", "core", "GB of memory", "GB of disk", "backup of a GB", "windows", "address"];
    format!("{}\nEach for a month, in {}.\n", draw(&header, rows.collect()), prices.currency)
}

fn rows(place: &str, at: &LocationPricesSaid) -> Vec<Vec<String>> {
    let or_none = |price: &Option<String>| price.as_deref().map_or_else(|| "-".into(), grouped);
    let pools = [("base", &at.base), ("high", &at.high)];
    let rows = pools.into_iter().filter_map(|(word, pool)| Some((word, pool.as_ref()?)));
    rows.map(|(word, pool)| {
        let disk: Vec<String> =
            pool.disk.iter().map(|(kind, price)| format!("{kind} {}", grouped(price))).collect();
        vec![
            place.to_owned(),
            word.to_owned(),
            grouped(&pool.cpu),
            grouped(&pool.ram),
            disk.join(", "),
            or_none(&at.backup),
            or_none(&at.windows),
            or_none(&at.address),
        ]
    })
    .collect()
}

/// An amount with its thousands apart: `1 234.50`.
fn grouped(amount: &str) -> String {
    let (sign, amount) = match amount.strip_prefix(['+', '-']) {
        Some(rest) => amount.split_at(amount.len() - rest.len()),
        None => ("", amount),
    };
    let (whole, rest) = amount.split_at(amount.find('.').unwrap_or(amount.len()));
    let mut text = sign.to_owned();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use muster_api::price::{ServerCostSaid, UnpricedSaid};

    use super::*;
    use crate::view::style::plain;

    #[test]
    fn thousands_stand_apart() {
        for (amount, shown) in [
            ("0.00", "0.00"),
            ("999.125", "999.125"),
            ("1234.50", "1 234.50"),
            ("+1234567.00", "+1 234 567.00"),
            ("-100000.00", "-100 000.00"),
        ] {
            assert_eq!(grouped(amount), shown);
        }
    }

    #[test]
    fn one_line_for_a_plan() {
        let mut said = PlanCostSaid {
            now: "1234.50".into(),
            then: "2469.00".into(),
            change: "+1234.50".into(),
            currency: "RUB".into(),
            unpriced: Vec::new(),
        };
        assert_eq!(plain(&plan(&said)), "cost per month: 1 234.50 → 2 469.00 RUB (+1 234.50)\n");
        said.unpriced = (1..=5)
            .map(|number| UnpricedSaid {
                server: format!("db-{number}"),
                missing: vec!["no price for SAS disks at SdnSpb (base)".into()],
            })
            .collect();
        insta::assert_snapshot!(plain(&plan(&said)));
    }

    #[test]
    fn an_account() {
        let server = |name: &str, month: Option<&str>| ServerCostSaid {
            id: "7".into(),
            name: name.into(),
            infrastructure: month.map(|_| "shop".into()),
            month: month.map(Into::into),
            missing: if month.is_none() {
                vec!["no prices for the location DsMsk".into()]
            } else {
                Vec::new()
            },
        };
        let said = CostAttributes {
            currency: "RUB".into(),
            hour: "1.70".into(),
            day: "41.15".into(),
            month: "1234.50".into(),
            year: "14814.00".into(),
            balance: "100".into(),
            days_left: None,
            servers: vec![server("web-1", Some("1234.50")), server("old", None)],
        };
        insta::assert_snapshot!(plain(&cost(&said)));
    }
}
