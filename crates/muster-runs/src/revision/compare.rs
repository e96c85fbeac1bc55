//! Comparing a revision with another one, or with a file as it is now: what is wanted field by field, and the files.

use std::collections::BTreeSet;

use muster_model::bundle::{Manifest, ManifestFile};
use muster_model::id::{AccountName, InfrastructureName, RevisionNumber, SpaceName};
use muster_model::infrastructure::Infrastructure;
use muster_model::revision::{Difference, TextDifference, differences, text_difference};
use muster_model::rights::{Authority, Wish, may};

use super::told_files;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::submit::Proposal;

/// Files that differ, drawn one by one; the rest is counted.
pub const FILES_SHOWN_MAX: usize = 1_000;
/// Files whose text is compared.
const TEXTS_MAX: usize = 100;
/// The largest file whose text is compared, in bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// What a revision is compared with.
#[derive(Clone, Debug)]
pub enum Other {
    /// Another revision.
    Revision(RevisionNumber),
    /// A file as somebody has it now; it is read, and nothing is planned.
    Document(Box<Proposal>),
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// In what is wanted.
    pub fields: Vec<Difference>,
    /// In the files.
    pub files: Vec<FileDifference>,
    /// Further files that differ.
    pub files_more: usize,
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDifference {
    /// Its path below the root.
    pub path: String,
    /// Its content before (SHA-256, hex).
    pub old: Option<String>,
    /// Its content after.
    pub new: Option<String>,
    /// The texts, of documents and playbooks.
    pub text: Option<TextDifference>,
}

impl Engine {
    /// What differs between a revision and another one, for those who may look; or a file as it is now, for those who
    /// may run in the Spaces of both.
    pub async fn difference(
        &self,
        authority: &Authority,
        of: (&SpaceName, &InfrastructureName, Option<&AccountName>),
        from: RevisionNumber,
        to: Other,
    ) -> Result<Differences, EngineError> {
        let (space, infrastructure, account) = of;
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        if let Other::Document(proposal) = &to {
            // A document is read from contents that others sent, by their digests alone, and is drawn next to this
            // history: that is for those who could apply both.
            may(authority, Wish::Run, space).map_err(EngineError::Denied)?;
            may(authority, Wish::Run, &proposal.space).map_err(EngineError::Denied)?;
        }
        let inner = &self.inner;
        let of = inner.whose_revisions(space, infrastructure, account).await?;
        let old = inner.loaded(inner.one_revision(&of, from).await?).await?;
        let mut before = old.inputs.wanted.clone();
        // Where it was applied, whatever the file says of it.
        before.account = of.account.clone();
        let (wanted, manifest, documents) = match to {
            Other::Revision(number) if number == from => {
                return Err(EngineError::Invalid(format!(
                    "revision {number} is compared with itself; name two, or `now`"
                )));
            }
            Other::Revision(number) => {
                let new = inner.loaded(inner.one_revision(&of, number).await?).await?;
                let wanted = Infrastructure { account: of.account.clone(), ..new.inputs.wanted };
                (wanted, new.manifest, new.source.documents)
            }
            Other::Document(proposal) => {
                let read = inner.read_document(&proposal).await?;
                let account = proposal.account.clone().unwrap_or(read.infrastructure.account.clone());
                (Infrastructure { account, ..read.infrastructure }, proposal.bundle, read.documents)
            }
        };
        let mut told = told_files(&old.source.documents, &old.inputs.wanted);
        told.extend(told_files(&documents, &wanted));
        let (files, files_more) = inner.file_differences(&old.manifest, &manifest, &told).await?;
        Ok(Differences { fields: differences(&before, &wanted), files, files_more })
    }
}

impl Inner {
    async fn file_differences(
        &self,
        old: &Manifest,
        new: &Manifest,
        told: &BTreeSet<&str>,
    ) -> Result<(Vec<FileDifference>, usize), EngineError> {
        let paths: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
        let content = |manifest: &Manifest, path: &String| {
            manifest.files.get(path).map(|file| (file.sha256.clone(), file.mode))
        };
        let differ: Vec<&String> =
            paths.into_iter().filter(|path| content(old, path) != content(new, path)).collect();
        let mut texts = 0;
        let mut files = Vec::new();
        for path in differ.iter().take(FILES_SHOWN_MAX) {
            let (before, after) = (old.files.get(*path), new.files.get(*path));
            let is_small = [before, after].into_iter().flatten().all(|file| file.size <= TEXT_BYTES_MAX);
            let text = match told.contains(path.as_str()) && texts < TEXTS_MAX {
                true if is_small => {
                    texts += 1;
                    let (before, after) = (self.content(before).await?, self.content(after).await?);
                    Some(text_difference(path, before.as_deref(), after.as_deref()))
                }
                true => Some(TextDifference::NotShown("it is too large")),
                false => None,
            };
            files.push(FileDifference {
                path: (*path).clone(),
                old: before.map(|file| file.sha256.clone()),
                new: after.map(|file| file.sha256.clone()),
                text,
            });
        }
        let more = differ.len().saturating_sub(files.len());
        Ok((files, more))
    }

    async fn content(&self, file: Option<&ManifestFile>) -> Result<Option<Vec<u8>>, EngineError> {
        match file {
            Some(file) => Ok(Some(self.contents.get(&file.sha256).await?)),
            None => Ok(None),
        }
    }
}
