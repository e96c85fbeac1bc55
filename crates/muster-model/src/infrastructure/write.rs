//! Writing today's form of a file: values as the reader takes them back.

use crate::document::escaped;

/// Memory in the provider's MB as words: `4 GiB`, `512 MiB`.
pub(crate) fn ram_words(ram_mb: u32) -> String {
    match ram_mb % 1_024 {
        0 => format!("{} GiB", ram_mb / 1_024),
        _ => format!("{ram_mb} MiB"),
    }
}

/// A disk as words: `40 GiB ssd`.
pub(crate) fn disk_words(disk_gb: u32, disk_type: &str) -> String {
    format!("{disk_gb} GiB {}", disk_type.to_lowercase())
}

/// Text as a value: plain where YAML and we read it back as the same text, otherwise in quotes. `${` is escaped.
pub(crate) fn scalar(text: &str) -> String {
    let text = escaped(text);
    if is_plain(&text) {
        return text;
    }
    // JSON's quoted text is YAML's, too.
    serde_json::to_string(&text).unwrap_or_default()
}

fn is_plain(text: &str) -> bool {
    // Words that some reader of YAML takes for something else.
    const OTHERS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    text.starts_with(|char: char| char.is_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|char| char.is_alphanumeric() || " ._-/".contains(char))
        && !OTHERS.contains(&text.to_lowercase().as_str())
}

/// A list of words on one line.
pub(crate) fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| scalar(word)).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "Xelent", "МТС", "id:77", "22.04", "yes", "Null", "a b", " a", "a ", "a: b", "a #b", "${x}",
            "$${x}", "-", "[a]", "\"", "'", "a\\b", "0x1f", "1e3", "~", "*a", "&a", "!a", "%a", "@a", "`a`",
            "|", ">", "on",
        ] {
            let (_, root) = parse("x.yaml", &format!("key: {}\n", scalar(text))).unwrap();
            let read = root.get("key").and_then(|entry| entry.node.spelling());
            assert_eq!(read, Some(escaped(text).as_str()), "{text}");
        }
        assert_eq!((ram_words(4_096), ram_words(1_536)), ("4 GiB".to_owned(), "1536 MiB".to_owned()));
        assert_eq!(disk_words(40, "SSD"), "40 GiB ssd");
        assert_eq!(list(&["a", "no"]), "[a, \"no\"]");
    }
}
