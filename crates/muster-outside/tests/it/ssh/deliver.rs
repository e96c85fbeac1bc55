//! ICT-02: releases on a real machine: delivered once, switched to in one step, linked to what they share, checked,
//! left again, and found by whoever comes after a crash.

use std::time::Duration;

use bytes::Bytes;
use muster_model::bundle::LINK;
use muster_model::code::{SeenRelease, Shared};
use muster_outside::build::Tree;
use muster_outside::host::ssh::deliver::{DeliveredFile, Packed, Place, Prepared, Standing, Switched};
use muster_outside::host::ssh::{Collected, End, Host, SshHosts};

use super::hosts;
use crate::sshd::{Sshd, start};

fn file(text: &str, mode: u32) -> DeliveredFile {
    DeliveredFile { content: Bytes::copy_from_slice(text.as_bytes()), mode }
}

fn tree(text: &str) -> Tree {
    let files = [
        ("app.py", file(text, 0o755)),
        ("static/it's.css", file("body {}", 0o644)),
        ("bin/app", file("../app.py", LINK)),
    ];
    files.map(|(path, file)| (path.to_owned(), file)).into()
}

fn release(name: &str, number: u32) -> SeenRelease {
    SeenRelease {
        name: name.into(),
        number: Some(number),
        revision: Some("0123".into()),
        source: Some("app at\nmain".into()),
        at: Some("2026-11-21T12:00:00Z".parse().unwrap()),
    }
}

struct Machine {
    sshd: Sshd,
    hosts: SshHosts,
    host: Host,
    place: Place,
    to: String,
}

impl Machine {
    fn start(seed: u64) -> Option<Machine> {
        let sshd = start(seed)?;
        let to = sshd.path("srv/app");
        let (hosts, host) = (hosts(&sshd), sshd.host("web-1"));
        Some(Machine { hosts, host, place: Place::new(&to).unwrap(), to, sshd })
    }

    async fn look(&self) -> Standing {
        self.place.look(&self.hosts, &self.host).await.unwrap()
    }

    async fn prepare(&self, name: &str, shared: &Shared) -> Prepared {
        let packed = Packed::new(&tree(name)).unwrap();
        self.place.prepare(&self.hosts, &self.host, &release(name, 9), &packed, shared).await.unwrap()
    }

    async fn switch(&self, name: &str, number: u32) {
        let standing = self.look().await;
        let previous = standing.previous(name);
        self.place.switch(&self.hosts, &self.host, &release(name, number), previous).await.unwrap();
    }

    async fn deliver(&self, name: &str, number: u32, keep: u32) {
        let before = self.look().await;
        self.prepare(name, &Shared::default()).await;
        self.switch(name, number).await;
        self.serves(&before, name, keep).await;
    }

    async fn serves(&self, before: &Standing, release: &str, keep: u32) {
        let serves = Switched::Serves { release, previous: before.previous(release) };
        self.place.settle(&self.hosts, &self.host, before, serves, keep).await.unwrap();
    }

    /// Delivers a release that does not get healthy, and goes back to this one.
    async fn fail(&self, name: &str, number: u32, back: &str, keep: u32) {
        let before = self.look().await;
        self.prepare(name, &Shared::default()).await;
        self.switch(name, number).await;
        self.place.go_back(&self.hosts, &self.host, back).await.unwrap();
        let left = Switched::Back { release: name, to: back };
        self.place.settle(&self.hosts, &self.host, &before, left, keep).await.unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(format!("{}/{path}", self.to)).unwrap()
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let listed = std::fs::read_dir(format!("{}/{directory}", self.to)).unwrap().flatten();
        let mut names: Vec<_> = listed.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delivers_code_and_switches_in_one_step() {
    let Some(machine) = Machine::start(21) else { return };
    assert_eq!(machine.look().await, Standing::default(), "there is nothing yet");
    machine.prepare("aaaa", &Shared::default()).await;
    let standing = machine.look().await;
    assert!(standing.current.is_none(), "it is not switched to");
    assert_eq!(standing.releases[0].number, Some(9), "what is known of it is there as soon as it is");
    machine.switch("aaaa", 1).await;
    assert_eq!(machine.read("current/app.py"), "aaaa");
    assert_eq!(machine.read("current/static/it's.css"), "body {}");
    assert_eq!(machine.read("current/bin/app"), "aaaa", "a link stays a link");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(format!("{}/current/app.py", machine.to)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    // Until somebody says that all is well, it is not; whoever comes next finds out.
    assert_eq!(machine.look().await.unfinished, Some(("aaaa".into(), None)));
    machine.serves(&Standing::default(), "aaaa", 1).await;
    let standing = machine.look().await;
    assert_eq!((standing.current.as_deref(), &standing.unfinished), (Some("aaaa"), &None));
    assert_eq!(standing.releases, [SeenRelease { source: Some("app at main".into()), ..release("aaaa", 1) }]);
    for (name, number) in [("bbbb", 2), ("cccc", 3)] {
        machine.deliver(name, number, 1).await;
    }
    assert_eq!(
        std::fs::read_link(format!("{}/current", machine.to)).unwrap().to_str(),
        Some("releases/cccc")
    );
    assert_eq!(machine.names("releases"), ["bbbb", "cccc"], "one old release is kept");
    assert_eq!(machine.names(".muster/releases"), ["bbbb", "cccc"], "and what is known of it");
    // A death in the middle of unpacking leaves rubbish that the next try removes.
    for half in ["releases/.new-dddd/half", "releases/.new-eeee/half", ".archive-eeee.tar.muster-0123"] {
        std::fs::create_dir_all(format!("{}/{half}", machine.to)).unwrap();
    }
    std::fs::write(format!("{}/.muster/releases/eeee", machine.to), "number 7\n").unwrap();
    machine.deliver("dddd", 4, 1).await;
    assert!(!std::fs::exists(format!("{}/current/half", machine.to)).unwrap());
    assert_eq!(machine.names("releases"), ["cccc", "dddd"], "also that of another release");
    assert_eq!(machine.names(".muster/releases"), ["cccc", "dddd"]);
    assert_eq!(machine.names(""), [".muster", "current", "releases"]);
    // What leaves the release is refused before anything is sent.
    let with = |path: &str, file: DeliveredFile| {
        let mut files = tree("x");
        files.insert(path.into(), file);
        Packed::new(&files)
    };
    assert!(with("../x", file("x", 0o644)).is_err());
    let leaves = with("bin/x", file("../../secret", LINK)).unwrap_err();
    assert!(leaves.contains("`bin/x` leads out of the code"), "{leaves}");
    // Neither does one that leaves only on its way through another one; what stays inside may pass through.
    let mut files = tree("x");
    for (path, target) in [("a/b/root", "../.."), ("a/b/out", "root/../../secret")] {
        files.insert(path.into(), file(target, LINK));
    }
    let through = Packed::new(&files).unwrap_err();
    assert!(through.contains("`a/b/out` leads out of the code"), "{through}");
    files.insert("a/b/out".into(), file("root/bin/app", LINK));
    Packed::new(&files).unwrap();
    files.insert("a/ring".into(), file("ring", LINK));
    assert!(Packed::new(&files).unwrap_err().contains("`a/ring`"));
    let (packed, shared) = (with("y", file("x", 0o644)).unwrap(), Shared::default());
    let outside = release("../x", 9);
    assert!(machine.place.prepare(&machine.hosts, &machine.host, &outside, &packed, &shared).await.is_err());
    assert!(Place::new("srv/app").is_err() && Place::new("/srv/../etc").is_err() && Place::new("/").is_err());
    drop(machine.sshd);
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_share_what_the_file_says() {
    let Some(machine) = Machine::start(22) else { return };
    let shared = Shared {
        directories: vec!["uploads".into(), "static".into()],
        files: vec![".env".into(), "config/it's.yml".into()],
    };
    let prepared = machine.prepare("aaaa", &shared).await;
    assert_eq!(prepared.made, ["uploads", "static", ".env", "config/it's.yml"]);
    assert_eq!(prepared.replaced, ["static"], "the release's own directory gives way to the link");
    machine.switch("aaaa", 1).await;
    std::fs::write(format!("{}/current/uploads/one", machine.to), "kept").unwrap();
    std::fs::write(format!("{}/current/.env", machine.to), "A=b").unwrap();
    machine.serves(&Standing::default(), "aaaa", 0).await;
    let before = machine.look().await;
    let again = machine.prepare("bbbb", &shared).await;
    assert_eq!((again.made.len(), again.replaced.len()), (0, 1));
    machine.switch("bbbb", 2).await;
    machine.serves(&before, "bbbb", 0).await;
    assert_eq!(machine.names("releases"), ["bbbb"], "the old release went");
    assert_eq!(
        (machine.read("current/uploads/one"), machine.read("current/.env")),
        ("kept".into(), "A=b".into())
    );
    // A file that is a directory there stops before the release has its name.
    let other = Shared { directories: Vec::new(), files: vec!["uploads".into()] };
    let packed = Packed::new(&tree("cccc")).unwrap();
    let refused = machine
        .place
        .prepare(&machine.hosts, &machine.host, &release("cccc", 9), &packed, &other)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("is a directory"), "{refused}");
    assert!(machine.look().await.named("cccc").is_none());
    // And nothing of it stays.
    assert_eq!(machine.names("releases"), ["bbbb"]);
    assert_eq!(machine.names(".muster/releases"), ["bbbb"]);
    assert_eq!(machine.names(""), [".muster", "current", "releases", "shared"]);
}

/// What a release is asked finds its release; a switch that is left again leaves the old one as it was.
#[tokio::test(flavor = "multi_thread")]
async fn commands_run_in_the_release_and_the_way_back_is_open() {
    let Some(machine) = Machine::start(23) else { return };
    machine.deliver("aaaa", 1, 3).await;
    machine.prepare("bbbb", &Shared::default()).await;
    let run = async |name: &str, in_current: bool, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut said = Collected::default();
        let command = (words.as_slice(), Duration::from_secs(10));
        let place = &machine.place;
        let end = place.command(&machine.hosts, &machine.host, name, in_current, command, &mut said).await;
        (end.unwrap().end, said.text())
    };
    let (end, said) =
        run("bbbb", false, &["sh", "-c", "cat app.py; echo \" ${RELEASE##*/} $CURRENT $SHARED\""]).await;
    assert_eq!((end, said), (End::Exit(0), format!("bbbb bbbb {0}/current {0}/shared", machine.to)));
    assert_eq!(run("bbbb", true, &["cat", "app.py"]).await, (End::Exit(0), "aaaa".into()));
    assert_eq!(run("bbbb", false, &["sh", "-c", "exit 3"]).await.0, End::Exit(3));
    assert_eq!(run("dddd", false, &["true"]).await.0, End::Exit(126), "a release that is not there");
    machine.switch("bbbb", 2).await;
    // Whoever died now left a switch to `bbbb` that nobody knows to be good; the way back leads to `aaaa`, also for a
    // third release.
    let standing = machine.look().await;
    assert_eq!(standing.unfinished, Some(("bbbb".into(), Some("aaaa".into()))));
    assert_eq!((standing.previous("bbbb"), standing.previous("cccc")), (Some("aaaa"), Some("aaaa")));
    for _ in 0..2 {
        machine.place.go_back(&machine.hosts, &machine.host, "aaaa").await.unwrap();
        let left = Switched::Back { release: "bbbb", to: "aaaa" };
        machine.place.settle(&machine.hosts, &machine.host, &standing, left, 3).await.unwrap();
    }
    let standing = machine.look().await;
    assert_eq!((standing.current.as_deref(), &standing.unfinished), (Some("aaaa"), &None));
    assert_eq!(standing.releases.len(), 2, "the one that was left stays for another try");
    assert!(machine.place.go_back(&machine.hosts, &machine.host, "dddd").await.is_err());
    let nowhere = machine.place.switch(&machine.hosts, &machine.host, &release("dddd", 9), None).await;
    assert!(nowhere.unwrap_err().to_string().contains("no release dddd"));
    // What somebody else put there is never removed.
    std::fs::remove_file(format!("{}/current", machine.to)).unwrap();
    std::fs::create_dir(format!("{}/current", machine.to)).unwrap();
    let own = machine.place.switch(&machine.hosts, &machine.host, &release("bbbb", 2), None).await;
    assert!(own.unwrap_err().to_string().contains("is not a symbolic link"));
}

/// A good release, three that fail, and the next good one: what served is kept, what failed goes, and so does nothing
/// that is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn failed_releases_never_cost_the_good_one() {
    let Some(machine) = Machine::start(24) else { return };
    let other = |name: &str| format!("{}/releases/{name}", machine.to);
    machine.deliver("aaaa", 1, 2).await;
    for foreign in ["two words", "*", "not.ours", "backup", "words"] {
        std::fs::create_dir(other(foreign)).unwrap();
    }
    std::os::unix::fs::symlink("aaaa", other("latest")).unwrap();
    for (name, number) in [("bbb1", 2), ("bbb2", 3), ("bbb3", 4), ("bbb4", 5)] {
        machine.fail(name, number, "aaaa", 2).await;
    }
    let ours = || -> Vec<String> {
        let names = machine.names(".muster/releases");
        assert!(names.iter().all(|name| std::fs::exists(other(name)).unwrap()), "{names:?}");
        names
    };
    assert_eq!(ours(), ["aaaa", "bbb2", "bbb3", "bbb4"], "failed ones go too, but not the one just tried");
    machine.deliver("cccc", 6, 2).await;
    assert_eq!(ours(), ["aaaa", "bbb4", "cccc"]);
    machine.deliver("dddd", 7, 1).await;
    assert_eq!(ours(), ["cccc", "dddd"]);
    let foreign = ["*", "backup", "cccc", "dddd", "latest", "not.ours", "two words", "words"];
    assert_eq!(machine.names("releases"), foreign);
    let names: Vec<String> = machine.look().await.releases.into_iter().map(|release| release.name).collect();
    assert!(["cccc", "dddd"].iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
}

/// A command that is over its time is ended where it runs, with what it started; one that outlived its connection is
/// gone before the next one begins; one that left a daemon behind has ended all the same.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_goes_on_behind_our_back() {
    let Some(machine) = Machine::start(25) else { return };
    machine.deliver("aaaa", 1, 3).await;
    let run = async |script: &str, seconds: u64| {
        let words = ["sh", "-c", script].map(str::to_owned);
        let mut said = Collected::default();
        let command = (words.as_slice(), Duration::from_secs(seconds));
        machine.place.command(&machine.hosts, &machine.host, "aaaa", true, command, &mut said).await.unwrap()
    };
    let touched = |name: &str| std::fs::exists(format!("{}/current/{name}", machine.to)).unwrap();
    let slow = run("(sleep 4; touch late) & trap '' TERM; sleep 2; sleep 60", 1).await;
    assert_eq!(slow.end, End::Signal("KILL".into()), "it would not end by itself");
    // The connection is lost in the middle of a command.
    let lost =
        tokio::time::timeout(Duration::from_secs(1), run("touch begun; sleep 4; touch behind", 60)).await;
    assert!(lost.is_err() && touched("begun"));
    let left = run("sleep 30 & echo left >&2", 60).await;
    assert!(left.success() && left.held_open, "{left:?}");
    let clean = run("true", 60).await;
    assert!(clean.success() && !clean.held_open);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!touched("late") && !touched("behind"));
}
