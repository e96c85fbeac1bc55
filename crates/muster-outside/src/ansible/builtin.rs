//! Muster's own playbooks.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::RunFile;

const NODE_EXPORTER: &str = include_str!("builtin/node_exporter.yml");
/// The playbook's name among the files of a run.
pub const NODE_EXPORTER_PLAYBOOK: &str = "node_exporter.yml";

/// SHA-256 of what installs node_exporter, hex: another digest is installed anew.
pub fn node_exporter_digest() -> String {
    muster_model::bundle::sha256_hex(NODE_EXPORTER.as_bytes())
}

/// Where node_exporter comes from.
#[derive(Debug, Clone)]
pub enum NodeExporterSource {
    /// The machine's own package source.
    Package,
    /// A tarball as the project publishes it (one directory inside), or the program itself.
    File {
        /// Its file name; the ending tells a tarball.
        name: String,
        /// Its content.
        content: Bytes,
        /// SHA-256, hex; compared on the machine before anything is unpacked.
        sha256: String,
    },
}

/// The files and variables of a run of [`NODE_EXPORTER_PLAYBOOK`]. It may be repeated.
pub fn node_exporter(source: &NodeExporterSource) -> (BTreeMap<String, RunFile>, BTreeMap<String, Value>) {
    let mut files = BTreeMap::new();
    let mut vars = BTreeMap::new();
    let playbook = RunFile { content: Bytes::from_static(NODE_EXPORTER.as_bytes()), mode: 0o600 };
    files.insert(NODE_EXPORTER_PLAYBOOK.to_owned(), playbook);
    match source {
        NodeExporterSource::Package => {
            vars.insert("node_exporter_source".to_owned(), "package".into());
        }
        NodeExporterSource::File { name, content, sha256 } => {
            let name = name.rsplit('/').next().unwrap_or(name);
            files.insert(format!("files/{name}"), RunFile { content: content.clone(), mode: 0o600 });
            vars.insert("node_exporter_source".to_owned(), "file".into());
            vars.insert("node_exporter_file".to_owned(), name.into());
            vars.insert("node_exporter_sha256".to_owned(), sha256.to_ascii_lowercase().into());
        }
    }
    (files, vars)
}
