//! The second pass: names that are evaluated but defined nowhere, and `hosts:` patterns that match nobody.

use super::{Checker, Use};
use crate::ansible::inventory::group_name;
use crate::ansible::problem::{Problem, Severity, nearest};
use crate::ansible::template::{is_template, needed, needed_by_expression};

impl Checker<'_, '_> {
    pub(super) fn finish(mut self) -> Vec<Problem> {
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
                let as_group = group_name(word);
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
