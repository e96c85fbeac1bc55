//! `muster account offers|refresh`: what a provider offers, and words of it for completion.

use clap_complete::engine::CompletionCandidate;

use super::first_run::ensure_account;
use super::{Answer, Context, Report};
use crate::exit::Failure;
use crate::{connect, home};

/// Locations and images, kept or asked for.
pub async fn offers(name: &str, location: Option<&str>, context: &Context<'_>) -> Result<Answer, Failure> {
    ensure_account(context, Some(name)).await?;
    let offers = context.client.offers(name, false).await?.attributes;
    let Some(place) = location else { return Answer::done(Report::Offers(Box::new(offers))) };
    let all: Vec<String> = offers.locations.iter().map(|location| location.name.clone()).collect();
    let there = offers.at(place);
    if there.locations.is_empty() {
        return Err(Failure::usage(format!(
            "account {name} has no location \"{place}\"; it has: {}. What is kept may be old: \
             `muster account refresh {name}` asks the provider",
            all.join(", ")
        )));
    }
    Answer::done(Report::Offers(Box::new(there)))
}

/// Asks the provider now.
pub async fn refresh(name: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    ensure_account(context, Some(name)).await?;
    let offers = context.client.offers(name, true).await?.attributes;
    Answer::done(Report::Did(format!(
        "{name} offers {} locations and {} images, as of now; `muster account offers {name}` shows them",
        offers.locations.len(),
        offers.images.len()
    )))
}

/// Locations of every account whose offers are kept here. Asks nobody: a key was pressed.
pub fn locations() -> Vec<CompletionCandidate> {
    let Ok(home) = home::directory() else { return Vec::new() };
    let mut words: Vec<CompletionCandidate> = connect::kept_locations(&home)
        .into_iter()
        .map(|location| CompletionCandidate::new(location.technical).help(Some(location.title.into())))
        .collect();
    words.sort_by(|one, other| one.get_value().cmp(other.get_value()));
    words.dedup_by(|one, other| one.get_value() == other.get_value());
    words
}
