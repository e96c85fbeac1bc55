//! The first run: no account is known yet. Asks for the key, checks it at the provider, stores it sealed, and then
//! the command goes on (ICT-59). Without anybody to ask: says what to set.

use muster_api::account::{AccountRegistration, SettingsSaid};
use muster_api::plan::default_space;
use muster_api::secret::SecretText;
use muster_api::{ClientError, ProblemKind};
use muster_model::account::LOCAL_ACCOUNT;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::home;

/// Times that a key of the wrong form is asked for again.
pub const ATTEMPTS_MAX: u32 = 5;

/// Makes sure that at least one account is known; `name` is what a new one is called.
pub async fn ensure_account(context: &Context<'_>, name: Option<&str>) -> Result<(), Failure> {
    if name == Some(LOCAL_ACCOUNT) {
        return Ok(()); // it is there without a key
    }
    if !context.client.accounts().await?.is_empty() {
        return Ok(());
    }
    ask_for(context, name.unwrap_or(home::ACCOUNT_DEFAULT)).await
}

/// The account that a request failed for because nobody knows it.
pub fn missing_account(error: &ClientError) -> Option<String> {
    let code = ProblemKind::AccountMissing.row().code;
    let problem = error.problems().iter().find(|problem| problem.code == code)?;
    Some(problem.meta.as_ref()?.get("account")?.as_str()?.to_owned())
}

/// Asks for the key of an account and registers it.
pub async fn ask_for(context: &Context<'_>, name: &str) -> Result<(), Failure> {
    if !context.ask.present() {
        return Err(Failure::usage(format!(
            "no account is called {name}, and there is no terminal to ask at; set {} for the account {} (and {} for \
             another address), or run `muster register {name}`",
            home::KEY,
            home::ACCOUNT_DEFAULT,
            home::URL
        )));
    }
    context.ask.tell(&format!(
        "The account {name} is not known yet. Muster needs the API key of its 1cloud project."
    ));
    let url = home::variable(home::URL).unwrap_or_else(|| home::URL_DEFAULT.to_owned());
    home::checked_url(&url).map_err(|why| Failure::usage(format!("{}: {why}", home::URL)))?;
    register_asking(context, name, &url, SettingsSaid::default()).await.map(drop)
}

/// Asks for a key until one has the right form and the provider accepts it.
pub async fn register_asking(
    context: &Context<'_>,
    name: &str,
    url: &str,
    settings: SettingsSaid,
) -> Result<muster_api::Resource<muster_api::account::AccountAttributes>, Failure> {
    for _ in 0..ATTEMPTS_MAX {
        let typed = context.ask.secret("API key (64 hexadecimal digits, not shown):")?;
        let key = match home::checked_key(typed.expose()) {
            Ok(key) => key,
            Err(why) => {
                context.ask.tell(&format!("{why}; try again"));
                continue;
            }
        };
        let settings = settings.clone();
        let registration = AccountRegistration {
            space: default_space(),
            url: url.to_owned(),
            key: SecretText(key),
            settings,
        };
        let account = context.client.register(name, registration).await.map_err(Failure::from)?;
        context.ask.tell(&format!(
            "The account {name} is registered ({}, customer {}); its key is stored sealed.",
            account.attributes.provider, account.attributes.customer
        ));
        return Ok(account);
    }
    Err(Failure::new(Exit::Usage, format!("no API key after {ATTEMPTS_MAX} attempts; nothing was changed")))
}
