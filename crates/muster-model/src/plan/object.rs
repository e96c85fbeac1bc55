//! Actions on objects of an account that a person asked for one by one.

use serde::{Deserialize, Serialize};

use crate::id::ProviderId;
use crate::object::{Fields, ObjectClass, ObjectDraft, ObjectVerb};

/// An operation on an object of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectAction {
    /// Make it (class *create*).
    Create {
        /// What to ask for.
        draft: ObjectDraft,
        /// Ids that bear this name already; a new id is none of these.
        known_ids: Vec<ProviderId>,
    },
    /// Give it other fields (class *ensure*).
    Change {
        /// What it is.
        class: ObjectClass,
        /// Its id.
        id: ProviderId,
        /// Its name when planned; another one at that moment stops the step.
        name: String,
        /// The object it belongs to.
        of: Option<ProviderId>,
        /// The name it gets.
        rename: Option<String>,
        /// What the changed fields were when planned; other values at that moment stop the step.
        expected: Fields,
        /// What they become.
        to: Fields,
    },
    /// Delete it (class *ensure*: gone is gone).
    Delete {
        /// What it was when planned. Another name at that moment stops the step, and so does whatever else would make
        /// the deletion hurt more than was shown.
        was: ObjectDraft,
        /// Its id.
        id: ProviderId,
    },
    /// Do something else to it (class *ensure*).
    Do {
        /// What it is.
        class: ObjectClass,
        /// Its id.
        id: ProviderId,
        /// Its name.
        name: String,
        /// What.
        verb: ObjectVerb,
    },
    /// Make a server anew from an image, under its id and address (class *opaque*: its disk is written anew each time,
    /// so one whose answer was lost is not sent again by itself).
    Rebuild {
        /// The server.
        server: ProviderId,
        /// Its name, which it must still bear.
        name: String,
        /// The image.
        image: ProviderId,
        /// The image's technical name.
        image_name: String,
        /// Whether a Windows system gets a new identity.
        sysprep: bool,
    },
    /// Make a server that is a copy of another (class *create*).
    Copy {
        /// The server that is copied.
        server: ProviderId,
        /// Its name.
        name: String,
        /// The copy's name.
        copy: String,
        /// A private network for the copy.
        network: Option<ProviderId>,
        /// Ids that bear the copy's name already.
        known_ids: Vec<ProviderId>,
    },
}
