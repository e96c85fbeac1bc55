//! Sealing, and the keys we log in with.

use std::os::unix::fs::PermissionsExt;

use muster_model::Secret;
use muster_outside::secret::{LoginKey, SealError, Sealer};

use crate::world::world;

#[test]
fn a_secret_opens_under_its_name_only() {
    let home = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_file(&home.path().join("home/key"), world(1)).unwrap();
    let sealed = sealer.seal("db-password", &Secret::new("hunter2 ключ"));
    assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
    assert_eq!(sealer.unseal("db-password", &sealed).unwrap().expose(), "hunter2 ключ");
    let other = sealer.unseal("other", &sealed).unwrap_err();
    assert_eq!(
        other.to_string(),
        "the secret `other` cannot be opened: it was sealed with another key, or it is damaged"
    );
    for cut in [0, 1, 20, sealed.len() - 1] {
        assert!(sealer.unseal("db-password", &sealed[..cut]).is_err());
    }
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(sealer.unseal("db-password", &damaged).is_err(), "byte {at}");
    }
    assert_ne!(sealed, sealer.seal("db-password", &Secret::new("hunter2 ключ")), "nonces differ");
}

#[test]
fn the_key_file_is_made_once_and_private() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    let first = Sealer::open_file(&path, world(1)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left beside it");
    let sealed = first.seal("a", &Secret::new("b"));
    let again = Sealer::open_file(&path, world(2)).unwrap();
    assert_eq!(again.unseal("a", &sealed).unwrap().expose(), "b");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    Sealer::open_file(&path, world(1)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Sealer::open_file(&path, world(1)).unwrap_err();
    assert!(matches!(error, SealError::KeyFileOpen { mode: 0o640, .. }));
    assert!(error.to_string().contains("mode 0640") && error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_key_text_must_be_a_key() {
    let error = Sealer::from_key_text(&Secret::new("short"), "MUSTER_KEY", world(1)).unwrap_err();
    assert_eq!(error.to_string(), "MUSTER_KEY does not hold a sealing key: it must be 64 hexadecimal digits");
    let text = Secret::new("0123456789abcdefABCDEF0123456789".repeat(2));
    let one = Sealer::from_key_text(&text, "MUSTER_KEY", world(1)).unwrap();
    let two = Sealer::from_key_text(&text, "MUSTER_KEY", world(9)).unwrap();
    assert_eq!(two.unseal("a", &one.seal("a", &Secret::new("b"))).unwrap().expose(), "b");
}

#[test]
fn a_login_key_survives_sealing_and_prints_only_its_public_half() {
    let key = LoginKey::generate(&world(3), "muster test");
    assert!(key.public_line().starts_with("ssh-ed25519 AAAA") && key.public_line().ends_with(" muster test"));
    assert_eq!(format!("{key:?}"), format!("LoginKey({})", key.fingerprint()));
    let again = LoginKey::read(&key.to_secret(), None).unwrap();
    assert_eq!(again.public_line(), key.public_line());
    assert!(LoginKey::read(&Secret::new("rubbish"), None).is_err());
}
