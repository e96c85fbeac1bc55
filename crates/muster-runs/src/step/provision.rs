//! Steps inside several servers: which ones, how they are reached, and the Ansible inventory. Playbooks, builds and
//! code have files of their own.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use muster_model::ansible::{Inventory, InventoryHost};
use muster_model::bundle::Manifest;
use muster_model::id::{ProviderId, ServerName};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{ProvisionAction, ProvisionHost};
use muster_model::run::{Fact, Output};
use muster_outside::build::Tree;
use muster_outside::host::ssh::Host;
use muster_outside::host::ssh::deliver::DeliveredFile;
use muster_store::About;

use super::server::{recent, store_failed};
use super::{Intent, Looked, StepContext, StepError, build, code, playbook, reachable};

/// SSH's usual port.
const SSH_PORT: u16 = 22;

pub(super) async fn look(ctx: &StepContext, action: &ProvisionAction) -> Result<Looked, StepError> {
    match action {
        // Writing the same file twice is the same as once, and a delivery looks for its release by itself.
        ProvisionAction::Inventory { .. }
        | ProvisionAction::Build(_)
        | ProvisionAction::Code(_)
        | ProvisionAction::Release(_)
        | ProvisionAction::CheckNetwork { .. } => {}
        ProvisionAction::Playbook { .. } => playbook::may_begin(ctx).await?,
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &ProvisionAction,
) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        ProvisionAction::Inventory { hosts } => write_inventory(ctx, hosts).await,
        ProvisionAction::Playbook { .. } => playbook::act(ctx, action).await,
        ProvisionAction::Build(action) => build::act(ctx, action).await,
        ProvisionAction::Code(action) => code::deliver(ctx, action).await,
        ProvisionAction::Release(action) => code::go_back(ctx, action).await,
        ProvisionAction::CheckNetwork { network_name, network, dhcp, pairs } => {
            let question =
                reachable::Question { network: ctx.resolve(network)?, name: network_name, dhcp: *dhcp };
            reachable::check(ctx, &question, pairs).await
        }
    }
}

/// One host of a step, with the way to it.
pub(super) struct Target {
    pub(super) name: ServerName,
    pub(super) id: ProviderId,
    pub(super) host: Host,
    pub(super) entry: InventoryHost,
}

/// The way to every host of a step. Their keys are on record, because each was reached by a step before.
pub(super) async fn targets(ctx: &StepContext, hosts: &[ProvisionHost]) -> Result<Vec<Target>, StepError> {
    let list = recent(ctx).await?;
    let ids = hosts.iter().map(|wanted| ctx.resolve(&wanted.server)).collect::<Result<Vec<_>, _>>()?;
    let about = About::ids(ObjectKind::Server, ids.clone());
    let account = &ctx.session.account.identity;
    let owned = ctx.store().facts_about(account, &about).await.map_err(store_failed)?.owned;
    let records: HashMap<&ProviderId, &Ownership> = owned.iter().map(|record| (&record.id, record)).collect();
    let mut targets = Vec::new();
    for (wanted, id) in hosts.iter().zip(ids) {
        let seen = list.get(&id).ok_or_else(|| {
            StepError::refused(format!("server {} (id {id}) is gone at the provider", wanted.name))
        })?;
        let record = records.get(&id).copied();
        let host = ctx
            .engine
            .host_of(&ctx.session, &wanted.name, seen, record)
            .await
            .map_err(|error| StepError::transient(error.to_string()))?;
        let entry = InventoryHost {
            name: wanted.name.to_string(),
            address: host.address.clone(),
            port: SSH_PORT,
            user: host.user.clone(),
            // A server's own name is a group in documents; in Ansible it is the host itself.
            groups: wanted
                .groups
                .iter()
                .filter(|group| group.as_str() != wanted.name.as_str())
                .map(|group| group.to_string())
                .collect(),
            playbook: wanted.playbooks.first().cloned(),
            vars: BTreeMap::new(),
        };
        targets.push(Target { name: wanted.name.clone(), id, host, entry });
    }
    Ok(targets)
}

/// The inventory of these targets, or every name that Ansible would read differently.
pub(super) fn inventory_of(targets: &[Target]) -> Result<Inventory, StepError> {
    Inventory::build(targets.iter().map(|target| target.entry.clone())).map_err(|errors| {
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        StepError::refused(words.join("; "))
    })
}

async fn write_inventory(
    ctx: &StepContext,
    hosts: &[ProvisionHost],
) -> Result<(Output, Vec<Fact>), StepError> {
    let targets = targets(ctx, hosts).await?;
    let inventory = inventory_of(&targets)?;
    playbook::check_all(ctx, &inventory).await?;
    let path = ctx.engine.home.inventory(&ctx.infrastructure);
    crate::reach::write_private(&path, inventory.to_yaml().as_bytes())
        .map_err(|error| StepError::transient(format!("cannot write {}: {error}", path.display())))?;
    ctx.say(format!("wrote the inventory of {} hosts to {}", targets.len(), path.display()), Vec::new())
        .await?;
    Ok((Output::File { path: path.display().to_string() }, Vec::new()))
}

/// The files of the bundle, or of one directory of it.
pub(super) async fn bundle_files(ctx: &StepContext, below: &str) -> Result<Tree, StepError> {
    let row = ctx.store().plan(ctx.plan.id).await.map_err(store_failed)?;
    let row = row.ok_or_else(|| StepError::refused("the plan of this run is gone"))?;
    let manifest: Manifest = serde_json::from_str(&row.new.bundle)
        .map_err(|error| StepError::refused(format!("the bundle's manifest cannot be read: {error}")))?;
    files_of(ctx, &manifest, below).await
}

/// The contents that a manifest names below a directory.
pub(super) async fn files_of(ctx: &StepContext, manifest: &Manifest, below: &str) -> Result<Tree, StepError> {
    let mut files = Tree::new();
    for (path, entry) in manifest.below(below) {
        let content = ctx.engine.contents.get(&entry.sha256).await.map_err(store_failed)?;
        files.insert(path.to_owned(), DeliveredFile { content: Bytes::from(content), mode: entry.mode });
    }
    Ok(files)
}
