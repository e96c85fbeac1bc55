//! The words of `firewall:` of a public network.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::map::Map;
use super::{Flag, REFERENCE, Text};

written! {
    #[doc = "What happens to a packet."]
    FirewallAction = {"anyOf": [{"enum": ["allow", "deny"]}, {"type": "string", "pattern": REFERENCE}]};
    #[doc = "A protocol."]
    Protocol = {"anyOf": [{"enum": ["any", "tcp", "udp", "tcp-and-udp", "icmp"]}, {"type": "string", "pattern": REFERENCE}]};
}

maps! {
    /// What the firewall of a public network should be; differences are told, and mended in the provider's panel.
    FirewallBody {
        /// Whether it is on.
        may enabled: Flag,
        /// What happens to what no rule names.
        may default: FirewallAction,
        /// The rules, in their order.
        may rules: Vec<FirewallRuleBody>,
    }

    /// One rule of a firewall; what is left out is `any`.
    FirewallRuleBody {
        /// `allow` where nothing is said.
        may action: FirewallAction,
        may protocol: Protocol,
        may source: Text,
        may source_port: Text,
        may destination: Text,
        may destination_port: Text,
    }
}
