//! Supervised children, with real processes: what ends them, who may own them, and what is left when they are gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_model::Secret;
use muster_outside::supervise::{
    Child, End, Folder, Found, GONE_WITHIN, Launcher, Lost, Order, Owner, Remaining, StartError, Why,
    supervisor_main, sweep, take_up,
};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(300);

/// This very program as the supervisor: its only test that runs then is [`is_the_supervisor`].
pub fn launcher() -> Launcher {
    Launcher {
        program: std::env::current_exe().unwrap(),
        arguments: ["supervise::is_the_supervisor", "--exact", "--nocapture"].map(str::to_owned).to_vec(),
        environment: vec![("MUSTER_TEST_SUPERVISOR".to_owned(), "yes".to_owned())],
    }
}

#[test]
fn is_the_supervisor() {
    if std::env::var_os("MUSTER_TEST_SUPERVISOR").is_some() {
        std::process::exit(supervisor_main(std::env::args().next_back()));
    }
}

fn order(directory: &Path, script: &str) -> Order {
    Order {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        directory: directory.to_owned(),
        input: None,
        hidden: Vec::new(),
        events: None,
        output: false,
        agent: None,
        limit: LONG,
        directories: Vec::new(),
        kept: Vec::new(),
    }
}

fn owner(token: u64, lease: Duration) -> Owner {
    Owner { token, lease: Arc::new(lease) }
}

fn folder(directory: &Path, name: &str) -> Folder {
    Folder::at(directory.join("children/run").join(name))
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_500 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come");
}

async fn ended(folder: &Folder) -> End {
    until("the end", || folder.end().unwrap()).await
}

/// A word that only one test's processes have in their arguments.
fn word(name: &str) -> String {
    format!("{name}.{}", std::process::id())
}

fn alive(word: &str) -> Vec<String> {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(word))
        .collect()
}

/// Grandchildren in sessions of their own, without a parent, that ignore being asked.
fn stubborn(word: &str) -> String {
    format!(
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; (setsid sh -c \"trap : TERM; while :; do sleep 0.2; done\" {word} &) ; \
         while :; do sleep 0.2; done' {word} & while :; do sleep 0.2; done"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_tells_how_it_ended_and_what_it_complained_of() {
    let directory = tempfile::tempdir().unwrap();
    let private = directory.path().join("private");
    std::fs::create_dir(&private).unwrap();
    let folder = folder(directory.path(), "1");
    let mut order = order(directory.path(), "read line; echo \"it got $line, hunter2\" >&2; exit 7");
    order.input = Some(Secret::new("password\n"));
    order.hidden = vec![Secret::new("hunter2"), Secret::new("password")];
    order.directories = vec![private.clone()];
    let owned = launcher().start(&folder, &owner(3, LONG), &order).await.unwrap();
    let end = ended(&folder).await;
    assert_eq!((end.status, end.why, end.clean), (7, Why::Itself, true));
    assert_eq!(end.complaint, "it got ••••••, ••••••");
    assert!(!private.exists(), "its private directory goes with it");
    // An attempt is started once.
    let error = launcher().start(&folder, &owner(4, LONG), &order).await.unwrap_err();
    assert!(matches!(&error, StartError::Folder(_)) && !error.may_have_begun(), "{error}");
    drop(owned);
    // It ended when it was somebody's; the outcome stays until it is taken.
    assert!(matches!(take_up(&folder, &owner(9, LONG)).await.unwrap(), Found::Ended(End { status: 7, .. })));
    folder.forget();
    assert!(!directory.path().join("children/run").exists(), "the last one takes the run's folder with it");
    assert!(matches!(take_up(&folder, &owner(9, LONG)).await.unwrap(), Found::Nothing));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let mut order = order(directory.path(), "");
    order.program = "/no/such/program".into();
    let error = launcher().start(&folder, &owner(1, LONG), &order).await.unwrap_err();
    assert!(matches!(error, StartError::NotFound), "{error}");
    assert!(!folder.exists());
    let nobody = Launcher { program: "/no/such/supervisor".into(), ..launcher() };
    let error = nobody.start(&folder, &owner(1, LONG), &order).await.unwrap_err();
    assert!(matches!(error, StartError::Supervisor { .. }) && !error.may_have_begun(), "{error}");
    assert!(!folder.exists());
}

/// What a child made stays until somebody took it, and goes at once if it came to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_child_made_goes_with_its_folder() {
    let directory = tempfile::tempdir().unwrap();
    for (name, script, stays) in [("1", "exit 0", true), ("2", "exit 3", false)] {
        let (folder, made) = (folder(directory.path(), name), directory.path().join(name));
        std::fs::create_dir(&made).unwrap();
        let mut order = order(directory.path(), script);
        order.kept = vec![made.clone()];
        let owned = launcher().start(&folder, &owner(1, LONG), &order).await.unwrap();
        ended(&folder).await;
        assert_eq!(made.exists(), stays, "{script}");
        drop(owned);
        folder.forget();
        assert!(!made.exists() && !folder.exists());
    }
}

/// Nobody of the child is left, in whatever session it hides.
#[tokio::test(flavor = "multi_thread")]
async fn an_unrenewed_deadline_ends_every_process() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let word = word("unrenewed");
    let lease = Duration::from_secs(2);
    let order = order(directory.path(), &stubborn(&word));
    // Alive and holding its lock, but it renews nothing: as a frozen process.
    let owned = launcher().start(&folder, &owner(1, lease), &order).await.unwrap();
    until("the grandchildren", || (alive(&word).len() >= 3).then_some(())).await;
    let began = tokio::time::Instant::now();
    let end = ended(&folder).await;
    assert_eq!((end.why, end.clean), (Why::Unrenewed, true));
    assert_eq!(alive(&word), Vec::<String>::new());
    assert!(began.elapsed() < lease + GONE_WITHIN, "{:?}", began.elapsed());
    drop(owned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_child_outlives_its_first_deadline_and_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let order = order(directory.path(), "exec sleep 300");
    let owned = launcher().start(&folder, &owner(1, Duration::from_secs(1)), &order).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(4), owned.keep()).await.is_err());
    assert!(folder.end().unwrap().is_none());
    owned.stop();
    let end = ended(&folder).await;
    assert_eq!((end.why, end.status), (Why::Stopped, -15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_takes_too_long_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let mut order = order(directory.path(), "exec sleep 300");
    order.limit = Duration::from_millis(300);
    let _owned = launcher().start(&folder, &owner(1, LONG), &order).await.unwrap();
    assert_eq!(ended(&folder).await.why, Why::TimedOut);
}

/// A lease that can be lost.
#[derive(Default)]
struct Lease(AtomicBool);

impl Remaining for Lease {
    fn remaining(&self) -> Option<Duration> {
        (!self.0.load(Ordering::SeqCst)).then_some(Duration::from_secs(2))
    }
}

/// Ownership changes hands, and who was the owner before has no say any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_owner_adopts_and_an_older_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let marker = directory.path().join("go");
    let script = format!("while ! [ -e {} ]; do sleep 0.05; done; exit 5", marker.display());
    let first = launcher().start(&folder, &owner(5, LONG), &order(directory.path(), &script)).await.unwrap();
    let Found::Running(second, Child { process, supervisor }) =
        take_up(&folder, &owner(6, LONG)).await.unwrap()
    else {
        panic!("it runs")
    };
    assert!(process.is_alive() && supervisor.is_alive() && process != supervisor);
    // The old one wakes up and wants it gone.
    first.stop();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(folder.end().unwrap().is_none() && process.is_alive());
    let error = take_up(&folder, &owner(5, LONG)).await.unwrap_err();
    assert!(matches!(error, StartError::Older { token: 5, newest: 6 }), "{error}");
    // Nobody for a moment, then a third one; it ended meanwhile.
    drop(second);
    std::fs::write(&marker, "").unwrap();
    ended(&folder).await;
    let Found::Ended(end) = take_up(&folder, &owner(7, LONG)).await.unwrap() else { panic!("it ended") };
    assert_eq!((end.status, end.why), (5, Why::Itself));
    // A lost lease owns nothing.
    let lease = Arc::new(Lease::default());
    lease.0.store(true, Ordering::SeqCst);
    let started = launcher()
        .start(
            &self::folder(directory.path(), "2"),
            &Owner { token: 1, lease },
            &order(directory.path(), "exit 0"),
        )
        .await;
    assert!(matches!(started, Err(StartError::Lapsed)));
}

/// Dropped without a word, as by a crash: it may be adopted, and is ended when its owner's lease is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_nobody_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let word = word("nobody");
    let lease = Duration::from_secs(2);
    let order = order(directory.path(), &stubborn(&word));
    drop(launcher().start(&folder, &owner(1, lease), &order).await.unwrap());
    let end = ended(&folder).await;
    assert_eq!((end.why, end.clean), (Why::Unowned, true));
    assert_eq!(alive(&word), Vec::<String>::new());
    sweep(&directory.path().join("children"), LONG, std::time::SystemTime::UNIX_EPOCH);
    assert!(folder.exists(), "not old yet");
    let later = folder.path().metadata().unwrap().modified().unwrap() + LONG + LONG;
    // Its supervisor goes a moment after it has written the end.
    let swept = || {
        sweep(&directory.path().join("children"), LONG, later);
        (!folder.exists()).then_some(())
    };
    until("the folder's end", swept).await;
}

/// Whoever takes over proves the child dead, also where the supervisor was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_means_that_nobody_knows_and_nothing_runs() {
    let directory = tempfile::tempdir().unwrap();
    let private = directory.path().join("private");
    std::fs::create_dir(&private).unwrap();
    let folder = folder(directory.path(), "1");
    let word = word("killed");
    let mut order = order(directory.path(), &stubborn(&word));
    order.directories = vec![private.clone()];
    let owned = launcher().start(&folder, &owner(1, LONG), &order).await.unwrap();
    until("the grandchildren", || (alive(&word).len() >= 3).then_some(())).await;
    let supervisor = folder.child().unwrap().unwrap().supervisor;
    let killed = Command::new("kill").args(["-KILL", &supervisor.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    until("its death", || (!supervisor.is_alive()).then_some(())).await;
    drop(owned);
    assert!(!alive(&word).is_empty(), "its processes go on without it");
    let found = take_up(&folder, &owner(2, LONG)).await.unwrap();
    assert!(matches!(found, Found::Lost(Lost::Killed)), "{found:?}");
    assert_eq!(alive(&word), Vec::<String>::new());
    assert!(!private.exists());
    folder.forget();
    assert!(!folder.exists());
}

/// A supervisor that dies before it began anything is not waited for; what it said is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_dies_at_once_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let launcher = Launcher {
        program: PathBuf::from("/bin/sh"),
        arguments: ["-c", "cat > /dev/null; echo it is broken >&2; exit 3"].map(str::to_owned).to_vec(),
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
    };
    let (owner, order) = (owner(1, LONG), order(directory.path(), "exit 0"));
    let started =
        tokio::time::timeout(Duration::from_secs(10), launcher.start(&folder, &owner, &order)).await;
    let error = started.expect("nobody is waited for").unwrap_err();
    assert!(matches!(&error, StartError::Silent { log, begun: false } if log == "it is broken"), "{error}");
    assert!(!folder.exists());
}

/// A supervisor said that it could not start its child, and its owner died before reading that: nothing was begun.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_supervisor_refused_never_began() {
    let directory = tempfile::tempdir().unwrap();
    let folder = folder(directory.path(), "1");
    let owned =
        launcher().start(&folder, &owner(1, LONG), &order(directory.path(), "exec sleep 300")).await.unwrap();
    let supervisor = folder.child().unwrap().unwrap().supervisor;
    owned.stop();
    ended(&folder).await;
    until("its supervisor's end", || (!supervisor.is_alive()).then_some(())).await;
    for file in ["end.json", "child.json"] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    let refusal = serde_json::json!({ "not_found": false, "message": "no room" });
    std::fs::write(folder.path().join("refusal.json"), refusal.to_string()).unwrap();
    let found = take_up(&folder, &owner(2, LONG)).await.unwrap();
    assert!(matches!(found, Found::Lost(Lost::NeverBegan)), "{found:?}");
}

/// The start was called off, or the machine was restarted: told apart, and nothing is begun afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_start_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let never = folder(directory.path(), "1");
    std::fs::create_dir_all(never.path()).unwrap();
    let found = take_up(&never, &owner(2, LONG)).await.unwrap();
    assert!(matches!(found, Found::Lost(Lost::NeverBegan)), "{found:?}");
    // A supervisor that comes late finds that it must not start any more.
    let mut late = Command::new(std::env::current_exe().unwrap());
    late.args(launcher().arguments).arg(never.path()).envs(launcher().environment);
    let mut late =
        late.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let marker = directory.path().join("ran");
    let wire = serde_json::json!({
        "program": "/bin/sh", "arguments": ["-c", format!("touch {}", marker.display())], "environment": {},
        "directory": "/", "input": null, "hidden": [], "events": null, "agent": null, "limit_ms": 1000,
        "directories": [],
    });
    std::io::Write::write_all(&mut late.stdin.take().unwrap(), wire.to_string().as_bytes()).unwrap();
    assert!(late.wait().unwrap().success());
    assert!(!marker.exists());

    let old = folder(directory.path(), "2");
    let owned =
        launcher().start(&old, &owner(1, LONG), &order(directory.path(), "exec sleep 300")).await.unwrap();
    owned.stop();
    ended(&old).await;
    std::fs::remove_file(old.path().join("end.json")).unwrap();
    let begun = old.path().join("begun.json");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&begun).unwrap()).unwrap();
    text["supervisor"]["boot"] = "another".into();
    std::fs::write(&begun, text.to_string()).unwrap();
    let found = take_up(&old, &owner(2, LONG)).await.unwrap();
    assert!(matches!(found, Found::Lost(Lost::Rebooted)), "{found:?}");
}
