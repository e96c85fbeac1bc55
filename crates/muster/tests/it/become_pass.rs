//! `--ask-become-pass` with the program itself, stock Ansible, and a real sudo that wants a password.

use std::io::Write;
use std::process::{Command, Stdio};

use muster_outside::host::local::LocalMachines;

use crate::place::{APP, Place, Ran, has_ansible};

const RIGHT: &str = "quite-the-right-one";
const WRONG: &str = "certainly-not-this-one";

/// Long enough to be looked at.
const SITE: &str = "- hosts: all
  gather_facts: false
  become: true
  vars: { ansible_user: deploy }
  tasks:
    - name: Who it is
      ansible.builtin.command: sh -c 'sleep 1; id -un; echo by $SUDO_USER'
      register: who
    - name: A note
      ansible.builtin.copy: { dest: /root/note, mode: \"0600\", content: \"{{ who.stdout }}\" }
";

fn exec(place: &Place, script: &str) -> Ran {
    place.run(&["server", "exec", "app-1", "--", "sh", "-c", script])
}

/// What OpenSSL makes of a password that it reads.
fn hashed(password: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["passwd", "-6", "-stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success());
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn deploy(place: &Place, password: &str) -> Ran {
    let typed = [("Password to become root (not shown):", password)];
    place.at_terminal(&["-vv", "infra", "deploy", "shop", "--yes", "-K"], &typed)
}

/// ICT-23: sudo on the server gets the password; arguments, environments, events, output and files do not.
#[test]
fn sudo_on_a_machine_gets_its_password_and_nobody_else() {
    if let Err(missing) = LocalMachines::probe() {
        crate::skip::skip("become_pass::sudo_on_a_machine", &missing.to_string());
        return;
    }
    if !has_ansible("become_pass::sudo_on_a_machine", &["ansible-playbook"]) {
        return;
    }
    let place = Place::with_machines(APP, &muster_outside::host::local::Wish::from_environment().unwrap());
    for (path, text) in [("muster.yaml", "version: 1\n"), ("site.yml", SITE)] {
        std::fs::write(place.project().join(path), text).unwrap();
    }
    let made = place.run(&["infra", "update", "shop", "--yes"]);
    assert_eq!(made.code, 0, "{made:?}");
    let person = format!(
        "useradd -m -s /bin/bash -p '{}' deploy && cp -r /root/.ssh /home/deploy/ && chown -R deploy /home/deploy/.ssh \
         && echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy",
        hashed(RIGHT)
    );
    let person = exec(&place, &person);
    assert_eq!(person.code, 0, "{person:?}");

    let without = place.run(&["infra", "deploy", "shop", "--yes"]);
    assert_eq!(without.code, 1, "sudo wants a password: {without:?}");
    let said = format!("{}{}", without.out, without.err);
    assert!(said.contains("app-1") && said.contains("--ask-become-pass"), "{said}");

    let spy = crate::spy::watch(&[RIGHT, WRONG]);
    let wrong = deploy(&place, WRONG);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    for words in ["app-1", "Who it is", "sudo password", "--ask-become-pass"] {
        assert!(wrong.out.contains(words), "{words}: {}", wrong.out);
    }
    assert!(exec(&place, "test ! -e /root/note").code == 0);

    let right = deploy(&place, RIGHT);
    assert_eq!(right.code, 0, "{right:?}");
    let note = exec(&place, "cat /root/note");
    assert!(note.out.contains("root") && note.out.contains("by deploy"), "{note:?}");
    let seen = spy.end();
    assert!(seen.is_empty(), "{seen:#?}");

    let runs = place.run(&["run", "list", "--format", "json"]);
    let mut told = format!("{wrong:?}{right:?}{runs:?}");
    for run in runs.json(0).as_array().unwrap() {
        let id = run["id"].as_str().unwrap();
        for more in [["--format", "json"].as_slice(), &["--output"]] {
            let log = place.run(&[["run", "log", id].as_slice(), more].concat());
            assert_eq!(log.code, 0, "{log:?}");
            told.push_str(&log.out);
        }
    }
    assert!(told.contains("Who it is"));
    for password in [RIGHT, WRONG] {
        assert!(!told.contains(password), "{told}");
        crate::spy::absent_below(&place.home(), password);
        // The machine's own disk, as the cloud keeps it.
        crate::spy::absent_below(&place.project().join("cloud"), password);
    }
}
