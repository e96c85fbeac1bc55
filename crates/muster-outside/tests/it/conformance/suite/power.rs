//! Power: asked for twice it is the same, and a guest can stop itself.

use muster_model::server::{Power, ServerState};

use super::setting::{Setting, done_or_refused, made, server_until};

/// Off and on, each twice: the second request finds it so, whether the provider calls that a success or not.
pub async fn power_is_ensured(setting: &dyn Setting) {
    let server = made(setting, "web-1").await;
    let cloud = setting.cloud();
    for to in [Power::Stopped, Power::Running, Power::Stopped, Power::Running] {
        cloud.set_power(&server.id, to, false).await.unwrap();
        let seen = server_until(setting, &server.id, "the power", |seen| seen.power() == to).await;
        assert_eq!(seen.state, ServerState::Active);
        done_or_refused(cloud.set_power(&server.id, to, false).await);
        let again = server_until(setting, &server.id, "rest", |_| true).await;
        assert_eq!((again.power(), again.size), (to, seen.size));
    }
}

/// A graceful stop turns a healthy server off, and it comes back with its address.
pub async fn a_guest_stops_by_itself(setting: &dyn Setting) {
    let server = made(setting, "web-1").await;
    let cloud = setting.cloud();
    cloud.set_power(&server.id, Power::Stopped, true).await.unwrap();
    server_until(setting, &server.id, "the stop", |seen| !seen.power_on).await;
    cloud.set_power(&server.id, Power::Running, true).await.unwrap();
    let back = server_until(setting, &server.id, "the start", |seen| seen.power_on).await;
    assert_eq!(back.address, server.address);
}
