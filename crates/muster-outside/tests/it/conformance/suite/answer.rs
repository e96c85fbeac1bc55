//! Answers that are lost, strange, or a refusal.

use muster_model::id::ProviderId;
use muster_model::server::{Power, ServerState};
use muster_outside::cloud::CloudErrorKind;

use super::setting::{Setting, made, network, spec, until};
use super::{Ability, can};

/// A create whose answer is lost is neither a success nor a failure, it is not sent again, and what it made is in
/// the list.
pub async fn a_lost_answer_is_an_unknown_outcome(setting: &dyn Setting) {
    if !can(setting, Ability::LostAnswer) {
        return;
    }
    let cloud = setting.cloud();
    setting.lose_answer().await;
    let error = cloud.create_server(&spec(setting, "web-1").await, &[]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::UnknownOutcome, "{error}");
    let found = until(setting, "the server in the list", || async {
        let found = cloud.servers().await.unwrap();
        found
            .iter()
            .all(|one| one.state == ServerState::Active)
            .then_some(found)
            .filter(|all| !all.is_empty())
    })
    .await;
    assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["web-1"]);
}

/// A state that this version has not heard of is shown as it came, and the rest of the server with it.
pub async fn an_unknown_state_is_shown_as_it_came(setting: &dyn Setting) {
    if !can(setting, Ability::StrangeState) {
        return;
    }
    let server = made(setting, "web-1").await;
    setting.put_into(&server.id, "Migrating").await;
    let seen = setting.cloud().server(&server.id).await.unwrap().unwrap();
    assert_eq!(seen.state, ServerState::Other("Migrating".into()));
    assert_eq!((seen.name, seen.size), (server.name, server.size));
}

/// A change of what does not exist is an error that says so, and no passing one.
pub async fn what_does_not_exist_is_refused(setting: &dyn Setting) {
    let cloud = setting.cloud();
    let nobody = ProviderId::from("999999");
    for said in [
        cloud.set_power(&nobody, Power::Stopped, false).await,
        cloud.resize_server(&nobody, &setting.larger()).await,
    ] {
        let error = said.unwrap_err();
        assert!(matches!(error.kind, CloudErrorKind::NotFound | CloudErrorKind::Refused), "{error}");
        assert!(error.to_string().contains("999999"), "{error}");
    }
    cloud.delete_network(&nobody).await.unwrap();
}

/// What a provider says no to, it gives a reason for, and the reason arrives.
pub async fn a_refusal_has_the_providers_words(setting: &dyn Setting) {
    if !can(setting, Ability::NetworkInUse) {
        return;
    }
    let cloud = setting.cloud();
    let server = made(setting, "web-1").await;
    let made = cloud.create_network(&network(setting, "back")).await.unwrap();
    until(setting, "the network", || async {
        cloud.networks().await.unwrap().into_iter().find(|one| one.id == made.id && one.ready)
    })
    .await;
    cloud.link_network(&server.id, &made.id).await.unwrap();
    super::setting::server_until(setting, &server.id, "the link", |seen| {
        seen.links.iter().any(|link| link.network == made.id && link.ready)
    })
    .await;
    let error = cloud.delete_network(&made.id).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Refused, "{error}");
    assert!(error.message.len() > 10 && error.to_string().starts_with("cannot "), "{error}");
}
