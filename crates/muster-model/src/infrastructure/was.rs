//! Earlier names of servers: which word of `was:` means which server, and that no two claim the same.

use std::collections::{BTreeSet, HashMap};

use crate::diagnostic::{Diagnostic, shown};
use crate::document::{Span, walk::Walk};
use crate::id::ServerName;

use super::syntax::ServerEntry;

/// The earlier names of a file so far.
#[derive(Default)]
pub(crate) struct Earlier {
    taken: HashMap<String, (usize, Span)>,
    /// Words that were reported: an entry of many servers is told once.
    reported: BTreeSet<Span>,
}

impl Earlier {
    /// The earlier names of one server.
    ///
    /// A word of `was:` is an earlier key (`www` means `www-2` for number 2, with and without the prefix), or the
    /// full name of one server where it ends in a number (`Web_2` is the earlier name of number 2 only, or of
    /// the only server). For an entry of one server a word also stands for itself.
    pub fn names(
        &mut self,
        walk: &mut Walk<'_>,
        entry: &ServerEntry,
        index: usize,
        number: u32,
        names: &BTreeSet<String>,
    ) -> Vec<ServerName> {
        let mut found: Vec<ServerName> = Vec::new();
        for (word, at) in &entry.was {
            let numbered = word.rsplit_once(['-', '_']).and_then(|(_, digits)| digits.parse::<u32>().ok());
            let candidates: Vec<String> = match numbered {
                Some(own) if own == number || entry.count == 1 => vec![word.clone()],
                Some(_) => Vec::new(),
                None => {
                    let mut all = vec![
                        format!("{}{word}{}{number}", entry.prefix, entry.separator),
                        format!("{word}{}{number}", entry.separator),
                    ];
                    if entry.count == 1 {
                        all.push(word.clone());
                    }
                    all
                }
            };
            for name in candidates {
                if name == entry.name(number) || found.iter().any(|known| known.as_str() == name) {
                    continue;
                }
                if names.contains(&name) {
                    if !self.reported.insert(*at) {
                        continue;
                    }
                    let message = format!(
                        "`{}` cannot have been `{}`: the file still has a server of that name",
                        shown(&entry.name(number)),
                        shown(&name)
                    );
                    walk.error_help(
                        *at,
                        "was-still-there",
                        message,
                        "two servers cannot exchange their names; rename one of them in two steps",
                    );
                    continue;
                }
                match self.taken.get(&name) {
                    Some((first, first_at)) if *first != index || entry.count > 1 => {
                        if !self.reported.insert(*at) {
                            continue;
                        }
                        let diagnostic = Diagnostic::error(
                            "was-twice",
                            format!("two servers cannot both have been `{}`", shown(&name)),
                        )
                        .at(walk.place(*at))
                        .related(walk.place(*first_at), "the first one");
                        walk.problems.push(diagnostic);
                    }
                    _ => {
                        self.taken.insert(name.clone(), (index, *at));
                        found.push(ServerName(name));
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    #[test]
    fn words_mean_keys_or_single_servers() {
        let source = Source::new("shop.yaml", "");
        let mut walk = Walk::new(&source);
        let entry = |key: &str, count: u32, was: &[&str]| {
            let mut entry = ServerEntry::new((key.to_owned(), Span::default()), "p-", "SdnSpb");
            entry.count = count;
            entry.was = was.iter().map(|word| ((*word).to_owned(), Span::default())).collect();
            entry
        };
        let names = BTreeSet::from(["p-db-1".to_owned()]);
        let mut earlier = Earlier::default();
        let mut of = |entry: &ServerEntry, index: usize, number: u32| -> Vec<String> {
            let found = earlier.names(&mut walk, entry, index, number, &names);
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(of(&entry("web", 2, &["www", "Web_2"]), 0, 1), ["p-www-1", "www-1"]);
        assert_eq!(of(&entry("web", 2, &["www", "Web_2"]), 0, 2), ["p-www-2", "www-2", "Web_2"]);
        assert_eq!(of(&entry("one", 1, &["box", "one"]), 1, 1), ["p-box-1", "box-1", "box", "one-1", "one"]);
        assert_eq!(of(&entry("mq", 1, &["p-db-1"]), 2, 1), Vec::<String>::new(), "still there");
        assert_eq!(walk.problems.items[0].code, "was-still-there");
    }
}
