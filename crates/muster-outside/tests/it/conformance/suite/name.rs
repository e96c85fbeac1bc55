//! Names: a provider need not insist that they are unique, so an id is what a server is known by.

use super::setting::{Setting, made, until};

/// Two servers of one name are two, and what is done to one is not done to the other.
pub async fn two_servers_of_one_name_are_two(setting: &dyn Setting) {
    let (first, second) = (made(setting, "web-1").await, made(setting, "web-1").await);
    assert_ne!(first.id, second.id);
    assert_ne!(first.address, second.address);
    let cloud = setting.cloud();
    let named: Vec<_> =
        cloud.servers().await.unwrap().into_iter().filter(|server| server.name == "web-1").collect();
    assert_eq!(named.len(), 2);
    cloud.delete_server(&first.id).await.unwrap();
    until(setting, "the first one goes", || async {
        cloud.server(&first.id).await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(cloud.server(&second.id).await.unwrap().unwrap().power_on);
}
