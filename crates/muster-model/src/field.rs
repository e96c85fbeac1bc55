//! The one table of a server's fields: can it be read, set at creation, set later, and how
//! (`SEMANTICS.md` §2). The planner and the client both read it; the simulator has its own, from `spec/`.

use serde::{Deserialize, Serialize};

/// A field of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The provider's name.
    Name,
    /// Cores.
    Cpu,
    /// Memory.
    Ram,
    /// Disk size.
    Disk,
    /// Disk kind.
    DiskType,
    /// Pool.
    Performance,
    /// Place.
    Location,
    /// Image.
    Image,
    /// Power.
    Power,
    /// Private networks.
    Networks,
    /// The speed of links.
    Bandwidth,
    /// Login keys.
    Keys,
    /// Backups.
    Backup,
    /// Groups: Muster's own, nothing at the provider.
    Groups,
    /// Names in DNS.
    Dns,
    /// The provider's life-cycle state; never wanted, only explained.
    State,
}

/// How a field is set once the server exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// By a resize request.
    Resize,
    /// By a resize request, upwards only.
    ResizeUp,
    /// By a power action.
    PowerAction,
    /// By linking and unlinking networks.
    Link,
    /// By a request about one link.
    LinkSpeed,
    /// Only by making the server anew.
    Replace,
    /// Not through the provider: over SSH.
    InsideOnly,
    /// Never; it is ours alone or the provider's alone.
    Never,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldRow {
    /// The field.
    pub field: Field,
    /// The word for people and documents.
    pub word: &'static str,
    /// Whether the provider shows it, and so whether drift of it can be seen.
    pub readable: bool,
    /// Whether a create request sets it.
    pub at_creation: bool,
    /// How it is set later.
    pub later: Later,
}

const fn row(field: Field, word: &'static str, readable: bool, at_creation: bool, later: Later) -> FieldRow {
    FieldRow { field, word, readable, at_creation, later }
}

/// The table. Source: `spec/onecloud-api.md` §1.3 and §1.4.
pub const FIELDS: &[FieldRow] = &[
    row(Field::Name, "name", true, true, Later::Never),
    row(Field::Cpu, "cpu", true, true, Later::Resize),
    row(Field::Ram, "ram", true, true, Later::Resize),
    row(Field::Disk, "disk", true, true, Later::ResizeUp),
    row(Field::DiskType, "disk type", true, true, Later::Resize),
    row(Field::Performance, "performance", true, true, Later::Resize),
    row(Field::Location, "location", true, true, Later::Replace),
    row(Field::Image, "image", true, true, Later::Replace),
    row(Field::Power, "power", true, false, Later::PowerAction),
    row(Field::Networks, "networks", true, false, Later::Link),
    row(Field::Bandwidth, "bandwidth", true, false, Later::LinkSpeed),
    row(Field::Keys, "keys", true, true, Later::InsideOnly),
    row(Field::Backup, "backup", false, true, Later::Never),
    row(Field::Groups, "groups", false, false, Later::Never),
    row(Field::Dns, "dns", false, false, Later::Never),
    row(Field::State, "state", true, false, Later::Never),
];

impl Field {
    /// This field's row.
    pub fn row(self) -> &'static FieldRow {
        FIELDS.iter().find(|row| row.field == self).unwrap_or(&FIELDS[0])
    }

    /// The word for people and documents.
    pub fn word(self) -> &'static str {
        self.row().word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_exactly_one_row() {
        let mut fields: Vec<Field> = FIELDS.iter().map(|row| row.field).collect();
        fields.sort();
        let count = fields.len();
        fields.dedup();
        assert_eq!(fields.len(), count);
        assert_eq!(count, 16);
        for row in FIELDS {
            assert_eq!(row.field.row().field, row.field);
        }
    }
}
