//! Plans: saved while the world is being looked at, finished once, never changed afterwards.

use deadpool_postgres::GenericClient;
use muster_model::id::{Generation, NodeId, PlanId};

use super::ask::{column, execute, row};
use super::form_of;
use crate::error::StoreError;
use crate::form::{FORM, decode, decode_packed, encode, encode_packed};
use crate::store::{NewPlan, PlanInputs, PlanRow, PlannedAs};
use crate::{refusal, word};

pub(super) async fn insert<C: GenericClient>(tx: &C, plan: &NewPlan) -> Result<PlanId, StoreError> {
    if let Some(key) = &plan.idempotency_key {
        let sql = "select id from plan where space = $1 and idempotency_key = $2";
        if let Some(earlier) = row(tx, sql, &[&plan.space.as_str(), key]).await? {
            return Ok(PlanId(column(&earlier, 0)?));
        }
    }
    execute(
        tx,
        "insert into plan (id, space, subject, account, state, purpose, bundle, form, warnings, actor, created_at,
           node, idempotency_key, source)
         values ($1, $2, $3, $4, 'observing', $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            &plan.id.0,
            &plan.space.as_str(),
            &word::subject_text(&plan.subject),
            &plan.account.as_str(),
            &plan.purpose,
            &plan.bundle,
            &i32::from(FORM),
            &encode("warnings", &plan.warnings)?,
            &plan.actor,
            &plan.at,
            &plan.node.0,
            &plan.idempotency_key,
            &plan.source.as_ref().map(|source| encode("source", source)).transpose()?,
        ],
    )
    .await?;
    Ok(plan.id)
}

pub(super) async fn finish<C: GenericClient>(
    tx: &C,
    id: PlanId,
    planned: &PlannedAs,
) -> Result<(), StoreError> {
    let (body, inputs) = match &planned.plan {
        Some((plan, inputs)) => {
            (Some(encode_packed("plan", plan)?), Some(encode_packed("plan's inputs", inputs)?))
        }
        None => (None, None),
    };
    let count = execute(
        tx,
        "update plan set state = $2, message = $3, body = $4, inputs = $5 where id = $1 and state = 'observing'",
        &[&id.0, &word::plan_state(planned.state), &planned.message, &body, &inputs],
    )
    .await?;
    if count == 0 { Err(refusal::not_observing(id)) } else { Ok(()) }
}

pub(super) async fn one<C: GenericClient>(db: &C, id: PlanId) -> Result<Option<PlanRow>, StoreError> {
    let found = row(
        db,
        "select space, subject, account, purpose, bundle, warnings, actor, created_at, node, idempotency_key,
           state, message, form, body, source from plan where id = $1",
        &[&id.0],
    )
    .await?;
    let Some(found) = found else { return Ok(None) };
    let form = form_of(&found, 12)?;
    let text = |index| column::<String>(&found, index);
    let body: Option<Vec<u8>> = column(&found, 13)?;
    Ok(Some(PlanRow {
        new: NewPlan {
            id,
            space: text(0)?.into(),
            subject: word::subject_of(&text(1)?)?,
            account: text(2)?.into(),
            purpose: text(3)?,
            bundle: text(4)?,
            warnings: decode("warnings", form, &text(5)?)?,
            actor: text(6)?,
            at: column(&found, 7)?,
            node: NodeId(column(&found, 8)?),
            idempotency_key: column(&found, 9)?,
            source: column::<Option<String>>(&found, 14)?
                .map(|text| decode("source", form, &text))
                .transpose()?,
        },
        state: word::plan_state_of(&text(10)?)?,
        message: column(&found, 11)?,
        plan: body.map(|body| decode_packed("plan", form, &body)).transpose()?,
    }))
}

pub(super) async fn inputs<C: GenericClient>(db: &C, id: PlanId) -> Result<Option<PlanInputs>, StoreError> {
    let Some(found) = row(db, "select form, inputs from plan where id = $1", &[&id.0]).await? else {
        return Ok(None);
    };
    let packed: Option<Vec<u8>> = column(&found, 1)?;
    packed.map(|packed| decode_packed("plan's inputs", form_of(&found, 0)?, &packed)).transpose()
}

pub(super) async fn next_generation<C: GenericClient>(
    tx: &C,
    subject: &str,
) -> Result<Generation, StoreError> {
    let found = row(
        tx,
        "insert into generation (subject, value) values ($1, 1)
         on conflict (subject) do update set value = generation.value + 1 returning value",
        &[&subject],
    )
    .await?;
    let value: i64 = found.map_or(Ok(0), |row| column(&row, 0))?;
    Ok(Generation(value as u64))
}
