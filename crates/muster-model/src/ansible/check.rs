//! Everything about a playbook run that can be found wrong before a host is touched (ICT-27).
//!
//! Two passes. The first follows plays, roles and included files, reports what is missing, and gathers every name
//! that gets a value anywhere. The second looks at what Ansible evaluates and reports names that got a value
//! nowhere. Whatever cannot be told before the run (a templated file name, a role of a collection, a module that
//! sets facts) switches the second pass off rather than risk a false alarm.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Files, Search, join, parent};
use super::inventory::Inventory;
use super::playbook::{self, Entry, Evaluated, Placed, Play, RoleUse, Task};
use super::problem::{Problem, Severity, nearest};
use super::template::{is_template, needed, needed_by_expression};
use super::variables::{Known, names_of_free_form};
use super::yaml;

/// Playbooks, roles and task files that import each other deeper than this are not followed.
const DEPTH_MAX: usize = 32;
/// Files read in one check.
const FILES_READ_MAX: usize = 5_000;
/// Problems reported; beyond, one sentence says that there are more.
const PROBLEMS_MAX: usize = 200;

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
pub fn check<B: AsRef<[u8]>>(files: &BTreeMap<String, B>, question: &Question<'_>) -> Vec<Problem> {
    let mut checker = Checker {
        files: Files::new(files),
        question,
        known: Known::default(),
        uses: Vec::new(),
        problems: Vec::new(),
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
    problems: Vec<Problem>,
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
            let message = format!("there is no playbook `{path}`");
            let help = nearest(path, playbooks);
            self.report(path, (1, 1), "ansible-missing-playbook", Severity::Error, message, help);
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
                self.report(path, (line, column), "ansible-yaml", Severity::Error, message, None);
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
                self.report(&path, (line, column), "ansible-playbook", Severity::Error, message, None);
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

    fn role(&mut self, path: &str, role: &RoleUse, context: &Context, may_be_left_out: bool) {
        self.known.add(role.variables.iter().cloned());
        let name = &role.name.value;
        if is_template(name) || (name.matches('.').count() >= 2 && !name.contains('/')) {
            self.known.unclear = true;
            return;
        }
        let beside_role = context.role.as_deref().map(parent);
        let mut places = vec![
            join(&context.playbook_dir, "roles").unwrap_or_default(),
            "roles".to_owned(),
            context.playbook_dir.clone(),
        ];
        places.extend(beside_role);
        let found = match self.files.search(&places, name) {
            Search::At(found) => found,
            Search::Outside => {
                self.known.unclear = true;
                return;
            }
            Search::Missing => {
                let known = self.role_names();
                let help = nearest(name, known.iter().map(String::as_str));
                let severity = if may_be_left_out { Severity::Warning } else { Severity::Error };
                let message = format!("there is no role `{name}`");
                let at = (role.name.line, role.name.column);
                self.report(path, at, "ansible-unknown-role", severity, message, help);
                // Its variables are missing with it: one problem is enough.
                self.known.unclear = true;
                return;
            }
        };
        if context.depth > DEPTH_MAX {
            return;
        }
        self.role_parts(&found, context);
    }

    fn role_parts(&mut self, directory: &str, context: &Context) {
        let context =
            Context { role: Some(directory.to_owned()), depth: context.depth + 1, ..context.clone() };
        if !self.visited.insert((
            directory.to_owned(),
            Some(context.playbook_dir.clone()),
            context.conditional,
        )) {
            return;
        }
        self.variable_files(&format!("{directory}/defaults"));
        self.variable_files(&format!("{directory}/vars"));
        for extension in ["yml", "yaml"] {
            let meta = format!("{directory}/meta/main.{extension}");
            if let Some(document) = self.read(&meta) {
                for role in playbook::read_dependencies(&document) {
                    self.role(&meta, &role, &context, false);
                }
            }
            self.task_file(&format!("{directory}/tasks/main.{extension}"), &context);
            let handlers = Context { conditional: true, ..context.clone() };
            self.task_file(&format!("{directory}/handlers/main.{extension}"), &handlers);
        }
    }

    fn role_names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for path in self.files.paths() {
            let mut parts = path.split('/');
            if parts.any(|part| part == "roles")
                && let (Some(name), Some(_)) = (parts.next(), parts.next())
            {
                names.insert(name.to_owned());
            }
        }
        names.into_iter().collect()
    }

    fn task_file(&mut self, path: &str, context: &Context) {
        let key = (path.to_owned(), context.role.clone(), context.conditional);
        if context.depth > DEPTH_MAX || self.files.get(path).is_none() || !self.visited.insert(key) {
            return;
        }
        let Some(document) = self.read(path) else { return };
        let mut tasks = Vec::new();
        playbook::read_tasks(&document, context.conditional, &mut tasks);
        self.tasks(path, &tasks, context);
    }

    fn tasks(&mut self, path: &str, tasks: &[Task], context: &Context) {
        for task in tasks {
            self.known.add(task.variables.iter().cloned());
            self.known.unclear |= task.unclear;
            self.use_all(path, &task.evaluated, task.conditional || context.conditional);
            self.task(path, task, context);
        }
    }

    fn task(&mut self, path: &str, task: &Task, context: &Context) {
        let module = task.module.as_str();
        let below = |conditional: bool| Context {
            depth: context.depth + 1,
            conditional: conditional || context.conditional || task.conditional,
            ..context.clone()
        };
        match module {
            "set_fact" => {
                let free = task.free_form.as_ref().map(|free| free.value.clone()).unwrap_or_default();
                self.known.unclear |= free.trim_start().starts_with("{{");
                self.known.unclear |= task.argument_names.iter().any(|name| is_template(name));
                self.known.add(names_of_free_form(&free));
                self.known.add(task.argument_names.iter().cloned());
            }
            "add_host" | "group_by" => {
                self.groups_at_run_time = true;
                self.known.add(task.argument_names.iter().cloned());
                let free = task.free_form.as_ref().map(|free| free.value.clone()).unwrap_or_default();
                self.known.add(names_of_free_form(&free));
            }
            "include_vars" => self.include_vars(path, task, context),
            "include_tasks" | "import_tasks" | "include" => {
                if let Some(file) = task.subject("file") {
                    let left_out = module != "import_tasks" && below(false).conditional;
                    self.include_tasks(path, &file, &below(false), left_out);
                }
            }
            "include_role" | "import_role" => {
                if let Some(name) = task.subject("name").or_else(|| task.argument("role").cloned()) {
                    let left_out = module == "include_role" && below(false).conditional;
                    let role = RoleUse { name, variables: BTreeSet::new() };
                    self.role(path, &role, &below(false), left_out);
                    self.tasks_from(path, task, &role, &below(false));
                }
            }
            "template" | "copy" => self.source(path, task, context),
            "setup" | "gather_facts" | "package_facts" | "service_facts" => {}
            other => self.known.unclear |= other.ends_with("_facts") || other.ends_with("set_stats"),
        }
    }

    fn include_vars(&mut self, path: &str, task: &Task, context: &Context) {
        if let Some(name) = task.argument("name") {
            self.known.add([name.value.clone()]);
            return;
        }
        let file = task.subject("file");
        let Some(file) = file.filter(|file| !is_template(&file.value) && task.argument("dir").is_none())
        else {
            self.known.unclear = true;
            return;
        };
        match self.files.search(&self.places(path, context, "vars"), &file.value) {
            Search::At(found) => self.variable_file(&found),
            Search::Outside => self.known.unclear = true,
            Search::Missing => {
                let left_out = task.conditional || context.conditional;
                self.missing(path, &file, "the variable file", "ansible-missing-file", left_out);
            }
        }
    }

    fn include_tasks(&mut self, path: &str, file: &Placed<String>, context: &Context, left_out: bool) {
        if is_template(&file.value) {
            self.known.unclear = true;
            return;
        }
        match self.files.search(&self.places(path, context, "tasks"), &file.value) {
            Search::At(found) => self.task_file(&found, context),
            Search::Outside => self.known.unclear = true,
            Search::Missing => self.missing(path, file, "the task file", "ansible-missing-file", left_out),
        }
    }

    fn tasks_from(&mut self, path: &str, task: &Task, role: &RoleUse, context: &Context) {
        let Some(from) = task.argument("tasks_from") else { return };
        if is_template(&from.value) || is_template(&role.name.value) {
            self.known.unclear = true;
            return;
        }
        let places = [join(&context.playbook_dir, "roles").unwrap_or_default(), "roles".to_owned()];
        let Search::At(directory) = self.files.search(&places, &role.name.value) else { return };
        let names = ["", ".yml", ".yaml"].map(|ending| format!("{directory}/tasks/{}{ending}", from.value));
        let context = Context { role: Some(directory), ..context.clone() };
        match names.iter().find(|name| self.files.get(name).is_some()) {
            Some(found) => self.task_file(found, &context),
            None => self.missing(path, from, "the task file", "ansible-missing-file", context.conditional),
        }
    }

    /// `src:` of `template` and `copy`, and what a template needs.
    fn source(&mut self, path: &str, task: &Task, context: &Context) {
        let remote = task.argument_names.iter().any(|name| name == "remote_src");
        let Some(source) = task.argument("src").filter(|source| !remote && !is_template(&source.value))
        else {
            return;
        };
        let folder = if task.module == "template" { "templates" } else { "files" };
        let left_out = task.conditional || context.conditional;
        match self.files.search(&self.places(path, context, folder), &source.value) {
            Search::At(found) if task.module == "template" => {
                let Some(text) = self.files.get(&found).and_then(|bytes| std::str::from_utf8(bytes).ok())
                else {
                    return;
                };
                // Other delimiters: nothing in it means what it looks like.
                let usual = !task.argument_names.iter().any(|name| name.ends_with("_string"));
                // What it includes or extends may set names.
                let alone = !["include", "extends", "import"].iter().any(|word| text.contains(word));
                if usual && alone && !text.starts_with("#jinja2:") {
                    let evaluated =
                        Evaluated { text: text.to_owned(), expression: false, line: 0, column: 0 };
                    self.uses.push(Use { path: found, evaluated, conditional: left_out });
                }
            }
            Search::At(_) | Search::Outside => {}
            Search::Missing => self.missing(path, source, "the file", "ansible-missing-file", left_out),
        }
    }

    /// Where Ansible looks for a file that a task names.
    fn places(&self, path: &str, context: &Context, folder: &str) -> Vec<String> {
        let mut places = Vec::new();
        if let Some(role) = &context.role {
            places.extend([format!("{role}/{folder}"), role.clone(), format!("{role}/tasks")]);
        }
        places.push(parent(path));
        places.extend(join(&parent(path), folder));
        places.extend(join(&context.playbook_dir, folder));
        places.push(context.playbook_dir.clone());
        places
    }

    fn use_all(&mut self, path: &str, evaluated: &[Evaluated], conditional: bool) {
        let of_file =
            |evaluated: &Evaluated| Use { path: path.to_owned(), evaluated: evaluated.clone(), conditional };
        self.uses.extend(evaluated.iter().map(of_file));
    }

    fn missing(&mut self, path: &str, file: &Placed<String>, what: &str, code: &'static str, left_out: bool) {
        let name = file.value.rsplit('/').next().unwrap_or(&file.value);
        let names = self.files.paths().map(|path| path.rsplit('/').next().unwrap_or(path));
        let help = nearest(name, names).filter(|help| !help.contains(&format!("`{name}`")));
        let severity = if left_out { Severity::Warning } else { Severity::Error };
        let message = format!("{what} `{}` is not in the bundle", file.value);
        self.report(path, (file.line, file.column), code, severity, message, help);
        self.known.unclear |= code != "ansible-missing-file" || what != "the file";
    }

    fn report(
        &mut self,
        path: &str,
        at: (usize, usize),
        code: &'static str,
        severity: Severity,
        message: String,
        help: Option<String>,
    ) {
        let (line, column) = (at.0.max(1), at.1.max(1));
        let problem = Problem { path: path.to_owned(), line, column, code, severity, message, help };
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn finish(mut self) -> Vec<Problem> {
        self.host_patterns();
        if !self.known.unclear {
            for used in std::mem::take(&mut self.uses) {
                if !self.tolerant.contains(&used.path) {
                    self.undefined(&used);
                }
            }
        }
        self.problems.sort_by(|one, other| {
            (&one.path, one.line, one.column).cmp(&(&other.path, other.line, other.column))
        });
        self.problems
    }

    fn undefined(&mut self, used: &Use) {
        let text = &used.evaluated.text;
        let names = if used.evaluated.expression { needed_by_expression(text) } else { needed(text) };
        for need in names {
            if self.known.has(&need.name) {
                continue;
            }
            let at = match used.evaluated.line {
                // A template file: count to the very place.
                0 => {
                    let before = &text[..need.at];
                    let line = before.matches('\n').count() + 1;
                    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
                    (line, column)
                }
                line => (line, used.evaluated.column),
            };
            let certain = !used.conditional && !self.question.tags;
            let severity = if certain { Severity::Error } else { Severity::Warning };
            let message = format!("the variable `{}` is used here but defined nowhere", need.name);
            let help = nearest(&need.name, self.known.names());
            self.report(&used.path, at, "ansible-undefined-variable", severity, message, help);
        }
    }

    fn host_patterns(&mut self) {
        let Some(inventory) = self.question.inventory else { return };
        if self.groups_at_run_time {
            return;
        }
        for (path, pattern) in std::mem::take(&mut self.patterns) {
            for word in pattern.value.split([',', ':']) {
                let word = word.trim().trim_start_matches(['!', '&']);
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
                let always = matches!(word, "" | "all" | "ungrouped" | "localhost" | "127.0.0.1");
                if is_template(&pattern.value) || always || !word.chars().all(plain) || inventory.knows(word)
                {
                    continue;
                }
                let names = inventory.groups().chain(inventory.hosts().map(|host| host.name.as_str()));
                let as_group = super::inventory::group_name(word);
                let help = match inventory.knows(&as_group) {
                    true => Some(format!("in Ansible this group is called `{as_group}`")),
                    false => nearest(word, names.collect::<Vec<_>>()),
                };
                let message = format!("`hosts: {word}` names no group and no server");
                let at = (pattern.line, pattern.column);
                self.report(&path, at, "ansible-unknown-hosts", Severity::Error, message, help);
            }
        }
    }
}
