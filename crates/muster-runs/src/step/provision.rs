//! temporary
use super::{Looked, StepContext, StepError};
use muster_model::plan::ProvisionAction;
use muster_model::run::{Fact, Output};
pub(super) async fn look(_c: &StepContext, _a: &ProvisionAction) -> Result<Looked, StepError> {
    Err(StepError::refused("not yet"))
}
pub(super) async fn act(_c: &StepContext, _a: &ProvisionAction) -> Result<(Output, Vec<Fact>), StepError> {
    Err(StepError::refused("not yet"))
}
