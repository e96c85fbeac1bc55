//! Journal rows of one commit, collected as columns and inserted together.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Object;
use jiff::Timestamp;
use uuid::Uuid;

use super::ask::execute;
use super::writer::{LaneKey, LaneNow, number_and_tell};
use crate::error::StoreError;
use crate::form::FORM;
use crate::store::Record;
use crate::word;

/// Rows that are not sent yet, and the lanes that got any.
#[derive(Default)]
pub(super) struct Batch {
    run: Vec<Uuid>,
    lane: Vec<i32>,
    seq: Vec<i64>,
    fence: Vec<i64>,
    step: Vec<Option<i32>>,
    kind: Vec<&'static str>,
    at: Vec<Timestamp>,
    body: Vec<String>,
    touched: BTreeSet<LaneKey>,
}

impl Batch {
    /// Numbers the records of one append.
    pub(super) fn add(
        &mut self,
        key: LaneKey,
        lane: &mut LaneNow,
        fence: i64,
        records: &[Record],
        bodies: &[String],
    ) {
        self.touched.insert(key);
        for (record, body) in records.iter().zip(bodies) {
            lane.last += 1;
            self.run.push(key.0);
            self.lane.push(key.1);
            self.seq.push(lane.last);
            self.fence.push(fence);
            self.step.push(word::step_of(&record.kind).map(|step| step.0 as i32));
            self.kind.push(word::entry(&record.kind));
            self.at.push(record.at);
            self.body.push(body.clone());
        }
    }

    /// Sends what is collected.
    pub(super) async fn flush(&mut self, client: &Object) -> Result<(), StoreError> {
        if self.run.is_empty() {
            return Ok(());
        }
        execute(
            client,
            "insert into journal (run, lane, seq, fence, step, kind, at, form, body)
             select run, lane, seq, fence, step, kind, at, $9, body
             from unnest($1::uuid[], $2::int4[], $3::int8[], $4::int8[], $5::int4[], $6::text[], $7::timestamptz[],
               $8::text[]) r (run, lane, seq, fence, step, kind, at, body)",
            &[
                &self.run,
                &self.lane,
                &self.seq,
                &self.fence,
                &self.step,
                &self.kind,
                &self.at,
                &self.body,
                &i32::from(FORM),
            ],
        )
        .await?;
        self.forget();
        Ok(())
    }

    /// Drops what is collected and not sent.
    pub(super) fn forget(&mut self) {
        self.run.clear();
        self.lane.clear();
        self.seq.clear();
        self.fence.clear();
        self.step.clear();
        self.kind.clear();
        self.at.clear();
        self.body.clear();
    }

    /// Sends the rest, the lanes' new last numbers and the one notification.
    pub(super) async fn finish(
        &mut self,
        client: &Object,
        lanes: &BTreeMap<LaneKey, LaneNow>,
    ) -> Result<(), StoreError> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let touched: Vec<LaneKey> = self.touched.iter().copied().collect();
        let (sent, told) = futures::join!(self.flush(client), number_and_tell(client, &touched, lanes));
        sent?;
        told
    }
}
