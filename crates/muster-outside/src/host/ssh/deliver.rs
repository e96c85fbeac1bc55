//! Code delivery: a directory becomes a release on the machine, and `current` points to it.
//!
//! `TO/releases/DIGEST` holds a release, `TO/current` is a symbolic link that changes in one step. A release that
//! stands is not delivered again; one that is half unpacked never bears its name. All commands may be repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::quote::script;
use super::{Collected, Exec, Host, Hosts, SshError};

/// Unpacking and switching may take this long.
const DELIVERY_LIMIT: Duration = Duration::from_secs(600);

/// One file to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredFile {
    /// Its content.
    pub content: Bytes,
    /// Permission bits.
    pub mode: u32,
}

/// A directory to deliver.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Path below the directory → file.
    pub files: BTreeMap<String, DeliveredFile>,
    /// The release's name: letters and digits, as the plan computed it over the manifest.
    pub digest: String,
    /// The absolute directory on the machine.
    pub to: String,
    /// Releases kept besides the current one.
    pub keep: u32,
}

/// What a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Whether anything was changed.
    pub changed: bool,
    /// The release that was current before, if there was one.
    pub before: Option<String>,
}

/// Prints `CURRENT PRESENT`: the current release or `-`, and whether the wanted one stands.
const LOOK: &str = r#"
current=$(readlink "$1/current" 2>/dev/null) || current=-
if [ -d "$1/releases/$2" ]; then present=yes; else present=no; fi
echo "${current##*/} $present"
"#;

/// Unpacks beside the place and renames: the name appears with the last file.
const UNPACK: &str = r#"
set -eu
to=$1 digest=$2 archive=$3
new=$to/releases/.new-$digest
rm -rf -- "$new"
mkdir -p -- "$new"
tar -xf "$archive" -C "$new" --no-same-owner -p
if [ -d "$to/releases/$digest" ]; then rm -rf -- "$new"; else mv -T -- "$new" "$to/releases/$digest"; fi
rm -f -- "$archive"
"#;

/// Points `current` to the release in one step, then removes the oldest of the others.
const SWITCH: &str = r#"
set -eu
to=$1 digest=$2 keep=$3
if [ -e "$to/current" ] && [ ! -L "$to/current" ]; then echo "$to/current is not a symbolic link" >&2; exit 1; fi
touch -- "$to/releases/$digest"
ln -sfn -- "releases/$digest" "$to/.current-$digest"
mv -fT -- "$to/.current-$digest" "$to/current"
cd "$to/releases"
n=0
for release in $(ls -1t); do
  [ "$release" = "$digest" ] && continue
  n=$((n + 1))
  if [ $n -gt "$keep" ]; then rm -rf -- "./$release"; fi
done
"#;

/// Delivers a directory. Doing it twice changes nothing the second time.
///
/// # Errors
/// Those of the machine; a path in the delivery that leaves it, or a digest that is no name.
pub async fn deliver(hosts: &dyn Hosts, host: &Host, delivery: &Delivery) -> Result<Delivered, SshError> {
    let refused = |message: String| SshError::Config { host: host.shown(), message };
    let name_is_fine =
        !delivery.digest.is_empty() && delivery.digest.bytes().all(|b| b.is_ascii_alphanumeric());
    if !name_is_fine {
        return Err(refused(format!("`{}` cannot name a release", delivery.digest)));
    }
    if !delivery.to.starts_with('/') || delivery.to.trim_end_matches('/').is_empty() {
        return Err(refused(format!("`{}` is not an absolute directory", delivery.to)));
    }
    let to = delivery.to.trim_end_matches('/');
    let digest = delivery.digest.as_str();
    let said = run(hosts, host, "looking at releases", script(LOOK, "muster-look", &[to, digest])).await?;
    let (current, present) = said.split_once(' ').unwrap_or(("-", "no"));
    let before = (current != "-").then(|| current.to_owned());
    if current == digest && present == "yes" {
        return Ok(Delivered { changed: false, before });
    }
    if present != "yes" {
        let archive = archive(&delivery.files).map_err(refused)?;
        let path = format!("{to}/.archive-{digest}.tar");
        let make = ["mkdir", "-p", "--", &format!("{to}/releases")].map(str::to_owned).to_vec();
        run(hosts, host, "making the directory of releases", make).await?;
        hosts.upload(host, archive, &path, 0o600).await?;
        let unpack = script(UNPACK, "muster-unpack", &[to, digest, &path]);
        run(hosts, host, "unpacking a release", unpack).await?;
    }
    let switch = script(SWITCH, "muster-switch", &[to, digest, &delivery.keep.to_string()]);
    run(hosts, host, "switching to a release", switch).await?;
    Ok(Delivered { changed: true, before })
}

async fn run(
    hosts: &dyn Hosts,
    host: &Host,
    doing: &'static str,
    command: Vec<String>,
) -> Result<String, SshError> {
    let mut said = Collected::default();
    let finished = hosts.exec(host, &Exec::new(command).limit(DELIVERY_LIMIT), &mut said).await?;
    if finished.success() {
        return Ok(said.text());
    }
    let end = finished.end.to_string();
    Err(SshError::Command { host: host.shown(), doing, end, stderr: said.complaint() })
}

/// The files as a tar archive that depends on nothing but them.
fn archive(files: &BTreeMap<String, DeliveredFile>) -> Result<Bytes, String> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, file) in files {
        let leaves = path.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        if leaves {
            return Err(format!("`{path}` is not a path below the delivered directory"));
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode & 0o777);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let added = builder.append_data(&mut header, path, file.content.as_ref());
        added.map_err(|error| format!("`{path}` cannot be packed: {error}"))?;
    }
    builder.into_inner().map(Bytes::from).map_err(|error| error.to_string())
}
