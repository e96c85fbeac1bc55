//! ICT-02: builds on this machine, with real processes under real supervisors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_model::bundle::LINK;
use muster_outside::build::{BuildError, BuildRun, Builder, RealBuilder, ScriptedBuilder, Tree};
use muster_outside::host::ssh::Collected;
use muster_outside::host::ssh::deliver::DeliveredFile;
use muster_outside::supervise::{Folder, Owner};
use tokio::time::Instant;

use crate::supervise::launcher;

/// Between two looks.
const POLL: Duration = Duration::from_millis(20);
/// Longest wait for what should happen at once.
const WAIT: Duration = Duration::from_secs(60);

fn file(text: &str, mode: u32) -> DeliveredFile {
    DeliveredFile { content: Bytes::copy_from_slice(text.as_bytes()), mode }
}

fn run(directory: &Path, name: &str, script: &str) -> BuildRun {
    let files = [("build", file(script, 0o755)), ("src/a", file("a", 0o644)), ("src/b", file("a", LINK))];
    BuildRun {
        files: files.map(|(path, file)| (path.to_owned(), file)).into(),
        command: vec!["./build".into(), "one".into()],
        environment: BTreeMap::from([("RELEASE".to_owned(), "r1".to_owned())]),
        output: String::new(),
        hidden: Vec::new(),
        limit: Duration::from_secs(60),
        place: directory.join("builds").join(name),
        own_home: false,
        folder: Folder::at(directory.join("children/run").join(name)),
        owner: Owner { token: 1, lease: Arc::new(Duration::from_secs(120)) },
    }
}

async fn built(run: &BuildRun) -> (Result<Tree, BuildError>, String) {
    let mut said = Collected::default();
    let built = RealBuilder::new(launcher()).build(run, &mut said).await;
    (built, String::from_utf8(said.stdout).unwrap())
}

/// Whether a process still does something: one that is only waited for by its parent does not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// What is left of builds: folders of children, and copies.
fn left(directory: &Path) -> (Vec<String>, Vec<String>) {
    let names = |below: &str| {
        let listed = std::fs::read_dir(directory.join(below)).into_iter().flatten().flatten();
        listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    (names("children/run"), names("builds"))
}

const NOTHING: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());

#[tokio::test(flavor = "multi_thread")]
async fn builds_in_a_private_copy_with_a_named_environment() {
    let directory = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\necho \"arg $1\"; echo err >&2; env | cut -d= -f1 | sort | tr '\\n' ' '\n\
                  mkdir -p dist/bin; cat src/b > dist/x; echo run > dist/bin/run; chmod 700 dist/bin/run\n\
                  ln -s ../x dist/bin/x\n";
    let mut build = run(directory.path(), "1", script);
    build.output = "dist".into();
    let (tree, said) = built(&build).await;
    let tree = tree.unwrap();
    assert!(said.contains("arg one\n") && said.contains("err\n"), "{said}");
    let seen: Vec<&str> = said.lines().last().unwrap().split(' ').filter(|word| !word.is_empty()).collect();
    let ours = ["HOME", "LANG", "PATH", "RELEASE"];
    // The shell's own, and the supervisor's mark.
    let others =
        seen.iter().filter(|name| !ours.contains(name) && !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert!(others.clone().all(|name| name.starts_with("MUSTER_")) && others.count() <= 1, "{seen:?}");
    let names: Vec<(&str, u32)> = tree.iter().map(|(path, file)| (path.as_str(), file.mode)).collect();
    assert_eq!(names, [("bin/run", 0o755), ("bin/x", LINK), ("x", 0o644)]);
    assert_eq!(tree["x"].content, "a");
    assert_eq!(left(directory.path()), NOTHING, "the copy goes with the build");
}

/// Each way in which a build comes to nothing, in words.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_comes_to_nothing_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let fails = |name: &str, script: &str| run(directory.path(), name, &format!("#!/bin/sh\n{script}\n"));
    let (failed, said) = built(&fails("1", "echo begins; echo 'no rule to make x' >&2; exit 2")).await;
    let failed = failed.unwrap_err();
    assert!(said.contains("begins"), "{said}");
    assert_eq!(failed.to_string(), "`./build one` ended with exit status 2: begins / no rule to make x");
    assert!(!failed.is_transient());
    let mut slow = fails("2", "sleep 60");
    slow.limit = Duration::from_millis(500);
    let (slow, _) = built(&slow).await;
    assert!(matches!(slow, Err(BuildError::TimedOut { .. })), "{slow:?}");
    let mut missing = fails("3", "");
    missing.command = vec!["no-such-program-anywhere".into()];
    let (missing, _) = built(&missing).await;
    assert!(matches!(missing, Err(BuildError::NotFound { .. })), "{missing:?}");
    for (name, script, words) in [
        ("4", "ln -s /etc/passwd out", "the link `out` leads out of it"),
        ("5", "mkfifo pipe", "`pipe` is neither a file"),
        ("6", "ln -s ../../x src/c", "leads out of it"),
    ] {
        let (refused, _) = built(&fails(name, script)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    let mut nowhere = fails("7", "true");
    nowhere.output = "dist".into();
    assert!(built(&nowhere).await.0.unwrap_err().to_string().contains("made no directory `dist`"));
    for (name, script) in [("8", "ln -s /etc dist"), ("9", "mkdir real; echo a > real/b; ln -s real dist")] {
        let mut linked = fails(name, script);
        linked.output = "dist".into();
        let refused = built(&linked).await.0.unwrap_err().to_string();
        assert!(refused.contains("`dist` of `dist` is a link"), "{refused}");
    }
    assert_eq!(left(directory.path()), NOTHING);
}

/// Nobody waits for it any more: its processes and its copy go.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_nobody_waits_for_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    let script =
        format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\nexec sleep 600\n", pid_file.display());
    let build = run(directory.path(), "1", &script);
    let begun = async {
        loop {
            match std::fs::read_to_string(&pid_file) {
                Ok(pid) => return pid.trim().to_owned(),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    };
    let pid = tokio::select! {
        pid = begun => pid,
        ended = built(&build) => panic!("it ended: {ended:?}"),
    };
    let deadline = Instant::now() + WAIT;
    while is_alive(&pid) {
        assert!(Instant::now() < deadline, "process {pid} goes on");
        tokio::time::sleep(POLL).await;
    }
    // Its folder stays for whoever sweeps, and nothing else.
    assert_eq!(left(directory.path()), (vec!["1".to_owned()], Vec::new()));
}

/// What the environment says in confidence is nowhere in what the build prints, nor in what is kept of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_does_not_print_what_is_hidden() {
    let directory = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\nprintf 'with %s' \"$TOKEN\"; echo; echo home $HOME >&2; echo $TOKEN > a\n\
                  echo \"no $TOKEN\" >&2; cat \"$MUSTER_CHILD/output\"; exit 3\n";
    let mut build = run(directory.path(), "1", script);
    build.environment.insert("TOKEN".into(), "hunter2hunter2".into());
    build.hidden = vec![muster_model::Secret::new("hunter2hunter2")];
    build.own_home = true;
    let (failed, said) = built(&build).await;
    let failed = failed.unwrap_err().to_string();
    assert!(said.contains("with ••••••") && !said.contains("hunter2"), "{said}");
    assert!(failed.contains("no ••••••") && !failed.contains("hunter2"), "{failed}");
    let home = build.place.join("home");
    assert!(said.contains(&format!("home {}", home.display())), "{said}");
    assert_eq!(left(directory.path()), NOTHING);
}

/// A copy that an earlier version left beside the folders is somebody's code; what is in it is no word of ours.
#[test]
fn sweeping_obeys_no_file_of_the_code() {
    let directory = tempfile::tempdir().unwrap();
    let precious = directory.path().join("precious");
    let copy = directory.path().join("children/run/0-1-1-copy");
    std::fs::create_dir_all(&precious).unwrap();
    std::fs::create_dir_all(&copy).unwrap();
    let plan = format!(r#"{{"form":1,"directories":["{0}"],"kept":["{0}"]}}"#, precious.display());
    std::fs::write(copy.join("plan.json"), plan).unwrap();
    let later = std::time::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    muster_outside::supervise::sweep(&directory.path().join("children"), Duration::from_secs(1), later);
    assert!(precious.exists() && !copy.exists());
}

#[tokio::test]
async fn the_stand_in_gives_back_what_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (builder, build) = (ScriptedBuilder::new(), run(directory.path(), "1", "x"));
    let mut said = Collected::default();
    assert_eq!(builder.build(&build, &mut said).await.unwrap(), build.files);
    builder.answer("oh\n", Err(BuildError::Result("nothing".into())));
    assert!(builder.build(&build, &mut said).await.is_err());
    assert_eq!((said.text().as_str(), builder.runs().len()), ("oh", 2));
}
