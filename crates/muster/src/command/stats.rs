//! `muster stats`.

use muster_api::ClientError;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::stats::StatsAttributes;

use super::report::{Row, rows};
use super::{Answer, Context, Report};
use crate::exit::{Exit, Failure};

/// One scrape of every running server of a file, or of one server. Servers without an answer are named, and the code
/// is 5; 1 if none answered.
pub async fn stats(name: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    let stats = match owner_of(name, context).await? {
        Some(file) if file != name => one_of(&file, name, context).await?,
        _ => rows(context.client.stats(name).await?),
    };
    let silent = stats.iter().filter(|row| row.said.error.is_some()).count();
    let exit = match silent {
        0 => Exit::Done,
        all if all == stats.len() => Exit::Failed,
        _ => Exit::Partly,
    };
    Ok(Answer { exit, report: Report::Stats(stats) })
}

/// The file that is called so, or the one that owns a server called so; the file counts first.
async fn owner_of(name: &str, context: &Context<'_>) -> Result<Option<String>, ClientError> {
    let files = context.client.infrastructures().await?;
    if files.iter().any(|file| file.id == name) {
        return Ok(Some(name.to_owned()));
    }
    let owns = |owned: &InfrastructureAttributes| {
        owned.objects.iter().any(|object| object.kind == "server" && object.name == name)
    };
    Ok(files.iter().find(|file| owns(&file.attributes)).map(|file| file.id.clone()))
}

async fn one_of(
    file: &str,
    server: &str,
    context: &Context<'_>,
) -> Result<Vec<Row<StatsAttributes>>, ClientError> {
    let mut stats = rows(context.client.stats(file).await?);
    stats.retain(|row| row.said.server == server);
    Ok(stats)
}
