//! Ansible against real sshds; and, in `alone`, what needs no machine.

mod alone;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_model::Secret;
use muster_model::ansible::{Inventory, InventoryHost};
use muster_outside::ansible::{
    Ansible, AnsibleError, AnsibleEvent, AnsibleRunner, EarlierRun, Guard, HostStats, HostTask, PlaybookRun,
    RunFile, RunnerSettings, TaskKind, TaskOutcome,
};
use muster_outside::host::ssh::{HostKeyPolicy, PrivateAgent};
use muster_outside::secret::LoginKey;
use muster_outside::supervise::{Folder, Owner, Why};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, skip, start};
use crate::world::world;

fn is_installed() -> bool {
    let there =
        Command::new("ansible-playbook").arg("--version").output().is_ok_and(|said| said.status.success());
    if !there {
        skip("no ansible-playbook (PyPI: ansible-core)");
    }
    there
}

fn file(text: &str) -> RunFile {
    RunFile { content: Bytes::copy_from_slice(text.as_bytes()), mode: 0o644 }
}

fn inventory_host(sshd: &Sshd, name: &str, groups: &[&str]) -> InventoryHost {
    InventoryHost {
        name: name.to_owned(),
        address: "127.0.0.1".to_owned(),
        port: sshd.port,
        user: "root".to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        playbook: Some("site.yml".to_owned()),
        // The developer's own machine is the target here, and may hide its Python behind version managers.
        vars: [("ansible_python_interpreter".to_owned(), "/usr/bin/python3".into())].into(),
    }
}

/// A run of `site.yml` on this sshd as `web-1`, with an agent that must live as long.
fn run_on(sshd: &Sshd, mark: &str, playbook: &str) -> (PlaybookRun, PrivateAgent) {
    let agent = PrivateAgent::serve(sshd.directory.path(), mark, vec![sshd.key.clone()]).unwrap();
    let inventory = Inventory::build([inventory_host(sshd, "web-1", &["front-end"])]).unwrap();
    let mut run = PlaybookRun::new(mark, "site.yml", inventory);
    run.files.insert("site.yml".to_owned(), file(playbook));
    run.hosts.insert("web-1".to_owned(), sshd.host("web-1"));
    run.agent = Some(agent.socket().to_owned());
    run.limit_of_time = Duration::from_secs(120);
    (run, agent)
}

fn settings(directory: &Path) -> RunnerSettings {
    let supervisor = crate::supervise::launcher();
    RunnerSettings { supervisor, ..RunnerSettings::new(&directory.join("runs")) }
}

fn runner(directory: &Path) -> AnsibleRunner {
    AnsibleRunner::new(settings(directory))
}

fn host_tasks(events: &[AnsibleEvent]) -> Vec<&HostTask> {
    let all = events.iter().filter_map(|event| match event {
        AnsibleEvent::Host(task) => Some(task),
        _ => None,
    });
    all.collect()
}

fn outcomes(events: &[AnsibleEvent]) -> Vec<(&str, TaskOutcome)> {
    host_tasks(events).into_iter().map(|task| (task.host.as_str(), task.outcome)).collect()
}

/// ICT-23, ICT-49: work inside servers goes through Ansible, with its events per host and task.
#[tokio::test(flavor = "multi_thread")]
async fn runs_a_playbook_and_tells_what_happens() {
    let Some(sshd) = start(30) else { return };
    if !is_installed() {
        return;
    }
    let to = sshd.path("made");
    let playbook = format!(
        r#"
- name: First play
  hosts: front_end
  gather_facts: false
  vars: {{ greeting: hello }}
  tasks:
    - name: Directory
      file: {{ path: "{to}", state: directory, mode: "0755" }}
    - name: Copied
      copy: {{ src: app.txt, dest: "{to}/app.txt", mode: "0644" }}
    - name: Templated
      template: {{ src: page.j2, dest: "{to}/page", mode: "0644" }}
      notify: Handled
    - name: Hidden
      command: "echo {{{{ password }}}} no-log-text"
      no_log: true
    - name: Careless
      command: "echo {{{{ password }}}}"
      changed_when: false
      tags: [careless]
    - name: Skipped
      command: "false"
      when: false
    - name: Looped
      debug: {{ msg: "item {{{{ item }}}}" }}
      loop: [a, b]
    - name: Tolerated
      command: "sh -c 'echo out; echo complaint >&2; exit 3'"
      ignore_errors: true
  handlers:
    - name: Handled
      debug: {{ msg: handled }}
"#
    );
    let (mut run, _agent) = run_on(&sshd, "r1", &playbook);
    run.files.insert("files/app.txt".into(), file("application"));
    run.files.insert("templates/page.j2".into(), file("{{ greeting }} {{ who }} {{ muster_playbook }}"));
    run.extra_vars.insert("who".into(), "it's \"you\"".into());
    run.secret_vars.insert("password".into(), Secret::new("hunter2-secret"));
    let runner = runner(sshd.directory.path());
    let mut events = Vec::new();
    let outcome = runner.run(&run, &mut events).await.unwrap();
    assert!(outcome.success(), "{outcome:?}\n{events:#?}");
    assert_eq!(std::fs::read_to_string(format!("{to}/app.txt")).unwrap(), "application");
    assert_eq!(std::fs::read_to_string(format!("{to}/page")).unwrap(), "hello it's \"you\" site.yml");
    use TaskOutcome::{Changed, Ignored, Ok, Skipped};
    let expected = [Changed, Changed, Changed, Changed, Ok, Skipped, Ok, Ignored, Ok];
    assert_eq!(outcomes(&events), expected.map(|outcome| ("web-1", outcome)));
    let stats = HostStats { ok: 8, changed: 5, skipped: 1, ignored: 1, ..HostStats::default() };
    assert_eq!(outcome.hosts["web-1"].stats, stats);
    assert!(matches!(&events[0], AnsibleEvent::Playbook { file } if file == "site.yml"));
    assert!(matches!(&events[1], AnsibleEvent::Play { name } if name == "First play"));
    let AnsibleEvent::Task { number: 1, kind: TaskKind::Task, name, path, .. } = &events[2] else {
        panic!("{:?}", events[2])
    };
    assert_eq!((name.as_str(), path.as_str()), ("Directory", "site.yml:7"));
    assert!(events.iter().any(|event| matches!(event, AnsibleEvent::Task { kind: TaskKind::Handler, .. })));
    let items: Vec<_> = events.iter().filter(|event| matches!(event, AnsibleEvent::Item(_))).collect();
    assert_eq!(items.len(), 2);
    let tasks = host_tasks(&events);
    assert_eq!(tasks[3].message, "hidden (no_log)");
    assert_eq!(tasks[4].stdout, ["••••••"]);
    assert_eq!((tasks[7].stdout[0].as_str(), tasks[7].stderr[0].as_str()), ("out", "complaint"));
    let all = format!("{events:?} {outcome:?}");
    assert!(!all.contains("hunter2") && !all.contains("no-log-text"), "{all}");
    // Nothing is left: no directory, no shared connection in the background.
    let left: Vec<_> = std::fs::read_dir(sshd.directory.path().join("runs")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!processes_with(&sshd.path("runs")), "an ssh stayed behind");
    // The second run changes nothing but the two commands that cannot know.
    let (mut again, _agent) = run_on(&sshd, "r2", &playbook);
    again.files = run.files.clone();
    again.extra_vars = run.extra_vars.clone();
    again.secret_vars = run.secret_vars.clone();
    again.skip_tags = vec!["careless".into()];
    let mut events = Vec::new();
    let outcome = runner.run(&again, &mut events).await.unwrap();
    assert_eq!((outcome.hosts["web-1"].stats.changed, host_tasks(&events).len()), (2, 7), "{events:#?}");
}

fn processes_with(text: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_failed_and_unreachable_hosts_apart() {
    let (Some(good), Some(changed)) = (start(31), start(32)) else { return };
    if !is_installed() {
        return;
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Works\n      command: 'true'\n    \
                    - name: Breaks\n      command: \"sh -c 'echo what it says >&2; exit 3'\"\n      when: breaks\n";
    let (mut run, _agent) = run_on(&good, "r1", playbook);
    let with = |mut host: InventoryHost, breaks: bool| {
        host.vars.insert("breaks".into(), breaks.into());
        host
    };
    let gone = InventoryHost { port: closed, ..inventory_host(&good, "gone-1", &[]) };
    run.inventory = Inventory::build([
        with(inventory_host(&good, "good-1", &[]), false),
        with(inventory_host(&good, "bad-1", &[]), true),
        with(gone, false),
        with(inventory_host(&changed, "changed-1", &[]), false),
    ])
    .unwrap();
    run.hosts = ["good-1", "bad-1"].map(|name| (name.to_owned(), good.host(name))).into();
    // On record is another key than the machine shows: host key checking is on.
    let mut other = changed.host("changed-1");
    other.host_key = HostKeyPolicy::Known(LoginKey::generate(&world(99), "x").public_line().parse().unwrap());
    run.hosts.insert("changed-1".into(), other);
    let mut events = Vec::new();
    let outcome = runner(good.directory.path()).run(&run, &mut events).await.unwrap();
    assert!(!outcome.success());
    assert!(outcome.hosts["good-1"].stats.well() && outcome.hosts["good-1"].failure.is_none());
    let (task, said) = outcome.hosts["bad-1"].failure.clone().unwrap();
    assert_eq!((task.as_str(), said.as_str()), ("Breaks", "non-zero return code: what it says"));
    for (name, part) in [("gone-1", "Connection refused"), ("changed-1", "HOST IDENTIFICATION HAS CHANGED")] {
        let host = &outcome.hosts[name];
        assert_eq!(host.stats.unreachable, 1, "{name}");
        let said = &host.failure.as_ref().unwrap().1;
        assert!(said.contains(part) || said.contains("Host key verification failed"), "{name}: {said}");
    }
    // Restricted to the good one, it is good.
    let (mut limited, _agent) = run_on(&good, "r2", playbook);
    (limited.inventory, limited.hosts) = (run.inventory, run.hosts);
    limited.limit = vec!["good-1".into()];
    let outcome = runner(good.directory.path()).run(&limited, &mut Vec::new()).await.unwrap();
    assert!(outcome.success());
    assert_eq!(outcome.hosts.keys().collect::<Vec<_>>(), ["good-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_through_a_jump_host() {
    let (Some(inner), Some(gate)) = (start(33), start(34)) else { return };
    if !is_installed() {
        return;
    }
    let to = inner.path("through");
    let playbook =
        format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo $SSH_CONNECTION > {to}\n");
    let (mut run, agent) = run_on(&inner, "r1", &playbook);
    drop(agent);
    let keys = vec![inner.key.clone(), gate.key.clone()];
    let agent = PrivateAgent::serve(inner.directory.path(), "both", keys).unwrap();
    run.agent = Some(agent.socket().to_owned());
    run.hosts.get_mut("web-1").unwrap().jumps = vec![gate.host("gate")];
    let mut events = Vec::new();
    let outcome = runner(inner.directory.path()).run(&run, &mut events).await.unwrap();
    assert!(outcome.success(), "{outcome:?}");
    let log = std::fs::read_to_string(&to).unwrap();
    assert!(log.contains(&inner.port.to_string()));
    // Without the jump host's key on record there is no way.
    let mut closed = run.clone();
    closed.mark = "r2".into();
    let other = LoginKey::generate(&world(98), "x").public_line().parse().unwrap();
    closed.hosts.get_mut("web-1").unwrap().jumps[0].host_key = HostKeyPolicy::Known(other);
    let outcome = runner(inner.directory.path()).run(&closed, &mut events).await.unwrap();
    assert_eq!(outcome.hosts["web-1"].stats.unreachable, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_with_all_its_children_when_cancelled_dropped_or_late() {
    let Some(sshd) = start(35) else { return };
    if !is_installed() {
        return;
    }
    let playbook = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n    \
                    - command: sleep 61.5\n";
    let runner = runner(sshd.directory.path());
    let running = || processes_with("61.5");
    let until = async |wanted: bool| {
        for _ in 0..200 {
            if running() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("sleep running: {}, wanted: {wanted}", running());
    };
    for kind in ["cancel", "drop", "late"] {
        let (mut run, _agent) = run_on(&sshd, kind, playbook);
        if kind == "late" {
            run.limit_of_time = Duration::from_secs(6);
        }
        let cancel = run.cancel.clone();
        let runner = runner.clone();
        let task = tokio::spawn(async move { runner.run(&run, &mut Vec::new()).await });
        until(true).await;
        match kind {
            "cancel" => {
                cancel.cancel();
                let error = task.await.unwrap().unwrap_err();
                assert!(matches!(error, AnsibleError::Cancelled { .. }), "{error}");
                assert!(error.may_have_acted());
            }
            "drop" => {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            _ => {
                let error = task.await.unwrap().unwrap_err();
                assert_eq!(error.to_string(), "`site.yml` took longer than 6 s and was ended");
            }
        }
        until(false).await;
        if kind == "drop" {
            // Nobody was there to take the outcome; its private directory is gone all the same.
            let folder = Folder::at(sshd.directory.path().join("runs/child-drop/1"));
            let mut end = None;
            while end.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                end = folder.end().unwrap();
            }
            assert_eq!(end.unwrap().why, Why::Stopped);
            folder.forget();
        }
        let left = std::fs::read_dir(sshd.directory.path().join("runs")).unwrap().count();
        assert_eq!(left, 0, "{kind}");
    }
}

/// A run that is let go of is neither ended nor waited for; whoever takes it up hears it from its beginning, and it
/// keeps its agent.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_let_go_of_is_taken_up_by_another_owner() {
    let Some(sshd) = start(37) else { return };
    if !is_installed() {
        return;
    }
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: First\n      command: echo one\n    \
                    - name: Pause\n      command: sleep 3\n    - name: Last\n      command: echo hunter2-secret\n";
    let (mut run, agent) = run_on(&sshd, "r1", playbook);
    drop(agent);
    run.agent = None;
    run.login = Some((sshd.directory.path().to_owned(), vec![sshd.key.clone()]));
    run.hidden = vec![Secret::new("hunter2-secret")];
    let owner = |token| Owner { token, lease: Arc::new(Duration::from_secs(60)) };
    let folder = Folder::at(sshd.directory.path().join("children/run/0-1-1"));
    let guard =
        Guard { folder: folder.clone(), owner: owner(1), let_go: CancellationToken::new(), outlives: false };
    run.guard = Some(guard.clone());
    let (told, mut heard) = tokio::sync::mpsc::channel(100);
    let (first, let_go) = (runner(sshd.directory.path()), guard.let_go.clone());
    let running = tokio::spawn(async move {
        let mut told = told;
        first.run(&run, &mut told).await
    });
    while !matches!(heard.recv().await.unwrap(), AnsibleEvent::Host(_)) {}
    let_go.cancel();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, AnsibleError::LetGo { .. }), "{error}");
    let earlier = EarlierRun {
        playbook: "site.yml".to_owned(),
        limit_of_time: Duration::from_secs(60),
        guard: Guard { owner: owner(2), let_go: CancellationToken::new(), ..guard.clone() },
        cancel: CancellationToken::new(),
    };
    let mut events = Vec::new();
    let second = runner(sshd.directory.path());
    let outcome = second.take_up(&earlier, &mut events).await.unwrap().unwrap();
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(outcomes(&events), [("web-1", TaskOutcome::Changed); 3]);
    // What is kept holds no secret, and goes when it is told to.
    let kept = std::fs::read_to_string(folder.path().join("events")).unwrap();
    assert!(kept.contains("••••••") && !kept.contains("hunter2"), "{kept}");
    let mut again = Vec::new();
    let third = EarlierRun { guard: Guard { owner: owner(3), ..guard }, ..earlier };
    assert_eq!(second.take_up(&third, &mut again).await.unwrap(), Some(outcome));
    assert_eq!(again, events);
    folder.forget();
    assert_eq!(second.take_up(&third, &mut again).await.unwrap(), None);
    assert!(!std::fs::exists(sshd.directory.path().join("agent-r1")).unwrap());
    assert_eq!(std::fs::read_dir(sshd.directory.path().join("runs")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_that_cannot_be_read_says_why() {
    let Some(sshd) = start(36) else { return };
    if !is_installed() {
        return;
    }
    let (run, _agent) = run_on(&sshd, "r1", "- hosts: all\n  tasks:\n    - no_such_module_at_all: {}\n");
    let error = runner(sshd.directory.path()).run(&run, &mut Vec::new()).await.unwrap_err();
    let AnsibleError::NoOutcome { complaint, started, .. } = &error else { panic!("{error}") };
    assert!(complaint.contains("no_such_module_at_all") && !started, "{complaint}");
    assert!(!error.may_have_acted());
    let (mut run, _agent) = run_on(&sshd, "r2", "- hosts: all\n");
    run.hosts.get_mut("web-1").unwrap().host_key = HostKeyPolicy::FirstUse;
    let error = runner(sshd.directory.path()).run(&run, &mut Vec::new()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the playbook run of `site.yml` cannot start: the host key of web-1 is not recorded yet; \
         wait for SSH there first"
    );
}
