//! Servers that are made anew or copied by hand.

use muster_model::account::AccountIdentity;
use muster_model::diagnostic::nearest;
use muster_model::object::ObjectClass;
use muster_model::ownership::ObjectKind;
use muster_model::plan::{LockKey, ObjectAction, Reason, Risk};
use muster_model::server::{SeenServer, ServerState};

use super::{Made, SeenObjects};
use crate::image::Images;
use crate::why::did_you_mean;

/// The one server that a name or id means.
///
/// # Errors
/// What to say: there is none, with the nearest name, or there are several, with their ids.
pub fn find<'a>(servers: &'a [SeenServer], words: &str) -> Result<&'a SeenServer, String> {
    let named: Vec<&SeenServer> =
        servers.iter().filter(|server| server.name == words || server.id.as_str() == words).collect();
    match named.as_slice() {
        [only] => Ok(only),
        [] => {
            let names = servers.iter().map(|server| server.name.as_str());
            Err(format!("the account has no server {words}.{}", did_you_mean(nearest(words, names))))
        }
        several => match several.iter().find(|server| server.id.as_str() == words) {
            Some(by_id) => Ok(by_id),
            None => {
                let ids: Vec<&str> = several.iter().map(|server| server.id.as_str()).collect();
                Err(format!("several servers are called {words}; name one by its id: {}", ids.join(", ")))
            }
        },
    }
}

pub(super) fn rebuilt(
    seen: &SeenObjects,
    made: &mut Made,
    account: &AccountIdentity,
    words: &str,
    image: Option<&str>,
    sysprep: bool,
) {
    let server = match find(&seen.servers, words) {
        Ok(server) => server,
        Err(message) => return made.refuse(words, "server-unknown", message),
    };
    if server.state != ServerState::Active {
        return made.refuse(
            words,
            "state",
            format!("server {words} is not active; only an active one can be rebuilt"),
        );
    }
    let images = Images::new(&seen.images);
    let technical = image.unwrap_or(&server.image).to_owned();
    let found = match images.find(&technical, &server.location) {
        Ok(found) => found,
        Err(problem) => return made.refuse(words, problem.0, problem.1.clone()),
    };
    let record = seen.owned.iter().find(|record| record.kind == ObjectKind::Server && record.id == server.id);
    if let Some(record) = record {
        let file = &record.infrastructure;
        if record.protect {
            let message = format!("{words} is protected in the file {file}; take `protect` out of it first");
            return made.refuse(words, "protected", message);
        }
        if !found.technical.eq_ignore_ascii_case(&server.image) {
            let message = format!(
                "{words} belongs to the file {file}, which wants {}; write the other image there and run \
                 `muster infra update {file} --allow-replace`",
                server.image
            );
            return made.refuse(words, "owned", message);
        }
    }
    if found.disk_min_gb > server.size.disk_gb {
        let message = format!(
            "image {} needs {} GB of disk, {words} has {}",
            found.technical, found.disk_min_gb, server.size.disk_gb
        );
        return made.refuse(words, "image-disk", message);
    }
    if sysprep && !found.family.eq_ignore_ascii_case("windows") {
        return made.refuse(
            words,
            "sysprep",
            format!("{} is no Windows image; sysprep is for those", found.technical),
        );
    }
    if record.is_none() {
        made.note(words, format!("no file here owns {words}; it is made anew because you named it"));
    }
    made.lock(LockKey::Server(account.to_string(), server.id.clone()));
    let action = ObjectAction::Rebuild {
        server: server.id.clone(),
        name: server.name.clone(),
        image: found.id.clone(),
        image_name: found.technical.clone(),
        sysprep,
    };
    made.step(&server.name, action, Reason::Asked, Risk::Destroys);
    if let Some(record) = record {
        made.reach(record, &server.id, seen.keys.get(&server.id).cloned().unwrap_or_default());
    }
}

pub(super) fn copied(
    seen: &SeenObjects,
    made: &mut Made,
    account: &AccountIdentity,
    words: &str,
    copy: &str,
    network: Option<&str>,
) {
    let copy = copy.trim();
    let server = match find(&seen.servers, words) {
        Ok(server) => server,
        Err(message) => return made.refuse(words, "server-unknown", message),
    };
    if copy.is_empty() {
        return made.refuse(words, "name-missing", "the copy needs a name");
    }
    if let Some(other) = seen.servers.iter().find(|other| other.name == copy) {
        let message = format!("there is a server {copy} (id {}) already; choose another name", other.id);
        return made.refuse(words, "exists", message);
    }
    let ours = seen.owned.iter().filter(|record| record.kind == ObjectKind::Server);
    if let Some(record) = ours.into_iter().find(|record| record.provider_name == copy) {
        let message = format!("the file {} has a server {copy}; choose another name", record.infrastructure);
        return made.refuse(words, "owned", message);
    }
    let network = match network.map(|words| super::find(seen, ObjectClass::Network, words)) {
        None => None,
        Some(Ok(Some(network))) => Some(network),
        Some(Ok(None)) => {
            let words = network.unwrap_or_default();
            return made.refuse(copy, "unknown", super::unknown(seen, ObjectClass::Network, words));
        }
        Some(Err(message)) => return made.refuse(copy, "ambiguous", message),
    };
    made.lock(LockKey::Name(account.to_string(), copy.to_owned()));
    let action = ObjectAction::Copy {
        server: server.id.clone(),
        name: server.name.clone(),
        copy: copy.to_owned(),
        network: network.map(|network| network.id.clone()),
        known_ids: Vec::new(),
    };
    made.step(copy, action, Reason::Asked, Risk::None);
}
