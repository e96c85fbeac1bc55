//! What a provider can do with the objects of an account beside what a file needs. A provider that has no such
//! things implements nothing: each call then says so.

use async_trait::async_trait;
use muster_model::Secret;
use muster_model::id::ProviderId;
use muster_model::object::{Fields, ObjectClass, ObjectDraft, ObjectVerb, SeenObject};
use muster_model::server::SeenServer;

use super::memory::MemoryCloud;
use super::{CloudError, CloudErrorKind};

/// An object that was made, or told something.
#[derive(Clone, Debug)]
pub struct Told {
    /// As the answer shows it.
    pub seen: SeenObject,
    /// A password that is shown this once.
    pub password: Option<Secret>,
}

/// Objects of an account. Writes send **one** request each, like those of [`super::Cloud`].
#[async_trait]
pub trait Objects: Send + Sync {
    /// The objects of a class; records: those of one domain.
    async fn objects(
        &self,
        class: ObjectClass,
        _of: Option<&ProviderId>,
    ) -> Result<Vec<SeenObject>, CloudError> {
        Err(has_none(class))
    }

    /// One object, or none if the provider says it does not exist.
    async fn object(
        &self,
        class: ObjectClass,
        of: Option<&ProviderId>,
        id: &ProviderId,
    ) -> Result<Option<SeenObject>, CloudError> {
        Ok(self.objects(class, of).await?.into_iter().find(|object| object.id == *id))
    }

    /// Asks for an object; answers at once with what is being made.
    async fn create_object(&self, draft: &ObjectDraft) -> Result<Told, CloudError> {
        Err(has_none(draft.class))
    }

    /// Asks for other fields; `name` is the name it has afterwards.
    async fn change_object(
        &self,
        class: ObjectClass,
        _of: Option<&ProviderId>,
        _id: &ProviderId,
        _name: &str,
        _to: &Fields,
    ) -> Result<(), CloudError> {
        Err(has_none(class))
    }

    /// Asks for deletion. Deleting what is gone succeeds.
    async fn delete_object(&self, was: &ObjectDraft, _id: &ProviderId) -> Result<(), CloudError> {
        Err(has_none(was.class))
    }

    /// Does something else to an object.
    async fn tell_object(
        &self,
        class: ObjectClass,
        _id: &ProviderId,
        _verb: ObjectVerb,
    ) -> Result<Told, CloudError> {
        Err(has_none(class))
    }

    /// Asks for a server to be made anew from an image, under its id and address.
    async fn rebuild_server(
        &self,
        _id: &ProviderId,
        _image: &ProviderId,
        _sysprep: bool,
    ) -> Result<(), CloudError> {
        Err(cannot("rebuild a server"))
    }

    /// Asks for a copy of a server; answers at once with the server being made.
    async fn copy_server(
        &self,
        _id: &ProviderId,
        _name: &str,
        _network: Option<&ProviderId>,
    ) -> Result<SeenServer, CloudError> {
        Err(cannot("copy a server"))
    }

    /// Asks for another speed of a server's link, in Mbit/s.
    async fn set_bandwidth(
        &self,
        _id: &ProviderId,
        _link: &ProviderId,
        _mbit: u32,
    ) -> Result<(), CloudError> {
        Err(cannot("set the speed of a link"))
    }

    /// The customer and the project, by the words of the view; no secret among them.
    async fn account_details(&self) -> Result<Fields, CloudError> {
        Err(cannot("tell more about the account"))
    }
}

fn has_none(class: ObjectClass) -> CloudError {
    let doing = format!("manage objects of the class {}", class.word());
    CloudError::new(CloudErrorKind::Refused, doing, "this provider has none")
}

fn cannot(doing: &str) -> CloudError {
    CloudError::new(CloudErrorKind::Refused, doing, "this provider cannot do it")
}

/// The stand-in holds no such objects; its links have a speed.
#[async_trait]
impl Objects for MemoryCloud {
    async fn set_bandwidth(&self, id: &ProviderId, link: &ProviderId, mbit: u32) -> Result<(), CloudError> {
        self.act("set_bandwidth", id.as_str(), |state| {
            let links = &mut state.server("set_bandwidth", id)?.links;
            links
                .iter_mut()
                .filter(|seen| seen.id.as_ref() == Some(link))
                .for_each(|seen| seen.bandwidth_mbit = Some(mbit));
            Ok(())
        })
        .await
    }
}
