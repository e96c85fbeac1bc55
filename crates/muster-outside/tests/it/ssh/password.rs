//! Passwords at a real machine with systemd, PAM and OpenSSH: over both methods, wrong ones, and one that has run out.

use std::time::Duration;

use muster_model::Secret;
use muster_outside::host::local::MachineSpec;
use muster_outside::host::ssh::{Exec, Host, Hosts, Login, SshError, SshHosts, SshSettings};
use muster_outside::secret::LoginKey;

use crate::local::home::Home;
use crate::world::world;

const RIGHT: &str = "correct-horse-battery";
const WRONG: &str = "staple-of-the-wrong-kind";

fn fresh() -> SshHosts {
    SshHosts::new(SshSettings::default())
}

async fn said(hosts: &SshHosts, host: &Host, script: &str) -> Result<String, SshError> {
    super::run(hosts, host, &["sh", "-c", script]).await.map(|(_, out, _)| out)
}

async fn refused(host: &Host) -> String {
    let error = fresh().exec(host, &Exec::new(["true"]), &mut super::Collected::default()).await.unwrap_err();
    assert!(matches!(error, SshError::Login { .. }), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(RIGHT) && !text.contains(WRONG), "{text}");
    error.to_string()
}

/// `SEMANTICS.md` §9: the first login by password, where a key cannot do it; both ways in which OpenSSH asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_entered_by_password() {
    let Some(home) = Home::open(muster_outside::host::local::Technique::Nspawn).await else { return };
    let spy = crate::spy::watch(&[RIGHT, WRONG]);
    let spec = MachineSpec {
        authorized_keys: Vec::new(),
        root_password: Some(Secret::new(RIGHT)),
        ..home.spec("web-1")
    };
    let web = home.machines.create(&spec).await.unwrap();
    let key = LoginKey::generate(&world(90), "account");
    let by_key = Host::new("web-1", &web.address.to_string(), &key);
    let with =
        |password: &str| Host { logins: vec![Login::Password(Secret::new(password))], ..by_key.clone() };
    let named = format!("web-1 ({}): root was not let in; tried", web.address);

    let ways = [
        ("PasswordAuthentication yes\nKbdInteractiveAuthentication no", "password", "password"),
        (
            "PasswordAuthentication no\nKbdInteractiveAuthentication yes",
            "keyboard-interactive",
            "keyboard-interactive/pam",
        ),
    ];
    for (config, offered, accepted) in ways {
        let script = format!(
            "printf '{config}\\nUsePAM yes\\n' > /etc/ssh/sshd_config.d/00-way.conf && systemctl reload ssh && sleep 0.5"
        );
        said(&fresh(), &with(RIGHT), &script).await.unwrap();
        let hosts = fresh();
        hosts.wait(&with(RIGHT), Duration::from_secs(20)).await.unwrap();
        assert_eq!(said(&hosts, &with(RIGHT), "id -un").await.unwrap(), "root");
        let log = said(&hosts, &with(RIGHT), "journalctl -q -t sshd -o cat").await.unwrap();
        assert!(log.contains(&format!("Accepted {accepted} for root")), "{log}");
        assert!(!log.contains(RIGHT));
        let text = refused(&with(WRONG)).await;
        assert_eq!(text, format!("{named} a password; SSH there takes publickey, {offered}"));
        // A connection that a password opened says nothing about the key.
        let error =
            hosts.exec(&by_key, &Exec::new(["true"]), &mut super::Collected::default()).await.unwrap_err();
        assert!(matches!(error, SshError::Login { .. }), "{error}");
    }

    // The key is put there with the password, and from then on it does.
    let hosts = fresh();
    let script = format!("mkdir -p .ssh && echo '{}' >> .ssh/authorized_keys", key.public_line().trim());
    said(&hosts, &with(RIGHT), &script).await.unwrap();
    assert_eq!(said(&hosts, &by_key, "id -un").await.unwrap(), "root");

    // One that must be changed is not answered with itself: it stays as it is, and a person is told.
    let before = said(&hosts, &by_key, "chage -d 0 root; getent shadow root").await.unwrap();
    let text = refused(&with(RIGHT)).await;
    assert!(text.starts_with(&named), "{text}");
    assert_eq!(said(&hosts, &by_key, "getent shadow root").await.unwrap(), before);
    home.end().await;
    let seen = spy.end();
    assert!(seen.is_empty(), "{seen:#?}");
}
