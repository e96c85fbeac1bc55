//! Bundles: manifests and their digests, what is ignored, what belongs to a document.

use muster_model::bundle::{
    BundleProblem, FILE_BYTES_MAX, FILES_MAX, Ignore, Manifest, ManifestFile, documents_to_read,
    files_to_gather, link_target, sha256_hex,
};
use muster_model::document::Files;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Inputs, load};

use crate::support::servers_only;

fn manifest(files: &[(&str, &str)]) -> Manifest {
    let entries =
        files.iter().map(|(path, text)| ((*path).to_owned(), ManifestFile::of(text.as_bytes(), false)));
    Manifest { files: entries.collect() }
}

#[test]
fn digests_follow_content_path_and_mode_and_nothing_else() {
    assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let one = manifest(&[("app/a", "1"), ("app/b/c", "2"), ("application", "3"), ("x", "4")]);
    assert_eq!(one.check(), Ok(()));
    assert_eq!(one.digest(), one.clone().digest());
    let app = one.directory_digest("app/").unwrap();
    assert_eq!(one.directory_digest("app"), Some(app.clone()));
    let moved = manifest(&[("other/a", "1"), ("other/b/c", "2")]);
    assert_eq!(
        moved.directory_digest("other/"),
        Some(app.clone()),
        "the same content elsewhere is the same release"
    );
    for changed in
        [manifest(&[("app/a", "1"), ("app/b/d", "2")]), manifest(&[("app/a", "1"), ("app/b/c", "3")])]
    {
        assert_ne!(changed.directory_digest("app"), Some(app.clone()));
    }
    let mut executable = one.clone();
    executable.files.insert("app/a".into(), ManifestFile::of(b"1", true));
    assert_ne!(executable.directory_digest("app"), Some(app));
    assert_eq!(one.directory_digest("none"), None);
    let text = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), one);
}

#[test]
fn bad_manifests() {
    let one = |path: &str, change: &dyn Fn(&mut ManifestFile)| {
        let mut found = manifest(&[(path, "1")]);
        found.files.values_mut().for_each(change);
        found.check().unwrap_err()
    };
    let keep = |_: &mut ManifestFile| {};
    for path in ["../up", "/etc/passwd", "a\\b", "a\u{1b}", "c:/x", ""] {
        assert!(matches!(one(path, &keep), BundleProblem::Path { .. }), "{path:?}");
    }
    for path in ["./a", "a//b", "a/../b", "."] {
        assert!(matches!(one(path, &keep), BundleProblem::Spelling { .. }), "{path:?}");
    }
    assert!(matches!(manifest(&[("a", "1"), ("a/b", "2")]).check(), Err(BundleProblem::Spelling { .. })));
    assert!(matches!(one("a", &|entry| entry.sha256 = "ABC".into()), BundleProblem::Digest { .. }));
    assert!(matches!(one("a", &|entry| entry.size = FILE_BYTES_MAX + 1), BundleProblem::FileTooLarge { .. }));
    let mut large = Manifest::default();
    for number in 0..11 {
        let entry = ManifestFile { size: FILE_BYTES_MAX, ..ManifestFile::of(b"", false) };
        large.files.insert(format!("f{number}"), entry);
    }
    assert!(matches!(large.check(), Err(BundleProblem::TooLarge { .. })));
    let many = (0..=FILES_MAX).map(|number| (format!("f{number}"), ManifestFile::of(b"", false))).collect();
    assert!(matches!(Manifest { files: many }.check(), Err(BundleProblem::TooManyFiles { .. })));
}

#[test]
fn links_stay_inside() {
    assert_eq!(link_target("app/a", "../b").unwrap(), "b");
    assert_eq!(link_target("a", "b/c").unwrap(), "b/c");
    for (link, target) in [("app/a", "../../b"), ("a", "/etc/passwd"), ("a", "")] {
        assert!(matches!(link_target(link, target), Err(BundleProblem::Link { .. })), "{link} -> {target:?}");
    }
}

#[test]
fn ignoring() {
    let ignore =
        Ignore::read("# remark\n*.log\n!keep.log\n/build\nnode_modules/\ndocs/*.md\n\\#odd\n").unwrap();
    for path in [
        "a.log",
        "deep/a.log",
        "build/x",
        "build",
        "a/node_modules/b/c",
        "docs/a.md",
        ".git/config",
        "a/__pycache__/x",
        "#odd",
    ] {
        assert!(ignore.ignores(path), "{path}");
    }
    for path in ["keep.log", "deep/keep.log", "sub/build/x", "docs/sub/a.md", "a.txt", ".gitignore"] {
        assert!(!ignore.ignores(path), "{path}");
    }
    let wrong = Ignore::read("good\na[\n").unwrap_err();
    assert_eq!(wrong.items[0].place.as_ref().unwrap().line, 2);
    assert!(Ignore::standard().ignores(".git/HEAD"));
}

#[test]
fn what_belongs_to_a_document() {
    let mut files = Files::new();
    let text = "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: ops/plays/site.yml, hosts: web}\n  - {code: {from: app, to: /srv/app}, hosts: web}\n  - {playbook: ops/plays/missing.yml, hosts: web}\n";
    files.insert("infra/shop.yaml", text.as_bytes());
    for path in [
        "muster.yaml",
        "infra/other.yaml",
        "ops/plays/site.yml",
        "ops/plays/imported.yml",
        "ops/plays/roles/nginx/tasks/main.yml",
        "ops/plays/roles/nginx/files/big.bin",
        "ops/plays/group_vars/all.yml",
        "ops/plays/sub/other.yml",
        "roles/common/tasks/main.yml",
        "host_vars/web-1.yml",
        "ansible.cfg",
        "app/index.html",
        "app/debug.log",
        "application/x",
        "templates/servers/min_01.yml",
        "vars/prod.yaml",
    ] {
        files.list(path);
    }
    let reads = documents_to_read("infra/shop.yaml", &["vars/prod.yaml".to_owned()], &files);
    let reads: Vec<_> = reads.iter().map(String::as_str).collect();
    assert_eq!(reads, ["infra/shop.yaml", "muster.yaml", "templates/servers/min_01.yml", "vars/prod.yaml"]);
    let checked =
        load(&InfrastructureName::from("shop"), &files, "infra/shop.yaml", &servers_only()).unwrap();
    let ignore = Ignore::read("*.log\n").unwrap();
    let found = files_to_gather(&checked, &files, &ignore);
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "ansible.cfg",
            "app/index.html",
            "host_vars/web-1.yml",
            "infra/shop.yaml",
            "muster.yaml",
            "ops/plays/group_vars/all.yml",
            "ops/plays/imported.yml",
            "ops/plays/roles/nginx/files/big.bin",
            "ops/plays/roles/nginx/tasks/main.yml",
            "ops/plays/site.yml",
            "roles/common/tasks/main.yml",
        ]
    );
}

#[test]
fn checking_the_gathered_bundle_gives_the_same() {
    let text = "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {code: {from: app, to: /srv/app}, hosts: web}\n";
    let mut disk = Files::new();
    disk.insert("infra/shop.yaml", text.as_bytes());
    disk.list("app/index.html");
    disk.list("secret/unrelated.txt");
    let name = InfrastructureName::from("shop");
    let checked = load(&name, &disk, "infra/shop.yaml", &Inputs::default()).unwrap();
    let mut bundle = Files::new();
    for path in files_to_gather(&checked, &disk, &Ignore::standard()) {
        match disk.get(&path) {
            Some(bytes) => bundle.insert(path, bytes),
            None => bundle.list(path),
        }
    }
    let again = load(&name, &bundle, "infra/shop.yaml", &Inputs::default()).unwrap();
    assert_eq!(again.infrastructure, checked.infrastructure);
    assert!(!bundle.contains("secret/unrelated.txt"));
}
