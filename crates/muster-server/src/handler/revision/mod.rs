//! Revisions: the history of a file, how two of it differ, and going back.

use muster_api::document::Resource;
use muster_api::revision::{AppliedSaid, RevisionAttributes, RevisionDetail};
use muster_model::id::{AccountName, SpaceName};
use muster_runs::revision::RevisionView;
use serde::Deserialize;
use utoipa::IntoParams;

pub mod difference;
pub mod file;
pub mod list;
pub mod rollback;
pub mod show;

/// Whose revisions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// The Space.
    #[serde(default = "muster_api::plan::default_space")]
    #[param(required = false)]
    space: String,
    /// The account; may be left out where the file has a history at one only.
    #[serde(default)]
    account: Option<String>,
}

impl Whose {
    fn space(&self) -> SpaceName {
        SpaceName::from(self.space.as_str())
    }

    fn account(&self) -> Option<AccountName> {
        self.account.as_deref().map(AccountName::from)
    }
}

/// One revision in full, in the words of the API.
fn said(view: &RevisionView) -> Resource<RevisionAttributes> {
    let mut attributes = RevisionAttributes::from(&view.revision);
    if view.revision.is_kept {
        let documents = view.documents.iter();
        attributes.detail = Some(RevisionDetail {
            entry: view.source.entry.clone(),
            vars: view.source.vars.keys().cloned().collect(),
            env: view.source.env.iter().cloned().collect(),
            documents: documents.map(|(path, file)| (path.clone(), file.sha256.clone())).collect(),
            files: view.files as u64,
            applied: view.applied.as_ref().map(AppliedSaid::from),
        });
    }
    attributes.resource()
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    /// Whose revisions and which of them stand in one query: both are read, and nothing else is let through.
    #[test]
    fn a_query_says_whose_and_which() {
        let read = |query: &str| {
            let uri = format!("http://muster/?{query}").parse().unwrap();
            Query::<difference::Which>::try_from_uri(&uri)
        };
        let Query(which) = read("to=7&account=second").unwrap();
        assert_eq!((which.to, which.whose.space().as_str()), (7, "default"));
        assert_eq!(which.whose.account(), Some("second".into()));
        assert_eq!(read("space=shop&to=7").unwrap().0.whose.space().as_str(), "shop");
        for wrong in ["to=7&acount=second", "account=second", "to=seven", "to=7&to=8"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
