//! The account itself: who it is, its keys, what it offers.

use std::collections::BTreeSet;

use muster_model::server::ServerState;
use muster_outside::cloud::same_key;

use super::setting::{Setting, made, server_until};

const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtleWtleWtleWtleWtleWtleWtleWtleWtleWtleWs muster@conformance";

/// Whoever asks, and however often, the account is the same one.
pub async fn the_identity_is_stable(setting: &dyn Setting) {
    let first = setting.cloud().identify().await.unwrap();
    assert!(!first.customer.is_empty());
    assert_eq!(setting.cloud().identify().await.unwrap(), first);
    assert_eq!(setting.anew().await.identify().await.unwrap(), first);
    assert_eq!(setting.cloud().observe().await.unwrap().account, first);
}

/// A key is listed once, as the same key, and a server can be made with it.
pub async fn keys_are_kept(setting: &dyn Setting) {
    let cloud = setting.cloud();
    let before = cloud.keys().await.unwrap().len();
    let key = cloud.create_key("conformance", PUBLIC).await.unwrap();
    let listed = cloud.keys().await.unwrap();
    assert_eq!(listed.len(), before + 1);
    let kept = listed.iter().find(|one| one.id == key.id).unwrap();
    assert!(same_key(&kept.public_key, PUBLIC), "{kept:?}");
    let spec = super::setting::spec(setting, "keyed").await;
    let asked = cloud.create_server(&spec, std::slice::from_ref(&key.id)).await.unwrap();
    let seen = server_until(setting, &asked.id, "the server is made", |seen| {
        seen.state == ServerState::Active && seen.address.is_some()
    })
    .await;
    assert_eq!(seen.keys, [key.id]);
}

/// One observation shows what the lists show one by one, and what a plan needs is among it.
pub async fn an_observation_shows_what_the_lists_show(setting: &dyn Setting) {
    let server = made(setting, "seen").await;
    let cloud = setting.cloud();
    let world = cloud.observe().await.unwrap();
    assert_eq!(world.servers, cloud.servers().await.unwrap());
    assert_eq!(world.servers.iter().map(|one| &one.id).collect::<Vec<_>>(), [&server.id]);
    assert_eq!(world.networks, cloud.networks().await.unwrap());
    assert_eq!(world.images, cloud.images().await.unwrap());
    assert_eq!(world.locations, cloud.locations().await.unwrap());
    assert_eq!(world.keys, cloud.keys().await.unwrap());
    let images: BTreeSet<_> = world.images.iter().map(|image| &image.id).collect();
    assert_eq!(images.len(), world.images.len(), "an image's id is its own");
    assert!(world.locations.iter().any(|one| one.technical.eq_ignore_ascii_case(&server.location)));
    assert!(!cloud.balance().await.unwrap().amount.is_empty());
}

/// What one client made, another one sees, and may change.
pub async fn another_process_sees_the_same(setting: &dyn Setting) {
    let server = made(setting, "shared").await;
    let other = setting.anew().await;
    let listed = other.servers().await.unwrap();
    assert_eq!(listed.iter().map(|one| &one.id).collect::<Vec<_>>(), [&server.id]);
    assert_eq!(other.server(&server.id).await.unwrap().unwrap().address, server.address);
    other.delete_server(&server.id).await.unwrap();
    super::setting::until(setting, "the server goes", || async {
        setting.cloud().server(&server.id).await.unwrap().is_none().then_some(())
    })
    .await;
}
