//! Images: the file's words to what the provider offers now, and what a server's recorded image says about it.
//!
//! Ids drift, so an image is looked up by its names each time. What a server *is* is compared with the technical
//! name recorded when it was made: only changed words in the file plan a replacement (`SEMANTICS.md` §2).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use muster_model::cloud::SeenImage;
use muster_model::diagnostic::nearest;
use muster_model::infrastructure::image_id;

use crate::location::Problem;
use crate::why::did_you_mean;

type Found<'a> = Result<&'a SeenImage, Rc<Problem>>;

/// Every image on offer.
pub(crate) struct Images<'a> {
    all: &'a [SeenImage],
    /// Lower-case technical and display names → images.
    by_technical: HashMap<String, Vec<&'a SeenImage>>,
    by_display: HashMap<String, Vec<&'a SeenImage>>,
    by_id: HashMap<&'a str, &'a SeenImage>,
    /// Ten thousand servers ask for the same few words.
    asked: RefCell<HashMap<(&'a str, &'a str), Found<'a>>>,
}

impl<'a> Images<'a> {
    /// Indexes the images.
    pub(crate) fn new(all: &'a [SeenImage]) -> Images<'a> {
        let mut by_technical: HashMap<String, Vec<&SeenImage>> = HashMap::new();
        let mut by_display: HashMap<String, Vec<&SeenImage>> = HashMap::new();
        for image in all {
            by_technical.entry(image.technical.to_lowercase()).or_default().push(image);
            by_display.entry(image.display.to_lowercase()).or_default().push(image);
        }
        let by_id = all.iter().map(|image| (image.id.as_str(), image)).collect();
        Images { all, by_technical, by_display, by_id, asked: RefCell::default() }
    }

    /// The image that the words mean at a place (the provider's technical word).
    pub(crate) fn find(&self, words: &'a str, location: &'a str) -> Found<'a> {
        self.asked
            .borrow_mut()
            .entry((words, location))
            .or_insert_with(|| self.look_up(words, location).map_err(Rc::new))
            .clone()
    }

    fn look_up(&self, words: &str, location: &str) -> Result<&'a SeenImage, Problem> {
        let lower = words.trim().to_lowercase();
        if let Some(id) = image_id(&lower) {
            return match self.by_id.get(id) {
                Some(image) if offered(image, location) => Ok(image),
                Some(image) => Err((
                    "image-elsewhere",
                    format!(
                        "The image with the id {} ({}) is offered at {} only, not at {location}.",
                        image.id, image.technical, image.location
                    ),
                )),
                None => Err((
                    "image-unknown",
                    format!(
                        "The provider has no image with the id {}. Ids drift: write the image's name instead.",
                        id
                    ),
                )),
            };
        }
        for index in [&self.by_technical, &self.by_display] {
            let named = index.get(&lower).map(Vec::as_slice).unwrap_or_default();
            let here: Vec<&SeenImage> =
                named.iter().copied().filter(|image| offered(image, location)).collect();
            // An image made for this place is meant before one that exists everywhere.
            let own: Vec<&SeenImage> =
                here.iter().copied().filter(|image| !image.location.is_empty()).collect();
            match if own.is_empty() { here } else { own }.as_slice() {
                [] => {}
                [one] => return Ok(one),
                several => return Err(ambiguous(words, several)),
            }
        }
        Err(("image-unknown", self.unknown(words, &lower, location)))
    }

    fn unknown(&self, words: &str, lower: &str, location: &str) -> String {
        let elsewhere = self.by_technical.get(lower).or_else(|| self.by_display.get(lower));
        if let Some(images) = elsewhere {
            let mut places: Vec<&str> = images.iter().map(|image| image.location.as_str()).collect();
            places.sort_unstable();
            places.dedup();
            return format!(
                "The image \"{words}\" is not offered at {location}. It is offered at: {}.",
                places.join(", ")
            );
        }
        let here = self
            .all
            .iter()
            .filter(|image| offered(image, location))
            .flat_map(|image| [image.display.as_str(), image.technical.as_str()]);
        format!(
            "The provider offers no image \"{words}\" at {location}.{} Images are named by their display or technical name; `id:NUMBER` means the provider's id.",
            did_you_mean(nearest(words, here))
        )
    }
}

fn offered(image: &SeenImage, location: &str) -> bool {
    image.location.is_empty() || image.location.eq_ignore_ascii_case(location)
}

fn ambiguous(words: &str, several: &[&SeenImage]) -> Problem {
    let mut list: Vec<String> =
        several.iter().map(|image| format!("{} (id:{})", image.technical, image.id)).collect();
    list.sort_unstable();
    (
        "image-ambiguous",
        format!(
            "The image \"{words}\" means {} images. Write one of them: {}.",
            several.len(),
            list.join(", ")
        ),
    )
}

/// What the file's words for an image mean for a server that exists.
pub(crate) enum Verdict {
    /// The server has it.
    Same,
    /// The file says it in other words, and the server has it: only the record changes.
    OtherWords,
    /// The words are the old ones and mean another image now: a note, nothing more.
    OtherMeaning {
        /// The technical name they mean now.
        now: String,
    },
    /// The server has another image.
    Other {
        /// The technical name that is wanted.
        wanted: String,
    },
    /// The words mean nothing.
    Refused(Rc<Problem>),
}

/// Judges a server's image.
///
/// `recorded_words` and `recorded` are the file's words and the technical name when it became ours (both empty
/// when nobody noted them), `has` is what the provider says it has.
pub(crate) fn judge<'a>(
    images: &Images<'a>,
    words: &'a str,
    location: &'a str,
    recorded_words: &str,
    recorded: &str,
    has: &str,
) -> Verdict {
    let found = images.find(words, location);
    if recorded_words == words && !recorded.is_empty() {
        if !has.eq_ignore_ascii_case(recorded) {
            // Rebuilt behind our back: what the words meant when it was made is what the person has agreed to.
            return Verdict::Other { wanted: recorded.to_owned() };
        }
        return match found {
            Ok(image) if !image.technical.eq_ignore_ascii_case(recorded) => {
                Verdict::OtherMeaning { now: image.technical.clone() }
            }
            // An image that is not offered any more does not make the servers that have it wrong.
            Ok(_) | Err(_) => Verdict::Same,
        };
    }
    match found {
        Ok(image) if image.technical.eq_ignore_ascii_case(has) => Verdict::OtherWords,
        Ok(image) => Verdict::Other { wanted: image.technical.clone() },
        Err(_) if words.trim().eq_ignore_ascii_case(has) => Verdict::OtherWords,
        Err(problem) => Verdict::Refused(problem),
    }
}
