//! SSH against real sshds: host keys, logins, commands, copies, tunnels, the agent; and, in `work` and `deliver`, what Muster
//! does with them.

mod deliver;
mod password;
mod work;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_model::Secret;
use muster_outside::host::ssh::{
    Collected, Copied, End, Exec, Host, HostKeyPolicy, Hosts, Login, PrivateAgent, SshError, SshErrorKind,
    SshHosts, SshSettings, config, interactive,
};
use muster_outside::secret::LoginKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sshd::{Sshd, start, start_with};
use crate::world::world;

fn hosts(sshd: &Sshd) -> SshHosts {
    SshHosts::new(SshSettings { remote_state_dir: Some(sshd.path("state")), ..SshSettings::default() })
}

async fn run(hosts: &dyn Hosts, host: &Host, arguments: &[&str]) -> Result<(End, String, String), SshError> {
    let mut said = Collected::default();
    let finished = hosts.exec(host, &Exec::new(arguments.to_vec()), &mut said).await?;
    Ok((finished.end, said.text(), String::from_utf8(said.stderr).unwrap()))
}

/// ICT-22: the tool connects to servers over SSH.
#[tokio::test(flavor = "multi_thread")]
async fn runs_commands_and_tells_how_they_ended() {
    let Some(sshd) = start(1) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let (end, out, err) = run(&hosts, &host, &["sh", "-c", "echo out; echo err >&2; exit 3"]).await.unwrap();
    assert_eq!((end, out.as_str(), err.as_str()), (End::Exit(3), "out", "err\n"));
    let (end, ..) = run(&hosts, &host, &["sh", "-c", "kill -KILL $$"]).await.unwrap();
    assert_eq!(end, End::Signal("KILL".into()));
    let (_, out, _) = run(&hosts, &host, &["printf", "%s|", "a b", "$HOME", "'", "", "*"]).await.unwrap();
    assert_eq!(out, "a b|$HOME|'||*|");
    // Input larger than every window, printed back while it is still being sent.
    let input = vec![b'x'; 8 << 20];
    let mut said = Collected::default();
    let mut command = Exec::new(["cat"]).stdin(input.clone());
    command.output_bytes_max = 5 << 20;
    let finished = hosts.exec(&host, &command, &mut said).await.unwrap();
    assert_eq!((said.stdout.len(), finished.dropped_bytes), (5 << 20, 3 << 20));
    let command = Exec::new(["sleep", "30"]).limit(Duration::from_millis(300));
    let error = hosts.exec(&host, &command, &mut said).await.unwrap_err();
    assert_eq!(error.to_string(), "web-1 (127.0.0.1): a command took longer than 0.3 s");
    assert_eq!(error.kind(), SshErrorKind::UnknownOutcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_streams_while_the_command_runs() {
    let Some(sshd) = start(2) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let (mut sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let command = Exec::new(["sh", "-c", "echo first; sleep 20"]);
    let running = tokio::spawn(async move { hosts.exec(&host, &command, &mut sender).await });
    let first = tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap();
    assert_eq!(first.1, "first\n");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_key_of_first_use_is_handed_back_and_a_changed_one_refused() {
    let Some(sshd) = start(3) else { return };
    let hosts = hosts(&sshd);
    let first = Host { host_key: HostKeyPolicy::FirstUse, ..sshd.host("web-1") };
    let key = hosts.wait(&first, Duration::from_secs(10)).await.unwrap();
    assert_eq!(key, sshd.host_key);
    assert_eq!(key.to_string().parse::<muster_outside::host::ssh::HostKey>().unwrap(), key);
    let other = LoginKey::generate(&world(77), "x").public_line().parse().unwrap();
    let wrong = Host { host_key: HostKeyPolicy::Known(other), ..sshd.host("web-1") };
    // Over the kept connection, and over a new one.
    for hosts in [&hosts, &SshHosts::new(SshSettings::default())] {
        let error = hosts.wait(&wrong, Duration::from_secs(10)).await.unwrap_err();
        let HostKeyPolicy::Known(expected) = &wrong.host_key else { unreachable!() };
        assert!(matches!(error, SshError::HostKeyChanged { .. }), "{error}");
        assert!(error.to_string().contains(&expected.fingerprint()), "{error}");
        assert!(error.to_string().contains(&sshd.host_key.fingerprint()), "{error}");
        assert_eq!(error.kind(), SshErrorKind::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn known_hosts_files_decide_for_machines_of_the_person() {
    let Some(sshd) = start(4) else { return };
    let file = sshd.path("known_hosts");
    let with = |accept_new: bool| Host {
        host_key: HostKeyPolicy::KnownHosts { files: vec![file.clone().into()], alias: None, accept_new },
        ..sshd.host("mine")
    };
    let fresh = || SshHosts::new(SshSettings::default());
    let unknown = fresh().wait(&with(false), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(unknown, SshError::HostKeyUnknown { .. }), "{unknown}");
    fresh().wait(&with(true), Duration::from_secs(5)).await.unwrap();
    // As OpenSSH itself writes it: hashed.
    std::fs::write(&file, sshd.host_key.known_hosts_line("127.0.0.1", sshd.port) + "\n").unwrap();
    let hashed = Command::new("ssh-keygen").args(["-H", "-f", &file]).output().unwrap();
    assert!(hashed.status.success());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("|1|"));
    fresh().wait(&with(false), Duration::from_secs(5)).await.unwrap();
    let other = LoginKey::generate(&world(78), "x").public_line();
    std::fs::write(&file, format!("\n[127.0.0.1]:{} {other}\n", sshd.port)).unwrap();
    let changed = fresh().wait(&with(true), Duration::from_secs(5)).await.unwrap_err();
    assert!(changed.to_string().contains("known_hosts, line 2"), "{changed}");
    std::fs::write(&file, format!("@revoked * {}\n", sshd.host_key)).unwrap();
    let revoked = fresh().wait(&with(true), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(revoked, SshError::HostKeyRevoked { .. }), "{revoked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_with_a_file_an_agent_and_says_what_was_tried() {
    let Some(sshd) = start(5) else { return };
    let key_file = sshd.path("id");
    std::fs::write(&key_file, sshd.key.to_secret().expose()).unwrap();
    let fresh = || SshHosts::new(SshSettings::default());
    let with = |logins: Vec<Login>| Host { logins, ..sshd.host("web-1") };
    let file = |path: &str| Login::KeyFile { path: path.into(), pass_phrase: None };
    fresh().wait(&with(vec![file("/none"), file(&key_file)]), Duration::from_secs(5)).await.unwrap();
    let agent = PrivateAgent::serve(sshd.directory.path(), "1", vec![sshd.key.clone()]).unwrap();
    fresh().wait(&with(vec![Login::Agent(agent.socket().into())]), Duration::from_secs(5)).await.unwrap();
    let stranger = Login::Key(LoginKey::generate(&world(79), "x"));
    let wrong = with(vec![stranger, file("/none"), Login::Password(Secret::new("hunter2"))]);
    let error = fresh().exec(&wrong, &Exec::new(["true"]), &mut Collected::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("web-1 (127.0.0.1): root was not let in; tried the key SHA256:"), "{text}");
    assert!(text.contains("/none (missing), a password; SSH there takes publickey, password"), "{text}");
    assert!(!text.contains("hunter2"));
    std::fs::write(&key_file, "rubbish").unwrap();
    let error = fresh().wait(&with(vec![file(&key_file)]), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, SshError::KeyFile { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_logs_in_through_the_private_agent() {
    let Some(sshd) = start(6) else { return };
    let agent = PrivateAgent::serve(sshd.directory.path(), "1", vec![sshd.key.clone()]).unwrap();
    let socket = agent.socket().to_owned();
    let listed = Command::new("ssh-add").arg("-l").env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&sshd.key.fingerprint()));
    // Neither taking away nor adding is answered.
    let emptied = Command::new("ssh-add").arg("-D").env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(!emptied.status.success());
    let known = sshd.path("known");
    let host = sshd.host("web-1");
    std::fs::write(&known, sshd.host_key.known_hosts_line("127.0.0.1", sshd.port) + "\n").unwrap();
    let ask = |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let arguments = interactive::arguments(&host, known.as_ref(), Some(&socket), &command);
        let mut ssh = Command::new(&arguments[0]);
        ssh.args(["-F", "none", "-o", "BatchMode=yes"]).args(&arguments[1..]).output().unwrap()
    };
    let answer = ask(&["printf", "%s", "it's $HOME"]);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "it's $HOME", "{answer:?}");
    let directory = socket.parent().unwrap().to_owned();
    drop(agent);
    assert!(!directory.exists());
    assert!(!ask(&["true"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_through_jump_hosts() {
    let (Some(inner), Some(gate), Some(first)) = (start(7), start(8), start(9)) else { return };
    let mut host = inner.host("inner");
    host.jumps = vec![first.host("first"), gate.host("gate")];
    let hosts = hosts(&inner);
    let key = hosts.wait(&host, Duration::from_secs(10)).await.unwrap();
    assert_eq!(key, inner.host_key);
    let (_, out, _) = run(&hosts, &host, &["sh", "-c", "echo $SSH_CONNECTION"]).await.unwrap();
    assert!(out.ends_with(&inner.port.to_string()), "{out}");
    // The system's own ssh takes the same way.
    let known = inner.path("known");
    let lines = [&inner, &gate, &first].map(|sshd| sshd.host_key.known_hosts_line("127.0.0.1", sshd.port));
    std::fs::write(&known, lines.join("\n") + "\n").unwrap();
    let keys = [&inner, &gate, &first].map(|sshd| sshd.key.clone()).to_vec();
    let agent = PrivateAgent::serve(inner.directory.path(), "2", keys).unwrap();
    let arguments =
        interactive::arguments(&host, known.as_ref(), Some(agent.socket()), &["echo".into(), "hi".into()]);
    let answer = Command::new(&arguments[0]).args(&arguments[1..]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "hi\n", "{answer:?}");
    // A wrong key on the way is a refusal too, and names the jump host.
    let other = LoginKey::generate(&world(80), "x").public_line().parse().unwrap();
    host.jumps[1].host_key = HostKeyPolicy::Known(other);
    let error = SshHosts::new(SshSettings::default()).wait(&host, Duration::from_secs(5)).await.unwrap_err();
    assert!(error.to_string().starts_with("gate (127.0.0.1): its host key has changed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_the_persons_configuration_through_ssh() {
    let (Some(inner), Some(gate)) = (start(10), start(11)) else { return };
    let path = inner.path("ssh_config");
    let id = inner.path("id");
    let known = inner.path("known");
    std::fs::write(&id, inner.key.to_secret().expose()).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&id, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(gate.path("authorized"), inner.key.public_line()).unwrap();
    let lines = [&inner, &gate].map(|sshd| sshd.host_key.known_hosts_line("127.0.0.1", sshd.port));
    std::fs::write(&known, lines.join("\n")).unwrap();
    let text = format!(
        "Match host never\n  User m\nHost web\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump gate\n\
         Host gate\n  HostName 127.0.0.1\n  Port {}\nHost *\n  User root\n  IdentityFile {id}\n\
         IdentityAgent none\n  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n",
        inner.port, gate.port
    );
    std::fs::write(&path, text).unwrap();
    let host = config::host("ssh", "web", Some(path.as_ref())).await.unwrap();
    assert_eq!((host.port, host.user.as_str(), host.jumps.len()), (inner.port, "root", 1));
    SshHosts::new(SshSettings::default()).wait(&host, Duration::from_secs(10)).await.unwrap();
    assert!(config::host("ssh", "-oProxyCommand=x", None).await.is_err());
    let plain = config::host("/no/such/ssh", "10.1.2.3", None).await.unwrap();
    assert_eq!((plain.address.as_str(), plain.port), ("10.1.2.3", 22));
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_within_its_bound_and_refuses_simulated_addresses() {
    let hosts = SshHosts::new(SshSettings::default());
    let key = LoginKey::generate(&world(81), "x");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = Host { port: closed, ..Host::new("web-1", "127.0.0.1", &key) };
    let began = tokio::time::Instant::now();
    let error = hosts.wait(&host, Duration::from_secs(2)).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(
        error.to_string().starts_with("web-1 (127.0.0.1): waited 2 s for SSH; the last try: connecting to")
    );
    assert_eq!(error.kind(), SshErrorKind::Transient);
    for address in ["198.18.0.1", "198.19.255.254", "::ffff:198.18.0.1"] {
        let error = hosts.wait(&Host::new("s", address, &key), Duration::from_secs(60)).await.unwrap_err();
        assert!(matches!(error, SshError::Simulated { .. }), "{error}");
        assert_eq!(error.kind(), SshErrorKind::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_comes_up_late_is_waited_for() {
    let Some(sshd) = start(12) else { return };
    // Not yet authorised, as before cloud-init has run.
    let authorized = sshd.path("authorized");
    let line = std::fs::read_to_string(&authorized).unwrap();
    std::fs::write(&authorized, "").unwrap();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        std::fs::write(&authorized, line).unwrap();
    });
    hosts(&sshd).wait(&sshd.host("web-1"), Duration::from_secs(20)).await.unwrap();
    late.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_up_and_down_with_checksums() {
    let Some(sshd) = start(13) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let content: Bytes = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect::<Vec<_>>().into();
    let to = sshd.path("a b'c");
    let first = hosts.upload(&host, content.clone(), &to, 0o640).await.unwrap();
    assert!(first.changed);
    assert_eq!(std::fs::read(&to).unwrap(), content);
    let again = hosts.upload(&host, content.clone(), &to, 0o640).await.unwrap();
    assert_eq!(again, Copied { changed: false, ..first.clone() });
    assert!(hosts.upload(&host, content.clone(), &to, 0o600).await.unwrap().changed, "another mode");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(hosts.download(&host, &to, 4 << 20).await.unwrap(), content);
    let error = hosts.download(&host, &to, 1000).await.unwrap_err();
    assert!(error.to_string().contains("it holds more than 1000 bytes"), "{error}");
    let error = hosts.upload(&host, content, "/no/such/place/x", 0o600).await.unwrap_err();
    assert!(error.to_string().starts_with("web-1 (127.0.0.1): writing /no/such/place/x.muster-"), "{error}");
    let left = std::fs::read_dir(sshd.directory.path()).unwrap();
    assert!(!left.flatten().any(|entry| entry.file_name().to_string_lossy().contains(".muster-")));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_a_page_and_opens_a_stream_through_a_tunnel() {
    let Some(sshd) = start(14) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = axum::Router::new().route("/metrics", axum::routing::get(|| async { "node_load1 0.5\n" }));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let answer = hosts.http_get(&host, port, "/metrics").await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, b"node_load1 0.5\n".as_slice()));
    assert_eq!(hosts.http_get(&host, port, "/other").await.unwrap().status, 404);
    let mut stream = hosts.tunnel(&host, "127.0.0.1", port).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    serving.abort();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = hosts.http_get(&host, closed, "/metrics").await.unwrap_err();
    let text = format!("web-1 (127.0.0.1): connecting to 127.0.0.1:{closed} from there: ");
    assert!(error.to_string().starts_with(&text), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_connections_at_once() {
    let Some(sshd) = start(15) else { return };
    let mut all = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (hosts, host) = (hosts(&sshd), sshd.host(&format!("web-{number}")));
        all.spawn(async move { run(&hosts, &host, &["echo", &number.to_string()]).await.unwrap().1 });
    }
    let mut seen: Vec<usize> = all.join_all().await.iter().map(|text| text.parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_commands_share_one_connection_within_the_servers_limits() {
    // OpenSSH's own defaults: ten sessions a connection, ten unauthenticated connections.
    let Some(sshd) = start_with(16, "MaxSessions 10") else { return };
    let hosts = Arc::new(hosts(&sshd));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (hosts, host) = (hosts.clone(), sshd.host("web-1"));
        all.spawn(async move { run(&*hosts, &host, &["sh", "-c", "echo $SSH_CONNECTION"]).await.unwrap().1 });
    }
    let mut ports = all.join_all().await;
    ports.dedup();
    assert_eq!(ports.len(), 1, "one connection: {ports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_replaced() {
    let Some(sshd) = start(17) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    // Ends the server's side of this very connection: the parent of the shell that runs this.
    let _ = run(&hosts, &host, &["sh", "-c", "kill -KILL $PPID"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (end, ..) = run(&hosts, &host, &["true"]).await.unwrap();
    assert_eq!(end, End::Exit(0));
}
