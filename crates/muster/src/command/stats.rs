//! `muster stats`.

use super::report::rows;
use super::{Answer, Context, Report};
use crate::exit::{Exit, Failure};

/// One scrape of every running server of a file. Servers without an answer are named, and the code is 5; 1 if none
/// answered.
pub async fn stats(name: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    let stats = rows(context.client.stats(name).await?);
    let silent = stats.iter().filter(|row| row.said.error.is_some()).count();
    let exit = match silent {
        0 => Exit::Done,
        all if all == stats.len() => Exit::Failed,
        _ => Exit::Partly,
    };
    Ok(Answer { exit, report: Report::Stats(stats) })
}
