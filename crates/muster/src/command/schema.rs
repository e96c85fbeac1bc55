//! `muster schema`.

use super::{Answer, Report};
use crate::cli::SchemaOf;
use crate::exit::{Exit, Failure};

/// The JSON Schema (2020-12) of a kind of document.
pub fn schema(of: SchemaOf) -> Result<Answer, Failure> {
    let schema = match of {
        SchemaOf::Infrastructure => muster_model::infrastructure::schema::infrastructure_schema(),
        SchemaOf::Settings => muster_model::infrastructure::schema::config_schema(),
    };
    let mut text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::new(Exit::Failed, format!("the schema cannot be written: {error}")))?;
    text.push('\n');
    Answer::done(Report::Text(text))
}
