//! `muster infra`: everything about one infrastructure file.

use muster_api::plan::PurposeSaid;

use super::{Answer, Context, Report};
use crate::cli::infra::Infra;
use crate::exit::Failure;

pub mod change;
pub mod consent;
pub mod convert;
pub mod files;
pub mod propose;
mod queue;
pub mod releases;
mod revision;
mod rollback;

/// Servers and networks of an infrastructure file.
pub async fn infra(command: Infra, context: &Context<'_>) -> Result<Answer, Failure> {
    use change::{Asked, Manner};
    let (purpose, asked, manner) = match command {
        Infra::Show { name, revision: Some(number), account } => {
            return revision::show(&name, number, account.as_deref(), context).await;
        }
        Infra::History(asked) => return revision::history(&asked, context).await,
        Infra::Diff(asked) => return revision::diff(&asked, context).await,
        Infra::Rollback(asked) => return rollback::rollback(&asked, context).await,
        Infra::Show { name, revision: None, account: _ } => {
            let owned = context.client.infrastructure(&name).await?;
            return Answer::done(Report::Infrastructure(Box::new(owned.into())));
        }
        Infra::List => return files::list(context).await,
        Infra::Convert(arguments) => {
            return convert::convert(&arguments, &context.here, &context.home, context.screen);
        }
        Infra::Update(change) => (PurposeSaid::Update, Asked::from(&change), Manner::of(&change)),
        Infra::Deploy(deploy) => {
            let manner = Manner::of(&deploy.change);
            let asked = Asked { to_release: deploy.to_release, ..Asked::from(&deploy.change) };
            (PurposeSaid::Deploy, asked, manner)
        }
        Infra::Releases { name } => return releases::releases(&name, context).await,
        Infra::Destroy(change) => (PurposeSaid::Destroy, Asked::from(&change), Manner::of(&change)),
        Infra::Plan(change) => {
            let manner = if change.check { Manner::Check } else { Manner::Show };
            (PurposeSaid::Update, Asked::from(&change), manner)
        }
        Infra::Adopt(named) => (PurposeSaid::Adopt, Asked::from(&named), Manner::of_named(&named)),
        Infra::Disown(named) => (PurposeSaid::Disown, Asked::from(&named), Manner::of_named(&named)),
    };
    change::change(purpose, &asked, manner, context).await
}
