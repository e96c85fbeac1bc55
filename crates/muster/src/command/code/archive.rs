//! Archives: tar, as it is or compressed by gzip. Nothing is unpacked onto a disk under a name that the archive chose.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use muster_model::bundle::{
    Digester, FILE_BYTES_MAX, FILES_MAX, LINK, ManifestFile, TOTAL_BYTES_MAX, link_target,
};
use muster_model::code::ArchiveSource;
use muster_model::diagnostic::{nearest, shown};
use muster_model::document::path;
use tar::{Archive, Entry, EntryType};

use super::{Exported, Tree};
use crate::exit::Failure;

/// The most entries of an archive, directories among them.
const ENTRIES_MAX: usize = 4 * FILES_MAX;
/// What an archive may come to when it is uncompressed: its files, and room for their heads.
const STREAM_BYTES_MAX: u64 = TOTAL_BYTES_MAX + ENTRIES_MAX as u64 * 2048;
/// The same where only a part of it is taken: the rest is read over.
const STREAM_BYTES_MAX_OVER: u64 = 16 * STREAM_BYTES_MAX;
/// The beginnings of what is not read.
const OTHERS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "zip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "rar"),
];

/// Exports an archive; gives its digest.
pub(super) fn export(
    root: &Path,
    source: &ArchiveSource,
    exported: &mut Exported,
    tree: &mut Tree,
) -> Result<String, Failure> {
    let what = format!("the archive {}", shown(&source.archive));
    let at = root.join(&source.archive);
    let unreadable = |error: std::io::Error| Failure::usage(format!("{what} cannot be read: {error}"));
    let real = at.canonicalize().map_err(unreadable)?;
    if !root.canonicalize().is_ok_and(|root| real.starts_with(root)) {
        return Err(Failure::usage(format!(
            "{what} is a link that leads out of the root {}",
            root.display()
        )));
    }
    let mut file = BufReader::new(File::open(&real).map_err(unreadable)?);
    let mut digester = Digester::new();
    let mut chunk = vec![0; 64 << 10];
    let mut head = Vec::new();
    loop {
        let count = file.read(&mut chunk).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        if head.is_empty() {
            head.extend_from_slice(&chunk[..count.min(8)]);
        }
        digester.update(&chunk[..count]);
    }
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    if let Some((_, kind)) = OTHERS.iter().find(|(begins, _)| head.starts_with(begins)) {
        return Err(Failure::usage(format!(
            "{what} is of the kind {kind}, which is not read; pack it as .tar.gz"
        )));
    }
    if head.starts_with(&[0x1f, 0x8b]) {
        unpack(MultiGzDecoder::new(file), &what, &source.path, exported, tree)?;
    } else {
        unpack(file, &what, &source.path, exported, tree)?;
    }
    Ok(digester.hex())
}

/// Takes what a tar stream holds below a path (empty = everything).
pub(super) fn unpack(
    stream: impl Read,
    what: &str,
    below: &str,
    exported: &mut Exported,
    tree: &mut Tree,
) -> Result<(), Failure> {
    let mut unpacking = Unpacking { what, below, exported, tree, all: BTreeMap::new() };
    let bound = if below.is_empty() { STREAM_BYTES_MAX } else { STREAM_BYTES_MAX_OVER };
    let mut archive = Archive::new(stream.take(bound));
    let broken = |error: std::io::Error| Failure::usage(format!("{what} is no whole tar archive: {error}"));
    for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
        if count >= ENTRIES_MAX {
            return Err(Failure::usage(format!("{what}: it has more than {ENTRIES_MAX} entries")));
        }
        unpacking.entry(&mut entry.map_err(broken)?)?;
    }
    unpacking.judge()
}

struct Unpacking<'a> {
    what: &'a str,
    below: &'a str,
    exported: &'a mut Exported,
    tree: &'a mut Tree,
    /// Every file, also outside of what is taken, because a hard link may mean it. Only what is taken counts, and is
    /// kept.
    all: BTreeMap<String, ManifestFile>,
}

impl Unpacking<'_> {
    fn refuse<T>(&self, problem: impl std::fmt::Display) -> Result<T, Failure> {
        Err(Failure::usage(format!("{}: {problem}; nothing of it was taken", self.what)))
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Failure> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let named = self.path(&entry.path_bytes())?;
        match kind {
            EntryType::Directory => Ok(()),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse
                if self.taken(&named).is_none() =>
            {
                let file = self.passed(entry, &named)?;
                self.all.insert(named, file);
                Ok(())
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut content = Vec::new();
                let read = entry.by_ref().take(FILE_BYTES_MAX + 1).read_to_end(&mut content);
                read.map_err(|error| Failure::usage(format!("{}: `{named}`: {error}", self.what)))?;
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                let file = ManifestFile::of(&content, executable);
                self.exported.keep(self.what, &named, &content, &file)?;
                self.take(named, file);
                Ok(())
            }
            EntryType::Symlink => {
                let target = self.link(entry, &named)?;
                let file = ManifestFile::link(&target);
                if self.taken(&named).is_some() {
                    self.exported.keep(self.what, &named, target.as_bytes(), &file)?;
                }
                self.take(named, file);
                Ok(())
            }
            EntryType::Link => {
                let target = self.link(entry, &named)?;
                let meant = self.path(target.as_bytes())?;
                match self.all.get(&meant).cloned() {
                    Some(file) if self.taken(&named).is_some() && !self.exported.has(&file) => {
                        return self.refuse(format!(
                            "`{named}` is a hard link to `{meant}`, which is not below `{}`; pack it with \
                             --hard-dereference",
                            self.below
                        ));
                    }
                    Some(file) => self.take(named, file),
                    None => {
                        return self
                            .refuse(format!("`{named}` is a link to `{meant}`, which is not before it"));
                    }
                }
                Ok(())
            }
            _ => self.refuse(format!("`{named}` is neither a file nor a directory nor a link")),
        }
    }

    /// The one spelling of a path in the archive.
    fn path(&self, bytes: &[u8]) -> Result<String, Failure> {
        let Ok(written) = std::str::from_utf8(bytes) else {
            return self.refuse(format!("`{}` is no name in UTF-8", String::from_utf8_lossy(bytes)));
        };
        if written.starts_with('/') || written.split('/').any(|part| part == "..") {
            return self.refuse(format!("the entry `{}` leads out of it", shown(written)));
        }
        match path::normal(written) {
            Ok(path) => Ok(path),
            Err(problem) => self.refuse(format!("the entry `{}`: {problem}", shown(written))),
        }
    }

    fn link(&self, entry: &Entry<'_, impl Read>, named: &str) -> Result<String, Failure> {
        let target = entry.link_name_bytes().and_then(|bytes| String::from_utf8(bytes.into_owned()).ok());
        match target {
            Some(target) if !target.is_empty() && !target.chars().any(char::is_control) => Ok(target),
            Some(_) | None => self.refuse(format!("the link `{named}` has no usable target")),
        }
    }

    /// What a file is called in what is taken, if it is.
    fn taken<'n>(&self, named: &'n str) -> Option<&'n str> {
        let taken = match self.below {
            "" => Some(named),
            below => named.strip_prefix(below).and_then(|rest| rest.strip_prefix('/')),
        };
        taken.filter(|taken| !taken.is_empty())
    }

    fn take(&mut self, named: String, file: ManifestFile) {
        if let Some(taken) = self.taken(&named) {
            self.tree.insert(taken.to_owned(), file.clone());
        }
        self.all.insert(named, file);
    }

    /// A file that is not taken: what it would be, without its content.
    fn passed(&self, entry: &mut Entry<'_, impl Read>, named: &str) -> Result<ManifestFile, Failure> {
        let mode = if entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0) { 0o755 } else { 0o644 };
        let mut digester = Digester::new();
        let mut size = 0;
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = entry.read(&mut chunk);
            let count = read.map_err(|error| Failure::usage(format!("{}: `{named}`: {error}", self.what)))?;
            if count == 0 {
                return Ok(ManifestFile { sha256: digester.hex(), mode, size });
            }
            digester.update(&chunk[..count]);
            size += count as u64;
        }
    }

    /// What only all entries decide together.
    fn judge(&self) -> Result<(), Failure> {
        if self.tree.is_empty() {
            let tops = self.all.keys().filter_map(|path| path.split_once('/').map(|(top, _)| top));
            let near = nearest(self.below, tops).map(|near| format!("; did you mean `{near}`?"));
            let place =
                if self.below.is_empty() { String::new() } else { format!(" below `{}`", self.below) };
            return Err(Failure::usage(format!(
                "{} holds no file{place}{}",
                self.what,
                near.unwrap_or_default()
            )));
        }
        for (path, file) in self.tree.iter().filter(|(_, file)| file.mode == LINK) {
            let target = std::fs::read_to_string(self.exported.path(&file.sha256)).unwrap_or_default();
            if link_target(path, &target).is_err() {
                return self.refuse(format!("the link `{path}` leads out of it, to `{}`", shown(&target)));
            }
            let prefix = format!("{path}/");
            if self.tree.range(prefix.clone()..).next().is_some_and(|(other, _)| other.starts_with(&prefix)) {
                return self.refuse(format!("an entry stands below the link `{path}`"));
            }
        }
        Ok(())
    }
}
