//! From files to an [`Infrastructure`], or to every problem at once.
//!
//! Pure: the files are in memory, the environment and the overrides are given. The same function serves
//! `validate`, the plan, and the run.

use std::collections::{BTreeMap, BTreeSet};

use crate::Secret;
use crate::code::{ArchiveSource, CodeSource};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest, shown};
use crate::document::walk::{Walk, field};
use crate::document::{Files, Span, parse_bytes, path};
use crate::id::{InfrastructureName, SecretName};
use crate::infrastructure::Infrastructure;
use crate::policy::Purpose;

use super::expand::expand;
use super::legacy;
use super::names::infrastructure_name_problem;
use super::read::read;
use super::substitute::substitute;
use super::vars::Vars;

/// How much of what a file names must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// Everything: `validate` and `deploy`. A missing playbook, code directory or variable is an error.
    #[default]
    Everything,
    /// What makes servers: `update` and the like. What only `deploy` needs is a warning.
    Servers,
}

impl From<Purpose> for Need {
    fn from(purpose: Purpose) -> Need {
        match purpose {
            Purpose::Deploy => Need::Everything,
            Purpose::Update | Purpose::Destroy | Purpose::Adopt | Purpose::Disown => Need::Servers,
        }
    }
}

/// What a file is read with.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `--var name=text`, as written; the file's own type decides what the text means.
    pub vars: BTreeMap<String, String>,
    /// `--var-file` paths in their order; their contents are among the files.
    pub var_files: Vec<String>,
    /// Values for `${env:NAME}`, as the caller sent them.
    pub env: BTreeMap<String, Secret>,
    /// How much must be there.
    pub need: Need,
}

/// Which form a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `version: 1`.
    Version1,
    /// One of the old ict shapes.
    Ict,
}

/// A file that can be used.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it wants.
    pub infrastructure: Infrastructure,
    /// Which form it has.
    pub form: Form,
    /// Whether it names its account; else the settings' default one may stand in.
    pub names_account: bool,
    /// Worth saying, sorted by place.
    pub warnings: Diagnostics,
    /// Secrets that `${secret:…}` names; resolved just before the step that needs them.
    pub secrets_used: BTreeSet<SecretName>,
    /// Names that `${env:…}` names; those in playbook variables are resolved just before the step, too.
    pub env_used: BTreeSet<String>,
    /// Documents whose text decided: the entry, var files, server templates.
    pub files_used: BTreeSet<String>,
    /// Playbooks it names, whether they are there or not.
    pub playbooks: BTreeSet<String>,
    /// Directories of the bundle with the code it names, whether they are there or not.
    pub code: BTreeSet<String>,
}

/// Reads and checks one infrastructure file.
///
/// # Errors
/// Every problem of the file at once, sorted by place, warnings among them.
pub fn load(
    name: &InfrastructureName,
    files: &Files,
    entry: &str,
    inputs: &Inputs,
) -> Result<Checked, Diagnostics> {
    let Some(bytes) = files.get(entry) else {
        let mut diagnostic =
            Diagnostic::error("missing-file", format!("the file `{}` is not there", shown(entry)));
        if let Some(near) = nearest(entry, files.paths()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        return Err(diagnostic.into());
    };
    let (source, root) = parse_bytes(entry, bytes).map_err(|problem| Diagnostics::from(*problem))?;
    let mut walk = Walk::new(&source);
    if let Some(problem) = infrastructure_name_problem(name.as_str()) {
        let message =
            format!("`{}` cannot be the name of an infrastructure: {problem}", shown(name.as_str()));
        walk.problems
            .push(Diagnostic::error("bad-name", message).help("it is the file's name without its extension"));
    }
    let names_account = root.entries().is_some_and(|entries| field(entries, "account").is_some());
    let mut around = Surroundings::new(files, inputs.need, entry);
    let (written, form, used, var_files) = if legacy::is_ict(&root) {
        if let Some(var) = inputs.vars.keys().next() {
            let message = format!("`--var {}`: old ict files have no variables", shown(var));
            walk.problems.push(Diagnostic::error("unknown-var", message));
        }
        (legacy::read(&mut walk, &root, &mut around), Form::Ict, Default::default(), BTreeSet::new())
    } else {
        let vars_entry = root.entries().and_then(|entries| field(entries, "vars"));
        let vars = Vars::read(&mut walk, vars_entry, files, inputs);
        let (root, used) = substitute(&mut walk, root.clone(), &vars, inputs);
        (read(&mut walk, &root, &mut around), Form::Version1, used, vars.files_used)
    };
    let infrastructure = expand(&mut walk, name, written);
    let problems = walk.problems.sorted();
    if problems.has_errors() {
        return Err(problems);
    }
    debug_assert!(problems.items.iter().all(|item| item.severity == Severity::Warning));
    let mut files_used = around.files_used;
    files_used.extend(var_files);
    Ok(Checked {
        infrastructure,
        form,
        names_account,
        warnings: problems,
        secrets_used: used.secrets,
        env_used: used.env,
        files_used,
        playbooks: around.playbooks,
        code: around.code,
    })
}

/// What stands around a document: the other files, and what of them it names.
pub(crate) struct Surroundings<'f> {
    pub files: &'f Files,
    pub entry: &'f str,
    need: Need,
    pub files_used: BTreeSet<String>,
    pub playbooks: BTreeSet<String>,
    pub code: BTreeSet<String>,
}

impl<'f> Surroundings<'f> {
    pub fn new(files: &'f Files, need: Need, entry: &'f str) -> Surroundings<'f> {
        Surroundings {
            files,
            entry,
            need,
            files_used: BTreeSet::from([entry.to_owned()]),
            playbooks: BTreeSet::new(),
            code: BTreeSet::new(),
        }
    }

    /// Notes a playbook and says so if it is not there.
    pub fn want_file(&mut self, walk: &mut Walk<'_>, path: &str, at: Span, what: &str) {
        self.playbooks.insert(path.to_owned());
        if !self.files.contains(path) {
            let documents = self.files.paths().filter(|path| path::is_document(path));
            let near = nearest(path, documents).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| "paths are relative to the root".to_owned());
            self.missing(walk, at, format!("the {what} `{}` is not there", shown(path)), help);
        }
    }

    /// Notes a code directory and says so if it is not there.
    pub fn want_directory(&mut self, walk: &mut Walk<'_>, path: &str, at: Span) {
        self.code.insert(path.to_owned());
        if !self.files.contains_directory(path) {
            let directories: BTreeSet<&str> =
                self.files.paths().map(path::parent).filter(|path| !path.is_empty()).collect();
            let near = nearest(path, directories).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| {
                "paths are relative to the root; an empty directory cannot be delivered".to_owned()
            });
            self.missing(walk, at, format!("the directory `{}` is not there", shown(path)), help);
        }
    }

    /// Notes an archive of code and says so if it is not there. A server has what a client exported from it instead.
    pub fn want_archive(&mut self, walk: &mut Walk<'_>, source: &CodeSource, at: Span) {
        let CodeSource::Archive(ArchiveSource { archive, .. }) = source else { return };
        let exported = source.bundle_directory();
        if !self.files.contains(archive) && !self.files.contains_directory(&exported) {
            let near = nearest(archive, self.files.paths()).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| "paths are relative to the root".to_owned());
            self.missing(walk, at, format!("the archive `{}` is not there", shown(archive)), help);
        }
        self.code.insert(exported);
    }

    fn missing(&self, walk: &mut Walk<'_>, at: Span, message: String, help: String) {
        match self.need {
            Need::Everything => walk.error_help(at, "missing-file", message, help),
            Need::Servers => walk.warn(at, "missing-file", message, help),
        }
    }
}
