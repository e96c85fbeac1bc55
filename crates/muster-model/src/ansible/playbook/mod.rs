//! Playbooks, plays and tasks as typed values, read leniently: what is unknown is kept out, not refused.

mod read;

use std::collections::BTreeSet;

use super::template::is_template;

pub(crate) use read::{names, read_dependencies, read_playbook, read_tasks};

/// A value with the place it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// What.
    pub value: T,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// A text that Ansible evaluates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The text.
    pub text: String,
    /// Whether all of it is an expression (`when:`), not only what stands in braces.
    pub expression: bool,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// One entry of a playbook.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A play.
    Play(Box<Play>),
    /// `import_playbook:`
    Import {
        /// Which file.
        file: Placed<String>,
        /// Variables given to it.
        variables: BTreeSet<String>,
    },
}

/// One play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Where it begins.
    pub at: Placed<()>,
    /// The patterns of `hosts:`.
    pub hosts: Vec<Placed<String>>,
    /// `roles:`
    pub roles: Vec<RoleUse>,
    /// Of `pre_tasks`, `tasks`, `post_tasks` and `handlers`, blocks flattened.
    pub tasks: Vec<Task>,
    /// `vars_files:`, each with its alternatives.
    pub vars_files: Vec<Vec<Placed<String>>>,
    /// Names of `vars` and `vars_prompt`.
    pub variables: BTreeSet<String>,
    /// Whether its variables cannot be told (`vars:` is a template).
    pub unclear: bool,
    /// What Ansible evaluates in the play itself.
    pub evaluated: Vec<Evaluated>,
}

/// One role of a play.
#[derive(Debug, Clone)]
pub struct RoleUse {
    /// Its name.
    pub name: Placed<String>,
    /// Variables given to it.
    pub variables: BTreeSet<String>,
}

/// One task.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// The module, `ansible.builtin.` and `ansible.legacy.` left out.
    pub module: String,
    /// Line of the module.
    pub line: usize,
    /// Column of the module.
    pub column: usize,
    /// Arguments that are texts, by name.
    pub arguments: Vec<(String, Placed<String>)>,
    /// The names of all arguments.
    pub argument_names: Vec<String>,
    /// The text after the module, if there is one.
    pub free_form: Option<Placed<String>>,
    /// What Ansible evaluates.
    pub evaluated: Vec<Evaluated>,
    /// Whether it may be left out: a `when`, a handler, a `rescue`, ignored errors.
    pub conditional: bool,
    /// Names it gives values to, in itself or for later: `vars`, `register`, loop variables.
    pub variables: BTreeSet<String>,
    /// Whether its `vars:` cannot be told.
    pub unclear: bool,
}

impl Task {
    /// The text of an argument.
    pub fn argument(&self, name: &str) -> Option<&Placed<String>> {
        self.arguments.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The file or role a task speaks of: an argument, or the first word after the module.
    pub fn subject(&self, name: &str) -> Option<Placed<String>> {
        if let Some(argument) = self.argument(name) {
            return Some(argument.clone());
        }
        let free = self.free_form.as_ref()?;
        if is_template(&free.value) {
            return Some(free.clone());
        }
        let word = free.value.split_ascii_whitespace().next()?;
        let word = match word.split_once('=') {
            Some((key, value)) if key == name => value,
            Some(_) => return None,
            None => word,
        };
        Some(Placed { value: word.to_owned(), line: free.line, column: free.column })
    }
}
