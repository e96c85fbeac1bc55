//! The client: joins requests, manners and readers into [`Cloud`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use muster_model::account::{AccountIdentity, AccountSettings};
use muster_model::cloud::{Balance, NetworkSpec, SeenImage, SeenKey, SeenLocation, SeenNetwork, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::inventory::SeenWorld;
use muster_model::object::SeenObject;
use muster_model::server::{Power, SeenServer, Size};
use muster_model::{Secret, World};

use super::answer::{acknowledge, amount, read};
use super::judge::Unreadable;
use super::manners::Manners;
use super::meaning::{self, SoFar};
use super::request::{self, Ask};
use super::{identity, wire};
use crate::cloud::{Cloud, CloudError, CloudErrorKind, on_loopback};
use crate::transport::Transport;

/// How many of a server's newest actions decide whether one is under way.
const ACTIONS_LOOKED_AT: usize = 10;

/// Whether a text has the shape of a 1cloud key: 64 hexadecimal characters (`spec/onecloud-api.md` §1.1).
/// For prompts; the client itself sends whatever it was given.
pub fn looks_like_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One account at 1cloud.
pub struct OneCloud {
    base: String,
    host: String,
    key: Secret,
    authorization: HeaderValue,
    transport: Arc<dyn Transport>,
    manners: Manners,
    /// Private networks seen so far; see [`SoFar`].
    private: Mutex<HashSet<ProviderId>>,
    /// Domains seen so far: requests about their records need the name, which does not change.
    pub(super) domains: Mutex<HashMap<ProviderId, SeenObject>>,
    /// What `/project` said, which a key's life does not change.
    project: Mutex<Option<Option<String>>>,
    /// What [`Cloud::identify`] answered last, until one observation has used it: opening an account and looking at
    /// its world then asks once.
    told: Mutex<Option<AccountIdentity>>,
}

impl OneCloud {
    /// Opens nothing yet. Refuses an address that is not an `http(s)` one and a key that no header can carry.
    pub fn new(
        url: &str,
        key: Secret,
        settings: &AccountSettings,
        transport: Arc<dyn Transport>,
        world: World,
    ) -> Result<OneCloud, CloudError> {
        let refused = |message: &str| CloudError::new(CloudErrorKind::Refused, "open the account", message);
        let base = url.trim().trim_end_matches('/').to_owned();
        let uri: Uri = base
            .parse()
            .map_err(|_| refused("its address is not a web address. Write it like https://api.1cloud.ru."))?;
        let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(refused(
                "its address has no http:// or https://. Write it like https://api.1cloud.ru.",
            ));
        };
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(refused(
                "its address has a query or a password in it. Write it like https://api.1cloud.ru.",
            ));
        }
        let host = host.to_owned();
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", key.expose().trim())).map_err(|_| {
                refused("its key has characters that no key has. Copy it anew from the provider's panel.")
            })?;
        authorization.set_sensitive(true);
        let manners = Manners::new(settings, on_loopback(url), world);
        let private = Mutex::new(HashSet::new());
        Ok(OneCloud {
            base,
            host,
            key,
            authorization,
            transport,
            manners,
            private,
            domains: Mutex::default(),
            project: Mutex::new(None),
            told: Mutex::new(None),
        })
    }

    fn http(&self, ask: &Ask) -> Request<Bytes> {
        let body = ask.body.clone().map_or_else(Bytes::new, Bytes::from);
        let mut request = Request::new(body);
        *request.method_mut() = ask.method.clone();
        // The base was parsed when the client was made and paths are made of safe characters only.
        *request.uri_mut() = format!("{}{}", self.base, ask.path).parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
    }

    /// Carries out a call and reads its answer by `reader`, which gets the texts that errors must not repeat.
    pub(super) async fn call<T>(
        &self,
        ask: &Ask,
        reader: impl Fn(&[u8], &[&str]) -> Result<T, Unreadable>,
    ) -> Result<T, CloudError> {
        let hidden = [self.key.expose().trim()];
        let send = || self.transport.send(self.http(ask));
        self.manners.carry(ask, &hidden, send, |body| reader(body, &hidden)).await
    }

    pub(super) async fn change(&self, ask: &Ask) -> Result<(), CloudError> {
        self.call(ask, |body, hidden| acknowledge(ask, body, hidden)).await
    }

    /// A deletion, which has succeeded also where there is nothing left to delete.
    async fn delete(&self, ask: &Ask) -> Result<(), CloudError> {
        gone_is(self.change(ask).await, ())
    }

    fn private(&self) -> std::sync::MutexGuard<'_, HashSet<ProviderId>> {
        self.private.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_networks(&self, networks: &[SeenNetwork]) {
        *self.private() = networks.iter().map(|network| network.id.clone()).collect();
    }

    async fn customer(&self) -> Result<Option<identity::Customer>, CloudError> {
        let ask = request::account();
        let read = self.call(&ask, |body, hidden| read(&ask, body, hidden).map(identity::customer)).await;
        absent_is_none(read)
    }

    /// Asked only where `/account` does not settle it, and once in a client's life.
    async fn project(&self) -> Result<Option<String>, CloudError> {
        if let Some(known) = self.project.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(known);
        }
        let ask = request::project();
        let read = self.call(&ask, |body, hidden| read(&ask, body, hidden).map(identity::project)).await;
        let project = absent_is_none(read)?.flatten();
        *self.project.lock().unwrap_or_else(PoisonError::into_inner) = Some(project.clone());
        Ok(project)
    }

    async fn decide_identity(
        &self,
        customer: Option<identity::Customer>,
    ) -> Result<AccountIdentity, CloudError> {
        let project = if identity::needs_project(customer.as_ref()) { self.project().await? } else { None };
        Ok(identity::decide(customer, project, &self.host))
    }

    /// The servers; their links judged by their types alone where `settled_later`.
    async fn servers_read(&self, settled_later: bool) -> Result<Vec<SeenServer>, CloudError> {
        let ask = request::servers();
        self.call(&ask, |body, hidden| {
            let list: wire::List<wire::Server<'_>> = read(&ask, body, hidden)?;
            let private = self.private();
            let known = SoFar((!settled_later).then_some(&*private));
            Ok(list.0.into_iter().map(|server| meaning::server(server, known)).collect())
        })
        .await
    }
}

/// `NotFound` as a value.
pub(super) fn gone_is<T>(result: Result<T, CloudError>, gone: T) -> Result<T, CloudError> {
    match result {
        Err(error) if error.kind == CloudErrorKind::NotFound => Ok(gone),
        other => other,
    }
}

/// An endpoint that the provider does not have is none; every other failure stays one.
pub(super) fn absent_is_none<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.status, Some(404 | 405 | 501)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Cloud for OneCloud {
    async fn identify(&self) -> Result<AccountIdentity, CloudError> {
        let customer = self.customer().await?;
        let identity = self.decide_identity(customer).await?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
        Ok(identity)
    }

    async fn observe(&self) -> Result<SeenWorld, CloudError> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let account = async {
            match told {
                Some(identity) => Ok(identity),
                None => self.decide_identity(self.customer().await?).await,
            }
        };
        let (mut servers, networks, images, locations, keys, account) = futures::try_join!(
            self.servers_read(true),
            self.networks(),
            self.images(),
            self.locations(),
            self.keys(),
            account,
        )?;
        let private: HashSet<&ProviderId> = networks.iter().map(|network| &network.id).collect();
        for server in &mut servers {
            for link in &mut server.links {
                meaning::settle(link, &private);
            }
            if let Some(technical) = meaning::technical_location(&server.location, &locations)
                && technical != server.location
            {
                server.location = technical;
            }
        }
        Ok(SeenWorld { account, servers, networks, images, locations, keys })
    }

    async fn servers(&self) -> Result<Vec<SeenServer>, CloudError> {
        self.servers_read(false).await
    }

    async fn server(&self, id: &ProviderId) -> Result<Option<SeenServer>, CloudError> {
        let ask = request::server(id);
        let read = self
            .call(&ask, |body, hidden| {
                let server: wire::Server<'_> = read(&ask, body, hidden)?;
                Ok(Some(meaning::server(server, SoFar(Some(&*self.private())))))
            })
            .await;
        gone_is(read, None)
    }

    async fn create_server(&self, spec: &ServerSpec, keys: &[ProviderId]) -> Result<SeenServer, CloudError> {
        let ask = request::create_server(spec, keys);
        self.call(&ask, |body, hidden| {
            let server: wire::Server<'_> = read(&ask, body, hidden)?;
            Ok(meaning::server(server, SoFar(Some(&*self.private()))))
        })
        .await
    }

    async fn resize_server(&self, id: &ProviderId, to: &Size) -> Result<(), CloudError> {
        self.change(&request::resize_server(id, to)).await
    }

    async fn set_power(&self, id: &ProviderId, to: Power, graceful: bool) -> Result<(), CloudError> {
        self.change(&request::set_power(id, to, graceful)).await
    }

    async fn link_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        self.private().insert(network.clone());
        self.change(&request::link_network(id, network)).await
    }

    async fn unlink_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        self.change(&request::unlink_network(id, network)).await
    }

    async fn delete_server(&self, id: &ProviderId) -> Result<(), CloudError> {
        self.delete(&request::delete_server(id)).await
    }

    async fn action_in_progress(&self, id: &ProviderId) -> Result<bool, CloudError> {
        let ask = request::actions(id);
        let read = self
            .call(&ask, |body, hidden| {
                let list: wire::List<wire::Action<'_>> = read(&ask, body, hidden)?;
                // The order is not documented; the start date decides, and without one the given order.
                let mut actions = list.0;
                actions.sort_by_key(|action| std::cmp::Reverse(action.start.0));
                Ok(actions.iter().take(ACTIONS_LOOKED_AT).any(meaning::in_progress))
            })
            .await;
        gone_is(read, false)
    }

    async fn first_login(&self, id: &ProviderId) -> Result<Option<(String, Secret)>, CloudError> {
        let ask = request::server(id);
        let read = self
            .call(&ask, |body, hidden| {
                let login: wire::Login<'_> = read(&ask, body, hidden)?;
                let user = login.user.owned();
                Ok(login.password.0.filter(|_| !user.is_empty()).map(|password| (user, password)))
            })
            .await;
        gone_is(read, None)
    }

    async fn networks(&self) -> Result<Vec<SeenNetwork>, CloudError> {
        let ask = request::networks();
        let networks: Vec<SeenNetwork> = self
            .call(&ask, |body, hidden| {
                let list: wire::List<wire::Network<'_>> = read(&ask, body, hidden)?;
                Ok(list.0.into_iter().map(meaning::network).collect())
            })
            .await?;
        self.remember_networks(&networks);
        Ok(networks)
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<SeenNetwork, CloudError> {
        let ask = request::create_network(spec);
        let network = self.call(&ask, |body, hidden| read(&ask, body, hidden).map(meaning::network)).await?;
        self.private().insert(network.id.clone());
        Ok(network)
    }

    async fn delete_network(&self, id: &ProviderId) -> Result<(), CloudError> {
        self.delete(&request::delete_network(id)).await
    }

    async fn images(&self) -> Result<Vec<SeenImage>, CloudError> {
        let ask = request::images();
        self.call(&ask, |body, hidden| {
            let list: wire::List<wire::Image<'_>> = read(&ask, body, hidden)?;
            Ok(list.0.into_iter().map(meaning::image).collect())
        })
        .await
    }

    async fn locations(&self) -> Result<Vec<SeenLocation>, CloudError> {
        let ask = request::locations();
        self.call(&ask, |body, hidden| {
            let list: wire::List<wire::Location<'_>> = read(&ask, body, hidden)?;
            Ok(list.0.into_iter().filter_map(meaning::location).collect())
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<SeenKey>, CloudError> {
        let ask = request::keys();
        self.call(&ask, |body, hidden| {
            let list: wire::List<wire::SshKey<'_>> = read(&ask, body, hidden)?;
            Ok(list.0.into_iter().map(meaning::key).collect())
        })
        .await
    }

    async fn create_key(&self, title: &str, public_key: &str) -> Result<SeenKey, CloudError> {
        let ask = request::create_key(title, public_key);
        self.call(&ask, |body, hidden| read(&ask, body, hidden).map(meaning::key)).await
    }

    async fn balance(&self) -> Result<Balance, CloudError> {
        self.call(&request::balance(), |body, hidden| amount(body, hidden).map(|amount| Balance { amount }))
            .await
    }
}
