//! Stored forms: how a noun is written into a row, and how older forms are read.
//!
//! Form 1 is the model's own serde form; `tests/forms/1/` keeps samples of it from the first day. When a noun
//! changes its shape, its old form becomes a type here and a pure function lifts it; rows are never rewritten.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The form that this version writes.
pub const FORM: u16 = 1;

/// Writes a noun as text.
pub fn encode<T: Serialize>(noun: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Form { noun, message: error.to_string() })
}

/// Reads a noun from text of a form.
pub fn decode<T: DeserializeOwned>(noun: &'static str, form: u16, text: &str) -> Result<T, StoreError> {
    if form != FORM {
        return Err(StoreError::Form {
            noun,
            message: format!("it has form {form}, and this version of Muster reads up to form {FORM}"),
        });
    }
    serde_json::from_str(text).map_err(|error| StoreError::Form { noun, message: error.to_string() })
}

/// Writes a large noun, compressed.
pub fn encode_packed<T: Serialize>(noun: &'static str, value: &T) -> Result<Vec<u8>, StoreError> {
    let bytes =
        serde_json::to_vec(value).map_err(|error| StoreError::Form { noun, message: error.to_string() })?;
    Ok(lz4_flex::compress_prepend_size(&bytes))
}

/// Reads a large noun.
pub fn decode_packed<T: DeserializeOwned>(
    noun: &'static str,
    form: u16,
    packed: &[u8],
) -> Result<T, StoreError> {
    let bytes = lz4_flex::decompress_size_prepended(packed)
        .map_err(|error| StoreError::Form { noun, message: error.to_string() })?;
    let text =
        std::str::from_utf8(&bytes).map_err(|error| StoreError::Form { noun, message: error.to_string() })?;
    decode(noun, form, text)
}
