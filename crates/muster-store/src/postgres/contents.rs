//! Contents in rows of at most 64 KiB, so that every node can read them.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object, Pool};
use muster_model::id::{LaneNumber, RunId};

use super::ask::{change, column, execute, read, row, rows};
use super::connect;
use crate::contents::{Block, Contents, OutputEnd, must_be_digest};
use crate::error::StoreError;
use crate::store::StoreResult;

/// The bytes of one part of a blob.
const PART_BYTES: usize = 64 * 1024;
/// Parts sent or read in one statement.
const PARTS_AT_ONCE: usize = 32;

/// A use is noted again after so long; asking for the thousands of files of a bundle would else be as many commits.
const NOTED_FOR: Duration = Duration::from_secs(3_600);
/// Contents looked at in one statement when unused ones are forgotten.
const UNUSED_AT_ONCE: usize = 500;

/// Blobs and output in a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresContents {
    pub(super) pool: Pool,
}

impl PostgresContents {
    async fn client(&self) -> Result<Object, StoreError> {
        connect::client(&self.pool).await
    }
}

#[async_trait]
impl Contents for PostgresContents {
    async fn has(&self, digest: &str) -> StoreResult<bool> {
        must_be_digest(digest)?;
        match read!(self, db => is_noted(&db, digest).await)? {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => {
                let sql = "update blob set used_at = now() where digest = $1";
                change!(self, tx => execute(&tx, sql, &[&digest]).await.map(|found| found > 0))
            }
        }
    }

    async fn put(&self, digest: &str, content: &[u8]) -> StoreResult<()> {
        must_be_digest(digest)?;
        change!(self, tx => put(&tx, digest, content).await)
    }

    async fn forget_unused(&self, kept: &BTreeSet<String>, idle: Duration) -> StoreResult<u64> {
        let (mut gone, mut after) = (0, String::new());
        loop {
            let some: Vec<String> = read!(self, db => unused(&db, &after, idle).await)?;
            let Some(last) = some.last() else { return Ok(gone) };
            after.clone_from(last);
            let some: Vec<String> = some.into_iter().filter(|digest| !kept.contains(digest)).collect();
            gone += change!(self, tx => forget(&tx, &some, idle).await)?;
        }
    }

    async fn get(&self, digest: &str) -> StoreResult<Vec<u8>> {
        must_be_digest(digest)?;
        read!(self, db => get(&db, digest).await)
    }

    async fn output_end(&self, run: RunId, lane: LaneNumber) -> StoreResult<OutputEnd> {
        read!(self, db => output_end(&db, run, lane).await)
    }

    async fn append_output(&self, run: RunId, lane: LaneNumber, blocks: &[Block]) -> StoreResult<()> {
        change!(self, tx => append_output(&tx, run, lane, blocks).await)
    }

    async fn output(&self, run: RunId, lane: LaneNumber, from: u64, limit: u32) -> StoreResult<Vec<Block>> {
        read!(self, db => output(&db, run, lane, from, limit).await)
    }

    async fn forget_output(&self, run: RunId) -> StoreResult<()> {
        let sql = "delete from output_block where run = $1";
        change!(self, tx => execute(&tx, sql, &[&run.0]).await.map(|_| ()))
    }
}

/// Whether a use of this content was noted a short while ago; none if it is not here.
async fn is_noted<C: GenericClient>(db: &C, digest: &str) -> Result<Option<bool>, StoreError> {
    let sql = "select used_at > now() - make_interval(secs => $2) from blob where digest = $1";
    let found = row(db, sql, &[&digest, &NOTED_FOR.as_secs_f64()]).await?;
    found.map(|found| column(&found, 0)).transpose()
}

async fn put<C: GenericClient>(tx: &C, digest: &str, content: &[u8]) -> Result<(), StoreError> {
    // Whoever puts or forgets the same content at the same time is waited for here.
    let sql = "insert into blob (digest, size) values ($1, $2)
               on conflict (digest) do update set used_at = now() returning xmax = 0";
    let new = row(tx, sql, &[&digest, &(content.len() as i64)]).await?;
    if !new.map_or(Ok(false), |new| column(&new, 0))? {
        return Ok(());
    }
    let parts: Vec<&[u8]> = content.chunks(PART_BYTES).collect();
    for (group, some) in parts.chunks(PARTS_AT_ONCE).enumerate() {
        let first = (group * PARTS_AT_ONCE) as i32;
        execute(
            tx,
            "insert into blob_part (digest, part, body)
             select $1, $2 + n - 1, body from unnest($3::bytea[]) with ordinality p (body, n)",
            &[&digest, &i64::from(first), &some],
        )
        .await?;
    }
    Ok(())
}

/// Contents that nobody used for so long, after a digest and in order.
async fn unused<C: GenericClient>(db: &C, after: &str, idle: Duration) -> Result<Vec<String>, StoreError> {
    let found = rows(
        db,
        "select digest from blob where digest > $1 and used_at <= now() - make_interval(secs => $2)
         order by digest limit $3",
        &[&after, &idle.as_secs_f64(), &(UNUSED_AT_ONCE as i64)],
    )
    .await?;
    found.iter().map(|row| column(row, 0)).collect()
}

/// Forgets these, as far as nobody has used them meanwhile: the row's lock decides who was first.
async fn forget<C: GenericClient>(tx: &C, digests: &[String], idle: Duration) -> Result<u64, StoreError> {
    let sql = "delete from blob where digest = any($1) and used_at <= now() - make_interval(secs => $2)
               returning digest";
    let gone = rows(tx, sql, &[&digests, &idle.as_secs_f64()]).await?;
    let gone: Vec<String> = gone.iter().map(|row| column(row, 0)).collect::<Result<_, StoreError>>()?;
    execute(tx, "delete from blob_part where digest = any($1)", &[&gone]).await?;
    Ok(gone.len() as u64)
}

async fn get<C: GenericClient>(db: &C, digest: &str) -> Result<Vec<u8>, StoreError> {
    let found = row(db, "select size from blob where digest = $1", &[&digest]).await?;
    let size: i64 =
        column(&found.ok_or_else(|| StoreError::NotFound(format!("there is no content {digest}")))?, 0)?;
    let mut content = Vec::with_capacity(size as usize);
    let mut part = 0i32;
    while (content.len() as i64) < size {
        let sql = "select body from blob_part where digest = $1 and part >= $2 order by part limit $3";
        let found = rows(db, sql, &[&digest, &part, &(PARTS_AT_ONCE as i64)]).await?;
        if found.is_empty() {
            return Err(StoreError::Form { noun: "content", message: format!("{digest} is not whole") });
        }
        for row in &found {
            content.extend_from_slice(row.try_get(0)?);
        }
        part += found.len() as i32;
    }
    Ok(content)
}

async fn output_end<C: GenericClient>(db: &C, run: RunId, lane: LaneNumber) -> Result<OutputEnd, StoreError> {
    let found = row(
        db,
        "select coalesce(max(first + lines), 0)::int8, coalesce(sum(raw), 0)::int8 from output_block
         where run = $1 and lane = $2",
        &[&run.0, &i32::from(lane.0)],
    )
    .await?;
    let Some(found) = found else { return Ok(OutputEnd::default()) };
    let number = |index| column::<i64>(&found, index).map(|number| number as u64);
    Ok(OutputEnd { lines: number(0)?, bytes: number(1)? })
}

async fn append_output<C: GenericClient>(
    tx: &C,
    run: RunId,
    lane: LaneNumber,
    blocks: &[Block],
) -> Result<(), StoreError> {
    for some in blocks.chunks(PARTS_AT_ONCE) {
        let first: Vec<i64> = some.iter().map(|block| block.first as i64).collect();
        let lines: Vec<i32> = some.iter().map(|block| block.lines as i32).collect();
        let raw: Vec<i32> = some.iter().map(|block| block.raw as i32).collect();
        let body: Vec<&[u8]> = some.iter().map(|block| block.body.as_slice()).collect();
        // The same block again is an append whose answer was lost.
        execute(
            tx,
            "insert into output_block (run, lane, first, lines, raw, body)
             select $1, $2, first, lines, raw, body
             from unnest($3::int8[], $4::int4[], $5::int4[], $6::bytea[]) b (first, lines, raw, body)
             on conflict (run, lane, first) do nothing",
            &[&run.0, &i32::from(lane.0), &first, &lines, &raw, &body],
        )
        .await?;
    }
    Ok(())
}

async fn output<C: GenericClient>(
    db: &C,
    run: RunId,
    lane: LaneNumber,
    from: u64,
    limit: u32,
) -> Result<Vec<Block>, StoreError> {
    let found = rows(
        db,
        "select first, lines, raw, body from output_block
         where run = $1 and lane = $2
           and first >= (select coalesce(max(first), 0) from output_block
                         where run = $1 and lane = $2 and first <= $3)
           and first + lines > $3
         order by first limit $4",
        &[&run.0, &i32::from(lane.0), &(from as i64), &i64::from(limit)],
    )
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Block {
                first: column::<i64>(row, 0)? as u64,
                lines: column::<i32>(row, 1)? as u32,
                raw: column::<i32>(row, 2)? as u32,
                body: column(row, 3)?,
            })
        })
        .collect()
}
