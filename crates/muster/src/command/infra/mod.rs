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

/// Servers and networks of an infrastructure file.
pub async fn infra(command: Infra, context: &Context<'_>) -> Result<Answer, Failure> {
    use change::{Asked, Manner};
    let (purpose, asked, manner) = match command {
        Infra::Show { name } => {
            let owned = context.client.infrastructure(&name).await?;
            return Answer::done(Report::Infrastructure(Box::new(owned.into())));
        }
        Infra::List => return files::list(context).await,
        Infra::Convert(arguments) => {
            return convert::convert(&arguments, &context.here, &context.home, context.screen);
        }
        Infra::Update(change) => (PurposeSaid::Update, Asked::from(&change), Manner::of(&change)),
        Infra::Deploy(change) => (PurposeSaid::Deploy, Asked::from(&change), Manner::of(&change)),
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
