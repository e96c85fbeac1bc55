//! `muster limit`.

use super::report::rows;
use super::{Answer, Context, Report};
use crate::cli::limit::Limit;
use crate::exit::Failure;

/// Limits of concurrency.
pub async fn limit(command: &Limit, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Limit::List => Answer::done(Report::Limits(rows(context.client.limits().await?))),
        Limit::Set { key, number } => {
            let limit = context.client.set_limit(key, *number).await?.attributes;
            if let Some(account) = limit.key.strip_prefix("account:") {
                let accounts = context.client.accounts().await?;
                if !accounts.iter().any(|known| known.attributes.name == account) {
                    context.screen.say(&format!(
                        "No account is called `{account}`; the limit counts once one is. What there is: muster account list"
                    ));
                }
            }
            Answer::done(Report::Did(format!("{} is limited to {}", limit.key, limit.cap)))
        }
        Limit::Remove { key } => {
            context.client.remove_limit(key).await?;
            Answer::done(Report::Did(format!("{key} is not limited any more")))
        }
    }
}
