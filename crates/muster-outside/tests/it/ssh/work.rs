//! What is built on commands: the wrapper that starts them once, quoting, the stand-in.

use std::process::Command;
use std::time::Duration;

use muster_outside::host::ssh::wrapper::Lost;
use muster_outside::host::ssh::{
    Attempt, Collected, Exec, Host, Hosts, Outcome, ScriptedHosts, SshError, Started, quote,
};
use muster_outside::secret::LoginKey;
use proptest::prelude::*;

use super::{hosts, run};
use crate::sshd::start;
use crate::world::world;

fn attempt(step: u32, token: u64) -> Attempt {
    Attempt::new("0190-run", 0, step, 1, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrapper_starts_once_and_tells_the_end() {
    let Some(sshd) = start(18) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let count = sshd.path("count");
    let text = format!("echo x >> {count}; echo out; echo err >&2; sleep 0.5; echo late; exit 7");
    let command = Exec::new(["sh", "-c", &text]);
    assert_eq!(hosts.start(&host, &attempt(1, 5), &command).await.unwrap(), Started::Now);
    assert_eq!(hosts.start(&host, &attempt(1, 5), &command).await.unwrap(), Started::Before);
    // Somebody else takes over with a newer token and finds it.
    assert_eq!(hosts.start(&host, &attempt(1, 6), &command).await.unwrap(), Started::Before);
    let mut said = Collected::default();
    let outcome = hosts.follow(&host, &attempt(1, 6), Duration::from_secs(20), &mut said).await.unwrap();
    assert_eq!(outcome, Outcome::Finished(7));
    assert_eq!(
        (said.stdout.as_slice(), said.stderr.as_slice()),
        (b"out\nlate\n".as_slice(), b"err\n".as_slice())
    );
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n", "started once");
    // The old owner comes back: refused, and nothing runs.
    let error = hosts.start(&host, &attempt(2, 5), &command).await.unwrap_err();
    assert!(matches!(error, SshError::OlderToken { token: 5, newest: 6, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n");
    // Kept until forgotten.
    let mut said = Collected::default();
    let fetched = hosts.fetch(&host, &attempt(1, 6), &mut said).await.unwrap();
    assert_eq!((fetched, said.text().as_str()), (Outcome::Finished(7), "out\nlate"));
    // An old owner cannot take it away from the new one, nor end anything.
    for refused in [hosts.forget(&host, &attempt(1, 5)).await, hosts.stop(&host, &attempt(1, 5)).await]
        .map(Result::unwrap_err)
    {
        assert!(matches!(refused, SshError::OlderToken { token: 5, newest: 6, .. }), "{refused}");
    }
    hosts.forget(&host, &attempt(1, 6)).await.unwrap();
    // Whoever comes before the outcome was written down still learns it, and does not start it again.
    assert_eq!(hosts.start(&host, &attempt(1, 7), &command).await.unwrap(), Started::Before);
    let mut said = Collected::default();
    let fetched = hosts.fetch(&host, &attempt(1, 7), &mut said).await.unwrap();
    assert_eq!((fetched, said.text().as_str()), (Outcome::Finished(7), ""));
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n");
    // Much later it goes by itself.
    let kept = format!("{}/attempt/{}", sshd.path("state"), attempt(1, 7).name());
    assert!(Command::new("touch").args(["-d", "40 days ago", &kept]).status().unwrap().success());
    hosts.start(&host, &attempt(3, 7), &Exec::new(["true"])).await.unwrap();
    assert!(!std::fs::exists(&kept).unwrap());
    let fetched = hosts.fetch(&host, &attempt(1, 7), &mut said).await.unwrap();
    assert_eq!(fetched, Outcome::Unknown(Lost::NoTrace));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_wrapper_tells_the_truth_or_that_nobody_knows() {
    let Some(sshd) = start(19) else { return };
    let (hosts_, host) = (hosts(&sshd), sshd.host("web-1"));
    let start_one = async |step: u32, text: &str| {
        let command = Exec::new(["sh", "-c", text]);
        assert_eq!(hosts_.start(&host, &attempt(step, 1), &command).await.unwrap(), Started::Now);
    };
    let directory = |step: u32| format!("{}/attempt/{}", sshd.path("state"), attempt(step, 1).name());
    let fetch = async |step: u32| {
        // A fresh layer: whoever takes over knows nothing but the attempt's name.
        hosts(&sshd).fetch(&host, &attempt(step, 1), &mut Collected::default()).await.unwrap()
    };
    let pid = |step: u32| {
        let text = std::fs::read_to_string(format!("{}/pid", directory(step))).unwrap();
        text.split(' ').next().unwrap().to_owned()
    };
    // Our side dies; the command goes on.
    start_one(1, "sleep 1; exit 4").await;
    assert_eq!(fetch(1).await, Outcome::Running);
    hosts_.disconnect(&host);
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(fetch(1).await, Outcome::Finished(4));
    // It is killed with everything.
    start_one(2, "sleep 60").await;
    assert_eq!(fetch(2).await, Outcome::Running);
    let killed = Command::new("kill").args(["-KILL", "--", &format!("-{}", pid(2))]).status().unwrap();
    assert!(killed.success());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fetch(2).await, Outcome::Unknown(Lost::Killed));
    // The number belongs to somebody else by now.
    start_one(3, "sleep 60").await;
    assert_eq!(fetch(3).await, Outcome::Running);
    let old = pid(3);
    std::fs::write(format!("{}/pid", directory(3)), "1 12345\n").unwrap();
    assert_eq!(fetch(3).await, Outcome::Unknown(Lost::Killed));
    assert!(Command::new("kill").args(["-KILL", "--", &format!("-{old}")]).status().unwrap().success());
    // The machine was restarted.
    start_one(4, "sleep 60").await;
    assert_eq!(fetch(4).await, Outcome::Running);
    let boot = format!("{}/boot", directory(4));
    let real = std::fs::read(&boot).unwrap();
    std::fs::write(&boot, "another\n").unwrap();
    assert_eq!(fetch(4).await, Outcome::Unknown(Lost::Rebooted));
    std::fs::write(&boot, real).unwrap();
    // Stopped on purpose, with its children.
    hosts_.stop(&host, &attempt(4, 1)).await.unwrap();
    assert!(matches!(fetch(4).await, Outcome::Finished(143) | Outcome::Unknown(Lost::Killed)));
    // It died between making the directory and telling its number.
    std::fs::remove_file(format!("{}/pid", directory(1))).unwrap();
    std::fs::remove_file(format!("{}/code", directory(1))).unwrap();
    assert_eq!(fetch(1).await, Outcome::Unknown(Lost::NeverBegan));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrapper_bounds_what_it_keeps_and_does_not_wait_for_daemons() {
    let Some(sshd) = start(20) else { return };
    let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
    let mut command = Exec::new(["sh", "-c", "sleep 30 & head -c 3000000 /dev/zero; exit 0"]);
    command.output_bytes_max = 1000;
    hosts.start(&host, &attempt(1, 1), &command).await.unwrap();
    let mut said = Collected::default();
    let began = tokio::time::Instant::now();
    let outcome = hosts.follow(&host, &attempt(1, 1), Duration::from_secs(25), &mut said).await.unwrap();
    assert_eq!((outcome, said.stdout.len()), (Outcome::Finished(0), 1000));
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "a daemon that keeps the output open is not waited for"
    );
}

#[tokio::test]
async fn the_stand_in_remembers_and_answers() {
    let hosts = ScriptedHosts::new();
    let host = Host::new("web-1", "10.0.0.1", &LoginKey::generate(&world(1), "x"));
    hosts.answer("web-1", "uname", 0, "Linux\n", "");
    hosts.fail("web-1", || SshError::Lost { host: "web-1".into(), doing: "a command ran" });
    assert!(run(&hosts, &host, &["uname"]).await.is_err());
    assert_eq!(run(&hosts, &host, &["uname"]).await.unwrap().1, "Linux");
    assert_eq!(hosts.start(&host, &attempt(1, 2), &Exec::new(["x"])).await.unwrap(), Started::Now);
    assert_eq!(hosts.start(&host, &attempt(1, 2), &Exec::new(["x"])).await.unwrap(), Started::Before);
    assert!(hosts.start(&host, &attempt(2, 1), &Exec::new(["x"])).await.is_err());
    hosts.lose_attempts("web-1");
    let fetched = hosts.fetch(&host, &attempt(1, 2), &mut Collected::default()).await.unwrap();
    assert_eq!(fetched, Outcome::Unknown(Lost::NoTrace));
    hosts.page("web-1", 9100, "/metrics", "a 1\n");
    assert_eq!(hosts.http_get(&host, 9100, "/metrics").await.unwrap().body, "a 1\n");
    assert_eq!(hosts.calls()[0].what, "exec uname");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the arguments hold, a real shell reads them back unchanged.
    #[test]
    fn a_real_shell_reads_quoted_arguments_back(words in prop::collection::vec("[^\0]{0,12}", 1..6)) {
        let mut arguments = vec!["printf".to_owned(), "%s\\0".to_owned()];
        arguments.extend(words.iter().cloned());
        let output = Command::new("sh").args(["-c", &quote::command_line(&arguments)]).output().unwrap();
        let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
        prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}
