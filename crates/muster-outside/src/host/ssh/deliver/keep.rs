//! Which releases stay once a switch has ended, decided from what stands at a place.
//!
//! What served counts for more than what never did: a release that never got healthy is no way back. So they are ordered
//! by when they were last healthy here, which is counted and written down with each of them, and not by any clock.

use muster_model::code::SeenRelease;

use super::Standing;

/// How a switch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched<'a> {
    /// The release serves.
    Serves {
        /// Which.
        release: &'a str,
        /// What served before it.
        previous: Option<&'a str>,
    },
    /// It does not serve, and `current` is back at an earlier one.
    Back {
        /// The one that was tried.
        release: &'a str,
        /// The one that serves again.
        to: &'a str,
    },
    /// It does not serve, and nothing is known that did: `current` stays on it, and the switch stays unfinished.
    Stays {
        /// Which.
        release: &'a str,
    },
}

/// What is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    /// Whether the switch is over.
    pub finished: bool,
    /// Releases to be noted as healthy, with the count of it.
    pub healthy: Vec<(String, u32)>,
    /// Releases that go.
    pub go: Vec<String>,
}

/// The length of a SHA-256 in hex: what releases of versions that noted nothing are called.
const DIGEST_CHARS: usize = 64;

impl Standing {
    /// Keeps so many releases besides the current one. One that was just tried in vain stays besides those, for another
    /// try. Of the others, the one that served last stays first; those that never served go before all that did.
    pub(super) fn settlement(&self, switched: Switched<'_>, keep: u32) -> Settlement {
        let count = self.healthy.values().max().copied().unwrap_or(0);
        // An earlier version noted nothing of what served before, yet it did.
        let unnoted = |name: &str| !self.healthy.contains_key(name);
        let mut healthy = Vec::new();
        let stays = match switched {
            Switched::Serves { release, previous } => {
                healthy.extend(
                    previous
                        .filter(|name| unnoted(name))
                        .map(|name| (name.to_owned(), count.saturating_add(1))),
                );
                healthy.push((release.to_owned(), count.saturating_add(2)));
                [release, release]
            }
            Switched::Back { release, to } => {
                healthy.extend(
                    Some(to)
                        .filter(|name| unnoted(name))
                        .map(|name| (name.to_owned(), count.saturating_add(1))),
                );
                [release, to]
            }
            Switched::Stays { release } => [release, release],
        };
        let rank = |release: &SeenRelease| {
            let now = healthy.iter().find(|(name, _)| *name == release.name).map(|(_, count)| *count);
            now.or_else(|| self.healthy.get(&release.name).copied())
        };
        let mut others: Vec<&SeenRelease> = self.releases.iter().filter(|release| is_ours(release)).collect();
        others.retain(|release| !stays.contains(&release.name.as_str()));
        // Stable: among those that never served the order is that of the list, newest first.
        others.sort_by_key(|release| std::cmp::Reverse(rank(release)));
        let go = others.iter().skip(keep as usize).map(|release| release.name.clone()).collect();
        let finished = !matches!(switched, Switched::Stays { .. });
        Settlement { finished, healthy, go }
    }
}

/// Whether we put it there: something is noted of it, or it is called as only a release is. A directory `backup` that
/// somebody made beside the releases is none of ours.
fn is_ours(release: &SeenRelease) -> bool {
    let noted = release.number.is_some() || release.source.is_some() || release.revision.is_some();
    let digest =
        release.name.len() == DIGEST_CHARS && release.name.bytes().all(|byte| byte.is_ascii_hexdigit());
    noted || digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(releases: &[(&str, Option<u32>)]) -> Standing {
        let seen = |(number, (name, _)): (usize, &(&str, Option<u32>))| SeenRelease {
            name: (*name).to_owned(),
            number: Some(100 - number as u32),
            revision: None,
            source: None,
            at: None,
        };
        let healthy = releases.iter().filter_map(|(name, count)| Some(((*name).to_owned(), (*count)?)));
        Standing {
            releases: releases.iter().enumerate().map(seen).collect(),
            healthy: healthy.collect(),
            ..Standing::default()
        }
    }

    /// Failed deploys never cost the release that was good before them.
    #[test]
    fn what_served_outlives_what_never_did() {
        let seen = standing(&[("c", None), ("b3", None), ("b2", None), ("b1", None), ("a", Some(4))]);
        let served = seen.settlement(Switched::Serves { release: "c", previous: Some("a") }, 2);
        assert_eq!(served.healthy, [("c".to_owned(), 6)]);
        assert_eq!(served.go, ["b2", "b1"], "a stays, and the newest of the others");
        let back = seen.settlement(Switched::Back { release: "c", to: "a" }, 1);
        assert_eq!((back.finished, back.healthy.len()), (true, 0));
        assert_eq!(back.go, ["b2", "b1"], "failed ones go after going back too; c stays for another try");
        let stays = seen.settlement(Switched::Stays { release: "c" }, 0);
        assert_eq!((stays.finished, stays.go.len()), (false, 4), "keep 0 means none besides");
    }

    /// An earlier version noted neither what served nor, at first, anything at all.
    #[test]
    fn releases_of_earlier_versions() {
        let digest = "ab".repeat(32);
        let mut seen = standing(&[("d", None), ("c", None), (digest.as_str(), None), ("backup", None)]);
        for release in &mut seen.releases[2..] {
            release.number = None;
        }
        let served = seen.settlement(Switched::Serves { release: "d", previous: Some("c") }, 1);
        assert_eq!(
            served.healthy,
            [("c".to_owned(), 1), ("d".to_owned(), 2)],
            "what served until now did serve"
        );
        assert_eq!(served.go, [digest.as_str()], "somebody's `backup` is not ours");
    }
}
