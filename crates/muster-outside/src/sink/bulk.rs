//! The `_bulk` request as text, and what its answer says about each document: pure functions.

use serde_json::{Value, json};

use super::{Document, Verdict};

/// Longest reason that is repeated, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Newline-delimited JSON: what to do, then the document. *Create* and not *index*, so that a document that is there
/// already stays as it is and is told apart.
pub fn body(documents: &[Document]) -> String {
    let mut text = String::with_capacity(documents.iter().map(Document::weight).sum());
    for document in documents {
        text.push_str(&json!({"create": {"_index": document.index, "_id": document.id}}).to_string());
        text.push('\n');
        text.push_str(&document.body);
        text.push('\n');
    }
    text
}

/// Reads an answer. `None` if it is none of these documents: then nothing is known about any of them.
pub fn verdicts(answer: &[u8], documents: &[Document]) -> Option<Vec<Verdict>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let items = answer.get("items")?.as_array()?;
    if items.len() != documents.len() {
        return None;
    }
    items.iter().zip(documents).map(|(item, document)| verdict(item, document)).collect()
}

fn verdict(item: &Value, document: &Document) -> Option<Verdict> {
    let done = item.get("create")?;
    if done.get("_id").and_then(Value::as_str) != Some(document.id.as_str()) {
        return None;
    }
    let status = done.get("status")?.as_u64()?;
    Some(match status {
        // 409: it is there since an earlier attempt whose answer was lost.
        200..=299 | 409 => Verdict::Kept,
        400 | 413 => Verdict::Refused(reason(status, done)),
        // Not the document's fault, so it is kept until somebody mends that.
        401 | 403 | 404 => Verdict::Blocked(reason(status, done)),
        _ => Verdict::Again(reason(status, done)),
    })
}

fn reason(status: u64, done: &Value) -> String {
    let part =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let error = done.get("error").unwrap_or(&Value::Null);
    let cause = error.get("caused_by").map(|cause| part(cause, "reason")).unwrap_or_default();
    let words = [part(error, "type"), part(error, "reason"), cause];
    let said: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    shortened(&format!("{status} {}", said.join(": ")))
}

/// As much of a text as is worth repeating, in one line.
pub fn shortened(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    match line.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str) -> Document {
        Document { index: "muster-basic-2026-11-21".into(), id: id.into(), body: r#"{"status":null}"#.into() }
    }

    #[test]
    fn two_lines_a_document() {
        let text = body(&[document("a:0:1"), document("a:0:2")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        let action: Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(action, json!({"create": {"_index": "muster-basic-2026-11-21", "_id": "a:0:1"}}));
        assert_eq!(lines[1], r#"{"status":null}"#);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn each_item_has_its_own_verdict() {
        let documents: Vec<Document> = ["1", "2", "3", "4", "5"].map(document).into();
        let error = json!({"type": "document_parsing_exception", "reason": "failed", "caused_by": {"reason": "no number"}});
        let answer = json!({"errors": true, "items": [
            {"create": {"_id": "1", "status": 201}},
            {"create": {"_id": "2", "status": 409, "error": {"type": "version_conflict_engine_exception"}}},
            {"create": {"_id": "3", "status": 429, "error": {"type": "es_rejected_execution_exception"}}},
            {"create": {"_id": "4", "status": 400, "error": error}},
            {"create": {"_id": "5", "status": 403, "error": {"type": "cluster_block_exception"}}},
        ]});
        let found = verdicts(answer.to_string().as_bytes(), &documents).unwrap();
        assert_eq!(found[0], Verdict::Kept);
        assert_eq!(found[1], Verdict::Kept);
        assert_eq!(found[2], Verdict::Again("429 es_rejected_execution_exception".into()));
        assert_eq!(found[3], Verdict::Refused("400 document_parsing_exception: failed: no number".into()));
        assert_eq!(found[4], Verdict::Blocked("403 cluster_block_exception".into()));
    }

    /// An answer that is about something else must not count as success.
    #[test]
    fn a_strange_answer_says_nothing() {
        let documents = [document("1")];
        for answer in [
            "",
            "<html>",
            "{}",
            r#"{"items": []}"#,
            r#"{"items": [{"create": {"_id": "2", "status": 201}}]}"#,
            r#"{"items": [{"index": {"_id": "1", "status": 201}}]}"#,
        ] {
            assert_eq!(verdicts(answer.as_bytes(), &documents), None, "{answer}");
        }
    }
}
