//! The words of `muster.yaml` and `config.yaml`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::map::Map;
use super::{OneOrMany, Path, Text, Version};
use crate::config::elastic::SPILL_MIB_MAX;

const ADDRESS: &str = r#"^https?://[^/@?\#<>"\\^`{|}\s][^@?\#<>"\\^`{|}\s]*$"#;

written! {
    #[doc = "The base address of a server, without credentials."]
    Address = {"type": "string", "pattern": ADDRESS};
    #[doc = "A whole number of MiB."]
    SpillMib = {"type": "integer", "minimum": 1, "maximum": SPILL_MIB_MAX};
    #[doc = "The beginning of an index's name."]
    IndexPrefix = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,99}$"};
}

maps! {
    /// Settings of a root (`muster.yaml`) or of a person (`config.yaml`).
    ConfigFile {
        may version: Version,
        /// The account for files that name none.
        may account: Text,
        /// Directories searched for infrastructure files besides `infra` and `templates`.
        may templates: OneOrMany<Path>,
        /// Where records of runs are sent; in `config.yaml` only.
        may elastic: ElasticBody,
    }

    /// Elasticsearch or OpenSearch. Credentials come from the environment.
    ElasticBody {
        must url: Address,
        /// The beginning of the indices' names; `muster` where nothing is said.
        may prefix: IndexPrefix,
        /// Disk space for what cannot be sent, in MiB; 256 where nothing is said.
        may spill_mib: SpillMib,
    }
}
