//! ICT-02: code from git and from archives, as the program exports it where it is typed. No machine is needed: what would
//! be delivered stands in the plan.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, Ran, Running};

const SERVER: &str = "version: 1
location: SdnSpb
stats: false
servers:
  web: { image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd }
deploy:
";

fn shop(from: &str) -> String {
    format!("{SERVER}  - code: {{ from: {from}, to: /srv/app }}\n    hosts: all\n")
}

fn place(from: &str) -> Place {
    let place = Place::new(&shop(from));
    std::fs::write(place.project().join("muster.yaml"), "version: 1\n").unwrap();
    place
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main"];
    let said = Command::new("git").arg("-C").arg(directory).args(who).args(arguments).output().unwrap();
    assert!(said.status.success(), "{arguments:?}: {said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit and a branch; gives the commit.
fn repository(at: &Path) -> String {
    std::fs::create_dir_all(at.join("web/bin")).unwrap();
    git(at, &["init", "--quiet"]);
    std::fs::write(at.join("README"), "read\n").unwrap();
    std::fs::write(at.join("web/index.html"), "first\n").unwrap();
    std::fs::write(at.join("web/bin/run"), "#!/bin/sh\n").unwrap();
    std::os::unix::fs::symlink("../index.html", at.join("web/bin/page")).unwrap();
    git(at, &["add", "."]);
    git(at, &["update-index", "--chmod=+x", "web/bin/run"]);
    git(at, &["commit", "--quiet", "-m", "one"]);
    git(at, &["branch", "release"]);
    git(at, &["rev-parse", "HEAD"])
}

fn without_git(test: &str) -> bool {
    let there = Command::new("git").arg("--version").output().is_ok_and(|said| said.status.success());
    if !there {
        crate::skip::skip(test, "no git");
    }
    !there
}

fn planned(place: &Place) -> Ran {
    place.run(&["infra", "deploy", "shop", "--dry-run", "--format", "json"])
}

fn write(place: &Place, from: &str) {
    std::fs::write(place.project().join("infra/shop.yaml"), shop(from)).unwrap();
}

/// The words of the step that delivers.
fn delivery(ran: &Ran) -> String {
    let answer = ran.json(0);
    let steps = answer["plan"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["kind"] == "provision.code");
    step.unwrap_or_else(|| panic!("{answer}"))["detail"].as_str().unwrap().to_owned()
}

fn refused(place: &Place, from: &str) -> String {
    write(place, from);
    let ran = planned(place);
    assert_eq!(ran.code, 2, "{from}: {ran:?}");
    let said: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    said["error"].as_str().map_or(ran.err.clone(), str::to_owned)
}

/// ICT-02: a branch is one commit, whatever the work tree looks like, from a path and from a URL.
#[test]
fn a_commit_is_exported() {
    if without_git("code::a_commit_is_exported") {
        return;
    }
    let place = place("{ git: source, revision: main, path: web }");
    let source = place.project().join("source");
    let commit = repository(&source);
    // Neither a dirty work tree nor what is staged gets in or in the way.
    std::fs::write(source.join("web/index.html"), "not committed\n").unwrap();
    std::fs::write(source.join("web/new"), "staged\n").unwrap();
    git(&source, &["add", "web/new"]);
    let words = delivery(&planned(&place));
    assert_eq!(words, format!("web of source at main ({}) to /srv/app on web-1", &commit[..12]));
    let first = planned(&place);
    assert!(first.err.contains(&format!("is {} with 3 files", &commit[..12])), "{first:?}");
    for from in [
        // Quoted, because some of them look like numbers.
        format!("{{ git: source, revision: '{}', path: web }}", &commit[..10]),
        format!("{{ git: 'file://{}', revision: release, path: web }}", source.display()),
        format!("{{ git: 'file://{}', revision: '{}', path: web }}", source.display(), &commit[..10]),
        format!("{{ git: 'file://{}', path: web }}", source.display()),
    ] {
        write(&place, &from);
        let words = delivery(&planned(&place));
        assert!(words.contains(&format!("({})", &commit[..12])), "{from}: {words}");
    }
    // The branch moves; a plan made before would not.
    std::fs::write(source.join("web/index.html"), "second\n").unwrap();
    git(&source, &["commit", "--quiet", "-am", "two"]);
    write(&place, "{ git: source, path: web }");
    assert!(!delivery(&planned(&place)).contains(&commit[..12]));
}

/// ICT-02: what git does not have, and what may not be asked of it, in words and before anything is sent.
#[test]
fn what_git_lacks_is_said() {
    if without_git("code::what_git_lacks_is_said") {
        return;
    }
    let place = place("{ git: source, revision: mian }");
    let source = place.project().join("source");
    repository(&source);
    let url = format!("file://{}", source.display());
    for from in
        ["{ git: source, revision: relase }".to_owned(), format!("{{ git: '{url}', revision: relase }}")]
    {
        let said = refused(&place, &from);
        assert!(said.contains("has no branch, tag or commit `relase`; did you mean `release`?"), "{said}");
    }
    let said = refused(&place, "{ git: source, path: wbe }");
    assert!(said.contains("no directory `wbe`"), "{said}");
    let said = refused(&place, "{ git: source, revision: 5e07022569 }");
    assert!(said.contains("put it in quotes"), "{said}");
    let said = refused(&place, "{ git: nowhere }");
    assert!(said.contains("nowhere"), "{said}");
    let said = refused(&place, "{ git: 'file:///no/such/repository' }");
    assert!(said.contains("cannot be fetched"), "{said}");
    let said = refused(&place, "{ git: source, revision: '--output=/tmp/x' }");
    assert!(said.contains("cannot be a revision"), "{said}");
    std::os::unix::fs::symlink("../../secret", source.join("web/out")).unwrap();
    git(&source, &["add", "."]);
    git(&source, &["commit", "--quiet", "-m", "link"]);
    let said = refused(&place, "{ git: source, path: web }");
    assert!(said.contains("the link `out` leads out of it"), "{said}");
    // A submodule is a commit of another repository, which an export lacks.
    let commit = git(&source, &["rev-parse", "HEAD"]);
    git(&source, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},vendor/lib")]);
    git(&source, &["commit", "--quiet", "-m", "module"]);
    let said = refused(&place, "{ git: source }");
    assert!(said.contains("`vendor/lib` is a submodule"), "{said}");
    // A file that needs no code of its own plans without it.
    let updated = place.run(&["infra", "update", "shop", "--dry-run"]);
    assert_eq!(updated.code, 0, "{updated:?}");
}

/// ICT-02: what a branch means is found out where the command is typed: a server needs neither git nor the way there. The
/// wish to go back travels to it, too.
#[test]
fn a_server_needs_no_git() {
    if without_git("code::a_server_needs_no_git") {
        return;
    }
    let place = place("{ git: source, revision: main, path: web }");
    let source = place.project().join("source");
    let commit = repository(&source);
    let mut server = Command::new(crate::place::MUSTER);
    place.dress(&mut server);
    server.env("PATH", "/nowhere").args(["server", "--listen", "127.0.0.1:0"]);
    let server = Running::start(server);
    let planned = planned(&place);
    assert!(delivery(&planned).contains(&commit[..12]), "{planned:?}");
    let id = planned.json(0)["plan"]["id"].as_str().unwrap().to_owned();
    std::fs::rename(&source, place.project().join("elsewhere")).unwrap();
    let kept = place.run(&["infra", "deploy", "shop", "--plan", &id, "--dry-run", "--format", "json"]);
    assert!(delivery(&kept).contains(&commit[..12]), "the plan holds what it delivers: {kept:?}");
    let back = place.run(&["infra", "deploy", "shop", "--to-release", "7", "--yes"]);
    assert!(back.code == 2 && back.out.contains("(release-nowhere)"), "{back:?}");
    drop(server);
}

/// A build on a control plane is somebody else's command under the server's own user: it builds only if whoever started
/// it said so, and then away from its home.
#[test]
fn a_control_plane_builds_only_if_it_is_told_to() {
    let place = place("./app");
    std::fs::create_dir(place.project().join("app")).unwrap();
    std::fs::write(place.project().join("app/a"), "a").unwrap();
    let build = "build: { command: [sh, -c, 'echo at $HOME and $PWD; exit 3'] }";
    let text = format!("{SERVER}  - code: {{ from: ./app, to: /srv/app, {build} }}\n    hosts: all\n");
    std::fs::write(place.project().join("infra/shop.yaml"), text).unwrap();
    let deployed = |allowed: Option<&str>| {
        let mut server = Command::new(crate::place::MUSTER);
        place.dress(&mut server);
        server.args(["server", "--listen", "127.0.0.1:0"]).env_remove("MUSTER_BUILDS");
        server.env("TMPDIR", place.project());
        if let Some(allowed) = allowed {
            server.env("MUSTER_BUILDS", allowed);
        }
        let server = Running::start(server);
        let ran = place.run(&["infra", "deploy", "shop", "--yes"]);
        drop(server);
        assert_eq!(ran.code, 1, "{ran:?}");
        format!("{}{}", ran.out, ran.err)
    };
    let refused = deployed(None);
    assert!(refused.contains("MUSTER_BUILDS=1") && !refused.contains("exit status 3"), "{refused}");
    let built = deployed(Some("1"));
    let home = format!("at {}/muster-build-", place.project().display());
    assert!(built.contains("exit status 3") && built.contains(&home), "{built}");
    let left = std::fs::read_dir(place.project()).unwrap().flatten();
    let left: Vec<_> =
        left.filter(|one| one.file_name().to_string_lossy().starts_with("muster-build-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// One file of an archive: its name as it stands there, and its kind.
fn packed(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        // As written, also where the library would refuse it.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if *kind == tar::EntryType::Regular {
            header.set_size(content.len() as u64);
        } else {
            header.set_size(0);
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        let content = if *kind == tar::EntryType::Regular { content.as_bytes() } else { &[] };
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// ICT-02: an archive delivers its files, and one that leaves itself is refused with its entry.
#[test]
fn archives_are_read_and_never_left() {
    use tar::EntryType::{Char, Directory, Link, Regular, Symlink};
    let place = place("{ archive: ./app.tar.gz, path: app-1.2 }");
    let keep = |bytes: Vec<u8>| std::fs::write(place.project().join("app.tar.gz"), bytes).unwrap();
    let good = packed(&[
        ("app-1.2/", Directory, ""),
        ("./app-1.2/index.html", Regular, "hello\n"),
        ("app-1.2/same.html", Link, "app-1.2/index.html"),
        ("app-1.2/bin/page", Symlink, "../index.html"),
        ("other/x", Regular, "x"),
    ]);
    for bytes in [good.clone(), zipped(&good)] {
        keep(bytes);
        let ran = planned(&place);
        assert!(delivery(&ran).starts_with("app-1.2 of app.tar.gz ("), "{ran:?}");
        assert!(ran.err.contains("with 3 files"), "{ran:?}");
    }
    // What stands elsewhere in it is neither kept nor counted, as `path:` promises.
    let large = "x".repeat(101 << 20);
    keep(zipped(&packed(&[
        ("other/large", Regular, large.as_str()),
        ("app-1.2/index.html", Regular, "hello\n"),
    ])));
    let ran = planned(&place);
    assert!(ran.err.contains("with 1 file"), "{ran:?}");
    keep(packed(&[("other/x", Regular, "x"), ("app-1.2/x", Link, "other/x")]));
    let said = refused(&place, "{ archive: ./app.tar.gz, path: app-1.2 }");
    assert!(said.contains("`app-1.2/x` is a hard link to `other/x`, which is not below `app-1.2`"), "{said}");
    for (entries, words) in [
        (vec![("../x", Regular, "x")], "the entry `../x` leads out of it"),
        (vec![("a/../../x", Regular, "x")], "leads out of it"),
        (vec![("/etc/passwd", Regular, "x")], "leads out of it"),
        (vec![("a", Symlink, "/etc/passwd")], "the link `a` leads out of it"),
        (vec![("d/a", Symlink, "../../x")], "the link `d/a` leads out of it"),
        (vec![("a", Symlink, "b"), ("a/x", Regular, "x")], "stands below the link `a`"),
        (vec![("a", Link, "b")], "is not before it"),
        (vec![("a", Link, "/etc/passwd")], "leads out of it"),
        (vec![("dev", Char, "")], "neither a file nor a directory"),
        (vec![("d/", Directory, "")], "holds no file"),
    ] {
        keep(zipped(&packed(&entries)));
        let said = refused(&place, "{ archive: app.tar.gz }");
        assert!(said.contains(words), "{words}: {said}");
    }
    keep(zipped(&good));
    let said = refused(&place, "{ archive: app.tar.gz, path: app-1.3 }");
    assert!(said.contains("no file below `app-1.3`; did you mean `app-1.2`?"), "{said}");
    let mut short = zipped(&good);
    short.truncate(60);
    keep(short);
    assert!(refused(&place, "{ archive: app.tar.gz }").contains("no whole tar archive"));
    keep(b"PK\x03\x04 and so on".to_vec());
    assert!(refused(&place, "{ archive: app.tar.gz }").contains("of the kind zip"));
    keep(b"not an archive at all, whatever it is called\n".repeat(50));
    assert!(refused(&place, "{ archive: app.tar.gz }").contains("no whole tar archive"));
    std::fs::remove_file(place.project().join("app.tar.gz")).unwrap();
    assert!(refused(&place, "{ archive: app.tar.gz }").contains("is not there"));
}

/// ICT-02: a stream that grows without end when it is uncompressed is cut, and no temporary file stays.
#[test]
fn an_archive_that_explodes_is_stopped() {
    let place = place("{ archive: app.tar.gz }");
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(u64::from(u32::MAX));
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(bytes.len() + (101 << 20), 0);
    std::fs::write(place.project().join("app.tar.gz"), zipped(&bytes)).unwrap();
    let temporary = place.project().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = Command::new(crate::place::MUSTER);
    place.dress(&mut command);
    command.env("TMPDIR", &temporary).args(["infra", "deploy", "shop", "--dry-run"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("has more than 104857600 bytes"), "{ran:?}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

/// ICT-02: what cannot be gone back to is said without a machine.
#[test]
fn a_release_is_asked_for_in_words_that_exist() {
    let place = place("./app");
    std::fs::create_dir(place.project().join("app")).unwrap();
    std::fs::write(place.project().join("app/a"), "a").unwrap();
    let wrong = place.run(&["infra", "deploy", "shop", "--to-release", "../x"]);
    assert!(wrong.code == 2 && wrong.err.contains("muster infra releases"), "{wrong:?}");
    let nowhere = place.run(&["infra", "deploy", "shop", "--to-release", "7", "--yes"]);
    assert!(nowhere.code == 2 && nowhere.out.contains("No server"), "{nowhere:?}");
    let none = place.run(&["infra", "releases", "shop"]);
    assert!(none.code == 2 && none.err.contains("no code was delivered"), "{none:?}");
}
