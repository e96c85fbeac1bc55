//! What a person looks for in lines: a regular expression, or a text as it stands.

use regex::bytes::Regex;

/// The most bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 1_000;

/// A pattern. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// Whether a match in a line is also one in a text of many lines. `^` and `$` mean the line's ends, and those are
    /// elsewhere there.
    anywhere: bool,
}

/// Why something is no pattern, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl Pattern {
    /// A regular expression, in the syntax of Rust's `regex`.
    ///
    /// # Errors
    /// What is wrong with it, and at which character.
    pub fn regular(text: &str) -> Result<Pattern, PatternError> {
        must_be_short(text)?;
        let hir = regex_syntax::Parser::new().parse(text).map_err(|error| wrong(text, &error))?;
        let anchored = hir.properties().look_set();
        let regex = Regex::new(text).map_err(|error| {
            PatternError(format!("the pattern `{text}` cannot be used: {error}; look for a smaller one"))
        })?;
        Ok(Pattern { regex, anywhere: !anchored.contains_anchor() })
    }

    /// A text as it stands.
    ///
    /// # Errors
    /// It is too long.
    pub fn fixed(text: &str) -> Result<Pattern, PatternError> {
        must_be_short(text)?;
        Pattern::regular_of_any_length(&regex::escape(text))
    }

    fn regular_of_any_length(text: &str) -> Result<Pattern, PatternError> {
        let regex = Regex::new(text).map_err(|error| PatternError(error.to_string()))?;
        Ok(Pattern { regex, anywhere: true })
    }

    /// Whether a line has it.
    pub fn is_in(&self, line: &[u8]) -> bool {
        self.regex.is_match(line)
    }

    /// Where in a text of many lines the next line with it may begin its match; none if there is none. What is found
    /// is only a candidate: it may lie outside the part of the line that counts.
    pub(super) fn candidate(&self, lines: &[u8]) -> Option<usize> {
        match self.anywhere {
            // The leftmost match of the text begins no later than the first match within any one line.
            true => self.regex.find(lines).map(|found| found.start()),
            false => Some(0),
        }
    }
}

fn must_be_short(text: &str) -> Result<(), PatternError> {
    if text.len() <= PATTERN_BYTES_MAX {
        return Ok(());
    }
    Err(PatternError(format!("the pattern has {} bytes; it may have {PATTERN_BYTES_MAX}", text.len())))
}

fn wrong(text: &str, error: &regex_syntax::Error) -> PatternError {
    let (offset, kind) = match error {
        regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
        other => return PatternError(format!("the pattern `{text}` is wrong: {other}")),
    };
    let character = text[..text.floor_char_boundary(offset)].chars().count() + 1;
    PatternError(format!(
        "the pattern `{text}` is wrong at character {character}: {kind}; to look for it as it stands, use --fixed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_pattern_names_its_place() {
        let told = |text| Pattern::regular(text).unwrap_err().to_string();
        assert!(told("ab(c").contains("at character 3: unclosed group"), "{}", told("ab(c"));
        assert!(told("я[z-a]").contains("at character 3"), "{}", told("я[z-a]"));
        assert!(told(r"\p{Nothing}").contains("at character 1"), "{}", told(r"\p{Nothing}"));
        assert!(told(&"x".repeat(1_001)).contains("1000"));
        assert!(Pattern::regular(r"(\w{100}){100}").unwrap_err().to_string().contains("cannot be used"));
    }

    #[test]
    fn a_fixed_text_means_itself() {
        let pattern = Pattern::fixed("a.b(").unwrap();
        assert!(pattern.is_in(b"x a.b( y") && !pattern.is_in(b"x acb( y"));
    }
}
