//! From a YAML document to plays and tasks, blocks flattened, and the texts that Ansible evaluates.

use std::collections::BTreeSet;

use super::{Entry, Evaluated, Placed, Play, RoleUse, Task};
use crate::ansible::yaml::{Node, Value, place};

/// Keys of a task that are not its module.
const TASK_KEYWORDS: [&str; 46] = [
    "name",
    "when",
    "register",
    "vars",
    "loop",
    "loop_control",
    "until",
    "retries",
    "delay",
    "notify",
    "listen",
    "tags",
    "become",
    "become_user",
    "become_method",
    "become_flags",
    "become_exe",
    "delegate_to",
    "delegate_facts",
    "run_once",
    "ignore_errors",
    "ignore_unreachable",
    "no_log",
    "changed_when",
    "failed_when",
    "environment",
    "check_mode",
    "diff",
    "async",
    "poll",
    "args",
    "any_errors_fatal",
    "throttle",
    "timeout",
    "connection",
    "port",
    "remote_user",
    "collections",
    "debugger",
    "module_defaults",
    "first_available_file",
    "rescue",
    "always",
    "static",
    "action",
    "local_action",
];

/// Keys whose whole value is an expression.
const EXPRESSIONS: [&str; 4] = ["when", "until", "failed_when", "changed_when"];

/// Keys that Ansible evaluates only when needed, or whose undefined names it forgives.
const NOT_EVALUATED: [&str; 6] = ["name", "vars", "tags", "notify", "listen", "register"];

/// Reads a playbook.
///
/// # Errors
/// The place and what is wrong, where Ansible would refuse the whole file.
pub(crate) fn read_playbook(document: &Node) -> Result<Vec<Entry>, (usize, usize, String)> {
    let Value::List(items) = &document.value else {
        let (line, column) = place(document);
        return Err((line.max(1), column.max(1), "a playbook is a list of plays".to_owned()));
    };
    let mut entries = Vec::new();
    for item in items {
        let import = ["import_playbook", "ansible.builtin.import_playbook"];
        if let Some(file) = import.iter().find_map(|key| item.value.get(key)) {
            let variables = item.value.get("vars").map(names).unwrap_or_default();
            if let Some(text) = file.value.text() {
                entries.push(Entry::Import { file: placed(file, text), variables });
            }
        } else if let Some(hosts) = item.value.get("hosts") {
            entries.push(Entry::Play(Box::new(read_play(item, hosts))));
        } else {
            let (line, column) = place(item);
            return Err((line, column, "a play needs `hosts:` (or `import_playbook:`)".to_owned()));
        }
    }
    Ok(entries)
}

fn read_play(item: &Node, hosts: &Node) -> Play {
    let (line, column) = place(item);
    let mut play = Play {
        at: Placed { value: (), line, column },
        hosts: texts(hosts),
        roles: Vec::new(),
        tasks: Vec::new(),
        vars_files: Vec::new(),
        variables: BTreeSet::new(),
        unclear: false,
        evaluated: Vec::new(),
    };
    for (key, node) in item.value.entries() {
        match key.value.0.as_str() {
            "tasks" | "pre_tasks" | "post_tasks" => read_tasks(node, false, &mut play.tasks),
            "handlers" => read_tasks(node, true, &mut play.tasks),
            "roles" => play.roles.extend(node.value.list().iter().filter_map(read_role)),
            "vars" => {
                play.unclear |= !matches!(node.value, Value::Map(_) | Value::Null | Value::List(_));
                play.variables.extend(names(node));
            }
            "vars_prompt" => {
                let prompts = node.value.list().iter();
                let asked = prompts.filter_map(|prompt| prompt.value.get("name")?.value.text());
                play.variables.extend(asked.map(str::to_owned));
            }
            "vars_files" => match &node.value {
                Value::Text(text) => play.vars_files.push(vec![placed(node, text)]),
                list => play.vars_files.extend(list.list().iter().map(texts)),
            },
            "environment" | "become_user" | "remote_user" => evaluate(node, false, &mut play.evaluated),
            _ => {}
        }
    }
    play
}

fn read_role(node: &Node) -> Option<RoleUse> {
    if let Some(text) = node.value.text() {
        return Some(RoleUse { name: placed(node, text), variables: BTreeSet::new() });
    }
    let name = node.value.get("role").or_else(|| node.value.get("name"))?;
    let mut variables: BTreeSet<String> = node.value.names().map(str::to_owned).collect();
    if let Some(vars) = node.value.get("vars") {
        variables.extend(names(vars));
    }
    Some(RoleUse { name: placed(name, name.value.text()?), variables })
}

/// Roles that a role depends on (`meta/main.yml`).
pub(crate) fn read_dependencies(document: &Node) -> Vec<RoleUse> {
    let dependencies = document.value.get("dependencies");
    dependencies.map(|node| node.value.list().iter().filter_map(read_role).collect()).unwrap_or_default()
}

/// Reads a list of tasks, blocks flattened.
pub(crate) fn read_tasks(list: &Node, conditional: bool, into: &mut Vec<Task>) {
    for item in list.value.list() {
        if item.value.get("block").is_some() {
            read_block(item, conditional, into);
        } else if matches!(item.value, Value::Map(_)) {
            into.push(read_task(item, conditional));
        }
    }
}

fn read_block(item: &Node, conditional: bool, into: &mut Vec<Task>) {
    // With a rescue, a failure is part of the plan; and what it rescues may never run.
    let rescued = item.value.get("rescue").is_some();
    let conditional = conditional || rescued || may_be_left_out(item);
    // The block's own keys are read as a task without a module.
    let own = read_task(item, conditional);
    into.push(Task { module: "block".to_owned(), ..own });
    for part in ["block", "rescue", "always"] {
        if let Some(list) = item.value.get(part) {
            read_tasks(list, conditional, into);
        }
    }
}

fn may_be_left_out(item: &Node) -> bool {
    ["when", "ignore_errors", "failed_when"].iter().any(|key| item.value.get(key).is_some())
}

fn read_task(item: &Node, conditional: bool) -> Task {
    let (line, column) = place(item);
    let mut task =
        Task { line, column, conditional: conditional || may_be_left_out(item), ..Task::default() };
    for (key, node) in item.value.entries() {
        let key_text = key.value.0.as_str();
        let loops = key_text == "loop" || key_text.starts_with("with_");
        match key_text {
            "block" | "rescue" | "always" => continue,
            "vars" => {
                task.unclear |= !matches!(node.value, Value::Map(_) | Value::Null);
                task.variables.extend(names(node));
            }
            "register" => task.variables.extend(node.value.text().map(str::to_owned)),
            "loop_control" => {
                for name in ["loop_var", "index_var"] {
                    let text = node.value.get(name).and_then(|node| node.value.text());
                    task.variables.extend(text.map(str::to_owned));
                }
            }
            "action" | "local_action" => {
                if let Some(text) = node.value.text() {
                    let (module, free) = text.split_once(' ').unwrap_or((text, ""));
                    task.module = short(module).to_owned();
                    task.free_form = Some(placed(node, free));
                } else if let Some(module) = node.value.get("module").and_then(|node| node.value.text()) {
                    task.module = short(module).to_owned();
                    read_arguments(node, &mut task);
                }
            }
            "args" => read_arguments(node, &mut task),
            _ if loops => {
                task.variables.insert("item".to_owned());
            }
            _ if TASK_KEYWORDS.contains(&key_text) => {}
            _ => {
                task.module = short(key_text).to_owned();
                task.line = key.referenced.line() as usize;
                task.column = key.referenced.column() as usize;
                match node.value.text() {
                    Some(text) => task.free_form = Some(placed(node, text)),
                    None => read_arguments(node, &mut task),
                }
            }
        }
        if NOT_EVALUATED.contains(&key_text) {
            continue;
        }
        let is_module = short(key_text) == task.module;
        if EXPRESSIONS.contains(&key_text) {
            evaluate(node, true, &mut task.evaluated);
        } else if is_module && task.module == "assert" {
            for (name, node) in node.value.entries() {
                evaluate(node, name.value.0 == "that", &mut task.evaluated);
            }
        } else if is_module && task.module == "debug" {
            // `debug: var: x` prints a sentence when x is undefined.
            if let Some(message) = node.value.get("msg") {
                evaluate(message, false, &mut task.evaluated);
            }
        } else if is_module
            && matches!(task.module.as_str(), "include_role" | "import_role" | "include_tasks")
        {
            // Only the name; `apply` and the rest are evaluated later.
        } else {
            evaluate(node, false, &mut task.evaluated);
        }
    }
    task
}

fn read_arguments(node: &Node, task: &mut Task) {
    for (name, argument) in node.value.entries() {
        task.argument_names.push(name.value.0.clone());
        if let Some(text) = argument.value.text() {
            task.arguments.push((name.value.0.clone(), placed(argument, text)));
        }
    }
}

/// Collects the texts of a value, at every depth.
fn evaluate(node: &Node, expression: bool, into: &mut Vec<Evaluated>) {
    match &node.value {
        Value::Text(text) => {
            let (line, column) = place(node);
            into.push(Evaluated { text: text.clone(), expression, line, column });
        }
        Value::List(items) => items.iter().for_each(|item| evaluate(item, expression, into)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| evaluate(value, expression, into)),
        Value::Null | Value::Scalar => {}
    }
}

/// A module's name without the collections that everybody has.
fn short(module: &str) -> &str {
    let builtin = ["ansible.builtin.", "ansible.legacy."];
    builtin.iter().find_map(|prefix| module.strip_prefix(prefix)).unwrap_or(module)
}

fn placed(node: &Node, text: &str) -> Placed<String> {
    let (line, column) = place(node);
    Placed { value: text.to_owned(), line, column }
}

fn texts(node: &Node) -> Vec<Placed<String>> {
    match &node.value {
        Value::Text(text) => vec![placed(node, text)],
        value => {
            let items = value.list().iter();
            items.filter_map(|item| item.value.text().map(|text| placed(item, text))).collect()
        }
    }
}

/// The names that a `vars:` gives values to: of a map, or of a list of maps.
pub(crate) fn names(node: &Node) -> BTreeSet<String> {
    match &node.value {
        Value::Map(_) => node.value.names().map(str::to_owned).collect(),
        Value::List(items) => items.iter().flat_map(names).collect(),
        _ => BTreeSet::new(),
    }
}
