//! Settings: accounts and secrets with their audit, sealed bytes only.

use muster_model::account::{Account, AccountSettings};
use muster_store::*;

use super::scene::*;

fn audit(what: &str) -> Audit {
    Audit { space: "default".into(), at: at(1), actor: "ann".into(), what: what.into(), about: "x".into() }
}

pub async fn accounts_and_secrets_are_kept_replaced_and_forgotten(scene: Scene) {
    let space = "default".into();
    let account = |url: &str| Account {
        name: "prod".into(),
        identity: identity(),
        url: url.into(),
        settings: AccountSettings::default(),
    };
    let store = &scene.store;
    store
        .put_account("default".into(), account("http://a"), vec![1], audit("account.registered"))
        .await
        .unwrap();
    store
        .put_account("default".into(), account("http://b"), vec![2], audit("account.registered"))
        .await
        .unwrap();
    assert_eq!(store.accounts(&space).await.unwrap(), [(account("http://b"), vec![2])]);
    assert!(store.accounts(&"other".into()).await.unwrap().is_empty());

    store.put_secret("default".into(), "db".into(), vec![9], audit("secret.set")).await.unwrap();
    assert_eq!(store.secret(&space, &"db".into()).await.unwrap(), Some(vec![9]));
    assert_eq!(store.secrets(&space).await.unwrap(), ["db".into()]);
    let kept =
        |sealed: u8| store.keep_secret("default".into(), "login".into(), vec![sealed], audit("key.made"));
    let (one, two) = tokio::join!(kept(1), kept(2));
    let stands = store.secret(&space, &"login".into()).await.unwrap();
    assert_eq!((one.ok(), two.ok()), (stands.clone(), stands), "both use the one that stands");
    assert!(store.delete_secret("default".into(), "login".into(), audit("key.gone")).await.unwrap());
    assert!(store.delete_secret("default".into(), "db".into(), audit("secret.unset")).await.unwrap());
    assert!(!store.delete_secret("default".into(), "db".into(), audit("secret.unset")).await.unwrap());
    let said: Vec<String> =
        store.audits(&space, 10).await.unwrap().into_iter().map(|audit| audit.what).collect();
    assert_eq!(
        said,
        ["secret.unset", "key.gone", "key.made", "secret.set", "account.registered", "account.registered"]
    );
}
