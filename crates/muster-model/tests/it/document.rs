//! Trees of documents: places and spelling.

use muster_model::document::{Value, parse, parse_bytes};

#[test]
fn numbers_keep_their_spelling_and_words_stay_words() {
    let text = "a: &x 1.10\nb: *x\nc: &y {d: 0644}\ne:\n  <<: *y\n  f: 22:22\ng: !!str 5\nh: 12345678901234567890123\ni: yes\nj: 2024-01-02\nk: 0o644\n";
    let (_, node) = parse("a.yml", text).unwrap();
    let value = |key: &str| &node.get(key).unwrap().node.value;
    assert_eq!(value("a"), &Value::Float(1.1, "1.10".into()));
    assert_eq!(value("b"), &Value::Float(1.1, "1.10".into()));
    let inner = |key: &str, inner: &str| node.get(key).unwrap().node.get(inner).unwrap().node.value.clone();
    assert_eq!(inner("c", "d"), Value::Text("0644".into()));
    assert_eq!(inner("e", "d"), Value::Text("0644".into()));
    assert_eq!(inner("e", "f"), Value::Text("22:22".into()));
    assert_eq!(value("g"), &Value::Text("5".into()));
    assert_eq!(value("h"), &Value::Int(12_345_678_901_234_567_890_123, "12345678901234567890123".into()));
    assert_eq!(value("i"), &Value::Text("yes".into()));
    assert_eq!(value("j"), &Value::Text("2024-01-02".into()));
    assert_eq!(value("k"), &Value::Int(420, "0o644".into()));
}

#[test]
fn places_count_characters_from_one_and_not_the_byte_order_mark() {
    let (source, node) = parse("a.yml", "\u{feff}имя: 1\r\nb: [x, \"y\"]\r\n").unwrap();
    let place = source.place(node.get("имя").unwrap().node.at);
    assert_eq!((place.line, place.column, place.excerpt.as_deref()), (1, 6, Some("имя: 1")));
    let Value::List(items) = &node.get("b").unwrap().node.value else { panic!("a list") };
    let place = source.place(items[1].at);
    assert_eq!((place.line, place.column, place.bytes.len()), (2, 8, 3));
}

#[test]
fn an_alias_points_at_what_has_to_be_mended() {
    let (source, node) = parse("a.yml", "a: &x 5\nb: *x\n").unwrap();
    assert_eq!(source.place(node.get("b").unwrap().node.at).line, 1);
}

#[test]
fn nothing_is_nothing() {
    for text in ["", "\n", "# only a remark\n", "---\n", "\u{feff}"] {
        assert_eq!(parse_bytes("a.yml", text.as_bytes()).unwrap().1.value, Value::Null, "{text:?}");
    }
}
