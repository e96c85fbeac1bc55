//! What stands at a place, read from what the machine printed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_model::code::{SeenRelease, is_release_name};

/// The most releases that are read; more than any file may keep.
const RELEASES_MAX: usize = 1_000;

/// The longest text that is taken from a note, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// A text of a file on a server, which anybody may have written there: people get to see it, and their terminal does not
/// obey it.
fn said(text: &str) -> String {
    super::one_line(text).chars().take(TEXT_CHARS_MAX).collect()
}

/// What stands at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The release that `current` points to.
    pub current: Option<String>,
    /// A switch that was not finished: to this release, and from that one.
    pub unfinished: Option<(String, Option<String>)>,
    /// Newest first.
    pub releases: Vec<SeenRelease>,
    /// Releases that got healthy here, with a count that grows: the highest one did last.
    pub healthy: BTreeMap<String, u32>,
}

impl Standing {
    /// Reads what [`super::scripts::LOOK`] printed. What somebody else put there and is no release is left out.
    pub(super) fn read(said: &str) -> Standing {
        let mut standing = Standing::default();
        let mut is_ours = false;
        for line in said.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "current" => standing.current = is_release_name(rest).then(|| rest.to_owned()),
                "unfinished" => {
                    let (to, from) = rest.split_once(' ').unwrap_or((rest, "-"));
                    let from = is_release_name(from).then(|| from.to_owned());
                    standing.unfinished = is_release_name(to).then(|| (to.to_owned(), from));
                }
                "release" => {
                    let (name, seconds) = rest.split_once(' ').unwrap_or((rest, ""));
                    is_ours = is_release_name(name) && standing.releases.len() < RELEASES_MAX;
                    if is_ours {
                        let at =
                            seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
                        standing.releases.push(SeenRelease {
                            name: name.to_owned(),
                            number: None,
                            revision: None,
                            source: None,
                            at,
                        });
                    }
                }
                _ if is_ours => standing.note(word, rest),
                _ => {}
            }
        }
        standing
    }

    fn note(&mut self, word: &str, rest: &str) {
        let Some(release) = self.releases.last_mut() else { return };
        match word {
            "number" => release.number = rest.parse().ok(),
            "at" => release.at = rest.parse().ok().or(release.at),
            "revision" => release.revision = Some(said(rest)),
            "source" => release.source = Some(said(rest)),
            "healthy" => {
                if let Ok(count) = rest.parse() {
                    self.healthy.insert(release.name.clone(), count);
                }
            }
            _ => {}
        }
    }

    /// The release of this name.
    pub fn named(&self, name: &str) -> Option<&SeenRelease> {
        self.releases.iter().find(|release| release.name == name)
    }

    /// The release to go back to if a switch to this one goes wrong: the current one, unless nobody knows whether it is
    /// any good; then the one before it.
    pub fn previous(&self, release: &str) -> Option<&str> {
        let last = match &self.unfinished {
            Some((_, before)) => before.as_deref(),
            None => self.current.as_deref(),
        };
        last.filter(|last| *last != release && self.named(last).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine says of its releases.
    #[test]
    fn reads_what_stands() {
        let said = "current bbbb\nunfinished bbbb aaaa\nrelease bbbb 1700000000\nnumber 7\nrevision abc\n\
                    source . at main\nat 2026-11-21T12:00:00Z\nhealthy 4\nrelease not.ours 5\nnumber 9\nrelease aaaa 1600000000\n";
        let standing = Standing::read(said);
        let names: Vec<(&str, Option<u32>)> =
            standing.releases.iter().map(|release| (release.name.as_str(), release.number)).collect();
        assert_eq!(names, [("bbbb", Some(7)), ("aaaa", None)]);
        assert_eq!(standing.releases[0].source.as_deref(), Some(". at main"));
        assert_eq!(standing.releases[0].at.unwrap().to_string(), "2026-11-21T12:00:00Z");
        assert_eq!(standing.healthy, [("bbbb".to_owned(), 4)].into());
        assert_eq!(standing.previous("bbbb"), Some("aaaa"), "what was good before the unfinished switch");
        assert_eq!(standing.previous("cccc"), Some("aaaa"));
        let settled = Standing { unfinished: None, ..standing };
        assert_eq!(settled.previous("cccc"), Some("bbbb"));
        assert_eq!(settled.previous("bbbb"), None);
        assert_eq!(Standing::read(""), Standing::default());
        let evil = Standing::read(
            "current \x1b[2J\nunfinished bb\x07 aa\nrelease aaaa 5\nsource \x1b]0;x\x07\nrevision a\rb\n",
        );
        assert_eq!((evil.current, evil.unfinished), (None, None));
        assert_eq!(evil.releases[0].source.as_deref(), Some(" ]0;x "));
        assert_eq!(evil.releases[0].revision.as_deref(), Some("a b"));
    }
}
