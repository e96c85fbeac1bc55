//! ICT-42: every kind of bad answer, and what the person reads then.

use muster_model::cloud::ServerSpec;
use muster_outside::cloud::{CloudError, CloudErrorKind, memory};

use super::stub::{Reply, SERVER, Stub, ok, status};

fn spec() -> ServerSpec {
    ServerSpec {
        name: "web-1".into(),
        size: memory::small(),
        location: "SdnSpb".into(),
        image_id: "3783".into(),
        image: "Debian11x64".into(),
        backup_days: 0,
    }
}

/// What a list and a create make of one and the same answer, and how many requests each took.
async fn both(reply: Reply) -> (Result<usize, CloudError>, usize, CloudError, usize) {
    let read = reply.clone();
    let stub = Stub::new(move |_, _| read.clone());
    let listed = stub.cloud().servers().await.map(|servers| servers.len());
    let reads = stub.asked().len();
    let stub = Stub::new(move |_, _| reply.clone());
    let created = stub.cloud().create_server(&spec(), &[]).await.unwrap_err();
    (listed, reads, created, stub.asked().len())
}

/// ICT-42: a page, broken JSON, silence or a fault: reads are tried again, a write never is.
#[tokio::test(start_paused = true)]
async fn damage_is_retried_for_reads_and_unknown_for_writes() {
    use CloudErrorKind::{Transient, UnknownOutcome};
    let truncated = format!("[{}", &SERVER[..200]);
    let cases = [
        (ok("<html><h1>Technical works</h1></html>"), "a web page, not data: Technical works"),
        (ok(&truncated), "broken off at byte 201 of 201"),
        (ok(""), "the answer is empty"),
        (ok("[}"), "not JSON at byte"),
        (status(500, r#"{"Message": "Internal"}"#), "(HTTP 500): the provider says: Internal"),
        (status(502, "<html>Bad Gateway</html>"), "(HTTP 502): the provider says: (a web page) Bad Gateway"),
        (status(503, ""), "(HTTP 503): the provider has a fault"),
        (Reply::Hang, "no answer within 20s"),
        (Reply::Broken, "connection closed before message completed"),
    ];
    for (reply, words) in cases {
        let (listed, reads, created, writes) = both(reply).await;
        let listed = listed.unwrap_err();
        assert_eq!((listed.kind, reads), (Transient, 4), "{listed}");
        assert!(listed.to_string().starts_with("cannot list the servers"), "{listed}");
        assert!(listed.to_string().contains(words), "{listed}");
        assert!(listed.to_string().contains("(after 4 tries)"), "{listed}");
        assert_eq!((created.kind, writes), (UnknownOutcome, 1), "{created}");
        assert!(created.to_string().starts_with("cannot create server web-1"), "{created}");
        assert!(created.to_string().contains(words), "{created}");
        assert!(created.to_string().contains("Muster looks before it acts"), "{created}");
    }
}

/// ICT-42: a whole answer of another shape names the field, what was expected, and a piece of it; it is not
/// asked again, because it would be the same.
#[tokio::test(start_paused = true)]
async fn unexpected_shapes_name_the_field() {
    let with = |from: &str, to: &str| {
        let changed = SERVER.replace(from, to);
        assert_ne!(changed, SERVER);
        format!("[{SERVER}, {changed}]")
    };
    let cases = [
        (with("\"CPU\": 2", "\"CPU\": \"two\""), "[1].Server.CPU: expected a whole number, got \"two\""),
        (
            with("\"CPU\": 2", "\"CPU\": {\"Cores\": 2}"),
            "[1].Server.CPU: invalid type: map, expected a whole number",
        ),
        (with("\"CPU\": 2", "\"Cores\": 2"), "[1].Server has no field CPU"),
        (with("\"ID\": 500123", "\"ID\": null"), "[1].Server.ID: invalid type: null, expected an id"),
        (with("\"IsPowerOn\": true", "\"IsPowerOn\": \"maybe\""), "Server.IsPowerOn: expected true or false"),
        (with("\"NetworkID\": 10", "\"NetworkID\": [10]"), "[1].Server.LinkedNetworks: [0].Link.NetworkID"),
        (r#"{"Servers": []}"#.to_owned(), "invalid type: map, expected a list"),
        ("null".to_owned(), "invalid type: null, expected a list"),
        (r#""nothing""#.to_owned(), "invalid type: text, expected a list"),
        (r#"[7]"#.to_owned(), "[0].invalid type: integer `7`, expected an object Server"),
        (r#"{"Message": "Later"}"#.to_owned(), "answers with success but says: Later"),
    ];
    for (body, words) in cases {
        let stub = Stub::new(move |_, _| ok(&body));
        let error = stub.cloud().servers().await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Refused, "{error}");
        assert!(error.to_string().contains(words), "{error}\n wanted {words}");
        assert_eq!(stub.asked().len(), 1);
        assert!(error.to_string().chars().count() < 600, "{error}");
        assert!(!error.to_string().contains("Pa55"), "{error}");
    }
}

/// Refusals: kind, the provider's own words in any language, and a next step.
#[tokio::test(start_paused = true)]
async fn refusals_are_said_once_and_clearly() {
    use CloudErrorKind::{NotFound, Refused, Unauthorized};
    let money = r#"{"Message": "Недостаточно средств"}"#;
    let cases = [
        (
            status(400, money),
            Refused,
            Refused,
            "(HTTP 400): the provider says: Недостаточно средств. Nothing was changed",
        ),
        (status(400, ""), Refused, Refused, "(HTTP 400): the provider refuses it."),
        (status(409, "busy"), Refused, Refused, "the provider says: busy"),
        (
            status(401, r#"{"Message": "Bad token"}"#),
            Unauthorized,
            Unauthorized,
            "says: Bad token. Check the key",
        ),
        (status(401, ""), Unauthorized, Unauthorized, "the key is not accepted. Check the key"),
        (
            status(403, r#"{"Message": "No"}"#),
            Refused,
            Refused,
            "(HTTP 403): the provider says: No. Check in the provider's panel",
        ),
        (
            status(404, ""),
            NotFound,
            Refused,
            "the address does not know this request. Check the account's address",
        ),
        (status(302, ""), Refused, Refused, "a redirection"),
    ];
    for (reply, read, write, words) in cases {
        let (listed, reads, created, writes) = both(reply).await;
        let listed = listed.unwrap_err();
        assert_eq!((listed.kind, created.kind), (read, write), "{listed}");
        assert_eq!((reads, writes), (1, 1));
        assert!(listed.to_string().contains(words), "{listed}");
        assert!(created.to_string().contains(words), "{created}");
    }
}

/// A 404 about the server is "gone"; a refusal about something else that the request names is a refusal.
#[tokio::test(start_paused = true)]
async fn a_missing_network_is_not_a_missing_server() {
    let stub = Stub::new(|_, _| status(400, r#"{"Message": "Network not found"}"#));
    let error = stub.cloud().link_network(&"1".into(), &"2".into()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Refused);
    let stub = Stub::new(|_, _| status(400, r#"{"Message": "Image not found"}"#));
    let error = stub.cloud().create_server(&spec(), &[]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Refused);
    let stub = Stub::new(|_, _| status(404, r#"{"Message": "Server not found"}"#));
    let error = stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "cannot resize server 1 (HTTP 404): the provider says: Server not found. \
         It may have been deleted elsewhere; plan again."
    );
}

/// A change that is answered by a complaint under a status of success, or by a page, has an unknown outcome.
#[tokio::test(start_paused = true)]
async fn a_change_with_an_unreadable_answer_is_unknown() {
    for body in [r#"{"Message": "Queued?"}"#, "<html>maintenance</html>", r#"{"State": "InPro"#] {
        let stub = Stub::new(move |_, _| ok(body));
        let error = stub.cloud().resize_server(&"1".into(), &memory::small()).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::UnknownOutcome, "{error}");
        assert_eq!(stub.asked().len(), 1);
    }
}

/// Addresses and keys that cannot work are refused before anything is sent.
#[tokio::test(start_paused = true)]
async fn impossible_accounts_are_refused() {
    use muster_model::Secret;
    use muster_model::account::{AccountSettings, Provider};
    let transport = std::sync::Arc::new(muster_outside::transport::HttpTransport::new().unwrap());
    let opened = |url: &str, key: &str| {
        let world = super::stub::world();
        let settings = AccountSettings::default();
        let made = muster_outside::cloud::open(
            Provider::Onecloud,
            url,
            Secret::new(key),
            &settings,
            transport.clone(),
            world,
        );
        made.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(opened("https://api.1cloud.ru/", super::stub::KEY), "");
    for url in
        ["", "api.1cloud.ru", "ftp://x", "https://", "https://me:pw@host", "https://host/?a=b", "http://a b"]
    {
        assert!(opened(url, super::stub::KEY).contains("Write it like https://api.1cloud.ru"), "{url}");
    }
    let error = opened("https://api.1cloud.ru", "hunter2\nX-Evil: 1");
    assert!(error.contains("no key has") && !error.contains("hunter2"), "{error}");
    assert!(muster_outside::cloud::onecloud::looks_like_key(super::stub::KEY));
    assert!(!muster_outside::cloud::onecloud::looks_like_key("beef"));
}
