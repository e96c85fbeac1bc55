//! How long each operation takes on the virtual clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Milliseconds per operation; 0 means that the next request already sees the end.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Durations {
    /// From the creation of a server to `Active`.
    pub create_ms: u64,
    /// Resizing.
    pub resize_ms: u64,
    /// `PowerOn`.
    pub power_on_ms: u64,
    /// `PowerOff`.
    pub power_off_ms: u64,
    /// `PowerReboot` and `RebootGuestOS`.
    pub reboot_ms: u64,
    /// `ShutDownGuestOS`.
    pub shut_down_ms: u64,
    /// `AddNetwork`, `RemoveNetwork`, `EditNetworkBandwidth`.
    pub network_ms: u64,
    /// From the creation of a private or public network to `Active`.
    pub network_create_ms: u64,
    /// Deleting a private or public network.
    pub network_delete_ms: u64,
    /// Rebuilding from an image.
    pub rebuild_ms: u64,
    /// Deleting a server.
    pub delete_ms: u64,
    /// From the order of an own image until it is listed.
    pub image_ms: u64,
    /// From the creation of a domain, or the creation or change of a record, to `Active`.
    pub dns_ms: u64,
    /// From the activation of the storage, or the creation of one of its users, to `Active`.
    pub storage_ms: u64,
}

/// A file of durations that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DurationsError {
    /// It could not be read.
    #[error("read the durations from {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a JSON object of whole milliseconds.
    #[error("durations must be a JSON object of operation names and whole milliseconds")]
    Form(#[source] serde_json::Error),
    /// It names an operation that does not exist.
    #[error("no operation is called {word:?}; there are: {known}")]
    Unknown {
        /// The word in the file.
        word: String,
        /// Every known word.
        known: String,
    },
    /// A duration is beyond any sense (and beyond the clock).
    #[error("{word} takes {ms} ms, more than the allowed {max_ms}")]
    TooLong {
        /// The operation.
        word: String,
        /// What the file says.
        ms: u64,
        /// The longest allowed.
        max_ms: u64,
    },
}

/// The longest duration of one operation: 30 days.
const DURATION_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;

impl Durations {
    /// Everything ends at once.
    pub fn instant() -> Durations {
        Durations::default()
    }

    /// Realistic seconds: a server takes a minute, a power action a few seconds.
    pub fn real() -> Durations {
        Durations {
            create_ms: 60_000,
            resize_ms: 30_000,
            power_on_ms: 10_000,
            power_off_ms: 4_000,
            reboot_ms: 15_000,
            shut_down_ms: 12_000,
            network_ms: 10_000,
            network_create_ms: 15_000,
            network_delete_ms: 5_000,
            rebuild_ms: 60_000,
            delete_ms: 20_000,
            image_ms: 60_000,
            dns_ms: 3_000,
            storage_ms: 5_000,
        }
    }

    /// `instant`, `real`, or the path of a JSON file (see [`Durations::from_json`]).
    pub fn read(word: &str) -> Result<Durations, DurationsError> {
        match word {
            "instant" => Ok(Durations::instant()),
            "real" => Ok(Durations::real()),
            path => {
                let path = Path::new(path);
                let text = std::fs::read_to_string(path)
                    .map_err(|source| DurationsError::Read { path: path.to_owned(), source })?;
                Durations::from_json(&text)
            }
        }
    }

    /// A JSON object of milliseconds, for example `{"create": 60000, "power": 5000}`. What is left out takes no
    /// time. `power` stands for the four power operations that are not named themselves.
    pub fn from_json(text: &str) -> Result<Durations, DurationsError> {
        let mut words: BTreeMap<String, u64> = serde_json::from_str(text).map_err(DurationsError::Form)?;
        let mut durations = Durations::instant();
        if let Some(power) = words.remove("power") {
            for word in ["power_on", "power_off", "reboot", "shut_down"] {
                words.entry(word.to_owned()).or_insert(power);
            }
        }
        for (word, ms) in words {
            if ms > DURATION_MS_MAX {
                return Err(DurationsError::TooLong { word, ms, max_ms: DURATION_MS_MAX });
            }
            match durations.fields().into_iter().find(|(name, _)| *name == word) {
                Some((_, field)) => *field = ms,
                None => {
                    let mut known = vec!["power"];
                    known.extend(Durations::default().fields().into_iter().map(|(name, _)| name));
                    return Err(DurationsError::Unknown { word, known: known.join(", ") });
                }
            }
        }
        Ok(durations)
    }

    fn fields(&mut self) -> [(&'static str, &mut u64); 14] {
        [
            ("create", &mut self.create_ms),
            ("resize", &mut self.resize_ms),
            ("power_on", &mut self.power_on_ms),
            ("power_off", &mut self.power_off_ms),
            ("reboot", &mut self.reboot_ms),
            ("shut_down", &mut self.shut_down_ms),
            ("network", &mut self.network_ms),
            ("network_create", &mut self.network_create_ms),
            ("network_delete", &mut self.network_delete_ms),
            ("rebuild", &mut self.rebuild_ms),
            ("delete", &mut self.delete_ms),
            ("image", &mut self.image_ms),
            ("dns", &mut self.dns_ms),
            ("storage", &mut self.storage_ms),
        ]
    }
}

/// Milliseconds as a length of time.
pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_operations_and_power_stands_for_four() {
        let durations = Durations::from_json(r#"{"create": 5, "power": 7, "reboot": 9}"#).unwrap();
        assert_eq!(durations.create_ms, 5);
        assert_eq!(
            (durations.power_on_ms, durations.power_off_ms, durations.reboot_ms, durations.shut_down_ms),
            (7, 7, 9, 7)
        );
        assert_eq!(durations.delete_ms, 0);
    }

    #[test]
    fn an_unknown_operation_is_named() {
        let error = Durations::from_json(r#"{"creat": 5}"#).unwrap_err().to_string();
        assert!(error.contains("creat") && error.contains("network_create"), "{error}");
        assert!(Durations::from_json(r#"{"create": -1}"#).is_err());
        assert!(matches!(
            Durations::from_json(r#"{"create": 99999999999999}"#),
            Err(DurationsError::TooLong { .. })
        ));
    }
}
