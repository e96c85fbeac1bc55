//! What the account `local` offers, and who it is.

use std::path::Path;

use muster_model::account::{AccountIdentity, Provider};
use muster_model::cloud::{SeenImage, SeenLocation};
use ring::digest::{SHA256, digest};

use super::LOCATION;

/// The image that machines are made from: the system of this computer, as `/etc/os-release` tells it. None where
/// that is neither Debian nor one of its kin.
pub(super) fn image(release: &str) -> Option<SeenImage> {
    let value = |field: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('='))?;
        let value = line.trim().trim_matches('"');
        (!value.is_empty()).then_some(value)
    };
    let id = value("ID")?;
    let debian =
        id == "debian" || value("ID_LIKE").is_some_and(|like| like.split(' ').any(|one| one == "debian"));
    if !debian {
        return None;
    }
    // A release that is still being made has a code name and no number.
    let version = value("VERSION_ID").or_else(|| value("VERSION_CODENAME"))?;
    let mut name = id.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let technical = format!("{id}-{version}");
    Some(SeenImage {
        id: technical.as_str().into(),
        technical,
        display: format!("{name} {version}"),
        location: String::new(),
        disk_min_gb: 0,
        family: "Linux".to_owned(),
    })
}

/// The one place. Both pools are there in name, so that the file of a cloud account can be tried here.
pub(super) fn location() -> SeenLocation {
    SeenLocation {
        technical: LOCATION.to_owned(),
        title: "This computer".to_owned(),
        short: "Local".to_owned(),
        base_pool: true,
        high_pool: true,
        backup: false,
    }
}

/// Who this account is: this computer and this home, whoever asks and however often its machines were removed.
pub(super) fn identity(machine_id: &str, home: &Path) -> AccountIdentity {
    let text = format!("{}\0{}", machine_id.trim(), home.display());
    let sum = digest(&SHA256, text.as_bytes());
    let customer = sum.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    AccountIdentity { provider: Provider::Local, customer, project: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_this_computers_system() {
        let named = |release: &str| image(release).map(|image| (image.technical, image.display));
        let told = |technical: &str, display: &str| Some((technical.to_owned(), display.to_owned()));
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(named(debian), told("debian-12", "Debian 12"));
        let ubuntu = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n";
        assert_eq!(named(ubuntu), told("ubuntu-24.04", "Ubuntu 24.04"));
        assert_eq!(named("ID=debian\nVERSION_CODENAME=trixie\n"), told("debian-trixie", "Debian trixie"));
        assert_eq!(named("ID=fedora\nVERSION_ID=40\n"), None);
        assert_eq!(named(""), None);
    }

    #[test]
    fn an_identity_is_a_computer_and_a_home() {
        let of = |machine: &str, home: &str| identity(machine, Path::new(home)).to_string();
        assert_eq!(of("a\n", "/root/.muster"), of("a", "/root/.muster"));
        assert_ne!(of("a", "/root/.muster"), of("b", "/root/.muster"));
        assert_ne!(of("a", "/root/.muster"), of("a", "/home/anna/.muster"));
        assert!(of("a", "/x").starts_with("local:"));
    }
}
