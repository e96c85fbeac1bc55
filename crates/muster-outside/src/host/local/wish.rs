//! What a person may choose about local machines, by two variables of the environment.

use super::error::LocalError;
use super::probe::Technique;
use super::subnet::Subnet;

/// The private range from which each home gets a part.
const RANGE: &str = "10.210.0.0/16";
/// Chooses the technique.
const TECHNIQUE_VARIABLE: &str = "MUSTER_MACHINES";
/// Chooses the range.
const RANGE_VARIABLE: &str = "MUSTER_MACHINE_NETWORK";

/// How local machines shall be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// By this technique or not at all; `None` takes the first that can run here.
    pub technique: Option<Technique>,
    /// The range from which each home gets a part.
    pub range: Subnet,
}

impl Wish {
    /// Reads `MUSTER_MACHINES` (`nspawn` or `docker`) and `MUSTER_MACHINE_NETWORK`.
    ///
    /// # Errors
    /// [`LocalError::Invalid`] for a value that means nothing.
    pub fn from_environment() -> Result<Wish, LocalError> {
        let value = |name| std::env::var(name).unwrap_or_default();
        Wish::read(&value(TECHNIQUE_VARIABLE), &value(RANGE_VARIABLE))
    }

    /// The same from the values; empty is as if unset.
    fn read(technique: &str, range: &str) -> Result<Wish, LocalError> {
        let technique = match technique {
            "" => None,
            name => Some(Technique::parse(name).ok_or_else(|| LocalError::Invalid {
                what: TECHNIQUE_VARIABLE,
                value: name.to_owned(),
                reason: "may be nspawn or docker".to_owned(),
            })?),
        };
        let range = if range.is_empty() { RANGE } else { range };
        let range = range.parse().map_err(|reason| LocalError::Invalid {
            what: RANGE_VARIABLE,
            value: range.to_owned(),
            reason,
        })?;
        Ok(Wish { technique, range })
    }

    /// The technique to ask for in a home whose machines, if it has any, are made by `before`: they stay what
    /// they are.
    pub(super) fn technique_for(&self, before: Option<Technique>) -> Result<Option<Technique>, LocalError> {
        match (before, self.technique) {
            (Some(before), Some(wanted)) if before != wanted => Err(LocalError::Invalid {
                what: TECHNIQUE_VARIABLE,
                value: wanted.as_str().to_owned(),
                reason: format!(
                    "this Muster home has machines made by {}; delete them first",
                    before.as_str()
                ),
            }),
            (before, wanted) => Ok(before.or(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_nonsense_is_refused() {
        let nothing = Wish::read("", "").unwrap();
        assert_eq!(nothing, Wish { technique: None, range: "10.210.0.0/16".parse().unwrap() });
        let all = Wish::read("docker", "10.99.0.0/16").unwrap();
        assert_eq!(all, Wish { technique: Some(Technique::Docker), range: "10.99.0.0/16".parse().unwrap() });
        let said = |technique, range| Wish::read(technique, range).unwrap_err().to_string();
        assert_eq!(said("podman", ""), "MUSTER_MACHINES \"podman\": may be nspawn or docker");
        assert!(said("", "10.99").starts_with("MUSTER_MACHINE_NETWORK \"10.99\""));
    }

    #[test]
    fn a_home_keeps_its_technique() {
        let wish = |name| Wish::read(name, "").unwrap();
        let (nspawn, docker) = (Some(Technique::Nspawn), Some(Technique::Docker));
        assert_eq!(wish("").technique_for(None).unwrap(), None);
        assert_eq!(wish("").technique_for(docker).unwrap(), docker);
        assert_eq!(wish("docker").technique_for(None).unwrap(), docker);
        assert_eq!(wish("docker").technique_for(docker).unwrap(), docker);
        assert_eq!(
            wish("docker").technique_for(nspawn).unwrap_err().to_string(),
            "MUSTER_MACHINES \"docker\": this Muster home has machines made by nspawn; delete them first"
        );
    }
}
