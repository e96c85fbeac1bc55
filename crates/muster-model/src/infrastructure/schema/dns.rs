//! The words of `dns:`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::REFERENCE;
use super::map::Map;
use crate::object::record::TTLS;

const DNS_NAME: &str = r"^\s*(\*\.)?[A-Za-z0-9_{}-]+(\.[A-Za-z0-9_{}-]+)+\.?\s*$|\$\{";

written! {
    #[doc = "A whole name in DNS; `{name}`, `{key}` and `{number}` stand for the server's."]
    DnsName = {"type": "string", "pattern": DNS_NAME};
}

/// How long a record may be remembered.
struct Ttl;

impl JsonSchema for Ttl {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Ttl".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"enum": TTLS}, {"type": "string", "pattern": REFERENCE}]})
    }
}

/// A name alone, or with more about it.
pub(super) struct Dns;

impl JsonSchema for Dns {
    fn schema_name() -> Cow<'static, str> {
        "Dns".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms = [generator.subschema_for::<DnsName>(), generator.subschema_for::<DnsEntry>()];
        json_schema!({"description": "A name in DNS.", "anyOf": forms})
    }
}

maps! {
    /// A name in DNS with more about it.
    DnsEntry {
        must name: DnsName,
        /// How long it may be remembered, in seconds; the provider's own time where nothing is said.
        may ttl: Ttl,
    }
}
