//! What a case needs besides the trait: sizes and places that exist there, time that passes, and mishaps.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use muster_model::cloud::{NetworkSpec, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::server::{SeenServer, ServerState, Size};
use muster_outside::cloud::{Cloud, CloudError, CloudErrorKind};

/// What not every setting can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// A create that takes effect and whose answer is lost.
    LostAnswer,
    /// A server in a state that nobody has heard of.
    StrangeState,
    /// A new server is seen while it is being made.
    SlowCreate,
    /// A deleted server is seen for a while.
    SlowDelete,
    /// Sizes that are refused.
    SizeLimits,
    /// A network that has servers is not deleted.
    NetworkInUse,
}

/// One provider in a test: an account of its own, empty at the beginning.
#[async_trait]
pub trait Setting: Send + Sync {
    /// What it cannot bring about, and why.
    fn cannot(&self) -> &'static [(Ability, &'static str)];
    /// The account.
    fn cloud(&self) -> &dyn Cloud;
    /// The same account, opened by somebody else.
    async fn anew(&self) -> Arc<dyn Cloud>;
    /// A place that exists there.
    fn location(&self) -> &'static str;
    /// A size that exists there.
    fn size(&self) -> Size;
    /// A larger one.
    fn larger(&self) -> Size;
    /// One that does not exist there.
    fn impossible(&self) -> Size;
    /// Lets time pass: what is under way comes nearer to its end.
    async fn pass(&self);
    /// The next create takes effect, and its answer is lost.
    async fn lose_answer(&self);
    /// A server gets into this state.
    async fn put_into(&self, id: &ProviderId, state: &str);
}

/// Steps of time after which something that was asked for must have happened.
const STEPS_MAX: u32 = 1_200;

/// Lets time pass until something is so, and gives what was found then.
pub async fn until<T, F>(setting: &dyn Setting, what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    for _ in 0..STEPS_MAX {
        if let Some(found) = look().await {
            return found;
        }
        setting.pass().await;
    }
    panic!("{what} did not happen");
}

/// A wish for a server of this name.
pub async fn spec(setting: &dyn Setting, name: &str) -> ServerSpec {
    let images = setting.cloud().images().await.unwrap();
    let size = setting.size();
    let fits = |location: &str| location.is_empty() || location.eq_ignore_ascii_case(setting.location());
    let image = images
        .iter()
        .find(|image| fits(&image.location) && image.family == "Linux" && image.disk_min_gb <= size.disk_gb)
        .expect("an image");
    ServerSpec {
        name: name.into(),
        size,
        location: setting.location().into(),
        image_id: image.id.clone(),
        image: image.technical.clone(),
        backup_days: 0,
    }
}

/// A wish for a network of this name.
pub fn network(setting: &dyn Setting, name: &str) -> NetworkSpec {
    NetworkSpec { name: name.into(), location: setting.location().into(), dhcp: true }
}

/// The server, when it is as wanted.
pub async fn server_until(
    setting: &dyn Setting,
    id: &ProviderId,
    what: &str,
    so: impl Fn(&SeenServer) -> bool,
) -> SeenServer {
    until(setting, what, || async {
        let seen = setting.cloud().server(id).await.unwrap();
        // What is under way is not yet the end of it.
        let busy = setting.cloud().action_in_progress(id).await.unwrap();
        seen.filter(|seen| so(seen) && !busy)
    })
    .await
}

/// A server that was made, and is ready.
pub async fn made(setting: &dyn Setting, name: &str) -> SeenServer {
    let asked = setting.cloud().create_server(&spec(setting, name).await, &[]).await.unwrap();
    server_until(setting, &asked.id, "the server is made", |seen| {
        seen.state == ServerState::Active && seen.address.is_some() && seen.power_on
    })
    .await
}

/// Something that is so already may be refused by a provider, and nothing else may.
pub fn done_or_refused(said: Result<(), CloudError>) {
    if let Err(error) = said {
        assert_eq!(error.kind, CloudErrorKind::Refused, "{error}");
        assert!(!error.message.is_empty());
    }
}

/// Deletes everything, and sees that nothing is left.
pub async fn end(setting: &dyn Setting) {
    let cloud = setting.cloud();
    until(setting, "the last server goes", || async {
        let servers = cloud.servers().await.unwrap();
        for server in &servers {
            // One that is being made or deleted may refuse it for now.
            done_or_refused(cloud.delete_server(&server.id).await);
        }
        servers.is_empty().then_some(())
    })
    .await;
    until(setting, "the last network goes", || async {
        let networks = cloud.networks().await.unwrap();
        for network in &networks {
            done_or_refused(cloud.delete_network(&network.id).await);
        }
        networks.is_empty().then_some(())
    })
    .await;
}
