//! `muster account prices` and `muster account cost`.

use std::io::Read as _;
use std::path::Path;

use muster_api::price::PriceDocument;
use muster_model::document::DOCUMENT_BYTES_MAX;
use muster_model::price::read_prices;

use super::first_run::ensure_account;
use super::{Answer, Context, Report};
use crate::cli::prices::Prices;
use crate::exit::Failure;

/// Prices of an account.
pub async fn prices(command: &Prices, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Prices::Set { name, file } => {
            let document = document(file, &context.here)?;
            ensure_account(context, Some(name)).await?;
            let set = context.client.set_prices(name, document).await?.attributes;
            let places: Vec<&str> = set.locations.keys().map(String::as_str).collect();
            Answer::done(Report::Did(format!(
                "{name} has prices in {} for {}",
                set.currency,
                places.join(", ")
            )))
        }
        Prices::Show { name } => {
            Answer::done(Report::Prices(Box::new(context.client.prices(name).await?.into())))
        }
        Prices::Remove { name } => {
            context.client.remove_prices(name).await?;
            Answer::done(Report::Did(format!("{name} has no prices any more")))
        }
    }
}

/// What the servers of an account cost.
pub async fn cost(name: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    ensure_account(context, Some(name)).await?;
    Answer::done(Report::Cost(Box::new(context.client.account_cost(name).await?.into())))
}

/// Reads and checks a table. The server checks it again; here its problems cost no request.
fn document(file: &Path, here: &Path) -> Result<PriceDocument, Failure> {
    let path = here.join(file);
    let say = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", file.display()));
    let mut bytes = Vec::new();
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    std::fs::File::open(&path).map_err(say)?.take(limit).read_to_end(&mut bytes).map_err(say)?;
    let shown = file.display().to_string();
    read_prices(&shown, &bytes).map_err(|problems| Failure::document(&problems))?;
    // What was read well is UTF-8.
    Ok(PriceDocument { file: shown, text: String::from_utf8_lossy(&bytes).into_owned() })
}
