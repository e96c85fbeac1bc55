//! Limits: what cannot be is refused before anything of it exists.

use muster_model::cloud::ServerSpec;
use muster_outside::cloud::CloudErrorKind;

use super::setting::{Setting, made, spec};
use super::{Ability, can};

/// A size that does not exist there makes no server and changes none.
pub async fn an_impossible_size_has_no_effect(setting: &dyn Setting) {
    if !can(setting, Ability::SizeLimits) {
        return;
    }
    let cloud = setting.cloud();
    let wanted = ServerSpec { size: setting.impossible(), ..spec(setting, "web-1").await };
    let error = cloud.create_server(&wanted, &[]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Refused, "{error}");
    assert!(error.message.len() > 10, "{error}");
    assert_eq!(cloud.servers().await.unwrap(), []);
    let server = made(setting, "web-1").await;
    let error = cloud.resize_server(&server.id, &setting.impossible()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Refused, "{error}");
    let after = cloud.server(&server.id).await.unwrap().unwrap();
    assert_eq!((after.size, after.power_on), (setting.size(), true));
}
