//! Gathering a bundle: reads the disk as `muster-model` says, and sends only the blobs that the server lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use muster_api::Client;
use muster_api::blob::manifest_said;
use muster_model::Secret;
use muster_model::ansible::deploy::{check_deploy, reads};
use muster_model::bundle::{
    IGNORE_FILE, Ignore, Manifest, ManifestFile, documents_to_read, files_to_gather, link_target, sha256_hex,
};
use muster_model::diagnostic::Diagnostics;
use muster_model::document::DOCUMENT_BYTES_MAX;
use muster_model::document::Files;
use muster_model::document::path;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Checked, Inputs, Need, load};

use super::code::{Exported, export};
use super::find::{Found, walk};
use crate::exit::Failure;

/// Directories that are never looked into, however they are ignored: they are large and nobody's sources.
const NEVER: &[&str] = &[".git", ".hg", ".svn", "node_modules", ".venv", ".vagrant"];

/// A checked document with what stands around it on this machine.
#[derive(Debug)]
pub struct Document {
    /// Where it is.
    pub found: Found,
    /// What it says.
    pub checked: Checked,
    /// Files of variables, by their paths below the root.
    pub var_files: Vec<String>,
    files: Files,
    ignore: Ignore,
}

/// What a document is read with.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Variables, as text.
    pub vars: &'a BTreeMap<String, String>,
    /// Files of variables, as the person named them.
    pub var_files: &'a [PathBuf],
    /// How much must be there.
    pub need: Need,
}

/// Reads and checks a document. The server checks it again; here its problems cost no request.
pub fn read(found: Found, given: Given<'_>, here: &Path) -> Result<Document, Failure> {
    let mut var_files = Vec::new();
    for file in given.var_files {
        var_files.push(below_root(&found.root, &here.join(file))?);
    }
    let (files, ignore) = around(&found, &var_files)?;
    let env = environment(files.get(&found.entry).unwrap_or_default());
    let inputs = Inputs { vars: given.vars.clone(), var_files: var_files.clone(), env, need: given.need };
    let checked = load(&InfrastructureName::from(found.name.as_str()), &files, &found.entry, &inputs)
        .map_err(|problems| Failure::document(&problems))?;
    Ok(Document { found, checked, var_files, files, ignore })
}

/// The files around a document, those that reading it needs with their contents; and what is ignored there.
pub fn around(found: &Found, var_files: &[String]) -> Result<(Files, Ignore), Failure> {
    let ignore = match std::fs::read_to_string(found.root.join(IGNORE_FILE)) {
        Ok(text) => Ignore::read(&text).map_err(|problems| Failure::document(&problems))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ignore::standard(),
        Err(error) => return Err(unreadable(&found.root.join(IGNORE_FILE), &error)),
    };
    let mut files = Files::new();
    let prune = |below: &str| NEVER.contains(&path::file_name(below)) || ignore.ignores(below);
    walk(
        &found.root,
        "",
        &mut |below| {
            files.list(below);
            Ok(())
        },
        &prune,
    )?;
    files.list(found.entry.as_str());
    for file in var_files {
        files.list(file.as_str());
    }
    for document in documents_to_read(&found.entry, var_files, &files) {
        let bytes = head(&source(&found.root, &document)?)?;
        files.insert(document, bytes);
    }
    Ok((files, ignore))
}

/// A file's path below the root. A run reads its bundle only, so what lies elsewhere cannot be part of it.
fn below_root(root: &Path, file: &Path) -> Result<String, Failure> {
    let real = file.canonicalize().map_err(|error| unreadable(file, &error))?;
    let real_root = root.canonicalize().map_err(|error| unreadable(root, &error))?;
    match real.strip_prefix(&real_root) {
        Ok(below) => Ok(below.to_string_lossy().into_owned()),
        Err(_) => Err(Failure::usage(format!(
            "{} does not lie below {}, the root of the bundle; move it there, or mark a higher root with muster.yaml",
            file.display(),
            root.display()
        ))),
    }
}

/// The beginning of a document: one byte more than it may have is enough to see that it is too large.
fn head(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{} cannot be read: {error}", path.display()))
}

/// The file behind a path of the bundle; a link that leaves the root is refused.
fn source(root: &Path, below: &str) -> Result<PathBuf, Failure> {
    let full = root.join(below);
    let Ok(target) = std::fs::read_link(&full) else { return Ok(full) };
    link_target(below, &target.to_string_lossy()).map_err(|problem| Failure::usage(problem.to_string()))?;
    let real = full.canonicalize().map_err(|error| unreadable(&full, &error))?;
    let real_root = root.canonicalize().map_err(|error| unreadable(root, &error))?;
    if real.starts_with(real_root) {
        return Ok(real);
    }
    Err(Failure::usage(format!("the link `{below}` leads out of the root {}", root.display())))
}

/// Environment variables that the text asks for as `${env:NAME}`, read here and nowhere else. One that is not set is
/// left out: the check names its place.
fn environment(text: &[u8]) -> BTreeMap<String, Secret> {
    let text = String::from_utf8_lossy(text);
    let names = text.split("${env:").skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name));
    names.filter_map(|name| Some((name.to_owned(), Secret::new(std::env::var(name).ok()?)))).collect()
}

/// A bundle on this machine.
#[derive(Debug)]
pub struct Gathered {
    /// What it holds.
    pub manifest: Manifest,
    /// Where each digest can be read.
    sources: BTreeMap<String, PathBuf>,
    /// Contents that stand nowhere else; they go with it.
    exported: Option<Exported>,
}

/// Gathers everything that a document needs.
pub fn gather(document: &Document) -> Result<Gathered, Failure> {
    let mut gathered = Gathered { manifest: Manifest::default(), sources: BTreeMap::new(), exported: None };
    let root = &document.found.root;
    for below in files_to_gather(&document.checked, &document.files, &document.ignore) {
        let path = source(root, &below)?;
        let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        if metadata.len() > muster_model::bundle::FILE_BYTES_MAX {
            let problem =
                muster_model::bundle::BundleProblem::FileTooLarge { path: below, size: metadata.len() };
            return Err(Failure::usage(problem.to_string()));
        }
        let contents = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        let entry = ManifestFile::of(&contents, executable(&metadata));
        gathered.sources.insert(entry.sha256.clone(), path);
        gathered.manifest.files.insert(below, entry);
    }
    gathered.manifest.check().map_err(|problem| Failure::usage(problem.to_string()))?;
    Ok(gathered)
}

fn executable(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

impl Gathered {
    /// Adds the code that is no directory: commits of git repositories, and archives.
    pub fn export(&mut self, root: &Path, checked: &Checked, say: &dyn Fn(&str)) -> Result<(), Failure> {
        let Some(exported) = export(root, &checked.infrastructure, say)? else { return Ok(()) };
        self.manifest.files.extend(exported.files.clone());
        self.sources.extend(exported.sources.clone());
        self.exported = Some(exported);
        self.manifest.check().map_err(|problem| Failure::usage(problem.to_string()))
    }

    /// Sends the blobs that the server lacks.
    pub async fn send(&self, client: &Client) -> Result<(), Failure> {
        let digests: Vec<String> = self.sources.keys().cloned().collect();
        for missing in client.missing_blobs(digests).await? {
            let Some(path) = self.sources.get(&missing) else { continue };
            let contents = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
            if sha256_hex(&contents) != missing {
                return Err(Failure::usage(format!(
                    "{} changed while it was read; try again",
                    path.display()
                )));
            }
            client.put_blob(&missing, Bytes::from(contents)).await?;
        }
        Ok(())
    }

    /// What is wrong with the playbooks of the document, all of it.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn playbook_problems(
        &self,
        checked: &Checked,
        extra_vars: &BTreeSet<String>,
        tags: bool,
    ) -> Result<Diagnostics, Failure> {
        let mut files = Files::new();
        for (below, entry) in &self.manifest.files {
            match self.sources.get(&entry.sha256) {
                Some(path) if reads(checked, below) => {
                    files.insert(
                        below.as_str(),
                        std::fs::read(path).map_err(|error| unreadable(path, &error))?,
                    );
                }
                Some(_) | None => files.list(below.as_str()),
            }
        }
        Ok(check_deploy(&checked.infrastructure, &files, extra_vars, tags))
    }

    /// The manifest in the words of the API.
    pub fn said(&self) -> muster_api::blob::ManifestSaid {
        manifest_said(&self.manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "version: 1\nservers:\n  web:\n    image: Ubuntu 22.04\n    cpu: 1\n    ram: 1 GiB\n    \
                        disk: 20 GiB ssd\ndeploy:\n  - code: { from: ./app, to: /srv/app }\n    hosts: all\n";

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Found) {
        let directory = tempfile::tempdir().unwrap();
        for (file, contents) in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        let found =
            Found { root: directory.path().to_owned(), entry: "shop.yaml".into(), name: "shop".into() };
        (directory, found)
    }

    fn gathered(found: &Found) -> Result<Gathered, Failure> {
        let vars = BTreeMap::new();
        let given = Given { vars: &vars, var_files: &[], need: Need::Everything };
        gather(&read(found.clone(), given, Path::new("."))?)
    }

    #[test]
    fn gathers_what_the_document_names() {
        let files =
            [("shop.yaml", SHOP), ("app/a", "x"), ("app/b", "x"), ("other/c", "y"), ("app/n.pyc", "z")];
        let (_directory, found) = project(&files);
        let gathered = gathered(&found).unwrap();
        let names: Vec<&str> = gathered.manifest.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["app/a", "app/b", "shop.yaml"]);
        assert_eq!(gathered.sources.len(), 2, "equal contents are one blob");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leaves_the_root_is_refused() {
        let (directory, mut found) =
            project(&[("secret", "s"), ("root/shop.yaml", SHOP), ("root/app/a", "x")]);
        found.root = directory.path().join("root");
        std::os::unix::fs::symlink("../../secret", found.root.join("app/out")).unwrap();
        let failure = gathered(&found).unwrap_err();
        assert!(failure.message.contains("out of the root"), "{failure}");
    }

    #[test]
    fn problems_of_a_document_are_all_told_with_their_places() {
        let (_directory, found) = project(&[("shop.yaml", "version: 1\nserver: {}\nlocaton: X\n")]);
        let failure = gathered(&found).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
        assert!(failure.problems.len() >= 2, "{failure}");
        assert!(
            failure.message.contains("shop.yaml:2") && failure.message.contains("shop.yaml:3"),
            "{failure}"
        );
    }

    #[test]
    fn a_file_of_100_mb_is_refused_without_reading_it() {
        let (directory, found) = project(&[]);
        let file = std::fs::File::create(directory.path().join("shop.yaml")).unwrap();
        file.set_len(100 * 1024 * 1024).unwrap();
        let failure = gathered(&found).unwrap_err();
        assert!(failure.message.contains("1048576"), "{failure}");
    }
}
