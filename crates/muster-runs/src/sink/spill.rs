//! What could not be sent, on disk: one file a batch, oldest first, bounded in all.
//!
//! Beside it what the other side refused for good, for a person to look at; bounded too, and what has no room there
//! is only counted.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use muster_outside::sink::Document;

use super::cursor::replace;

/// The most bytes of documents that could not be sent yet, unless the settings say otherwise. When it is reached,
/// reading stops: the journal keeps what follows.
pub const SPILL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most bytes of refused documents that are kept to be looked at.
pub const REFUSED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Batches on disk.
pub(crate) struct Spill {
    folder: PathBuf,
    /// Number of each batch, with its size in bytes.
    batches: BTreeMap<u64, u64>,
    bytes_max: u64,
}

impl Spill {
    /// Opens (and makes) the folder, and counts what an earlier process left.
    pub(crate) fn open(folder: PathBuf, bytes_max: u64) -> std::io::Result<Spill> {
        fs::create_dir_all(&folder)?;
        let mut batches = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            match (number, path.extension().is_some_and(|ext| ext == "ndjson")) {
                (Some(number), true) => {
                    batches.insert(number, fs::metadata(&path)?.len());
                }
                // Half written when the process died; its documents are read again.
                _ => fs::remove_file(&path)?,
            }
        }
        Ok(Spill { folder, batches, bytes_max })
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.batches.values().sum()
    }

    /// Batches on disk.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.len() as u64
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016}.ndjson"))
    }

    /// Keeps a batch behind the others. False if there is no room: then nothing was written.
    pub(crate) fn push(&mut self, documents: &[Document]) -> std::io::Result<bool> {
        if documents.is_empty() {
            return Ok(true);
        }
        let text = lines(documents)?;
        if self.bytes() + text.len() as u64 > self.bytes_max {
            return Ok(false);
        }
        let number = self.batches.last_key_value().map_or(1, |(last, _)| last + 1);
        replace(&self.path(number), text.as_bytes())?;
        self.batches.insert(number, text.len() as u64);
        Ok(true)
    }

    /// The numbers of the batches, the oldest first.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.batches.keys().copied().collect()
    }

    /// One batch.
    pub(crate) fn read(&self, number: u64) -> std::io::Result<Vec<Document>> {
        let text = fs::read_to_string(self.path(number))?;
        let documents: Result<Vec<Document>, _> = text.lines().map(serde_json::from_str).collect();
        documents.map_err(std::io::Error::other)
    }

    /// What is left of a batch takes its place; nothing left, and it goes.
    pub(crate) fn keep(&mut self, number: u64, left: &[Document]) -> std::io::Result<()> {
        if left.is_empty() {
            fs::remove_file(self.path(number))?;
            self.batches.remove(&number);
            return Ok(());
        }
        let text = lines(left)?;
        replace(&self.path(number), text.as_bytes())?;
        self.batches.insert(number, text.len() as u64);
        Ok(())
    }

    /// Puts a batch that cannot be read out of the way; only the last such is kept.
    pub(crate) fn set_aside(&mut self, number: u64) -> std::io::Result<()> {
        self.batches.remove(&number);
        fs::rename(self.path(number), self.folder.with_file_name("broken.ndjson"))
    }
}

fn lines(documents: &[Document]) -> std::io::Result<String> {
    let mut text = String::new();
    for document in documents {
        text.push_str(&serde_json::to_string(document).map_err(std::io::Error::other)?);
        text.push('\n');
    }
    Ok(text)
}

/// Keeps refused documents with the reason, as far as there is room.
pub(crate) fn keep_refused(path: &PathBuf, refused: &[(Document, String)]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let mut bytes = file.metadata()?.len();
    for (document, reason) in refused {
        let line = serde_json::json!({"reason": reason, "document": document}).to_string();
        bytes += line.len() as u64 + 1;
        if bytes > REFUSED_BYTES_MAX {
            return Ok(());
        }
        file.write_all(line.as_bytes())?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(from: u32, to: u32) -> Vec<Document> {
        let one = |number: u32| Document {
            index: "muster-basic-2026-11-21".into(),
            id: format!("run:0:{number}"),
            body: format!(r#"{{"seq":{number},"description":"two\\nlines"}}"#),
        };
        (from..to).map(one).collect()
    }

    #[test]
    fn the_oldest_comes_first_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path().join("spill"), SPILL_BYTES_MAX).unwrap();
        assert!(spill.push(&documents(0, 3)).unwrap());
        assert!(spill.push(&documents(3, 5)).unwrap());
        fs::write(folder.path().join("spill/0000000000000003.new"), "{").unwrap();
        let mut spill = Spill::open(folder.path().join("spill"), SPILL_BYTES_MAX).unwrap();
        assert_eq!(spill.numbers(), [1, 2]);
        assert_eq!(spill.read(1).unwrap(), documents(0, 3));
        spill.keep(1, &documents(2, 3)).unwrap();
        assert_eq!(spill.read(1).unwrap(), documents(2, 3));
        spill.keep(1, &[]).unwrap();
        assert_eq!(spill.numbers(), [2]);
        assert_eq!(spill.read(2).unwrap(), documents(3, 5));
        spill.keep(2, &[]).unwrap();
        assert!(spill.numbers().is_empty() && spill.bytes() == 0);
    }

    #[test]
    fn a_full_one_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path().join("spill"), 400).unwrap();
        assert!(spill.push(&documents(0, 2)).unwrap());
        let bytes = spill.bytes();
        assert!(bytes <= 400);
        assert!(!spill.push(&documents(2, 4)).unwrap());
        assert_eq!(spill.bytes(), bytes);
    }

    #[test]
    fn refused_documents_are_kept_within_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.ndjson");
        let big = Document { body: "x".repeat(6 * 1024 * 1024), ..documents(0, 1).remove(0) };
        let refused: Vec<(Document, String)> = (0..5).map(|_| (big.clone(), "400".to_owned())).collect();
        keep_refused(&path, &refused).unwrap();
        let bytes = fs::metadata(&path).unwrap().len();
        assert!(bytes > 6 * 1024 * 1024 && bytes <= REFUSED_BYTES_MAX, "{bytes}");
    }
}
