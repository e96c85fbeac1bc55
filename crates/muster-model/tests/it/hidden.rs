//! ICT-69: whatever shape a secret value has in a document, what is shown of it never holds the secret, and what stands
//! behind it is shown again.

use muster_model::revision::{TextDifference, hidden, text_difference};
use proptest::prelude::*;

const NAMES: [&str; 14] = [
    "password",
    "db_password",
    "apiToken",
    "secret",
    "secret-key",
    "encryption_key",
    "encryptionKey",
    "private_key",
    "ssl_key_pem",
    "PSK",
    "client secret",
    "\"password\"",
    "'master_keys'",
    "\"pass\\u0077ord\"",
];

/// Values below or behind `NAME:` in a block. `@` is a half of the secret, `NN` the name, `>` one more indent than the name.
const BLOCKS: &[&str] = &[
    "NN: @ @",
    "NN: '@ @'",
    "NN: \"@\\\" @\"",
    "NN: '@'' @'",
    "NN: \"@\\\\\\\"@\" # @",
    "NN: \"@\n> @\"",
    "NN: '@\n\n> @: x'",
    "NN: @\n> @",
    "NN: @\n\n>> @ # @",
    "NN: # @\n> @",
    "NN:\n> @\n> @",
    "NN:\n# between\n> # @\n> @",
    "NN: |\n> @\n\n>> @",
    "NN: |2-\n>   @\n> @: x",
    "NN: >+ # @\n> - @",
    "NN: !!str |\n> @",
    "NN: &it !!binary |-\n> @",
    "NN: !vault | # @\n> $ANSIBLE_VAULT;1.1;AES256\n> @",
    "NN: !!str\n> @",
    "NN: &it @",
    "NN: ${env:A}@${env:B}",
    "NN: '${env:A}${env:B}@'",
    "NN: ${env:A} # was @",
    "NN: ${env:A}\n> @",
    "NN: \"{{ '@' }}\"",
    "NN: \"{{ x | default('@') }}\"",
    "NN: {{ x }}@",
    "NN: ${@",
    "NN:\n- @\n- @",
    "NN:\n-\n> @\n- - @\n> - @",
    "NN:\n- |\n> @\n# between\n- '@'",
    "NN:\n> - @\n>\n> - @",
    "NN:\n> one: @\n> two: { three: [@, '@'] }",
    "NN:\n> # @\n> one:\n>> - @",
    "NN: [@, @]",
    "NN: [ '@,]',\n> @ ]",
    "NN: { a: @, b: \"}@\" }",
    "NN: { a: @,\n> b: @\n> }",
    "NN: [\n\"@\"\n]",
    "NN: [\n\"]\", # ]\n@\n]",
    "? NN\n: @",
    "? NN\n:\n> - @\n> - @",
    "x: { a: 1, NN: @ }",
    "x: { NN: @ @, a: 1 }",
    "x: { NN: '@, @', a: 1 }",
    "x: { NN: @\n> @, a: 1 }",
    "x: { a: [1, 2], NN: \"@\n> @\" }",
    "x: { NN: ${env:A}\n> @ }",
    "x: [ { NN: [@], a: 1 }, { NN: { b: @ } } ]",
    "# NN: @",
    "#NN: @ # @",
    "#   NN:\n#   - @\n#   - @",
    "# NN: |\n#   @\n#\n#   @",
    "a: 1 # NN: @",
    "- NN: @\n>>> @",
    "- NN:\n>>- @",
    "- - NN: |\n>>>> @",
    "- { NN: @, a: 1 }",
    "a: x NN=@",
    "a: --db-password @ x",
    "a: [x, --password, @]",
    "a: [\n> x,\n> \"--token\",\n> \"@\",\n> y ]",
    "a:\n> - --password\n> - @",
    "a: |\n> x --token=@ \\\n> @ y",
    "a: https://ann:@@host/x",
    "a: https://@@host/x",
    "a: x://ann:@/@@host/x",
    "a: |\n> -----BEGIN RSA PRIVATE KEY-----\n> @\n> @\n> -----END RSA PRIVATE KEY-----",
];

/// Documents of one map in brackets, as JSON and as people write it. `NN` is the name in double quotes.
const FLOWS: &[&str] = &[
    "{\n  \"a\": 1,\n  NN: \"@\",\n  \"b\": \"shown\"\n}\n",
    "{\n  NN: \"@\\\"@\"\n  , \"b\": \"shown\"\n}\n",
    "{\n  NN:\n  \"@\",\n  \"b\": \"shown\"\n}\n",
    "{\n  NN: [\n    \"@\",\n    \"@\"\n  ],\n  \"b\": \"shown\"\n}\n",
    "{\nNN: [\n\"@\",\n{ \"]\": \"@\" }\n],\n\"b\": \"shown\"\n}\n",
    "{\nNN: {\n\"x\": \"@\",\n\"y\": \"@\"\n},\n\"b\": \"shown\"\n}\n",
    "{\n  \"x\": { NN: \"@\", \"b\": \"shown\" }\n}\n",
    "{\n  \"x\": [{ NN: \"@\" }, { \"c\": 1 }],\n  \"b\": \"shown\"\n}\n",
    "{\n  NN\n  : \"@\",\n  \"b\": \"shown\"\n}\n",
    "{\nNN: @\n@,\n\"b\": shown\n}\n",
    "{\nNN: \"@\n\"\n,\n\"b\": shown\n}\n",
    "{\nNN: '@\n\"b\": @\n'\n,\n\"b\": shown\n}\n",
    "{\nNN: \n# between\n!!str\n\"@\",\n\"b\": shown\n}\n",
    "{\nNN: 4711,\n\"b\": \"shown\"\n}\n",
];

/// A half of a secret: no word of the shapes holds it.
fn half() -> impl Strategy<Value = String> {
    ("[a-z0-9+=]{4,20}", "[A-Za-z0-9]{1,8}").prop_map(|(one, two)| format!("Zq{one}{two}"))
}

fn filled(shape: &str, name: &str, halves: &[String; 2], indent: &str) -> String {
    let mut out = String::new();
    let mut number = 0;
    let mut rest = shape;
    while let Some(letter) = rest.chars().next() {
        match letter {
            // Two of them: the secret, and the sign that ends it.
            '@' if rest.starts_with("@@") => {
                out.push_str(&halves[0]);
                out.push('@');
                rest = &rest[2..];
                continue;
            }
            '@' => {
                out.push_str(&halves[number % 2]);
                number += 1;
            }
            '>' if out.is_empty() || out.ends_with(['\n', '\t']) => out.push('\t'),
            'N' if rest.starts_with("NN") => {
                out.push_str(name);
                rest = &rest[2..];
                continue;
            }
            letter => out.push(letter),
        }
        rest = &rest[letter.len_utf8()..];
    }
    let lines = out.lines().map(|line| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{indent}{}\n", line.replace('\t', "  ")),
    });
    lines.collect()
}

fn judge(text: &str, halves: &[String; 2], shows: &str) -> Result<(), TestCaseError> {
    let shown = hidden(text);
    for half in halves {
        prop_assert!(!shown.contains(half.as_str()), "{half} of\n{text}\nis in\n{shown}");
    }
    prop_assert_eq!(shown.lines().count(), text.lines().count());
    prop_assert!(shown.lines().any(|line| line.contains(shows)), "nothing is left of\n{text}\nin\n{shown}");
    let changed = text.replace(halves[0].as_str(), "other");
    for (old, new) in [(text, changed.as_str()), (changed.as_str(), text)] {
        match text_difference("x.yaml", Some(old.as_bytes()), Some(new.as_bytes())) {
            TextDifference::Unified(drawn) => {
                prop_assert!(!halves.iter().any(|half| drawn.contains(half.as_str())), "{drawn}");
            }
            TextDifference::None | TextDifference::Hidden | TextDifference::NotShown(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// ICT-69: a secret in a block, between other keys.
    #[test]
    fn no_shape_of_a_block_shows_a_secret(
        shape in prop::sample::select(BLOCKS), second in prop::sample::select(BLOCKS),
        name in prop::sample::select(&NAMES[..]), one in half(), two in half(), depth in 0_usize..4,
        ends in prop::sample::select(&["\n", "\r\n"][..]),
    ) {
        let halves = [one, two];
        let indent = "  ".repeat(depth);
        let mut text: String = (0..depth).map(|depth| format!("{}in{depth}:\n", "  ".repeat(depth))).collect();
        text.push_str(&filled(shape, name, &halves, &indent));
        text.push_str(&filled(second, name, &halves, &indent));
        // A list item ends what it stands in; a key of the outermost map ends everything.
        text.push_str("behind: shown\n");
        judge(&text.replace('\n', ends), &halves, "behind: shown")?;
    }

    /// ICT-69: a secret in brackets, each on lines of its own.
    #[test]
    fn no_shape_of_brackets_shows_a_secret(
        shape in prop::sample::select(FLOWS), name in prop::sample::select(&NAMES[..10]), one in half(), two in half(),
        depth in 0_usize..4,
    ) {
        let halves = [one, two];
        let text = filled(shape, &format!("\"{name}\""), &halves, &"  ".repeat(depth));
        judge(&text, &halves, "shown")?;
    }

    /// Any text at all: it keeps its lines, and nothing breaks.
    #[test]
    fn any_text_keeps_its_lines(text in "([a-z \\-:='\"\\\\{}\\[\\],#|>!&$\n\t]|password|token|é|•|://|\\$\\{|\\{\\{){0,60}") {
        let shown = hidden(&text);
        prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
    }
}
