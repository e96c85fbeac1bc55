//! From a create to the end of a server.

use muster_model::id::ProviderId;
use muster_model::server::ServerState;

use super::setting::{Setting, done_or_refused, made, server_until, spec, until};
use super::{Ability, can};

/// A create answers at once with an id, the server becomes active with an address, and is one in the list.
pub async fn a_server_is_made_and_seen(setting: &dyn Setting) {
    let cloud = setting.cloud();
    let wanted = spec(setting, "web-1").await;
    let asked = cloud.create_server(&wanted, &[]).await.unwrap();
    assert_eq!(asked.name, "web-1");
    if can(setting, Ability::SlowCreate) {
        let first = cloud.server(&asked.id).await.unwrap().expect("it is there from the beginning");
        assert_eq!((first.state, first.id), (ServerState::New, asked.id.clone()));
    }
    let seen = server_until(setting, &asked.id, "the server is made", |seen| {
        seen.state == ServerState::Active && seen.address.is_some()
    })
    .await;
    assert_eq!((&seen.name, &seen.size), (&wanted.name, &wanted.size));
    assert!(seen.location.eq_ignore_ascii_case(&wanted.location), "{}", seen.location);
    assert!(seen.image.eq_ignore_ascii_case(&wanted.image), "{}", seen.image);
    assert!(seen.power_on && seen.links.iter().all(|link| link.public));
    assert!(seen.admin_user.is_some());
    assert_eq!(cloud.servers().await.unwrap(), std::slice::from_ref(&seen));
    let login = cloud.first_login(&seen.id).await.unwrap();
    if let Some((user, password)) = login {
        assert_eq!(Some(user), seen.admin_user);
        assert!(!password.expose().is_empty());
    }
}

/// What does not exist is no error to a reader.
pub async fn an_unknown_id_is_none(setting: &dyn Setting) {
    for id in ["999999", "424242424242"] {
        assert_eq!(setting.cloud().server(&ProviderId::from(id)).await.unwrap(), None, "{id}");
    }
    assert_eq!(setting.cloud().servers().await.unwrap(), []);
}

/// A resize changes the size and nothing else; the same once more changes nothing.
pub async fn a_size_is_changed(setting: &dyn Setting) {
    let before = made(setting, "web-1").await;
    let cloud = setting.cloud();
    cloud.resize_server(&before.id, &setting.larger()).await.unwrap();
    let after = server_until(setting, &before.id, "the new size", |seen| {
        seen.size == setting.larger() && seen.power_on
    })
    .await;
    assert_eq!((&after.name, &after.image, &after.address), (&before.name, &before.image, &before.address));
    done_or_refused(cloud.resize_server(&before.id, &setting.larger()).await);
    let again = server_until(setting, &before.id, "rest", |seen| seen.power_on).await;
    assert_eq!(again.size, setting.larger());
}

/// A deleted server may be seen for a while, and then is gone for every reader. Deleting what is gone succeeds.
pub async fn a_deleted_server_goes(setting: &dyn Setting) {
    let (gone, kept) = (made(setting, "web-1").await, made(setting, "web-2").await);
    let cloud = setting.cloud();
    cloud.delete_server(&gone.id).await.unwrap();
    if can(setting, Ability::SlowDelete) {
        assert!(cloud.server(&gone.id).await.unwrap().is_some(), "it stays readable for a while");
    }
    until(setting, "the server goes", || async {
        cloud.server(&gone.id).await.unwrap().is_none().then_some(())
    })
    .await;
    let left: Vec<ProviderId> = cloud.servers().await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(left, [kept.id]);
    cloud.delete_server(&gone.id).await.unwrap();
    cloud.delete_server(&ProviderId::from("999999")).await.unwrap();
}
