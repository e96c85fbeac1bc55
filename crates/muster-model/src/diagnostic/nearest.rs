//! "Did you mean": the one word that is near enough.

/// The longest word that is compared at all, in bytes: comparing takes the product of both lengths.
const WORD_BYTES_MAX: usize = 100;

/// The nearest of the words that could stand there, if one is near enough: at most 1 + a quarter of the
/// written word's length in changed letters. Letter case and `_` against `-` count as nothing.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.is_empty() || written.len() > WORD_BYTES_MAX {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('_', "-");
    let wanted = plain(written);
    let limit = 1 + wanted.chars().count() / 4;
    words
        .into_iter()
        .filter(|word| word.len() <= WORD_BYTES_MAX && word.len().abs_diff(written.len()) <= 4 * (limit + 1))
        .map(|word| (strsim::damerau_levenshtein(&wanted, &plain(word)), word))
        .filter(|(distance, word)| *distance <= limit && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn one_word_and_only_a_near_one() {
        let words = ["ram", "cpu", "disk", "performance", "backup_days"];
        assert_eq!(nearest("rma", words), Some("ram"));
        assert_eq!(nearest("preformence", words), Some("performance"));
        assert_eq!(nearest("Backup-Days", words), Some("backup_days"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"r".repeat(1_000_000), words), None);
    }
}
