//! What a provider offers an account (images, locations), kept with its date (ICT-60).
//!
//! It serves prompts, completion and `account offers` only: a plan always reads fresh, and what it read is kept here
//! on the way. It is a cache, so it lies in a file beside the database, not in it: losing it costs one question.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use muster_model::account::AccountIdentity;
use muster_model::cloud::{SeenImage, SeenLocation};
use muster_model::id::{AccountName, SpaceName};
use muster_model::rights::{Authority, Wish, may};
use serde::{Deserialize, Serialize};

use crate::account::Session;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;

/// Offers older than this are asked for anew when somebody wants to see them.
pub const OFFERS_FRESH_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The shape of the file; a file of another shape is as good as none.
const FORM: u16 = 1;

/// Folder of the kept offers below `MUSTER_HOME`.
const FOLDER: &str = "offers";

/// What a provider offers an account, as of a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    form: u16,
    /// Whose.
    pub account: AccountIdentity,
    /// When the provider said so.
    pub seen_at: Timestamp,
    /// Images.
    pub images: Vec<SeenImage>,
    /// Locations.
    pub locations: Vec<SeenLocation>,
}

/// Whether the provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Only where nothing is kept, or what is kept is older than [`OFFERS_FRESH_FOR`].
    IfOld,
    /// Now.
    Now,
}

fn path(home: &Path, space: &SpaceName, account: &AccountName) -> PathBuf {
    home.join(FOLDER).join(space.as_str()).join(format!("{account}.json"))
}

/// What is kept of an account, without asking anybody; none if nothing readable is. For completion.
pub fn kept(home: &Path, space: &SpaceName, account: &AccountName) -> Option<Offers> {
    let text = std::fs::read(path(home, space, account)).ok()?;
    serde_json::from_slice::<Offers>(&text).ok().filter(|offers| offers.form == FORM)
}

/// What is kept of every account of a Space, without asking anybody.
pub fn kept_here(home: &Path, space: &SpaceName) -> Vec<Offers> {
    let Ok(folder) = std::fs::read_dir(home.join(FOLDER).join(space.as_str())) else { return Vec::new() };
    let names = folder.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".json").map(AccountName::from)
    });
    let mut names: Vec<AccountName> = names.collect();
    names.sort();
    names.iter().filter_map(|name| kept(home, space, name)).collect()
}

fn write(path: &Path, offers: &Offers) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Of this thread of this process only, so that two who write at once each leave a whole file.
    let writer = std::thread::current().id();
    let unfinished = path.with_extension(format!("new-{}-{writer:?}", std::process::id()));
    // Not synced: what a power cut takes is asked for again.
    std::fs::write(&unfinished, serde_json::to_vec(offers)?)?;
    std::fs::rename(&unfinished, path)
}

impl Inner {
    /// Keeps what the provider has just said. A cache that cannot be written is a warning, never a failure.
    pub(crate) fn keep_offers(
        &self,
        space: &SpaceName,
        session: &Session,
        images: &[SeenImage],
        locations: &[SeenLocation],
    ) -> Offers {
        let offers = Offers {
            form: FORM,
            account: session.account.identity.clone(),
            seen_at: self.world.clock.now(),
            images: images.to_vec(),
            locations: locations.to_vec(),
        };
        let path = path(self.home.root(), space, &session.account.name);
        if let Err(error) = write(&path, &offers) {
            tracing::warn!(%error, "the offers of account {} could not be kept", session.account.name);
        }
        offers
    }
}

impl Engine {
    /// What the provider offers an account, with its date.
    pub async fn offers(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: &AccountName,
        refresh: Refresh,
    ) -> Result<Offers, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let session = inner.session(space, name).await?;
        // Kept for the same name is not enough: the account may have been registered anew as another one.
        let kept = kept(inner.home.root(), space, name).filter(|offers| {
            let age = inner.world.clock.now().duration_since(offers.seen_at);
            offers.account == session.account.identity && age < OFFERS_FRESH_FOR && !age.is_negative()
        });
        if let (Some(kept), Refresh::IfOld) = (kept, refresh) {
            return Ok(kept);
        }
        let (images, locations) = futures::try_join!(session.cloud.images(), session.cloud.locations())
            .map_err(|error| EngineError::Outside(error.to_string()))?;
        Ok(inner.keep_offers(space, &session, &images, &locations))
    }
}
