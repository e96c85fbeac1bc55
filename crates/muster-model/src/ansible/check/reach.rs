//! What a play reaches: roles, task files, and the files that tasks name. Where Ansible would look for each of them
//! is here; what is done with the names found in them is not (`verdict`).

use std::collections::BTreeSet;

use super::{Checker, Context, DEPTH_MAX, Use, did_you_mean, problem};
use crate::ansible::files::{Search, join, parent};
use crate::ansible::place::Mark;
use crate::ansible::playbook::{self, Evaluated, Placed, RoleUse, Task};
use crate::ansible::template::is_template;
use crate::ansible::variables::names_of_free_form;
use crate::diagnostic::{nearest, shown};

impl Checker<'_, '_> {
    pub(super) fn role(&mut self, path: &str, role: &RoleUse, context: &Context, may_be_left_out: bool) {
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
                let near = nearest(name, known.iter().map(String::as_str));
                let message = format!("there is no role `{}`", shown(name));
                let problem = problem("ansible-unknown-role", may_be_left_out, message);
                let problem = problem.help_maybe(did_you_mean(near));
                self.report(path, (role.name.line, role.name.column), Mark::Value(name), problem);
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

    pub(super) fn tasks(&mut self, path: &str, tasks: &[Task], context: &Context) {
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
}
