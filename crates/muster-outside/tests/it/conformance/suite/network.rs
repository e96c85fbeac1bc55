//! Private networks: made, linked, unlinked, deleted.

use muster_model::server::SeenServer;

use super::setting::{Setting, done_or_refused, made, network, server_until, until};
use super::{Ability, can};

fn link(seen: &SeenServer, network: &muster_model::id::ProviderId) -> Option<bool> {
    seen.links.iter().find(|link| link.network == *network).map(|link| link.ready)
}

async fn ready(setting: &dyn Setting, name: &str) -> muster_model::cloud::SeenNetwork {
    let cloud = setting.cloud();
    let asked = cloud.create_network(&network(setting, name)).await.unwrap();
    assert_eq!(asked.name, name);
    until(setting, "the network", || async {
        cloud.networks().await.unwrap().into_iter().find(|one| one.id == asked.id && one.ready)
    })
    .await
}

/// A network is one in the list, takes servers in and lets them go, and goes itself.
pub async fn a_network_lives(setting: &dyn Setting) {
    let cloud = setting.cloud();
    let server = made(setting, "web-1").await;
    let back = ready(setting, "back").await;
    assert!(back.servers.is_empty() && back.location.eq_ignore_ascii_case(setting.location()));
    assert_eq!(cloud.networks().await.unwrap().iter().filter(|one| one.name == "back").count(), 1);
    cloud.link_network(&server.id, &back.id).await.unwrap();
    let linked =
        server_until(setting, &server.id, "the link", |seen| link(seen, &back.id) == Some(true)).await;
    let address = &linked.links.iter().find(|link| link.network == back.id).unwrap().address;
    assert!(address.parse::<std::net::IpAddr>().is_ok(), "{address:?}");
    done_or_refused(cloud.link_network(&server.id, &back.id).await);
    let listed = cloud.networks().await.unwrap().into_iter().find(|one| one.id == back.id).unwrap();
    assert_eq!(listed.servers, std::slice::from_ref(&server.id));
    server_until(setting, &server.id, "rest", |_| true).await;
    cloud.unlink_network(&server.id, &back.id).await.unwrap();
    server_until(setting, &server.id, "the end of the link", |seen| link(seen, &back.id).is_none()).await;
    done_or_refused(cloud.unlink_network(&server.id, &back.id).await);
    cloud.delete_network(&back.id).await.unwrap();
    until(setting, "the network goes", || async {
        cloud.networks().await.unwrap().iter().all(|one| one.id != back.id).then_some(())
    })
    .await;
    cloud.delete_network(&back.id).await.unwrap();
    assert!(cloud.server(&server.id).await.unwrap().unwrap().power_on);
}

/// A network that has servers is not deleted, and goes with its last server's leave.
pub async fn a_network_with_servers_stays(setting: &dyn Setting) {
    if !can(setting, Ability::NetworkInUse) {
        return;
    }
    let cloud = setting.cloud();
    let server = made(setting, "web-1").await;
    let back = ready(setting, "back").await;
    cloud.link_network(&server.id, &back.id).await.unwrap();
    server_until(setting, &server.id, "the link", |seen| link(seen, &back.id) == Some(true)).await;
    assert!(cloud.delete_network(&back.id).await.is_err());
    let still = cloud.server(&server.id).await.unwrap().unwrap();
    assert_eq!(link(&still, &back.id), Some(true));
    cloud.delete_server(&server.id).await.unwrap();
    until(setting, "the server goes", || async {
        cloud.server(&server.id).await.unwrap().is_none().then_some(())
    })
    .await;
    cloud.delete_network(&back.id).await.unwrap();
}
