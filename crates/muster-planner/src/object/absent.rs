//! There is to be no object: deleted, unless that would hurt, and then it is said whom.

use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, PUBLIC_KEY};
use muster_model::plan::{ObjectAction, Reason, Risk};

use super::{Made, SeenObjects, find, owned_said, owner, unknown};

pub(super) fn absent(seen: &SeenObjects, made: &mut Made, class: ObjectClass, name: &str) {
    let object = match find(seen, class, name) {
        Ok(Some(object)) => object,
        Ok(None) => {
            // Gone is gone, but somebody who mistyped should hear of it.
            return made.note(name, unknown(seen, class, name));
        }
        Err(message) => return made.refuse(name, "ambiguous", message),
    };
    if let Some(record) = owner(seen, object) {
        return made.refuse(name, "owned", owned_said(class, &object.name, record, "deleted"));
    }
    let servers = object.text("servers");
    if !servers.is_empty() {
        let message = format!(
            "{} {} still has servers in it (ids {servers}); unlink them first: a network is deleted only when it is empty",
            class.word(),
            object.name
        );
        return made.refuse(name, "in-use", message);
    }
    if class == ObjectClass::Image && object.text("type") == STOCK {
        let message = format!(
            "{} is the provider's own image; only images made in this account can be deleted",
            object.name
        );
        return made.refuse(name, "stock", message);
    }
    if class == ObjectClass::Key
        && let Some(login) = &seen.login_key
    {
        let ours = Fields::from([(PUBLIC_KEY.to_owned(), FieldValue::Text(login.clone()))]);
        if object.has(&ours) {
            let message = format!(
                "key {} is the one Muster logs in with; without it no further server could be reached",
                object.name
            );
            return made.refuse(name, "login-key", message);
        }
    }
    let records = object.text("records");
    if class == ObjectClass::Zone && !matches!(records.as_str(), "" | "0") {
        made.note(
            &object.name,
            format!("its {records} records go with it; `muster dns zone export {}` keeps them", object.name),
        );
    }
    // The addresses of a public network do not come back either.
    let loses = class.holds_data() || matches!(class, ObjectClass::Zone | ObjectClass::PublicNetwork);
    let was = ObjectDraft {
        class,
        name: object.name.clone(),
        of: object.of.clone(),
        fields: object.fields.clone(),
    };
    let risk = if loses { Risk::Destroys } else { Risk::Interrupts };
    made.step(&object.name, ObjectAction::Delete { was, id: object.id.clone() }, Reason::Asked, risk);
}

/// The `type` of the provider's own images (`spec/onecloud-api.md` §1.4).
const STOCK: &str = "GoldServer";
