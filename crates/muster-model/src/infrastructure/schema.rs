//! The published schema of an infrastructure file (JSON Schema 2020-12).
//!
//! The document is described once more here, as words and their kinds, because the walker gives better messages
//! than any schema and the schema gives editors what the walker cannot. A test holds both to the same
//! examples. What only several entries decide together (duplicate names, unknown networks) is beyond a schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};

use super::syntax::{BACKUP_DAYS_MAX, BANDWIDTH_MBIT_MAX, BANDWIDTH_MBIT_STEP, VERSION};
use crate::infrastructure::COUNT_MAX;
use crate::infrastructure::size::CPU_MAX;
use crate::public_network::{ADDRESSES_MAX, PUBLIC_BANDWIDTH_MBIT_MAX};

mod map;

use map::Map;

/// The schema of an infrastructure file in the present format.
pub fn infrastructure_schema() -> serde_json::Value {
    titled::<InfrastructureFile>("Muster infrastructure file")
}

/// The schema of `muster.yaml` and of `MUSTER_HOME/config.yaml`.
pub fn config_schema() -> serde_json::Value {
    titled::<ConfigFile>("Muster configuration")
}

fn titled<T: JsonSchema>(title: &str) -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

macro_rules! needed {
    (must) => {
        true
    };
    (may) => {
        false
    };
}

/// Maps of our words. What `must` be there is required; `null` is not the same as leaving a field out.
macro_rules! maps {
    ($($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])* $how:ident $field:ident: $of:ty,)+ })+) => {$(
        $(#[doc = $about])+
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut map = Map::default();
                $(map.field(
                    stringify!($field),
                    needed!($how),
                    &[$($doc),*],
                    generator.subschema_for::<$of>(),
                );)+
                map.schema(&[$($about),+])
            }
        }
    )+};
}

macro_rules! written {
    ($(#[doc = $doc:literal] $name:ident = $schema:tt;)*) => {$(
        #[doc = $doc]
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("description".to_owned(), $doc.into());
                schema
            }
        }
    )*};
}

mod code;
mod config;
mod dns;
mod firewall;

use code::CodeBody;
use config::ConfigFile;
use dns::Dns;
use firewall::FirewallBody;

/// A text that is one `${…}` as a whole; it takes the type of what it stands for.
const REFERENCE: &str = r"^\s*\$\{(var|env):[^}]*\}\s*$";
/// A text with something in it, on one line.
const FILLED: &str = r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$";
const NAME: &str = "^[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
const NAME_OR_REFERENCE: &str = r"^\s*([A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\s*$|.*\$\{)";
const PREFIX: &str = r"^([A-Za-z][A-Za-z0-9_-]*|.*\$\{.*)?$";
const RAM: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([MmGgTt]([Ii]?[Bb])?)\s*$|\$\{";
const DISK: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([MmGgTt]([Ii]?[Bb])?)(\s*|\s+([Ss][Ss][Dd]|[Ss][Aa][Ss]|[Hh][Dd][Dd]))\s*$|\$\{";
const PATH: &str = r"^[^/~\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*$";
const ABOVE: &str = r"^(\./)*\.\.(/|$)";
const TARGET: &str = r"^/+[^/\x00-\x1f\x7f]|\$\{";
const KEY: &str = r"^\s*(ssh-(ed25519|rsa)|ecdsa-sha2-\S*|sk-(ssh-ed25519|ecdsa-sha2)\S*) \S+|\$\{";

written! {
    #[doc = "Text on one line; a number is taken as it is spelled."]
    Text = {"anyOf": [{"type": "string", "pattern": FILLED}, {"type": "number"}]};
    #[doc = "`true` or `false`."]
    Flag = {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": REFERENCE}]};
    #[doc = "A prefix of names; empty for none."]
    Prefix = {"type": "string", "pattern": PREFIX};
    #[doc = "What stands between a server's key and its number."]
    Separator = {"anyOf": [{"enum": ["-", "_"]}, {"type": "string", "pattern": REFERENCE}]};
    #[doc = "An image by its name, or `id:NUMBER` for the provider's own number."]
    ImageWords = {"anyOf": [{"type": "string", "pattern": FILLED}, {"type": "number", "not": {"type": "integer"}}]};
    #[doc = "Memory with its unit: `4 GiB`, `4096 MiB`."]
    Ram = {"type": "string", "pattern": RAM};
    #[doc = "A disk's size with its unit, and its kind: `40 GiB ssd`."]
    Disk = {"type": "string", "pattern": DISK};
    #[doc = "The pool."]
    PerformanceWord = {"anyOf": [{"enum": ["base", "high"]}, {"type": "string", "pattern": REFERENCE}]};
    #[doc = "The speed of a link in Mbit/s."]
    Bandwidth = {"anyOf": [{"type": "string", "pattern": REFERENCE},
        {"type": "integer", "minimum": BANDWIDTH_MBIT_STEP, "maximum": BANDWIDTH_MBIT_MAX, "multipleOf": BANDWIDTH_MBIT_STEP}]};
    #[doc = "The speed of links to a network, or of a public network, in Mbit/s."]
    NetworkBandwidth = {"anyOf": [{"type": "string", "pattern": REFERENCE},
        {"type": "integer", "minimum": BANDWIDTH_MBIT_STEP, "maximum": PUBLIC_BANDWIDTH_MBIT_MAX, "multipleOf": BANDWIDTH_MBIT_STEP}]};
    #[doc = "Whether it runs."]
    PowerWord = {"anyOf": [{"enum": ["running", "stopped"]}, {"type": "string", "pattern": REFERENCE}]};
    #[doc = "The name of a network or group."]
    Name = {"type": "string", "pattern": NAME_OR_REFERENCE};
    #[doc = "A public key: one OpenSSH line."]
    PublicKey = {"type": "string", "pattern": KEY};
    #[doc = "A path relative to the root, never out of it."]
    Path = {"type": "string", "pattern": PATH, "not": {"pattern": ABOVE}};
    #[doc = "An absolute directory on the server."]
    Target = {"type": "string", "pattern": TARGET};
    #[doc = "The version of the format."]
    Version = {"const": VERSION};
    #[doc = "A variable: its value, or its type where it must be given or where the type matters."]
    Variable = {"anyOf": [
        {"type": ["boolean", "number"]},
        {"type": "string", "not": {"pattern": r"\$\{"}},
        {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["text", "whole", "number", "boolean", "list"]},
                "default": {"type": ["string", "number", "boolean", "array"]},
                "help": {"type": "string"}
            },
            "required": ["type"],
            "patternProperties": {"^x-": true},
            "additionalProperties": false
        }
    ]};
}

/// A whole number between two bounds.
struct Whole<const LEAST: u32, const MOST: u32>;

impl<const LEAST: u32, const MOST: u32> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Whole{LEAST}To{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "integer", "minimum": LEAST, "maximum": MOST},
            {"type": "string", "pattern": REFERENCE}
        ]})
    }
}

/// One, a list of them, or a reference to a list.
struct OneOrMany<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// Entries by name; keys that start with `x-` are the person's own.
struct Named<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "patternProperties": {"^x-": true},
            "additionalProperties": one,
            "propertyNames": {"anyOf": [{"pattern": NAME}, {"pattern": "^x-"}]}
        })
    }
}

/// An entry that may say nothing: `backend:` alone is a network with every default.
struct OrNothing<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OrNothing<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrNothing", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"const": null}]})
    }
}

/// Variables by name.
struct Vars;

impl JsonSchema for Vars {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Vars".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Variable>();
        json_schema!({
            "type": "object",
            "patternProperties": {"^x-": true},
            "additionalProperties": one,
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$"}
        })
    }
}

/// Variables of a playbook.
struct PlaybookVars;

impl JsonSchema for PlaybookVars {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PlaybookVars".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}})
    }
}

/// One entry of `deploy:`.
struct Deploy;

impl JsonSchema for Deploy {
    fn schema_name() -> Cow<'static, str> {
        "Deploy".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [generator.subschema_for::<PlaybookEntry>(), generator.subschema_for::<CodeEntry>()];
        json_schema!({"description": "One entry of `deploy:`.", "anyOf": kinds})
    }
}

maps! {
    /// The only source of truth for a set of servers and networks.
    InfrastructureFile {
        must version: Version,
        /// Which account; `onecloud` where nothing is said.
        may account: Text,
        /// Where everything stands: the provider's own word, or its public title if only one place has it. `SdnSpb`
        /// where nothing is said.
        may location: Text,
        /// Put before every name of servers and networks.
        may prefix: Prefix,
        /// Between key and number: `_` makes web_1; `-` where nothing is said.
        may separator: Separator,
        /// Variables, used as `${var:name}` and overridden by `--var name=value`.
        may vars: Vars,
        /// Networks by name.
        may networks: Named<OrNothing<Network>>,
        /// Servers by key: `web` with `count: 3` makes web-1, web-2, web-3.
        may servers: Named<Server>,
        /// What `muster infra deploy` does, in order.
        may deploy: Vec<Deploy>,
        /// Whether node_exporter is installed after creation and scraped; yes where nothing is said.
        may stats: Flag,
    }

    /// A private network, or a public one.
    Network {
        /// Whether the provider hands out addresses; yes where nothing is said.
        may dhcp: Flag,
        /// Where it stands; the file's location where nothing is said.
        may location: Text,
        /// Whether it outlives its own removal from the file.
        may protect: Flag,
        /// Instead of the file's prefix; empty for none.
        may prefix: Prefix,
        /// Speed of every link to it, in Mbit/s; left alone where nothing is said. Of a public network its own.
        may bandwidth: NetworkBandwidth,
        /// Whether it has addresses of its own that everybody reaches; no where nothing is said.
        may public: Flag,
        /// How many addresses a public network has; acts at creation only.
        may addresses: Whole<1, ADDRESSES_MAX>,
        may firewall: FirewallBody,
    }

    /// One server, or several that are alike.
    Server {
        /// How many; 0 means none. One where nothing is said.
        may count: Whole<0, COUNT_MAX>,
        /// The image by its name, or `id:NUMBER`.
        must image: ImageWords,
        /// Cores; 1 where nothing is said.
        may cpu: Whole<1, CPU_MAX>,
        /// Memory; 1 GiB where nothing is said.
        may ram: Ram,
        /// The disk; 40 GiB ssd where nothing is said.
        may disk: Disk,
        /// The pool; base where nothing is said.
        may performance: PerformanceWord,
        /// Where it stands; the file's location where nothing is said.
        may location: Text,
        /// Networks it is linked to.
        may networks: OneOrMany<Name>,
        /// Groups it is in besides its key.
        may groups: OneOrMany<Name>,
        /// Further public keys for root, installed at creation.
        may keys: OneOrMany<PublicKey>,
        /// Whether it runs; running where nothing is said.
        may power: PowerWord,
        /// Whether it outlives its own removal from the file.
        may protect: Flag,
        /// Earlier keys, or full names of single servers: renamed without replacing.
        may was: OneOrMany<Text>,
        /// Instead of the file's prefix; empty for none.
        may prefix: Prefix,
        /// Instead of the file's separator.
        may separator: Separator,
        /// Days between the provider's backups; 0 = none.
        may backup_days: Whole<0, BACKUP_DAYS_MAX>,
        /// Playbooks that `deploy` runs on it before the entries of `deploy:`.
        may playbooks: OneOrMany<Path>,
        /// Speed of its public link, in Mbit/s; left alone where nothing is said.
        may bandwidth: Bandwidth,
        /// Names in DNS that lead to it; several servers may have one.
        may dns: OneOrMany<Dns>,
    }

    /// Run a playbook.
    PlaybookEntry {
        must playbook: Path,
        /// Groups or servers, or `all`.
        must hosts: OneOrMany<Name>,
        /// Whether it may be run again without asking.
        may repeatable: Flag,
        /// Variables for it; secrets may stand here.
        may vars: PlaybookVars,
    }

    /// Deliver code as a release, with an atomic switch of a `current` link.
    CodeEntry {
        must code: CodeBody,
        /// Groups or servers, or `all`.
        must hosts: OneOrMany<Name>,
    }
}
