//! Trees of documents: places, spelling, and every kind of unreadable text.

use muster_model::diagnostic::Style;
use muster_model::document::{Value, parse_bytes};

#[test]
fn probe() {
    for (file, text) in [
        (
            "a.yml",
            "a: &x 1.10\nb: *x\nc: &y {d: 0644}\ne:\n  <<: *y\n  f: 22:22\ng: !!str 5\nh: 12345678901234567890123\n",
        ),
        ("a.yml", ""),
        ("a.yml", "\u{feff}a: 1\r\nb: yes\r\n"),
        ("a.yml", "a: !foo x\n"),
        ("a.yml", "a: !!python/object x\n"),
        ("a.yml", "a:\n\tb: 1\n"),
        ("a.yml", "a: 1\nb: 2\na: 3\n"),
        ("a.yml", "a: 1\n  b: 2\n"),
        ("a.yml", "a: [1, 2\nb: 3\n"),
        ("a.yml", "a: 'x\n"),
        ("a.yml", "a: 1\n---\nb: 2\n"),
        ("a.yml", "a: *x\n"),
        ("a.yml", "a: .inf\n"),
        ("a.yml", "? [a]\n: b\n"),
        ("a.yml", "1: b\n~: c\n"),
        ("a.yml", "a: b: c\n"),
        ("a.yml", "a\nb: 1\n"),
        ("a.yml", "a: |\n  x\n  y\n"),
        ("a.yml", "a: 1\n b: 2\n"),
        ("a.yml", "a:\n    b: 1\n  c: 2\n"),
        ("a.yml", "a: &x [*x]\n"),
        ("a.yml", "a: \u{1}\n"),
        ("a.yml", "a: \"\\ud83d\\ude00\"\n"),
        ("a.json", "{\n\t\"a\": 1,\n\t\"b\": [true, null]\n}\n"),
        ("a.json", "{\"a\": 1,}"),
        ("a.json", "{\"a\": 1 \"b\": 2}"),
    ] {
        println!("=== {text:?}");
        match parse_bytes(file, text.as_bytes()) {
            Ok((source, node)) => println!("{:?}", node.value),
            Err(problem) => println!("{}", problem.render(Style::Plain)),
        }
    }
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (a, b) in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"].iter().map(|p| (&p[0..1], &p[1..2])) {
        bomb += &format!("{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n");
    }
    println!("{}", parse_bytes("b.yml", bomb.as_bytes()).unwrap_err().render(Style::Plain));
    let deep = "[".repeat(5000);
    println!("{}", parse_bytes("b.yml", deep.as_bytes()).unwrap_err().render(Style::Plain));
    let wide = "- 1\n".repeat(260_000);
    println!("{}", parse_bytes("b.yml", wide.as_bytes()).unwrap_err().render(Style::Plain));
    println!("{}", parse_bytes("b.yml", b"a: \xff\xfe\n").unwrap_err().render(Style::Plain));
    assert!(matches!(parse_bytes("b.yml", b"").unwrap().1.value, Value::Null));
}
