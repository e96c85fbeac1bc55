//! The published schema and the walker accept and refuse the same examples.
//!
//! The judge here is a small validator for the words of JSON Schema that our schema uses; an unknown word fails the
//! test, so that the schema cannot outgrow it unseen.

use muster_model::document::parse;
use muster_model::infrastructure::schema::{config_schema, infrastructure_schema};
use regex::Regex;
use serde_json::Value;

use crate::bad_input::CASES;
use crate::support::load_text;

/// Mistakes that no schema can see: what entries decide together, other files, the environment.
const BEYOND: &[&str] = &[
    "code_meets",
    "too_many_together",
    "dns_times",
    "public_network_lacks",
    "public_network_linked",
    "unknown_network",
    "unknown_hosts",
    "missing_playbook",
    "missing_code",
    "missing_archive",
    "code_shared_twice",
    "name_too_long",
    "reserved_group",
    "group_collision",
    "name_is_group",
    "duplicate_after_prefix",
    "duplicate_network",
    "was_still_there",
    "was_twice",
    "unknown_variable",
    "bad_placeholder",
    "missing_environment",
    "secret_in_name",
    "list_in_text",
    "disk_fraction",
];

const GOOD: &[&str] = &[
    "version: 1\nseparator: _\nservers:\n  Web: {image: x}\n  db: {image: x, separator: '-'}\n",
    "version: 1\n",
    "version: 1\nservers: {}\nnetworks: {}\ndeploy: []\nvars: {}\n",
    "version: 1\nx-own: [1, {a: b}]\nnetworks: {back: , front: {dhcp: false, x-note: 1}}\n",
    "version: 1\nservers:\n  x-base: 5\n  web: {image: 22.04, cpu: 2, ram: 1.5G, disk: 40GB SAS, count: 0, x-why: yes}\n",
    "version: 1\nvars: {n: 2, t: {type: text, default: 1.10, help: what}, l: [a, b], b: true, x-y: {z: 1}}\nservers:\n  web: {image: x, cpu: '${var:n}', protect: '${var:b}', groups: '${var:l}', location: 5}\n",
    "version: 1\nprefix: acme-\nservers:\n  web: {image: 'id:3492', prefix: '', power: stopped, performance: high, was: [Web_1], backup_days: 7, networks: [], playbooks: playbooks/base.yml}\n",
    "version: 1\nvars: {speed: 20}\nnetworks:\n  back: {bandwidth: 100}\n  front: {bandwidth: '${var:speed}'}\nservers:\n  web: {image: x, bandwidth: 10}\n",
    "version: 1\nnetworks:\n  front: {public: true, addresses: 8, bandwidth: 500, location: SdnSpb, protect: true, firewall: {enabled: true, default: deny, rules: [{protocol: tcp, destination_port: 443}, {action: deny, source: 203.0.113.0/24}]}}\n  back: {public: false, bandwidth: 50}\n",
    "version: 1\nvars: {zone: example.com, ttl: 60}\nservers:\n  web: {image: x, dns: ['{key}.${var:zone}', {name: '*.{name}.example.com', ttl: '${var:ttl}'}, {name: x.example.com.}]}\n  db: {image: x, dns: db.example.com}\n",
    "version: 1\nservers:\n  web: {image: x, keys: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home'}\n",
    "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: {git: '.', revision: 1.10, path: web}, to: /srv/a, build: [make, 2], restart: [systemctl, restart, a]}, hosts: web}\n  - {code: {from: {git: 'ssh://git@example.org/a.git'}, to: /srv/b, build: {command: [make], output: dist, env: {A: b}, within: 10m}}, hosts: web}\n  - {code: {from: app, to: /srv/c, shared: {directories: uploads, files: [.env]}, health: {command: [bin/check], http: 'http://127.0.0.1:8080/healthz?x=1', status: 204, within: 5 s}}, hosts: web}\n",
    "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: ./playbooks/base.yml, hosts: all, repeatable: true, vars: {_a: {b: [1, null]}, s: '${secret:a/b}'}}\n  - {code: {from: ./app, to: /srv/app, keep: 0}, hosts: [web, web-1]}\nstats: false\n",
];

#[test]
fn both_accept_the_good() {
    let schema = infrastructure_schema();
    for text in GOOD {
        load_text(text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        let problem = refuses(&schema, &schema, &json(text).unwrap());
        assert_eq!(problem, None, "{text}");
    }
}

#[test]
fn both_refuse_the_bad() {
    let schema = infrastructure_schema();
    for (name, text) in CASES {
        assert!(load_text(text).is_err(), "{name}");
        let Some(value) = json(text) else { continue };
        let refused = refuses(&schema, &schema, &value);
        assert_eq!(refused.is_none(), BEYOND.contains(name), "{name}: {refused:?}");
    }
}

#[test]
fn the_published_schemas() {
    insta::assert_json_snapshot!("infrastructure_schema", infrastructure_schema());
    insta::assert_json_snapshot!("config_schema", config_schema());
    for (text, good) in [
        ("", true),
        ("templates: [a, ./b/]\naccount: x\nx-y: 1\n", true),
        ("templates: ../a\n", false),
        ("nope: 1\n", false),
        ("version: 2\n", false),
        ("elastic: { url: 'https://search.example.org', prefix: edge, spill_mib: 1 }\n", true),
        ("elastic: { url: 'https://me:secret@search.example.org' }\n", false),
        ("elastic: { url: 'search.example.org' }\n", false),
        ("elastic: { prefix: edge }\n", false),
        ("elastic: { url: 'http://x', prefix: Edge }\n", false),
        ("elastic: { url: 'http://x', spill_mib: 0 }\n", false),
        ("elastic: { url: 'http://x', api_key: y }\n", false),
    ] {
        let schema = config_schema();
        let value = json(text).filter(|value| !value.is_null()).unwrap_or_else(|| serde_json::json!({}));
        assert_eq!(refuses(&schema, &schema, &value).is_none(), good, "{text}");
        assert_eq!(muster_model::config::read_config("muster.yaml", text.as_bytes()).is_ok(), good, "{text}");
    }
}

fn json(text: &str) -> Option<Value> {
    parse("a.yml", text).ok().map(|(_, node)| node.to_json())
}

/// Why a value does not fit a schema; none if it fits.
fn refuses(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Value::Object(words) = schema else {
        return (schema == &Value::Bool(false)).then(|| format!("{value} is not allowed"));
    };
    words.iter().find_map(|(word, rule)| {
        let sub = |rule: &Value, value: &Value| refuses(root, rule, value);
        let strings = |rule: &Value| {
            rule.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let bad = |yes: bool| yes.then(|| format!("{word} {rule} against {value}"));
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => None,
            "$ref" => sub(root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
            "type" => {
                let types =
                    if rule.is_array() { strings(rule) } else { vec![rule.as_str().unwrap().to_owned()] };
                bad(!types.iter().any(|name| is(name, value)))
            }
            "const" => bad(value != rule),
            "enum" => bad(!rule.as_array().unwrap().contains(value)),
            "minimum" => bad(value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap())),
            "maximum" => bad(value.as_f64().is_some_and(|number| number > rule.as_f64().unwrap())),
            "multipleOf" => bad(value.as_f64().is_some_and(|number| number % rule.as_f64().unwrap() != 0.0)),
            "pattern" => bad(value
                .as_str()
                .is_some_and(|text| !Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))),
            "not" => bad(sub(rule, value).is_none()),
            "anyOf" => bad(rule.as_array().unwrap().iter().all(|one| sub(one, value).is_some())),
            "minItems" => {
                bad(value.as_array().is_some_and(|list| (list.len() as u64) < rule.as_u64().unwrap()))
            }
            "items" => value.as_array()?.iter().find_map(|item| sub(rule, item)),
            "required" => {
                value.as_object().and_then(|map| bad(strings(rule).iter().any(|key| !map.contains_key(key))))
            }
            "properties" => value.as_object()?.iter().find_map(|(key, item)| sub(rule.get(key)?, item)),
            "patternProperties" => value.as_object()?.iter().find_map(|(key, item)| {
                rule.as_object()
                    .unwrap()
                    .iter()
                    .filter(|(pattern, _)| Regex::new(pattern).unwrap().is_match(key))
                    .find_map(|(_, rule)| sub(rule, item))
            }),
            "propertyNames" => {
                value.as_object()?.keys().find_map(|key| sub(rule, &Value::String(key.clone())))
            }
            "additionalProperties" => value.as_object()?.iter().find_map(|(key, item)| {
                let named = words.get("properties").is_some_and(|known| known.get(key).is_some());
                let patterned =
                    words.get("patternProperties").and_then(Value::as_object).is_some_and(|patterns| {
                        patterns.keys().any(|pattern| Regex::new(pattern).unwrap().is_match(key))
                    });
                if named || patterned { None } else { sub(rule, item) }
            }),
            other => panic!("the schema uses `{other}`, which this judge does not know"),
        }
    })
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}
