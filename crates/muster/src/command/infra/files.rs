//! `muster infra list`: files here, and files that own something.

use std::collections::BTreeMap;

use super::super::report::KnownFile;
use super::super::{Answer, Context, Report, find};
use crate::exit::Failure;

/// Files here, and files that own something or had a run.
pub async fn list(context: &Context<'_>) -> Result<Answer, Failure> {
    let mut files = BTreeMap::new();
    for (name, path) in find::known(&context.here, &context.home)? {
        let file = KnownFile {
            name: name.clone(),
            path: Some(path),
            servers: 0,
            networks: 0,
            last_run: None,
            last_run_state: None,
        };
        files.insert(name, file);
    }
    for owned in context.client.infrastructures().await? {
        let said = owned.attributes;
        let file = files.entry(said.name.clone()).or_insert_with(|| KnownFile {
            name: said.name.clone(),
            path: None,
            servers: 0,
            networks: 0,
            last_run: None,
            last_run_state: None,
        });
        file.servers = said.servers;
        file.networks = said.networks;
        file.last_run = said.last_run;
        file.last_run_state = said.last_run_state;
    }
    Answer::done(Report::Files(files.into_values().collect()))
}
