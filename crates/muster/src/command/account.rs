//! `muster account`.

use super::first_run::ensure_account;
use super::report::rows;
use super::{Answer, Context, Report};
use super::{offers, prices};
use crate::cli::Account;
use crate::exit::Failure;

/// Accounts at providers.
pub async fn account(command: &Account, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Account::List => Answer::done(Report::Accounts(rows(context.client.accounts().await?))),
        Account::Show { name } => {
            Answer::done(Report::Account(Box::new(context.client.account(name).await?.into())))
        }
        Account::Test { name } => {
            ensure_account(context, Some(name)).await?;
            Answer::done(Report::AccountTest(Box::new(context.client.test_account(name).await?.into())))
        }
        Account::Balance { name } => details(name, &["balance", "balance_lasts_until"], context).await,
        Account::Project { name } => details(name, &[], context).await,
        Account::Offers { name, location } => offers::offers(name, location.as_deref(), context).await,
        Account::Refresh { name } => offers::refresh(name, context).await,
        Account::Cost { name } => prices::cost(name, context).await,
        Account::Prices(command) => prices::prices(command, context).await,
    }
}

/// What the provider tells about the account; all of it, or some words.
async fn details(name: &str, words: &[&str], context: &Context<'_>) -> Result<Answer, Failure> {
    ensure_account(context, Some(name)).await?;
    let mut fields = context.client.account_details(name).await?.attributes.fields;
    fields.retain(|word, _| words.is_empty() || words.contains(&word.as_str()));
    Answer::done(Report::Details(fields))
}
