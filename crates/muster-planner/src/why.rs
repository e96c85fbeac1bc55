//! What the plan says besides its steps: refusals, waiting, notes. The same sentence about many servers is said
//! once, with their number, so that a mistake in one line of a file does not print ten thousand lines.

use std::collections::HashMap;

use muster_model::plan::{Note, NoteKind, Refusal, Waiting, WaitingReason};

/// Names that one sentence lists before it only counts.
pub(crate) const NAMES_SHOWN_MAX: usize = 8;

/// Collects everything that is said.
#[derive(Default)]
pub(crate) struct Says {
    refusals: Vec<(Refusal, Vec<String>)>,
    refused: HashMap<(String, String), usize>,
    notes: Vec<(Note, Vec<String>)>,
    noted: HashMap<(NoteKind, String), usize>,
    waiting: Vec<Waiting>,
}

impl Says {
    /// The plan may not be carried out. The message must not name the target: several may share it.
    pub(crate) fn refuse(&mut self, code: &str, target: &str, message: String) {
        let key = (code.to_owned(), message);
        if let Some(&at) = self.refused.get(&key) {
            self.refusals[at].1.push(target.to_owned());
            return;
        }
        let refusal = Refusal { target: target.to_owned(), code: key.0.clone(), message: key.1.clone() };
        self.refused.insert(key, self.refusals.len());
        self.refusals.push((refusal, Vec::new()));
    }

    /// Something is worth saying. The message must not name the target: several may share it.
    pub(crate) fn note(&mut self, kind: NoteKind, target: &str, message: String) {
        let key = (kind, message);
        if let Some(&at) = self.noted.get(&key) {
            self.notes[at].1.push(target.to_owned());
            return;
        }
        let note = Note { target: target.to_owned(), kind, message: key.1.clone() };
        self.noted.insert(key, self.notes.len());
        self.notes.push((note, Vec::new()));
    }

    /// Something is wanted and not possible now.
    pub(crate) fn wait(&mut self, why: WaitingReason, target: &str, message: String) {
        self.waiting.push(Waiting { target: target.to_owned(), why, message });
    }

    /// Everything said, each sentence with the number of others it holds for.
    pub(crate) fn finish(self) -> (Vec<Refusal>, Vec<Waiting>, Vec<Note>) {
        let refusals = self
            .refusals
            .into_iter()
            .map(|(refusal, others)| Refusal { message: with_others(refusal.message, &others), ..refusal });
        let notes = self
            .notes
            .into_iter()
            .map(|(note, others)| Note { message: with_others(note.message, &others), ..note });
        (refusals.collect(), self.waiting, notes.collect())
    }
}

fn with_others(message: String, others: &[String]) -> String {
    if others.is_empty() {
        return message;
    }
    format!("{message} The same holds for {}.", names(others.iter().map(String::as_str)))
}

/// A list of names for a sentence, cut after [`NAMES_SHOWN_MAX`].
pub(crate) fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut shown: Vec<&str> = Vec::with_capacity(NAMES_SHOWN_MAX);
    let mut more = 0;
    for name in all {
        if shown.len() < NAMES_SHOWN_MAX {
            shown.push(name);
        } else {
            more += 1;
        }
    }
    let list = shown.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

/// ` Did you mean "x"?`, or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|word| format!(" Did you mean \"{word}\"?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_for_many() {
        let mut says = Says::default();
        for number in 0..20 {
            says.refuse("image-unknown", &format!("web-{number}"), "No such image.".into());
        }
        let (refusals, _, _) = says.finish();
        assert_eq!(refusals.len(), 1);
        assert_eq!(
            refusals[0].message,
            "No such image. The same holds for web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8 and 11 more."
        );
    }
}
