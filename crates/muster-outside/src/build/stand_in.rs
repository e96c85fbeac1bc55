//! The stand-in: answers builds as a test tells it, and remembers them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{BuildError, BuildRun, Builder, Tree};
use crate::host::ssh::{Output, OutputStream};

/// Builds in memory. Without other orders what comes out is what went in.
#[derive(Default)]
pub struct ScriptedBuilder {
    answers: Mutex<VecDeque<(String, Result<Tree, BuildError>)>>,
    runs: Mutex<Vec<BuildRun>>,
}

impl ScriptedBuilder {
    /// One that lets everything succeed.
    pub fn new() -> ScriptedBuilder {
        ScriptedBuilder::default()
    }

    /// The next build prints this and comes to that; several queue up.
    pub fn answer(&self, printed: &str, result: Result<Tree, BuildError>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push_back((printed.to_owned(), result));
    }

    /// The builds so far.
    pub fn runs(&self) -> Vec<BuildRun> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Builder for ScriptedBuilder {
    async fn build(&self, run: &BuildRun, output: &mut dyn Output) -> Result<Tree, BuildError> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run.clone());
        let told = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let (printed, result) = told.unwrap_or_else(|| (String::new(), Ok(run.files.clone())));
        if !printed.is_empty() {
            output.chunk(OutputStream::Stdout, Bytes::from(printed)).await;
        }
        result
    }
}
