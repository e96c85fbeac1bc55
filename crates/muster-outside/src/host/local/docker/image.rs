//! The image that all machines start from: the very root that nspawn uses, imported; or, where Muster is not root
//! and so cannot build that, one that Docker builds from Debian's or Ubuntu's own image with the same packages.
//!
//! It stays in the engine, as the root stays in the cache: `docker image rm` removes it.

use std::path::Path;
use std::time::Duration;

use super::super::argv::{PACKAGES, REPOSITORY_INSIDE};
use super::super::base::{self, Base, Progress};
use super::super::command::{run, run_piped};
use super::super::disk::{make_file, make_folder};
use super::super::error::{LocalError, file};
use super::super::lock::Lock;
use super::super::probe::which;
use super::super::record::text;
use super::argv;
use super::machine::LIMIT;

/// As for nspawn's root; a slow network takes long.
const BUILD_LIMIT: Duration = Duration::from_secs(1200);
/// Files of the image that Muster reads on this side: the packages that need not be downloaded, and the passwords.
const READ_HERE: [&str; 2] = ["/var/lib/dpkg/status", "/etc/shadow"];

/// The image's name.
pub(super) fn tag(base: &Base) -> String {
    format!("muster-machine:{}", base.id)
}

/// Finds the image or makes it.
pub(super) async fn ensure(cache: &Path, progress: Progress<'_>) -> Result<Base, LocalError> {
    let base = base::place(cache, "")?;
    let root = rustix::process::geteuid().is_root();
    let base = if root && (base.root.exists() || which("mmdebstrap").is_some()) {
        base::ensure(cache, progress).await?
    } else {
        base::place(cache, "-docker")?
    };
    let tag = tag(&base);
    if is_there(&tag).await? && base.root.exists() {
        return Ok(base);
    }
    make_folder(&cache.join("machines"), 0o700)?;
    let _lock =
        Lock::take(&cache.join("machines").join(format!("{}-image.lock", base.id)), BUILD_LIMIT).await?;
    if !is_there(&tag).await? {
        progress("making the Docker image of the local machines, once");
        if base.root.exists() {
            run_piped(&argv::archive(&text(&base.root)), &argv::import(&tag), BUILD_LIMIT).await?;
        } else {
            run(&argv::build(&tag), &recipe(&base.suite), BUILD_LIMIT).await?;
        }
        progress("the Docker image of the local machines is ready");
    }
    if !base.root.exists() {
        read_here(&base, &tag).await?;
    }
    Ok(base)
}

async fn is_there(tag: &str) -> Result<bool, LocalError> {
    Ok(!run(&argv::image(tag), "", LIMIT).await?.trim().is_empty())
}

/// Makes the folder that stands for the image on this side.
async fn read_here(base: &Base, tag: &str) -> Result<(), LocalError> {
    let partial = base.folder.with_extension("partial");
    base::remove_tree(&partial).await?;
    for path in READ_HERE {
        let content = run(&argv::read(tag, path), "", LIMIT).await?;
        let place = partial.join("root").join(path.trim_start_matches('/'));
        make_folder(place.parent().unwrap_or(&partial), 0o700)?;
        make_file(&place, &content, 0o600)?;
    }
    Base { folder: partial.clone(), ..base.clone() }.repository().make()?;
    base::remove_tree(&base.folder).await?;
    std::fs::rename(&partial, &base.folder).map_err(file("rename", &partial))
}

/// How Docker builds the image; the same as `base::dress` does with a fresh root. `suite` is one word of this
/// computer's `/etc/os-release`, everything else is constant.
fn recipe(suite: &str) -> String {
    // Ubuntu's code names are adjectives of animals, none of them Debian's.
    let system = if DEBIAN.contains(&suite) { "debian" } else { "ubuntu" };
    let packages = PACKAGES.replace(',', " ");
    format!(
        "FROM {system}:{suite}\n\
         RUN apt-get -q update \\\n \
         && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends {packages} \\\n \
         && apt-get clean && rm -rf /var/lib/apt/lists/* \\\n \
         && rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list.d/* /usr/sbin/policy-rc.d \\\n \
         && rm -f /etc/systemd/system/timers.target.wants/* \\\n \
         && rm -f /etc/systemd/system/multi-user.target.wants/e2scrub_reap.service \\\n \
         && : >/etc/machine-id \\\n \
         && mkdir -p {REPOSITORY_INSIDE} /etc/ssh/sshd_config.d \\\n \
         && echo 'deb [trusted=yes] file:{REPOSITORY_INSIDE} ./' >/etc/apt/sources.list \\\n \
         && echo 'Acquire::Languages \"none\";' >/etc/apt/apt.conf.d/99muster \\\n \
         && echo 'UseDNS no' >/etc/ssh/sshd_config.d/00-muster.conf\n"
    )
}

/// Debian's releases that have what machines need.
const DEBIAN: [&str; 6] = ["bullseye", "bookworm", "trixie", "forky", "duke", "sid"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_what_nspawn_has() {
        let debian = recipe("bookworm");
        assert!(debian.starts_with("FROM debian:bookworm\nRUN apt-get -q update \\\n && DEBIAN"), "{debian}");
        assert!(recipe("noble").starts_with("FROM ubuntu:noble\n"));
        for package in PACKAGES.split(',') {
            assert!(debian.contains(&format!(" {package} ")), "{package}");
        }
        assert_eq!(debian.lines().filter(|line| !line.ends_with('\\')).count(), 2, "{debian}");
    }
}
