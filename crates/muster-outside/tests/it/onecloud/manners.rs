//! Manners of `SEMANTICS.md` §12 on a paused clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use muster_model::account::AccountSettings;
use muster_outside::cloud::{CloudErrorKind, memory};

use super::stub::{Reply, Stub, ok, status};

const ACTION: &str = r#"{"State": "InProgress"}"#;

fn gaps(stub: &Stub) -> Vec<u128> {
    let at: Vec<Duration> = stub.asked().into_iter().map(|asked| asked.at).collect();
    at.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
}

/// 429 is asked again, also for writes, after gaps that double.
#[tokio::test(start_paused = true)]
async fn too_many_is_asked_again_with_doubling_gaps() {
    let stub = Stub::new(|before, _| if before < 5 { status(429, "") } else { ok(ACTION) });
    stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap();
    assert_eq!(gaps(&stub), [500, 1000, 2000, 4000, 8000]);
    // And the gap stays for the next write, which nobody had to refuse.
    let stub = Stub::new(|before, _| if before < 2 { status(429, "") } else { ok(ACTION) });
    let cloud = stub.cloud();
    for _ in 0..3 {
        cloud.resize_server(&"1".into(), &memory::small()).await.unwrap();
    }
    assert_eq!(gaps(&stub), [500, 1000, 1000, 1000]);
}

/// 429 for ever ends, within a bound, with a passing failure that names the remedy.
#[tokio::test(start_paused = true)]
async fn too_many_for_ever_ends() {
    let stub = Stub::new(|_, _| status(429, r#"{"Message": "slow down"}"#));
    let error = stub.cloud().servers().await.unwrap_err();
    assert_eq!((error.kind, stub.asked().len()), (CloudErrorKind::Transient, 9));
    assert!(error.to_string().contains("slow down (after 9 tries). Wait a minute"), "{error}");
}

/// `Retry-After` is obeyed, up to a minute.
#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_within_reason() {
    for (asked, waited) in [("7", 7_000), ("86400", 60_000), ("soon", 500)] {
        let stub =
            Stub::new(move |before, _| if before == 0 { Reply::RetryAfter(429, asked) } else { ok(ACTION) });
        stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap();
        assert_eq!(gaps(&stub), [waited]);
    }
}

/// A 403 is a refusal for a key that has not worked, a limit (three retries) for one that has, and a refusal
/// again when that was more than ten minutes ago.
#[tokio::test(start_paused = true)]
async fn forbidden_is_a_limit_only_for_a_key_that_just_worked() {
    let stub = Stub::new(|before, _| if before == 0 { ok("[]") } else { status(403, "") });
    let cloud = stub.cloud();
    cloud.servers().await.unwrap();
    let error = cloud.resize_server(&"1".into(), &memory::small()).await.unwrap_err();
    assert_eq!((error.kind, error.status), (CloudErrorKind::Refused, Some(403)));
    assert_eq!(gaps(&stub), [0, 2000, 4000, 8000]);
    assert!(error.to_string().contains("(after 4 tries)"), "{error}");

    tokio::time::advance(Duration::from_secs(601)).await;
    cloud.servers().await.unwrap_err();
    assert_eq!(stub.asked().len(), 6, "no further try");

    let stub = Stub::new(|before, _| match before {
        0 => ok("[]"),
        1 | 2 => status(403, "limit"),
        _ => ok(ACTION),
    });
    let cloud = stub.cloud();
    cloud.servers().await.unwrap();
    cloud.resize_server(&"1".into(), &memory::small()).await.unwrap();
}

/// 401 is a refusal, also for a key that has just worked.
#[tokio::test(start_paused = true)]
async fn unauthorized_is_never_asked_again() {
    let stub = Stub::new(|before, _| if before == 0 { ok("[]") } else { status(401, "") });
    let cloud = stub.cloud();
    cloud.servers().await.unwrap();
    assert_eq!(cloud.servers().await.unwrap_err().kind, CloudErrorKind::Unauthorized);
    assert_eq!(stub.asked().len(), 2);
}

/// A connection that never opened is tried again, also for a write; a lost answer of a write never is.
#[tokio::test(start_paused = true)]
async fn only_certainly_harmless_writes_are_repeated() {
    let stub = Stub::new(|before, _| if before < 3 { Reply::NeverSent } else { ok(ACTION) });
    stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap();
    assert_eq!(gaps(&stub), [500, 1000, 2000]);
    let stub = Stub::new(|_, _| Reply::NeverSent);
    let error = stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap_err();
    assert_eq!((error.kind, stub.asked().len()), (CloudErrorKind::Transient, 4));
    assert!(
        error
            .to_string()
            .contains("Connection refused (os error 111) (after 4 tries). Check the account's address")
    );
    for reply in [Reply::Broken, Reply::Hang, status(500, ""), status(408, "")] {
        let stub = Stub::new(move |_, _| reply.clone());
        let error = stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap_err();
        assert_eq!((error.kind, stub.asked().len()), (CloudErrorKind::UnknownOutcome, 1));
    }
}

/// A read that fails three times and then works has worked.
#[tokio::test(start_paused = true)]
async fn a_read_survives_three_faults() {
    let stub = Stub::new(|before, _| match before {
        0 => status(500, ""),
        1 => ok("<html>"),
        2 => Reply::Hang,
        _ => ok("[]"),
    });
    stub.cloud().servers().await.unwrap();
    assert_eq!(gaps(&stub), [500, 1000, 22_000]);
}

/// A transport that counts how many requests are in it, each lasting a second.
struct Slow {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait::async_trait]
impl muster_outside::transport::Transport for Slow {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, muster_outside::transport::Broken> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        let body = if request.method() == http::Method::GET { "[]" } else { "" };
        Ok(http::Response::new(bytes::Bytes::from_static(body.as_bytes())))
    }
}

/// One write in flight by default, more by setting; a gap by setting; reads beside them within their bound.
#[tokio::test(start_paused = true)]
async fn writes_take_turns() {
    for (in_flight, gap_ms, most, seconds) in [(1, 0, 1, 12), (4, 0, 4, 3), (0, 0, 1, 12), (1, 3_000, 1, 34)]
    {
        let slow = std::sync::Arc::new(Slow { now: AtomicUsize::new(0), most: AtomicUsize::new(0) });
        let settings = AccountSettings {
            writes_in_flight: in_flight,
            write_gap_ms: gap_ms,
            ..AccountSettings::default()
        };
        let cloud = muster_outside::cloud::open(
            muster_model::account::Provider::Onecloud,
            "https://api.example.org",
            muster_model::Secret::new(super::stub::KEY),
            &settings,
            slow.clone(),
            super::stub::world(),
        )
        .unwrap();
        let began = tokio::time::Instant::now();
        let id = muster_model::id::ProviderId::from("1");
        let size = memory::small();
        join_all((0..12).map(|_| cloud.resize_server(&id, &size))).await;
        assert_eq!(slow.most.load(Ordering::SeqCst), most);
        assert_eq!(began.elapsed().as_secs(), seconds);
        join_all((0..24).map(|_| cloud.servers())).await;
        assert_eq!(slow.most.load(Ordering::SeqCst), 6);
    }
}

/// A turn that is given up (a dropped call) is free for the next.
#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_turn_back() {
    let stub = Stub::new(|before, _| if before == 0 { Reply::Hang } else { ok(ACTION) });
    let cloud = stub.cloud();
    let id = muster_model::id::ProviderId::from("1");
    let size = memory::small();
    let call = cloud.resize_server(&id, &size);
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    cloud.resize_server(&id, &size).await.unwrap();
}
