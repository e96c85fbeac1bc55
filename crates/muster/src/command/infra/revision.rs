//! `muster infra history`, `infra diff` and `infra show --revision`.

use std::io::Write;
use std::path::Path;

use muster_api::plan::PurposeSaid;

use super::super::report::rows;
use super::super::{Answer, Context, Report};
use super::change::Asked;
use super::propose;
use crate::cli::infra::{Change, Diff, History};
use crate::exit::Failure;

/// The word for the file as it is here.
const NOW: &str = "now";

/// The revisions of a file, or one of them, or a file of one of them.
pub async fn history(asked: &History, context: &Context<'_>) -> Result<Answer, Failure> {
    let account = asked.account.as_deref();
    let Some(number) = asked.revision else {
        let revisions = context.client.revisions(&asked.name, account, asked.limit).await?;
        return Answer::done(Report::Revisions(rows(revisions)));
    };
    if asked.file.is_none() && asked.write.is_none() {
        return show(&asked.name, number, account, context).await;
    }
    let path = asked.file.as_ref().and_then(Option::as_deref);
    let file = context.client.revision_file(&asked.name, account, number, path).await?.attributes;
    let Some(to) = &asked.write else { return Answer::done(Report::Text(file.text)) };
    write_new(&context.here.join(to), &file.text)?;
    Answer::done(Report::Did(format!("Wrote {} of revision {number} to {}.", file.path, to.display())))
}

/// One revision in full.
pub async fn show(
    name: &str,
    number: u32,
    account: Option<&str>,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let revision = context.client.revision(name, account, number).await?;
    Answer::done(Report::Revision(Box::new(revision.into())))
}

/// Writes a file that is not there yet: what a person wrote is never overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let said = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} is there already and is not overwritten; name another path, or use `--file > PATH`",
            path.display()
        )),
        _ => Failure::usage(format!("{} cannot be written: {error}", path.display())),
    };
    let mut file = std::fs::File::options().write(true).create_new(true).open(path).map_err(said)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(said)
}

/// How two revisions differ, or a revision and the file as it is here.
pub async fn diff(asked: &Diff, context: &Context<'_>) -> Result<Answer, Failure> {
    let (name, account, from) = (&asked.name, asked.account.as_deref(), asked.from);
    let found = match asked.to.as_str() {
        NOW => {
            let options = Change {
                name: name.clone(),
                account: asked.account.clone(),
                vars: asked.vars.clone(),
                var_files: asked.var_files.clone(),
                ..Change::default()
            };
            let file = Asked { name: name.clone(), options, ..Asked::default() };
            let now = propose::request(PurposeSaid::Update, &file, context).await?;
            context.client.difference_from(name, account, from, now).await?
        }
        text => {
            let to: u32 = text.parse().map_err(|_| {
                Failure::usage(format!(
                    "`{text}` is no revision; give its number, or `{NOW}` for the file as it is here"
                ))
            })?;
            if to == from {
                return Err(Failure::usage(format!(
                    "revision {from} is compared with itself; name two, or `{NOW}` for the file as it is here"
                )));
            }
            if !asked.vars.is_empty() || !asked.var_files.is_empty() {
                return Err(Failure::usage(format!(
                    "`--var` and `--var-file` are for `{NOW}`; a revision has its own"
                )));
            }
            context.client.difference(name, account, from, to).await?
        }
    };
    Answer::done(Report::Differences(Box::new(found.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.yaml");
        write_new(&path, "one").unwrap();
        let failure = write_new(&path, "two").unwrap_err();
        assert!(failure.message.contains("not overwritten"), "{failure}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        assert!(write_new(&directory.path().join("no/such"), "x").is_err());
    }
}
