//! `muster validate`: checks a file without asking anybody.

use std::path::Path;

use muster_model::infrastructure::Need;

use super::find::find_or_take;
use super::gather::{Given, gather, read};
use super::report::Validated;
use super::{Answer, Report, vars};
use crate::cli::Validate;
use crate::exit::Failure;

/// Checks a file: everything it names must be there.
pub fn validate(arguments: &Validate, here: &Path, home: &Path) -> Result<Answer, Failure> {
    let vars = vars::vars(&arguments.vars)?;
    let found = find_or_take(&arguments.file, here, home)?;
    let given = Given { vars: &vars, var_files: &arguments.var_files, need: Need::Everything };
    let document = read(found, given, here)?;
    let gathered = gather(&document)?;
    let checked = &document.checked;
    let mut problems = gathered.playbook_problems(checked, &Default::default(), false)?;
    problems.append(checked.warnings.clone());
    let problems = problems.sorted();
    if problems.has_errors() {
        return Err(Failure::document(&problems));
    }
    Answer::done(Report::Validated(Box::new(Validated {
        name: document.found.name.clone(),
        path: document.found.root.join(&document.found.entry).display().to_string(),
        servers: checked.infrastructure.servers.len(),
        networks: checked.infrastructure.networks.len() + checked.infrastructure.public_networks.len(),
        files: gathered.manifest.files.len(),
        warnings: problems.items,
    })))
}
