//! Data centres as they are now: request 14, which one a request means, and how one closes.

use serde_json::{Map, Value};

use super::catalog::DataCentre;
use super::drift::DriftError;
use super::input::Fields;
use super::refusal::Refusal;
use super::world::World;

impl World {
    /// The data centre that `DCLocation` names. Left out or unknown it is the default one (a captured create was
    /// made there), unless the switch says that an unknown one is refused.
    pub(super) fn location(&self, fields: &Fields) -> Result<DataCentre, Refusal> {
        match fields.text("DCLocation")? {
            Some(wanted) => self.location_of(&wanted),
            None => Ok(self.default_location()),
        }
    }

    fn location_of(&self, wanted: &str) -> Result<DataCentre, Refusal> {
        match self.location_offered(wanted) {
            Some(found) => Ok(found),
            None if self.switches.unknown_location_refused => Err(Refusal::bad("DCLocation not found")),
            None => Ok(self.default_location()),
        }
    }

    /// The data centre of that `TechTitle`, if it is offered.
    pub(super) fn location_offered(&self, wanted: &str) -> Option<DataCentre> {
        self.data_centres.iter().find(|dc| dc.tech_title.eq_ignore_ascii_case(wanted.trim())).copied()
    }

    fn default_location(&self) -> DataCentre {
        // The first one offered; where nothing is offered any more, the world's own first.
        *self.data_centres.first().unwrap_or(&super::catalog::DATA_CENTRES[0])
    }

    fn find_location(&self, name: &str) -> Result<usize, DriftError> {
        let at = self.data_centres.iter().position(|dc| dc.tech_title.eq_ignore_ascii_case(name.trim()));
        at.ok_or_else(|| DriftError::Missing { kind: "location", name: name.to_owned() })
    }

    /// Drift: pools and backup of a data centre are switched on or off. What stands there is not touched.
    pub(super) fn set_location(&mut self, name: &str, fields: &Map<String, Value>) -> Result<(), DriftError> {
        let at = self.find_location(name)?;
        let mut dc = self.data_centres[at];
        let read = Fields::of_object(fields);
        for (field, _) in read.iter() {
            let place = match field {
                "isenablelowpool" => &mut dc.low_pool,
                "isenablehighpool" => &mut dc.high_pool,
                "isenablebackup" => &mut dc.backup,
                _ => {
                    return Err(DriftError::Form(format!(
                        "a location has no field {field:?} that can be set"
                    )));
                }
            };
            *place = read.flag(field)?.unwrap_or(*place);
        }
        self.data_centres[at] = dc;
        Ok(())
    }

    /// Drift: a data centre is not offered any more.
    pub(super) fn remove_location(&mut self, name: &str) -> Result<(), DriftError> {
        let at = self.find_location(name)?;
        self.data_centres.remove(at);
        Ok(())
    }
}
