//! Opening an account: from what is registered to something that can be asked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use muster_model::account::{AccountSettings, Provider};
use muster_model::{Secret, World};

use super::onecloud::OneCloud;
use super::{Cloud, CloudError, CloudErrorKind};
use crate::transport::Transport;

/// Time between two polls of the one list, where the account does not say (`SEMANTICS.md` §12).
pub const POLL: Duration = Duration::from_millis(1_500);

/// The same for an address on loopback.
pub const POLL_LOOPBACK: Duration = Duration::from_millis(50);

/// Opens an account at a provider. Sends nothing. Fails if the address is none or the key cannot be a key.
pub fn open(
    provider: Provider,
    url: &str,
    key: Secret,
    settings: &AccountSettings,
    transport: Arc<dyn Transport>,
    world: World,
) -> Result<Arc<dyn Cloud>, CloudError> {
    match provider {
        Provider::Onecloud => Ok(Arc::new(OneCloud::new(url, key, settings, transport, world)?)),
        // It has no address and no key: `local::LocalCloud::open` makes it from a home.
        Provider::Local => Err(CloudError::new(
            CloudErrorKind::Refused,
            "open the account",
            "the machines of this computer have no address; their account is called `local`",
        )),
    }
}

/// Whether an address leads to this machine.
pub fn on_loopback(url: &str) -> bool {
    let Ok(uri) = url.trim().parse::<Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How often the one list is polled: as the account says, else by where its address leads.
pub fn poll_interval(settings: &AccountSettings, url: &str) -> Duration {
    match settings.poll_ms {
        0 if on_loopback(url) => POLL_LOOPBACK,
        0 => POLL,
        set => Duration::from_millis(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_address() {
        for here in ["http://127.0.0.1:8080", "http://127.9.9.9/", "http://[::1]:1", "http://LOCALHOST:1/x"] {
            assert!(on_loopback(here), "{here}");
        }
        for there in
            ["https://api.1cloud.ru", "http://127.0.0.1.example.org", "http://10.0.0.1", "nonsense", ""]
        {
            assert!(!on_loopback(there), "{there}");
        }
        let settings = AccountSettings::default();
        assert_eq!(poll_interval(&settings, "https://api.1cloud.ru"), POLL);
        assert_eq!(poll_interval(&settings, "http://127.0.0.1:1"), POLL_LOOPBACK);
        let set = AccountSettings { poll_ms: 70, ..settings };
        assert_eq!(poll_interval(&set, "https://api.1cloud.ru"), Duration::from_millis(70));
    }
}
