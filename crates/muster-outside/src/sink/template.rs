//! The mappings of the two kinds of indices: which fields there are and how they are searched.
//!
//! Unknown fields are kept and not indexed (`dynamic: false`): after an update of Muster today's index still has
//! yesterday's mapping, and must not refuse a document because of a new field.

use serde_json::{Value, json};

/// The kind of index with the status of each method per server.
pub const BASIC: &str = "basic";
/// The kind of index with each task and each line of output.
pub const DETAIL: &str = "detail";
/// Above templates of others that match everything.
const PRIORITY: u32 = 200;
/// Longest word that is indexed whole, in characters; longer ones are kept and not found by their whole text.
const WORD_CHARS_MAX: u32 = 1_024;

/// What both kinds have: who, what, where, when.
const WORDS: &[&str] = &[
    "correlation",
    "worker_host",
    "space",
    "project",
    "actor",
    "server",
    "method",
    "action",
    "category",
    "level",
    "class",
    "state",
    "staggered_label",
    "session",
    "outcome",
    "stream",
];
const TEXTS: &[&str] = &["task", "description", "exception", "message"];
const TIMES: &[&str] = &["timestamp", "starttime", "endtime"];
const NUMBERS: &[&str] = &["step", "lane", "seq", "line", "attempt", "batch_count"];
const TRUTHS: &[&str] = &["status", "again", "already"];

/// The template of one kind.
pub fn template(prefix: &str, kind: &str) -> Value {
    let mut fields = serde_json::Map::new();
    let mut add = |names: &[&str], mapping: &Value| {
        for name in names {
            fields.insert((*name).to_owned(), mapping.clone());
        }
    };
    add(WORDS, &json!({"type": "keyword", "ignore_above": WORD_CHARS_MAX}));
    let whole = json!({"keyword": {"type": "keyword", "ignore_above": WORD_CHARS_MAX}});
    add(TEXTS, &json!({"type": "text", "fields": whole}));
    add(TIMES, &json!({"type": "date"}));
    add(NUMBERS, &json!({"type": "long"}));
    add(TRUTHS, &json!({"type": "boolean"}));
    add(&["duration"], &json!({"type": "double"}));
    json!({
        "index_patterns": [format!("{prefix}-{kind}-*")],
        "priority": PRIORITY,
        "template": {"mappings": {"dynamic": false, "properties": fields}},
        "_meta": {"made_by": "muster", "version": env!("CARGO_PKG_VERSION")},
    })
}
