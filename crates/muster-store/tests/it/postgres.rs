//! What is special to PostgreSQL: opening, lost connections, unknown outcomes, TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use muster_model::id::Sequence;
use muster_model::run::{EntryKind, RunState};
use muster_store::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Server;
use crate::suite::scene::*;

#[tokio::test]
async fn a_postgres_database_of_a_newer_muster_is_refused() {
    let Some(server) = Server::start("store a_postgres_database_of_a_newer_muster_is_refused") else {
        return;
    };
    let url = server.database().await;
    // Two processes that start together make the tables once.
    let (one, two) = tokio::join!(PostgresStore::open(&url), PostgresStore::open(&url));
    drop((one.unwrap(), two.unwrap()));
    let sql = "insert into refinery_schema_history (version, name, applied_on, checksum)
               values (99, 'later', '2030-01-01T00:00:00Z', '0')";
    client(&url).await.batch_execute(sql).await.unwrap();
    let error = PostgresStore::open(&url).await.err().unwrap();
    assert!(error.to_string().contains("newer Muster"), "{error}");
    // What cannot get better is said at once, and no password is repeated.
    for (url, said) in [
        (server.url("nowhere").replace("muster@", "muster:hunter2@"), "does not exist"),
        ("postgres://muster:hunter2@127.0.0.1:1/x?sslmode=perhaps".into(), "sslmode=perhaps"),
        ("postgres://muster:hunter2@127.0.0.1:port/x".into(), "address"),
        ("mysql://muster:hunter2@127.0.0.1/x".into(), "must begin with"),
    ] {
        let folder = std::path::PathBuf::from("/nonexistent");
        let folders = Folders { blobs: folder.clone(), output: folder };
        let error = open(&url, &folders, WriterMode::Task).await.err().unwrap().to_string();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    }
    drop(server);
}

/// Every connection is cut, again and again, while lanes are written: what was acknowledged is there once, and
/// nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_are_replaced_and_nothing_is_written_twice() {
    let Some(server) = Server::start("store broken_connections_are_replaced_and_nothing_is_written_twice")
    else {
        return;
    };
    let scene = in_database_of(&server).await;
    let claim = scene.running(1, "shop").await;
    let cutter = client(&server.url("postgres")).await;
    let cutting = tokio::spawn(async move {
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                       where application_name = 'muster' and pid <> pg_backend_pid()";
            cutter.batch_execute(sql).await.unwrap();
        }
    });
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (store, claim, contents) = (scene.store.clone(), claim.clone(), scene.contents.clone());
        writers.push(tokio::spawn(async move {
            let mut kept = Vec::new();
            for line in 0..60 {
                let text = format!("{writer}/{line}");
                match store.append(claim.clone(), vec![progress(&text)]).await {
                    Ok(seq) => kept.push((seq, text.clone())),
                    Err(StoreError::Unclear(_) | StoreError::Unreachable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                assert_eq!(store.run(claim.run).await.unwrap().unwrap().state, RunState::Running);
                let digest = format!("{:064x}", writer * 1_000 + line);
                match contents.put(&digest, text.as_bytes()).await {
                    Ok(()) | Err(StoreError::Unclear(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
            kept
        }));
    }
    let mut kept = Vec::new();
    for writer in writers {
        kept.extend(writer.await.unwrap());
    }
    cutting.await.unwrap();
    let entries = scene.store.entries(claim.run, Sequence(0), 10_000).await.unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>());
    let mut texts: Vec<&str> = Vec::new();
    for entry in &entries {
        if let EntryKind::Progress { message, .. } = &entry.kind {
            texts.push(message);
            if let Some((seq, _)) = kept.iter().find(|(_, text)| text == message) {
                assert_eq!(*seq, entry.seq, "{message}");
            }
        }
    }
    let before = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), before, "something was written twice");
    for (_, text) in &kept {
        assert!(texts.contains(&text.as_str()), "{text} was acknowledged and is not there");
    }
    assert!(kept.len() > 200, "only {} of 240", kept.len());
}

/// What a proxy does with the next commit.
const PASS: u8 = 0;
/// The commit reaches the server, its answer is lost.
const LOSE_ANSWER: u8 = 1;
/// The commit is lost on its way.
const LOSE_COMMIT: u8 = 2;

/// The commit stays here, and the connection stays open until the server ends it.
const STALL: u8 = 3;

/// Stands between the store and the server, and loses connections at the commit when told.
async fn proxy(port: u16) -> (u16, Arc<AtomicU8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let fate = Arc::new(AtomicU8::new(PASS));
    let told = fate.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(carry(near, far, told.clone()));
        }
    });
    (own, fate)
}

async fn carry(mut near: TcpStream, mut far: TcpStream, fate: Arc<AtomicU8>) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let Ok(size @ 1..) = read else { return };
                let is_commit = up[..size].windows(6).any(|word| word.eq_ignore_ascii_case(b"commit"));
                let fate = if is_commit { fate.swap(PASS, Ordering::SeqCst) } else { PASS };
                if fate == LOSE_COMMIT {
                    return;
                }
                if fate == STALL {
                    while far.read(&mut down).await.is_ok_and(|size| size > 0) {}
                    return;
                }
                if far.write_all(&up[..size]).await.is_err() {
                    return;
                }
                if fate == LOSE_ANSWER {
                    // The server has it; whoever asks next meets the outcome, not a commit under way.
                    let _ = far.read(&mut down).await;
                    return;
                }
            }
            read = far.read(&mut down) => {
                let Ok(size @ 1..) = read else { return };
                if near.write_all(&down[..size]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// An append whose commit was answered by silence is looked up, not guessed: kept once, in both cases.
#[tokio::test]
async fn an_append_of_unknown_outcome_is_looked_up() {
    let Some(server) = Server::start("store an_append_of_unknown_outcome_is_looked_up") else { return };
    let direct = in_database_of(&server).await;
    let claim = direct.running(1, "shop").await;
    let Home::Postgres { url } = &direct.home else { panic!("a database") };
    let (port, fate) = proxy(server.port).await;
    let store = PostgresStore::open(&url.replace(&server.port.to_string(), &port.to_string())).await.unwrap();
    let mut last = store.append(claim.clone(), vec![progress("warm")]).await.unwrap().0;
    for (round, what) in [LOSE_ANSWER, LOSE_COMMIT, LOSE_ANSWER, LOSE_COMMIT].into_iter().enumerate() {
        fate.store(what, Ordering::SeqCst);
        let text = format!("round {round}");
        // Neighbours in the same commit, one of them with more than the journal to change.
        let (one, two) = tokio::join!(
            store.append(claim.clone(), vec![progress(&text), progress("and")]),
            store.append(
                claim.clone(),
                vec![Record {
                    facts: vec![muster_model::run::Fact::Forget {
                        account: identity(),
                        kind: muster_model::ownership::ObjectKind::Server,
                        id: "1".into(),
                    }],
                    ..progress("more")
                }]
            )
        );
        assert_eq!(fate.load(Ordering::SeqCst), PASS, "the commit was not met");
        assert_eq!((one.unwrap().0, two.unwrap().0), (last + 2, last + 3), "round {round}");
        last += 3;
    }
    let entries = direct.store.entries(claim.run, Sequence(0), 100).await.unwrap();
    assert_eq!(entries.len() as u64, last);
    // Another verb says that it does not know, and looking again tells: the plan is carried out, or it is not.
    for (number, what, happened) in [(2u128, LOSE_ANSWER, true), (3, LOSE_COMMIT, false)] {
        let name = format!("other{number}");
        let plan = direct.plan(number, &name).await;
        let mut approval = direct.approval(number, plan, &name);
        approval.idempotency_key = Some(name.clone());
        fate.store(what, Ordering::SeqCst);
        let error = store.approve(approval.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unclear(_)), "{error}");
        assert_eq!(direct.store.run(approval.run.id).await.unwrap().is_some(), happened);
        // Asked again with the same key, it is one run in any case.
        assert_eq!(store.approve(approval.clone()).await.unwrap(), approval.run.id);
    }
}

/// A takeover between the commit and the look: kept before it is kept, lost before it is refused.
#[tokio::test]
async fn an_unknown_outcome_and_a_takeover_do_not_mix() {
    let Some(server) = Server::start("store an_unknown_outcome_and_a_takeover_do_not_mix") else { return };
    let direct = in_database_of(&server).await;
    let Home::Postgres { url } = &direct.home else { panic!("a database") };
    let (port, fate) = proxy(server.port).await;
    let store = Arc::new(
        PostgresStore::open(&url.replace(&server.port.to_string(), &port.to_string())).await.unwrap(),
    );
    for (number, what) in [(1u128, LOSE_ANSWER), (2, LOSE_COMMIT)] {
        let claim = direct.running(number, &format!("shop{number}")).await;
        store.append(claim.clone(), vec![progress("warm")]).await.unwrap();
        fate.store(what, Ordering::SeqCst);
        let writing = {
            let (store, claim) = (store.clone(), claim.clone());
            tokio::spawn(async move { store.append(claim, vec![progress("late")]).await })
        };
        while fate.load(Ordering::SeqCst) != PASS {
            tokio::task::yield_now().await;
        }
        let buried = direct.store.bury(node(1), at(4), "died".into()).await.unwrap();
        assert_eq!(buried, [claim.run]);
        let outcome = writing.await.unwrap();
        let entries = direct.store.entries(claim.run, Sequence(0), 100).await.unwrap();
        let is_there = format!("{entries:?}").contains("late");
        match outcome {
            Ok(_) => assert!(is_there),
            Err(StoreError::Fenced) => assert!(!is_there),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A process that is stopped in the middle of a commit must not keep others from taking over: the server ends its
/// session. When the process goes on, its append is refused.
#[tokio::test]
async fn a_process_stopped_in_a_transaction_keeps_nobody_from_taking_over() {
    let test = "store a_process_stopped_in_a_transaction_keeps_nobody_from_taking_over";
    let Some(server) = Server::start(test) else { return };
    let direct = in_database_of(&server).await;
    let claim = direct.running(1, "shop").await;
    let Home::Postgres { url } = &direct.home else { panic!("a database") };
    let (port, fate) = proxy(server.port).await;
    let store = PostgresStore::open(&url.replace(&server.port.to_string(), &port.to_string())).await.unwrap();
    store.append(claim.clone(), vec![progress("warm")]).await.unwrap();
    fate.store(STALL, Ordering::SeqCst);
    let writing = {
        let claim = claim.clone();
        tokio::spawn(async move { store.append(claim, vec![progress("late")]).await })
    };
    while fate.load(Ordering::SeqCst) != PASS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let limit = Duration::from_secs(30);
    let taken = tokio::time::timeout(limit, direct.store.bury(node(1), at(4), "stopped".into())).await;
    assert_eq!(taken.expect("in time").unwrap(), [claim.run]);
    let late = writing.await.unwrap();
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
}

/// TLS when the address asks for it, and then only with a certificate that is trusted.
#[tokio::test]
async fn tls_is_used_and_checked_when_asked_for() {
    let test = "store tls_is_used_and_checked_when_asked_for";
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    match made {
        Ok(made) if made.status.success() => {}
        other => return crate::skip::skip(test, &format!("openssl made no certificate: {other:?}")),
    }
    let prepare = |data: &std::path::Path| {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let owner = std::fs::metadata(data).unwrap();
        for (from, name) in [(&key, "server.key"), (&certificate, "server.crt")] {
            let to = data.join(name);
            std::fs::copy(from, &to).unwrap();
            std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let only_tls = "hostssl all all 127.0.0.1/32 trust\n";
        std::fs::write(data.join("pg_hba.conf"), only_tls).unwrap();
    };
    let Some(server) = Server::start_with(test, &["ssl=on"], prepare) else { return };
    let url = server.url("postgres");
    let plain = PostgresStore::open(&url).await.err().unwrap();
    assert!(plain.to_string().contains("no encryption"), "{plain}");
    let unknown = PostgresStore::open(&format!("{url}?sslmode=require")).await.err().unwrap();
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
    let trusted = format!("{url}?sslmode=require&sslrootcert={}", certificate.display());
    let store = PostgresStore::open(&trusted).await.unwrap();
    assert!(store.nodes().await.unwrap().is_empty());
}
