//! Everything about a playbook run that can be found wrong before a host is touched (ICT-27).
//!
//! Two passes. The first follows plays, roles and included files, reports what is missing, and gathers every name
//! that gets a value anywhere. The second looks at what Ansible evaluates and reports names that got a value
//! nowhere. Whatever cannot be told before the run (a templated file name, a role of a collection, a module that
//! sets facts) switches the second pass off rather than risk a false alarm.

mod reach;
mod verdict;

use std::collections::BTreeSet;

use super::files::{Files, Search, join, parent};
use super::inventory::Inventory;
use super::place::{Mark, Places};
use super::playbook::{self, Entry, Evaluated, Placed, Play};
use super::template::is_template;
use super::variables::Known;
use super::yaml;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest, shown};

/// Playbooks, roles and task files that import each other deeper than this are not followed.
const DEPTH_MAX: usize = 32;
/// Files read in one check.
const FILES_READ_MAX: usize = 5_000;

/// What is about to be run.
#[derive(Debug, Clone, Default)]
pub struct Question<'q> {
    /// The playbook's path below the bundle's root.
    pub playbook: &'q str,
    /// The inventory; without one, `hosts:` patterns and host variables are not checked.
    pub inventory: Option<&'q Inventory>,
    /// Names given from outside (`--extra-vars`).
    pub extra_vars: BTreeSet<String>,
    /// Whether tags select or skip tasks: then an undefined name may never be met.
    pub tags: bool,
}

/// Finds all problems, in the order of files and lines.
pub fn check<'f>(
    files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    question: &Question<'_>,
) -> Diagnostics {
    let mut checker = Checker {
        files: Files::new(files),
        question,
        known: Known::default(),
        uses: Vec::new(),
        problems: Diagnostics::new(),
        places: Places::default(),
        visited: BTreeSet::new(),
        groups_at_run_time: false,
        patterns: Vec::new(),
        tolerant: BTreeSet::new(),
    };
    checker.run();
    checker.finish()
}

/// Where Ansible looks from.
#[derive(Debug, Clone)]
struct Context {
    playbook_dir: String,
    role: Option<String>,
    depth: usize,
    conditional: bool,
}

/// Something evaluated, with its file.
struct Use {
    path: String,
    evaluated: Evaluated,
    conditional: bool,
}

struct Checker<'f, 'q> {
    files: Files<'f>,
    question: &'q Question<'q>,
    known: Known,
    uses: Vec<Use>,
    problems: Diagnostics,
    places: Places,
    visited: BTreeSet<(String, Option<String>, bool)>,
    /// `add_host` or `group_by`: groups come into being while it runs.
    groups_at_run_time: bool,
    patterns: Vec<(String, Placed<String>)>,
    /// Files whose texts are not looked into (`!unsafe`).
    tolerant: BTreeSet<String>,
}

impl Checker<'_, '_> {
    fn run(&mut self) {
        let question = self.question;
        self.known.add(question.extra_vars.iter().cloned());
        if let Some(inventory) = question.inventory {
            self.known.add(inventory.variables());
        }
        self.plugins();
        let path = question.playbook;
        if self.files.get(path).is_none() {
            let playbooks =
                self.files.paths().filter(|path| path.ends_with(".yml") || path.ends_with(".yaml"));
            let message = format!("there is no playbook `{}`", shown(path));
            let problem = Diagnostic::error("ansible-missing-playbook", message);
            let problem = problem.help_maybe(did_you_mean(nearest(path, playbooks)));
            self.report(path, (1, 1), Mark::Line, problem);
            return;
        }
        self.playbook(path.to_owned(), 0);
    }

    /// Plugins and modules in the bundle may set variables that nobody can foresee.
    fn plugins(&mut self) {
        let unforeseen = ["library", "action_plugins", "vars_plugins", "lookup_plugins", "collections"];
        let brings = |path: &str| path.split('/').any(|part| unforeseen.contains(&part));
        self.known.unclear |= self.files.paths().any(brings);
    }

    fn read(&mut self, path: &str) -> Option<yaml::Node> {
        if self.visited.len() > FILES_READ_MAX {
            self.known.unclear = true;
            return None;
        }
        let bytes = self.files.get(path)?;
        if bytes.windows(7).any(|window| window == b"!unsafe") {
            self.tolerant.insert(path.to_owned());
        }
        match yaml::read(bytes) {
            Ok(node) => Some(node),
            // Encrypted as a whole: the names in it cannot be seen.
            Err(_) if bytes.starts_with(b"$ANSIBLE_VAULT") => {
                self.known.unclear = true;
                None
            }
            Err((line, column, message)) => {
                self.known.unclear = true;
                self.report(path, (line, column), Mark::Line, Diagnostic::error("ansible-yaml", message));
                None
            }
        }
    }

    fn playbook(&mut self, path: String, depth: usize) {
        if depth > DEPTH_MAX || !self.visited.insert((path.clone(), None, false)) {
            return;
        }
        let directory = parent(&path);
        for vars in ["group_vars", "host_vars"] {
            for place in [directory.as_str(), ""] {
                if let Some(below) = join(place, vars) {
                    self.variable_files(&below);
                }
            }
        }
        let Some(document) = self.read(&path) else { return };
        let entries = match playbook::read_playbook(&document) {
            Ok(entries) => entries,
            Err((line, column, message)) => {
                let problem = Diagnostic::error("ansible-playbook", message);
                self.report(&path, (line, column), Mark::Line, problem);
                return;
            }
        };
        for entry in entries {
            match entry {
                Entry::Import { file, variables } => {
                    self.known.add(variables);
                    self.import(&path, &directory, &file, depth);
                }
                Entry::Play(play) => self.play(&path, &directory, &play, depth),
            }
        }
    }

    fn import(&mut self, path: &str, directory: &str, file: &Placed<String>, depth: usize) {
        let of_a_collection = !file.value.contains('/') && file.value.split('.').count() == 3;
        if is_template(&file.value) || (of_a_collection && !file.value.ends_with(".yml")) {
            self.known.unclear = true;
            return;
        }
        match self.files.search(&[directory.to_owned()], &file.value) {
            Search::At(found) => self.playbook(found, depth + 1),
            Search::Outside => self.known.unclear = true,
            Search::Missing => self.missing(path, file, "the playbook", "ansible-missing-playbook", false),
        }
    }

    fn play(&mut self, path: &str, directory: &str, play: &Play, depth: usize) {
        let context = Context { playbook_dir: directory.to_owned(), role: None, depth, conditional: false };
        self.patterns.extend(play.hosts.iter().map(|pattern| (path.to_owned(), pattern.clone())));
        self.known.add(play.variables.iter().cloned());
        self.known.unclear |= play.unclear;
        for alternatives in &play.vars_files {
            self.vars_files(path, directory, alternatives);
        }
        self.use_all(path, &play.evaluated, false);
        for role in &play.roles {
            self.role(path, role, &context, false);
        }
        self.tasks(path, &play.tasks, &context);
    }

    fn vars_files(&mut self, path: &str, directory: &str, alternatives: &[Placed<String>]) {
        let places = [directory.to_owned(), join(directory, "vars").unwrap_or_default()];
        for file in alternatives {
            if is_template(&file.value) {
                self.known.unclear = true;
                return;
            }
            match self.files.search(&places, &file.value) {
                Search::At(found) => return self.variable_file(&found),
                Search::Outside => {
                    self.known.unclear = true;
                    return;
                }
                Search::Missing => {}
            }
        }
        if let Some(first) = alternatives.first() {
            self.missing(path, first, "the variable file", "ansible-missing-file", false);
        }
    }

    fn variable_files(&mut self, directory: &str) {
        let found: Vec<String> = self.files.below(directory).map(|(path, _)| path.to_owned()).collect();
        for path in found {
            self.variable_file(&path);
        }
    }

    fn variable_file(&mut self, path: &str) {
        if !self.visited.insert((path.to_owned(), None, true)) {
            return;
        }
        if let Some(document) = self.read(path) {
            self.known.add(playbook::names(&document));
        }
    }

    fn use_all(&mut self, path: &str, evaluated: &[Evaluated], conditional: bool) {
        let of_file =
            |evaluated: &Evaluated| Use { path: path.to_owned(), evaluated: evaluated.clone(), conditional };
        self.uses.extend(evaluated.iter().map(of_file));
    }

    fn missing(&mut self, path: &str, file: &Placed<String>, what: &str, code: &'static str, left_out: bool) {
        let name = file.value.rsplit('/').next().unwrap_or(&file.value);
        let names = self.files.paths().map(|path| path.rsplit('/').next().unwrap_or(path));
        let near = nearest(name, names.filter(|known| *known != name));
        let message = format!("{what} `{}` is not in the bundle", shown(&file.value));
        let problem = problem(code, left_out, message).help_maybe(did_you_mean(near));
        self.report(path, (file.line, file.column), Mark::Value(&file.value), problem);
        self.known.unclear |= code != "ansible-missing-file" || what != "the file";
    }

    fn report(&mut self, path: &str, at: (usize, usize), mark: Mark<'_>, problem: Diagnostic) {
        let place = self.places.of(&self.files, path, at, mark);
        let problem = Diagnostic { place, ..problem };
        if !self.problems.items.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// An error where Ansible is sure to stop, a warning where it may leave the part out.
fn problem(code: &'static str, may_be_left_out: bool, message: String) -> Diagnostic {
    let severity = if may_be_left_out { Severity::Warning } else { Severity::Error };
    Diagnostic { severity, ..Diagnostic::error(code, message) }
}

fn did_you_mean(near: Option<&str>) -> Option<String> {
    near.map(|near| format!("did you mean `{near}`?"))
}
