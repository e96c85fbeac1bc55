//! The root that all machines share, built once per computer and kept in a cache.
//!
//! Its folder is named after the digest of its recipe, so a new recipe builds a new root beside the old one, which
//! running machines still use. It is built under a lock, beside its place, and renamed into it when complete.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::argv::{self, REPOSITORY_INSIDE};
use super::command::{SHORT, run};
use super::disk::{make_file, make_folder};
use super::error::{LocalError, Missing, file};
use super::lock::Lock;
use super::record::text;
use super::repository::Repository;

/// Changes with what [`dress`] does, so that old roots are not taken for new ones.
const RECIPE: &str = "1";
/// Measured: 24 s on an idle computer with 2 cores; a slow network takes longer.
const BUILD_LIMIT: Duration = Duration::from_secs(1200);

/// Hears what takes long, one sentence each.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// The shared root.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its folder; read-only by agreement.
    pub root: PathBuf,
    /// Digest of its recipe, 12 characters.
    pub id: String,
    pub(super) folder: PathBuf,
    pub(super) suite: String,
}

impl Base {
    /// The package repository that belongs to this root.
    pub(super) fn repository(&self) -> Repository {
        Repository { folder: self.folder.join("repository") }
    }
}

/// Where roots are cached: `MUSTER_MACHINE_CACHE`, else `/var/cache/muster` for root and `~/.cache/muster`.
pub(super) fn cache_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("MUSTER_MACHINE_CACHE").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    match std::env::var_os("HOME") {
        Some(home) if !rustix::process::geteuid().is_root() => Path::new(&home).join(".cache/muster"),
        _ => "/var/cache/muster".into(),
    }
}

/// Where the root of this system's kind is or will be. `kind` tells apart those that are built in another way.
pub(super) fn place(cache: &Path, kind: &str) -> Result<Base, LocalError> {
    let release = "/etc/os-release";
    let release = std::fs::read_to_string(release).map_err(file("read", release))?;
    let suite = suite(&release).ok_or_else(|| {
        Missing::new(
            "this system has no Debian code name in /etc/os-release",
            "run Muster on Debian or Ubuntu, or in a virtual machine with one of them",
        )
    })?;
    let id = digest(&[RECIPE, argv::PACKAGES, &suite, std::env::consts::ARCH]);
    let folder = cache.join("machines").join(format!("{id}{kind}"));
    Ok(Base { root: folder.join("root"), id, folder, suite })
}

/// Finds the root in the cache or builds it.
pub(super) async fn ensure(cache: &Path, progress: Progress<'_>) -> Result<Base, LocalError> {
    let base = place(cache, "")?;
    if base.root.exists() {
        return Ok(base);
    }
    make_folder(&cache.join("machines"), 0o700)?; // the root holds setuid programs that nobody updates
    let _lock = Lock::take(&base.folder.with_extension("lock"), BUILD_LIMIT).await?;
    if base.root.exists() {
        return Ok(base);
    }
    progress("building the root of the local machines, once, in about 40 seconds");
    let partial = base.folder.with_extension("partial");
    remove_tree(&partial).await?;
    make_folder(&partial, 0o755)?;
    let root = partial.join("root");
    let source = package_source(&run(&argv::package_sources(), "", SHORT).await?, &base.suite)?;
    run(&argv::base_build(&base.suite, &text(&root), &source), "", BUILD_LIMIT).await?;
    dress(&root)?;
    Repository { folder: partial.join("repository") }.make()?;
    std::fs::rename(&partial, &base.folder).map_err(file("rename", &partial))?;
    progress("the root of the local machines is ready");
    Ok(base)
}

/// The code name in `/etc/os-release`.
fn suite(release: &str) -> Option<String> {
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?.trim_matches('"');
    (!name.is_empty() && release.lines().any(|line| line.contains("debian"))).then(|| name.to_owned())
}

/// The first source of the main component of this suite; a computer that never updated its lists names no suites.
pub(super) fn package_source(listing: &str, suite: &str) -> Result<String, LocalError> {
    let pick = |code_name: &str| {
        listing.lines().find_map(|line| match line.split('|').collect::<Vec<_>>()[..] {
            [_, name, "main", address] if name == code_name => Some(address.to_owned()),
            _ => None,
        })
    };
    pick(suite).or_else(|| pick("")).ok_or_else(|| {
        Missing::new(
            format!("apt on this computer lists no source of {suite} main"),
            "put one into /etc/apt/sources.list and run `apt-get update`",
        )
        .into()
    })
}

/// 12 characters of the SHA-256 over the parts.
pub(super) fn digest(parts: &[&str]) -> String {
    let whole = parts.join("\0");
    let sum = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    sum.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a fresh root into one that many machines can start from: no keys, no identity, no way outside, no timers.
fn dress(root: &Path) -> Result<(), LocalError> {
    let etc = root.join("etc");
    for folder in ["ssh", "apt/sources.list.d", "systemd/system/timers.target.wants"] {
        let folder = etc.join(folder);
        for entry in std::fs::read_dir(&folder).map_err(file("read", &folder))? {
            let path = entry.map_err(file("read", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if folder.ends_with("ssh") && !name.starts_with("ssh_host_") {
                continue;
            }
            std::fs::remove_file(&path).map_err(file("remove", &path))?;
        }
    }
    super::record::remove(&etc.join("systemd/system/multi-user.target.wants/e2scrub_reap.service"))?;
    super::record::remove(&etc.join("hostname"))?;
    // mmdebstrap copies the computer's own: a name server that cannot be reached makes each look-up a long wait.
    super::record::remove(&etc.join("resolv.conf"))?;
    make_file(&etc.join("resolv.conf"), "", 0o644)?;
    // Empty, not missing: systemd then gives each machine its own and boots without asking.
    make_file(&etc.join("machine-id"), "", 0o644)?;
    make_folder(&root.join(REPOSITORY_INSIDE.trim_start_matches('/')), 0o755)?;
    let source = format!("deb [trusted=yes] file:{REPOSITORY_INSIDE} ./\n");
    make_file(&etc.join("apt/sources.list"), &source, 0o644)?;
    make_file(&etc.join("apt/apt.conf.d/99muster"), "Acquire::Languages \"none\";\n", 0o644)?;
    // A lost name server must not delay a login either.
    make_folder(&etc.join("ssh/sshd_config.d"), 0o755)?;
    make_file(&etc.join("ssh/sshd_config.d/00-muster.conf"), "UseDNS no\n", 0o644)
}

/// Removes a folder with all that is in it; already gone is fine.
pub(super) async fn remove_tree(path: &Path) -> Result<(), LocalError> {
    let owned = path.to_path_buf();
    let done = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(owned)).await;
    match done {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(file("remove", path)(error)),
        Ok(_) => Ok(()),
        Err(lost) => Err(file("remove", path)(std::io::Error::other(lost))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites() {
        assert_eq!(suite("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(), Some("bookworm"));
        assert_eq!(
            suite("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=\"noble\"\n").as_deref(),
            Some("noble")
        );
        assert_eq!(suite("ID=fedora\nVERSION_CODENAME=\"\"\n"), None);
    }

    #[test]
    fn the_own_suite_comes_first() {
        let listing = "Docker|stable|main|https://a/\nDebian|bookworm-updates|main|http://b/\n\
                       Debian|bookworm|contrib|http://c/\nDebian|bookworm|main|http://d/\n";
        assert_eq!(package_source(listing, "bookworm").unwrap(), "http://d/");
        assert_eq!(package_source("||main|http://e/\n", "bookworm").unwrap(), "http://e/");
        let error = package_source("", "bookworm").unwrap_err().to_string();
        assert!(error.contains("lists no source of bookworm main"), "{error}");
    }

    #[test]
    fn digests_tell_recipes_apart() {
        assert_eq!(digest(&["a", "b"]).len(), 12);
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
    }
}
