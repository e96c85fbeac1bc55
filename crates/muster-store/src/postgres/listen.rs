//! Hints: one LISTEN connection per process. What it misses (a reconnect, a full channel) is no loss: a hint only
//! shortens a wait, and after every new connection everybody is told to look.

use std::time::Duration;

use futures::StreamExt;
use muster_model::id::{LaneNumber, RunId};
use tokio::sync::broadcast;
use tokio_postgres::AsyncMessage;
use uuid::Uuid;

use super::connect::Address;
use crate::lanes::Hint;

/// The channel's name in the database.
pub(super) const CHANNEL: &str = "muster";
/// The most bytes of one payload; PostgreSQL refuses 8,000.
const PAYLOAD_MAX: usize = 7_000;
/// "Somewhere": more lanes than a payload holds, or a change that is not in a lane.
pub(super) const ANY: &str = "*";
/// The wait before listening again after a lost connection.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The payload for these lanes.
pub(super) fn payload(lanes: impl Iterator<Item = (Uuid, i32)>) -> String {
    let mut text = String::new();
    for (run, lane) in lanes {
        if text.len() > PAYLOAD_MAX {
            return ANY.into();
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!("{run}/{lane}"));
    }
    text
}

fn hints(payload: &str) -> Vec<Hint> {
    payload.split(' ').map(hint).collect()
}

fn hint(text: &str) -> Hint {
    let lane = text.split_once('/').and_then(|(run, lane)| Some((run.parse().ok()?, lane.parse().ok()?)));
    lane.map_or(Hint::Any, |(run, lane): (RunId, u16)| Hint::Lane(run, LaneNumber(lane)))
}

/// Listens until the task is ended.
pub(super) async fn listen(address: Address, told: broadcast::Sender<Hint>) {
    loop {
        if let Ok((client, connection)) = address.config.connect(address.tls.clone()).await {
            hear(client, connection, &told).await;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn hear<S, T>(
    client: tokio_postgres::Client,
    mut connection: tokio_postgres::Connection<S, T>,
    told: &broadcast::Sender<Hint>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut messages = futures::stream::poll_fn(move |context| connection.poll_message(context));
    let command = format!("listen {CHANNEL}");
    let listening = client.batch_execute(&command);
    tokio::pin!(listening);
    let mut is_listening = false;
    loop {
        tokio::select! {
            done = &mut listening, if !is_listening => match done {
                Ok(()) => {
                    is_listening = true;
                    // What was committed before this moment was not heard.
                    let _ = told.send(Hint::Any);
                }
                Err(_) => return,
            },
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(note))) => {
                    for hint in hints(note.payload()) {
                        // An error means that nobody listens just now.
                        let _ = told.send(hint);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_survive_the_payload_and_too_many_become_any() {
        let run = Uuid::from_u128(7);
        let text = payload([(run, 0), (run, 3)].into_iter());
        assert_eq!(
            hints(&text),
            [Hint::Lane(RunId(run), LaneNumber(0)), Hint::Lane(RunId(run), LaneNumber(3))]
        );
        let many = payload((0..1_000).map(|lane| (run, lane)));
        assert_eq!(hints(&many), [Hint::Any]);
        assert_eq!(hints("what a later version says"), [Hint::Any; 5]);
    }
}
