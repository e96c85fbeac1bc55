//! Small words shared by the tables: how keys, times and states look in columns.

use std::str::FromStr;

use jiff::Timestamp;
use muster_model::plan::Subject;
use muster_model::run::RunState;
use uuid::Uuid;

use crate::error::StoreError;

/// A subject as a column.
pub(super) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Infrastructure(name) => format!("infrastructure:{name}"),
    }
}

/// A subject from a column.
pub(super) fn subject_of(text: &str) -> Result<Subject, StoreError> {
    match text.split_once(':') {
        Some(("infrastructure", name)) => Ok(Subject::Infrastructure(name.into())),
        _ => Err(unreadable("subject", text)),
    }
}

/// A time from a column.
pub(super) fn time_of(text: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_str(text).map_err(|_| unreadable("time", text))
}

/// An id from a column.
pub(super) fn uuid_of(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| unreadable("id", text))
}

/// A run's state from a column.
pub(super) fn state_of(text: &str) -> Result<RunState, StoreError> {
    RunState::ALL.into_iter().find(|state| state.word() == text).ok_or_else(|| unreadable("run state", text))
}

/// A value that this version cannot read.
pub(super) fn unreadable(noun: &'static str, text: &str) -> StoreError {
    StoreError::Form { noun, message: format!("`{text}` is not one that this version of Muster knows") }
}
