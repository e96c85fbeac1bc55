//! Plans: saved while the world is being looked at, finished once, never changed afterwards.

use muster_model::id::{Generation, NodeId, PlanId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::form::{FORM, decode, decode_packed, encode, encode_packed};
use crate::store::{NewPlan, PlanInputs, PlanRow, PlannedAs};
use crate::{refusal, word};

pub(super) fn insert(tx: &Connection, plan: &NewPlan) -> Result<PlanId, StoreError> {
    if let Some(key) = &plan.idempotency_key {
        let earlier: Option<String> = tx
            .prepare_cached("select id from plan where space = ?1 and idempotency_key = ?2")?
            .query_row([plan.space.as_str(), key], |found| found.get(0))
            .optional()?;
        if let Some(id) = earlier {
            return Ok(PlanId(word::uuid_of(&id)?));
        }
    }
    tx.prepare_cached(
        "insert into plan (id, number, space, subject, account, state, purpose, bundle, form, warnings, actor,
           created_at, node, idempotency_key, source)
         values (?1, (select coalesce(max(number), 0) + 1 from plan), ?2, ?3, ?4, 'observing', ?5, ?6, ?7, ?8, ?9,
           ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        plan.id.to_string(),
        plan.space.as_str(),
        word::subject_text(&plan.subject),
        plan.account.as_str(),
        plan.purpose,
        plan.bundle,
        FORM,
        encode("warnings", &plan.warnings)?,
        plan.actor,
        plan.at.to_string(),
        plan.node.to_string(),
        plan.idempotency_key,
        plan.source.as_ref().map(|source| encode("source", source)).transpose()?
    ])?;
    Ok(plan.id)
}

pub(super) fn finish(tx: &Connection, id: PlanId, planned: &PlannedAs) -> Result<(), StoreError> {
    let (body, inputs) = match &planned.plan {
        Some((plan, inputs)) => {
            (Some(encode_packed("plan", plan)?), Some(encode_packed("plan's inputs", inputs)?))
        }
        None => (None, None),
    };
    let count = tx
        .prepare_cached(
            "update plan set state = ?2, message = ?3, body = ?4, inputs = ?5
             where id = ?1 and state = 'observing'",
        )?
        .execute(params![id.to_string(), word::plan_state(planned.state), planned.message, body, inputs])?;
    if count == 0 {
        return Err(refusal::not_observing(id));
    }
    Ok(())
}

pub(super) fn one(db: &Connection, id: PlanId) -> Result<Option<PlanRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "select space, subject, account, purpose, bundle, warnings, actor, created_at, node, idempotency_key,
           state, message, form, body, source from plan where id = ?1",
    )?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let form = found.get(12)?;
    let body: Option<Vec<u8>> = found.get(13)?;
    let state: String = found.get(10)?;
    Ok(Some(PlanRow {
        new: NewPlan {
            id,
            space: found.get::<_, String>(0)?.into(),
            subject: word::subject_of(&found.get::<_, String>(1)?)?,
            account: found.get::<_, String>(2)?.into(),
            purpose: found.get(3)?,
            bundle: found.get(4)?,
            warnings: decode("warnings", form, &found.get::<_, String>(5)?)?,
            actor: found.get(6)?,
            at: word::time_of(&found.get::<_, String>(7)?)?,
            node: NodeId(word::uuid_of(&found.get::<_, String>(8)?)?),
            idempotency_key: found.get(9)?,
            source: found
                .get::<_, Option<String>>(14)?
                .map(|text| decode("source", form, &text))
                .transpose()?,
        },
        state: word::plan_state_of(&state)?,
        message: found.get(11)?,
        plan: body.map(|body| decode_packed("plan", form, &body)).transpose()?,
    }))
}

pub(super) fn inputs(db: &Connection, id: PlanId) -> Result<Option<PlanInputs>, StoreError> {
    let found: Option<(u16, Option<Vec<u8>>)> = db
        .prepare_cached("select form, inputs from plan where id = ?1")?
        .query_row([id.to_string()], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    match found {
        Some((form, Some(packed))) => decode_packed("plan's inputs", form, &packed).map(Some),
        Some((_, None)) | None => Ok(None),
    }
}

pub(super) fn next_generation(tx: &Connection, subject: &str) -> Result<Generation, StoreError> {
    let value: i64 = tx
        .prepare_cached(
            "insert into generation (subject, value) values (?1, 1)
             on conflict (subject) do update set value = value + 1 returning value",
        )?
        .query_row([subject], |found| found.get(0))?;
    Ok(Generation(value as u64))
}
