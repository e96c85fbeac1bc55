//! The words of `code:`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::map::Map;
use super::{OneOrMany, Path, Target, Text, Whole};
use crate::infrastructure::syntax::KEEP_MAX;

const REVISION: &str = r"^\s*[A-Za-z0-9._/+@~^][A-Za-z0-9._/+@~^-]*\s*$|\$\{";

written! {
    #[doc = "A repository: a URL without credentials, or a path seen from the root."]
    Repository = {"type": "string", "pattern": "^[^-]", "not": {"pattern": "::"}};
    #[doc = "A branch, a tag or a commit."]
    Revision = {"anyOf": [{"type": "string", "pattern": REVISION}, {"type": "number"}]};
    #[doc = "A program and its arguments; no shell reads them."]
    Argv = {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1};
    #[doc = "A time: `30s`, `10m`, `1h`."]
    Within = {"type": "string", "pattern": r"^\s*[0-9]+\s*[smh]\s*$|\$\{"};
    #[doc = "A URL on the server itself."]
    LocalAddress = {"type": "string", "pattern": r"^\s*http://(127\.0\.0\.1|localhost)(:[0-9]+)?([/?].*)?$|\$\{"};
}

/// Variables of a build.
struct BuildVars;

impl JsonSchema for BuildVars {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "BuildVars".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Text>();
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": one
        })
    }
}

/// Where code comes from.
struct CodeFrom;

impl JsonSchema for CodeFrom {
    fn schema_name() -> Cow<'static, str> {
        "CodeFrom".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [
            generator.subschema_for::<Path>(),
            generator.subschema_for::<GitBody>(),
            generator.subschema_for::<ArchiveBody>(),
        ];
        json_schema!({"description": "A directory, a commit of a git repository, or an archive.", "anyOf": kinds})
    }
}

/// How code is built.
struct BuildWords;

impl JsonSchema for BuildWords {
    fn schema_name() -> Cow<'static, str> {
        "BuildWords".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [generator.subschema_for::<Argv>(), generator.subschema_for::<BuildBody>()];
        json_schema!({"description": "A command, or more about it.", "anyOf": kinds})
    }
}

maps! {
    /// What is delivered, and where to.
    CodeBody {
        must from: CodeFrom,
        must to: Target,
        /// Releases kept besides the current one; 3 where nothing is said.
        may keep: Whole<0, KEEP_MAX>,
        /// Run on the controller in a private copy, before any server is touched.
        may build: BuildWords,
        may shared: SharedBody,
        may health: HealthBody,
        /// Run on the server after each switch, forth and back, in the new release; it may be run twice.
        may restart: Argv,
    }

    /// A commit of a git repository, exported where the command is typed.
    GitBody {
        must git: Repository,
        /// A branch, a tag or a commit; HEAD where nothing is said.
        may revision: Revision,
        /// Only what is below this directory.
        may path: Path,
    }

    /// An archive: .tar, .tar.gz or .tgz.
    ArchiveBody {
        must archive: Path,
        /// Only what is below this directory.
        may path: Path,
    }

    /// A build on the controller.
    BuildBody {
        must command: Argv,
        /// Only what is below this directory of the copy is delivered.
        may output: Path,
        /// Further variables of its environment.
        may env: BuildVars,
        /// The longest it may take; 15m where nothing is said.
        may within: Within,
    }

    /// What all releases have in common: it stands in `shared/`, and each release links to it.
    SharedBody {
        may directories: OneOrMany<Path>,
        may files: OneOrMany<Path>,
    }

    /// When a release is healthy: `command`, `http`, or both.
    HealthBody {
        /// Run in the new release before the switch.
        may command: Argv,
        /// Asked on the server itself after the switch.
        may http: LocalAddress,
        /// The status that is healthy; 200 where nothing is said.
        may status: Whole<100, 599>,
        /// How long each is tried; 30s where nothing is said.
        may within: Within,
    }
}
