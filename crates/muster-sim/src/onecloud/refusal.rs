//! An error answer: a status and the `Message` beside it.

use serde_json::json;

/// Why a request was not carried out. The body of the answer is `{"Message": "<text>"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Text of `Message`.
    pub message: String,
}

impl Refusal {
    /// 400, with what was wrong.
    pub fn bad(message: impl Into<String>) -> Refusal {
        Refusal { status: 400, message: message.into() }
    }

    /// 404. The text of servers is a captured one; the status of such bodies is an assumption.
    pub fn not_found(what: &str) -> Refusal {
        Refusal { status: 404, message: format!("{what} not found") }
    }

    /// Another status with its text.
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    /// The answer's body.
    pub fn body(&self) -> Vec<u8> {
        json!({ "Message": self.message }).to_string().into_bytes()
    }
}
