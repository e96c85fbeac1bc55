//! The second pass: names that are evaluated but defined nowhere, and `hosts:` patterns that match nobody.

use super::{Checker, Use, did_you_mean, problem};
use crate::ansible::inventory::group_name;
use crate::ansible::place::{Mark, words};
use crate::ansible::template::{is_template, needed, needed_by_expression};
use crate::diagnostic::{Diagnostic, Diagnostics, nearest, shown};

impl Checker<'_, '_> {
    pub(super) fn finish(mut self) -> Diagnostics {
        self.host_patterns();
        if !self.known.unclear {
            for used in std::mem::take(&mut self.uses) {
                if !self.tolerant.contains(&used.path) {
                    self.undefined(&used);
                }
            }
        }
        self.problems.sorted()
    }

    fn undefined(&mut self, used: &Use) {
        let text = &used.evaluated.text;
        let names = if used.evaluated.expression { needed_by_expression(text) } else { needed(text) };
        for need in names {
            if self.known.has(&need.name) {
                continue;
            }
            // A template file has no place of its own: it begins with its first line.
            let at = (used.evaluated.line, used.evaluated.column);
            let before = words(text, &need.name).take_while(|before| *before < need.at).count();
            let certain = !used.conditional && !self.question.tags;
            let message = format!("the variable `{}` is used here but defined nowhere", need.name);
            let problem = problem("ansible-undefined-variable", !certain, message)
                .help_maybe(did_you_mean(nearest(&need.name, self.known.names())));
            self.report(&used.path, at, Mark::Name { name: &need.name, before }, problem);
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
                    false => did_you_mean(nearest(word, names)),
                };
                let message = format!("`hosts: {}` names no group and no server", shown(word));
                let problem = Diagnostic::error("ansible-unknown-hosts", message).help_maybe(help);
                self.report(&path, (pattern.line, pattern.column), Mark::Value(word), problem);
            }
        }
    }
}
