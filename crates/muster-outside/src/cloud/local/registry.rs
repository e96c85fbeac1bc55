//! Where the records of the account `local` lie, and the lock under which they change.
//!
//! Reading needs no lock: each file is replaced whole. Changing one is read, change, write under the registry's
//! lock, which is held for moments only; what takes long is done under the lock of the one server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_model::World;
use muster_model::id::ProviderId;
use serde::de::DeserializeOwned;

use super::record::{KeyRecords, NetworkRecord, ServerRecord};
use crate::host::local::{LocalError, Lock, read, remove, write};

/// Records change in milliseconds; hundreds may queue.
const LOCK_LIMIT: Duration = Duration::from_secs(15);
/// Bytes of chance in an id. Ids are never used again, also not after everything was removed.
const ID_BYTES: usize = 6;
/// Times that an id which is taken already is drawn anew.
const ID_TRIES: u32 = 100;

/// The records of one home.
#[derive(Debug)]
pub(super) struct Registry {
    folder: PathBuf,
}

impl Registry {
    pub(super) fn new(folder: PathBuf) -> Registry {
        Registry { folder }
    }

    /// Takes the lock under which records change.
    pub(super) async fn lock(&self) -> Result<Lock, LocalError> {
        Lock::take(&self.folder.join("lock"), LOCK_LIMIT).await
    }

    /// The lock that is held by whoever works on a server.
    pub(super) fn work_lock(&self, id: &ProviderId) -> PathBuf {
        self.folder.join("servers").join(format!("{id}.lock"))
    }

    fn path(&self, kind: &str, id: &ProviderId) -> PathBuf {
        self.folder.join(kind).join(format!("{id}.json"))
    }

    /// All servers, in the order of their creation.
    pub(super) fn servers(&self) -> Result<Vec<ServerRecord>, LocalError> {
        let mut all: Vec<ServerRecord> = all(&self.folder.join("servers"))?;
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(all)
    }

    pub(super) fn server(&self, id: &ProviderId) -> Result<Option<ServerRecord>, LocalError> {
        if is_ours(id) { read(&self.path("servers", id)) } else { Ok(None) }
    }

    /// Call with the lock.
    pub(super) fn put_server(&self, record: &ServerRecord) -> Result<(), LocalError> {
        put(&self.path("servers", &record.id), record)
    }

    /// Call with the lock.
    pub(super) fn remove_server(&self, id: &ProviderId) -> Result<(), LocalError> {
        remove(&self.path("servers", id))
    }

    /// All networks, by name.
    pub(super) fn networks(&self) -> Result<Vec<NetworkRecord>, LocalError> {
        let mut all: Vec<NetworkRecord> = all(&self.folder.join("networks"))?;
        all.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(all)
    }

    pub(super) fn network(&self, id: &ProviderId) -> Result<Option<NetworkRecord>, LocalError> {
        if is_ours(id) { read(&self.path("networks", id)) } else { Ok(None) }
    }

    /// Call with the lock.
    pub(super) fn put_network(&self, record: &NetworkRecord) -> Result<(), LocalError> {
        put(&self.path("networks", &record.id), record)
    }

    /// Call with the lock.
    pub(super) fn remove_network(&self, id: &ProviderId) -> Result<(), LocalError> {
        remove(&self.path("networks", id))
    }

    pub(super) fn keys(&self) -> Result<KeyRecords, LocalError> {
        Ok(read(&self.folder.join("keys.json"))?.unwrap_or_default())
    }

    /// Call with the lock.
    pub(super) fn put_keys(&self, keys: &KeyRecords) -> Result<(), LocalError> {
        put(&self.folder.join("keys.json"), keys)
    }

    /// An id that nothing has. Call with the lock.
    pub(super) fn fresh_id(&self, world: &World) -> Result<ProviderId, LocalError> {
        for _ in 0..ID_TRIES {
            let mut bytes = [0; ID_BYTES];
            world.random.fill(&mut bytes);
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let id = ProviderId(text);
            let keys = self.keys()?;
            let taken = self.path("servers", &id).exists()
                || self.path("networks", &id).exists()
                || keys.keys.iter().any(|key| key.id == id);
            if !taken {
                return Ok(id);
            }
        }
        let reason = format!("none was free in {ID_TRIES} tries");
        Err(LocalError::Invalid { what: "id", value: self.folder.display().to_string(), reason })
    }
}

/// Whether an id can be one of ours: it becomes part of a path.
fn is_ours(id: &ProviderId) -> bool {
    let text = id.as_str();
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, LocalError> {
    let failed = |source| LocalError::File { what: "read", path: folder.to_path_buf(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            // Removed between the two calls: then it is not there.
            found.extend(read::<T>(&path)?);
        }
    }
    Ok(found)
}

/// Writes a record, and makes its folder first, closed to others: records hold sealed passwords.
fn put<T: serde::Serialize>(path: &Path, record: &T) -> Result<(), LocalError> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(folder) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| LocalError::File { what: "create", path: folder.to_path_buf(), source })?;
    }
    write(path, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_others_lead_nowhere() {
        assert!(is_ours(&"0123456789ab".into()));
        for other in ["", "1", "../../../etc", "0123456789AB", "0123456789abc", "0123456789a/"] {
            assert!(!is_ours(&other.into()), "{other}");
        }
    }

    #[tokio::test]
    async fn networks_and_keys_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new(folder.path().join("local"));
        assert_eq!(registry.networks().unwrap(), []);
        let _lock = registry.lock().await.unwrap();
        let two = NetworkRecord::new("0123456789ab".into(), "two".into(), false);
        let one = NetworkRecord::new("0123456789ac".into(), "one".into(), true);
        registry.put_network(&two).unwrap();
        registry.put_network(&one).unwrap();
        assert_eq!(registry.networks().unwrap(), [one.clone(), two.clone()]);
        assert_eq!(registry.network(&two.id).unwrap(), Some(two.clone()));
        registry.remove_network(&two.id).unwrap();
        registry.remove_network(&two.id).unwrap();
        assert_eq!(registry.networks().unwrap(), [one]);
        assert_eq!(registry.keys().unwrap().keys, []);
    }
}
