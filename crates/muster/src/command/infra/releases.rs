//! `muster infra releases`: what servers keep of the file's code.

use super::super::report::rows;
use super::super::{Answer, Context, Report};
use crate::exit::{Exit, Failure};

/// The releases that each server keeps. Servers that cannot be asked are named, and the code is 5; 1 if none answered.
pub async fn releases(name: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    let releases = rows(context.client.releases(name).await?);
    let exit = match releases.iter().filter(|row| row.said.error.is_some()).count() {
        0 => Exit::Done,
        all if all == releases.len() => Exit::Failed,
        _ => Exit::Partly,
    };
    Ok(Answer { exit, report: Report::Releases(releases) })
}
