//! Places: the file's word (technical word or public title) to the provider's technical word.

use std::collections::HashMap;

use muster_model::cloud::SeenLocation;
use muster_model::diagnostic::nearest;

use crate::why::did_you_mean;

/// Why a place cannot be told: a code and a message.
pub(crate) type Problem = (&'static str, String);

/// Every place on offer, looked up by any of its words, whatever the case.
pub(crate) struct Locations<'a> {
    all: &'a [SeenLocation],
    by_technical: HashMap<String, &'a SeenLocation>,
    by_title: HashMap<String, Vec<&'a SeenLocation>>,
}

impl<'a> Locations<'a> {
    /// Indexes the places.
    pub(crate) fn new(all: &'a [SeenLocation]) -> Locations<'a> {
        let mut by_technical = HashMap::new();
        let mut by_title: HashMap<String, Vec<&SeenLocation>> = HashMap::new();
        for location in all {
            by_technical.entry(location.technical.to_lowercase()).or_insert(location);
            let title = location.title.to_lowercase();
            let short = location.short.to_lowercase();
            if short != title && !short.is_empty() {
                by_title.entry(short).or_default().push(location);
            }
            by_title.entry(title).or_default().push(location);
        }
        Locations { all, by_technical, by_title }
    }

    /// The place that the words mean.
    pub(crate) fn find(&self, words: &str) -> Result<&'a SeenLocation, Problem> {
        let lower = words.trim().to_lowercase();
        if let Some(location) = self.by_technical.get(&lower) {
            return Ok(location);
        }
        match self.by_title.get(&lower).map(Vec::as_slice) {
            Some([one]) => Ok(one),
            Some(several) => {
                let mut technical: Vec<&str> =
                    several.iter().map(|location| location.technical.as_str()).collect();
                technical.sort_unstable();
                Err((
                    "location-ambiguous",
                    format!(
                        "The location \"{words}\" means {} places. Write the technical word of the one you want: {}.",
                        technical.len(),
                        technical.join(", ")
                    ),
                ))
            }
            None => Err(("location-unknown", self.unknown(words))),
        }
    }

    fn unknown(&self, words: &str) -> String {
        let all = self.all.iter().flat_map(|location| [location.technical.as_str(), location.title.as_str()]);
        let mut known: Vec<&str> = self.all.iter().map(|location| location.technical.as_str()).collect();
        known.sort_unstable();
        format!(
            "The provider has no location \"{words}\".{} It has: {}.",
            did_you_mean(nearest(words, all)),
            known.join(", ")
        )
    }
}
