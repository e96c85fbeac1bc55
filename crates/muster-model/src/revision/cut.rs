//! How lines of YAML and JSON are cut: keys, items, quotes, brackets, placeholders. Every function takes the text from
//! where it begins, and none fails: what is broken has no end.

pub(super) fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ") || text.starts_with("-\t")
}

/// Whether a line begins something of its own, so that no value before goes on in it.
pub(super) fn is_structure(text: &str) -> bool {
    is_item(text)
        || text.starts_with(['}', ']', ','])
        || ["---", "...", "{%", "{#", "? "].iter().any(|mark| text.starts_with(mark))
        || key_length(text).is_some()
}

/// How long the key is that a line begins with, with its colon.
pub(super) fn key_length(text: &str) -> Option<usize> {
    let ends = |at: usize| text[at..].chars().next().is_none_or(char::is_whitespace);
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let end = 1 + quote_end(&text[1..], quote)?;
        let colon = text.len() - text[end..].trim_start().len();
        return text[colon..].starts_with(':').then_some(colon + 1);
    }
    let (at, _) = text.match_indices(':').find(|(at, _)| ends(at + 1))?;
    let is_name = !text[..at].contains(['"', '\'', '{', '}', '[', ']', ',', '#']);
    (at > 0 && is_name).then_some(at + 1)
}

/// How far the first key of an item stands to the right of its first dash.
pub(super) fn items_length(text: &str) -> usize {
    let mut rest = text;
    while let Some(inner) = ["- ", "-\t", "? "].iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = inner.trim_start();
    }
    text.len() - rest.len()
}

/// Where a map or list in brackets begins that a line is, or that its first key has.
pub(super) fn flow_start(line: &str, column: usize) -> Option<usize> {
    let text = &line[column..];
    let behind = |length: usize| text.len() - text[length..].trim_start().len();
    let at = match text.starts_with(['{', '[']) {
        true => 0,
        false => behind(key_length(text)?),
    };
    let at = at + properties_length(&text[at..]);
    (text[at..].starts_with(['{', '[']) && !is_template(&text[at..])).then_some(column + at)
}

pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.starts_with(mark))
}

/// How long the tag and the anchor are that a value begins with.
pub(super) fn properties_length(text: &str) -> usize {
    let mut rest = text;
    while rest.starts_with(['!', '&']) {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[word..].trim_start();
    }
    text.len() - rest.len()
}

/// Whether this says that a block of lines follows: `|`, `>-`, `|2+`.
pub(super) fn is_block_header(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    let rest = text[word.len()..].trim_start();
    word.strip_prefix(['|', '>']).is_some_and(|marks| {
        marks.len() <= 2 && marks.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'))
    }) && (rest.is_empty() || rest.starts_with('#'))
}

/// Where quotes end that are open: behind their end.
pub(super) fn quote_end(text: &str, quote: char) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let is_doubled =
            |next: Option<&(usize, char)>| quote == '\'' && next.is_some_and(|(_, next)| *next == quote);
        match letter {
            '\\' if quote == '"' => drop(letters.next()),
            letter if letter == quote && is_doubled(letters.peek()) => drop(letters.next()),
            letter if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// How long a value without quotes is: to its comment, to the end of its place in a map, or of the line.
pub(super) fn plain_length(text: &str, is_in_flow: bool) -> usize {
    let mut skip = 0;
    for (at, letter) in text.char_indices() {
        if at < skip {
            continue;
        }
        if let Some(length) = placeholder_length(&text[at..]) {
            skip = at + length;
        } else if letter == '#' && text[..at].ends_with(char::is_whitespace)
            || is_in_flow && matches!(letter, ',' | '}' | ']')
        {
            return at;
        }
    }
    text.len()
}

/// How long the placeholder is that begins here.
pub(super) fn placeholder_length(text: &str) -> Option<usize> {
    let closes = |mark: &str| text.find(mark).map(|end| end + mark.len());
    match (text.starts_with("${"), text.starts_with("{{")) {
        (true, _) => closes("}"),
        (_, true) => closes("}}"),
        (false, false) => None,
    }
}

/// How deep in brackets, and in which quotes.
#[derive(Clone, Copy, Default)]
pub(super) struct Brackets {
    depth: u32,
    quote: Option<char>,
}

impl Brackets {
    pub(super) fn is_open(&self) -> bool {
        self.depth > 0 && self.quote.is_none()
    }

    /// Reads on until the outermost bracket closes: behind it.
    pub(super) fn read(&mut self, text: &str) -> Option<usize> {
        let mut before = ' ';
        let mut skip = 0;
        for (at, letter) in text.char_indices() {
            if at < skip {
                continue;
            }
            if let Some(quote) = self.quote {
                let end = quote_end(&text[at..], quote)?;
                (self.quote, skip, before) = (None, at + end, quote);
                continue;
            }
            let begins = before.is_whitespace() || matches!(before, '{' | '[' | ',' | ':' | '(');
            match letter {
                '"' | '\'' if begins => self.quote = Some(letter),
                '#' if before.is_whitespace() => return None,
                '{' | '[' => self.depth += 1,
                '}' | ']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            before = letter;
        }
        None
    }

    /// Reads all of it, however often the outermost bracket closes.
    pub(super) fn read_on(&mut self, text: &str) {
        let mut rest = text;
        while let Some(end) = self.read(rest) {
            rest = &rest[end..];
        }
    }
}
