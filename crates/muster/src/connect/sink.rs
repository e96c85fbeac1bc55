//! Whether records of runs are sent to Elasticsearch, where to, and how to sign in there.
//!
//! A person's settings (`MUSTER_HOME/config.yaml`) or the environment say where. A project's `muster.yaml` cannot: a
//! checkout of somebody else's must not choose who gets the records and the key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_model::Secret;
use muster_model::config::{Elastic, elastic};
use muster_runs::sink::{Shipping, SinkConfig};
use muster_runs::{ElasticLogin, ElasticSettings, ElasticSink, Engine, HttpTransport};

use super::engine_failure;
use crate::command::find;
use crate::exit::{Exit, Failure};
use crate::home::variable;

/// The variable with the base address.
const URL: &str = "MUSTER_ELASTIC_URL";
/// The variable with the beginning of the indices' names.
const PREFIX: &str = "MUSTER_ELASTIC_PREFIX";
/// The variable with an API key.
const API_KEY: &str = "MUSTER_ELASTIC_API_KEY";
/// The variable with a user, instead of a key.
const USER: &str = "MUSTER_ELASTIC_USER";
/// The variable with that user's password.
const PASSWORD: &str = "MUSTER_ELASTIC_PASSWORD";
/// Longest wait at the end of a command; what is left is sent by the next one, or by a server.
pub const END_MAX: Duration = Duration::from_secs(3);

/// Begins to send, if the settings say so.
pub fn begin(engine: &Engine, home: &Path) -> Result<Option<Shipping>, Failure> {
    let Some(settings) = settings(home)? else { return Ok(None) };
    let login = login(variable)?;
    if !engine.may_ship() {
        return Ok(None);
    }
    let failed = |message: String| Failure::new(Exit::Failed, message);
    let transport = HttpTransport::new().map_err(|error| failed(error.to_string()))?;
    let config =
        SinkConfig { prefix: settings.prefix, spill_bytes_max: u64::from(settings.spill_mib) * 1024 * 1024 };
    let sink = ElasticSink::new(Arc::new(transport), &ElasticSettings { url: settings.url, login })
        .map_err(|error| Failure::usage(format!("{API_KEY}: {error}")))?;
    engine.ship(Arc::new(sink), config).map(Some).map_err(engine_failure)
}

/// Ends it, where it was begun.
pub async fn end(shipping: Option<Shipping>) {
    if let Some(shipping) = shipping {
        shipping.end(END_MAX).await;
    }
}

fn settings(home: &Path) -> Result<Option<Elastic>, Failure> {
    let mut settings = find::person(home)?.elastic;
    if let Some(url) = variable(URL) {
        elastic::check_url(&url).map_err(|problem| Failure::usage(format!("{URL}: {problem}")))?;
        match &mut settings {
            Some(settings) => settings.url = url,
            None => settings = Some(Elastic::new(url)),
        }
    }
    if let (Some(settings), Some(prefix)) = (&mut settings, variable(PREFIX)) {
        elastic::check_prefix(&prefix).map_err(|problem| Failure::usage(format!("{PREFIX}: {problem}")))?;
        settings.prefix = prefix;
    }
    Ok(settings)
}

fn login(variable: impl Fn(&str) -> Option<String>) -> Result<ElasticLogin, Failure> {
    match (variable(API_KEY), variable(USER), variable(PASSWORD)) {
        (Some(key), None, None) => Ok(ElasticLogin::ApiKey(Secret::new(key.trim()))),
        (None, Some(user), Some(password)) => {
            Ok(ElasticLogin::Basic { user, password: Secret::new(password) })
        }
        (None, None, None) => Ok(ElasticLogin::None),
        (Some(_), _, _) => Err(Failure::usage(format!("set {API_KEY}, or {USER} and {PASSWORD}, not both"))),
        (None, _, _) => Err(Failure::usage(format!("{USER} and {PASSWORD} belong together; one is missing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_sign_in() {
        let with = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|name| (*name).to_owned()).collect();
            login(move |name| set.iter().any(|known| known == name).then(|| "hunter2".to_owned()))
        };
        assert!(matches!(with(&[]), Ok(ElasticLogin::None)));
        assert!(matches!(with(&[API_KEY]), Ok(ElasticLogin::ApiKey(_))));
        assert!(matches!(with(&[USER, PASSWORD]), Ok(ElasticLogin::Basic { .. })));
        for wrong in [&[API_KEY, USER][..], &[USER], &[PASSWORD], &[API_KEY, USER, PASSWORD]] {
            let Err(failure) = with(wrong) else { panic!("{wrong:?}") };
            assert!(!failure.message.contains("hunter2"));
        }
        assert!(!format!("{:?}", with(&[API_KEY]).unwrap_or(ElasticLogin::None)).contains("hunter2"));
    }
}
