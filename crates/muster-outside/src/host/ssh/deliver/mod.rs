//! Code delivery: code becomes a release on the machine, and `current` points to it.
//!
//! `TO/releases/NAME` holds a release, `TO/current` is a symbolic link that changes in one step, `TO/shared` what
//! releases have in common. `TO/.muster` says what is known of each release, and which switch is unfinished. A release
//! that stands is not delivered again; one that is half unpacked never bears its name. All commands may be repeated,
//! and which of them are due is decided by whoever calls them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use muster_model::bundle::{BundleProblem, LINK, links_stay};
use muster_model::code::{SeenRelease, Shared, is_release_name};

use super::quote::script;
use super::{Collected, Exec, Finished, Host, Hosts, Output, SshError};

mod keep;
mod scripts;
mod standing;

pub use keep::Switched;
pub use standing::Standing;

/// Unpacking and switching may take this long.
const DELIVERY_LIMIT: Duration = Duration::from_secs(600);

/// How long the machine may take to end a command whose time is over, and one that an earlier connection left.
const ENDING_LIMIT: Duration = Duration::from_secs(30);
/// A command that has ended may have left a process that holds its output open; it is listened to so much longer.
const OUTPUT_AFTER_END: Duration = Duration::from_secs(5);

/// One file to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredFile {
    /// Its content; of a link, where it leads.
    pub content: Bytes,
    /// Permission bits, or [`LINK`].
    pub mode: u32,
}

/// A place on a machine that holds releases of one code.
#[derive(Debug, Clone)]
pub struct Place {
    to: String,
}

/// A release packed for its way; every machine gets the same bytes, so it is packed once.
#[derive(Debug, Clone)]
pub struct Packed(Bytes);

impl Packed {
    /// Packs files.
    ///
    /// # Errors
    /// A path or a link that leaves the release, in words.
    pub fn new(files: &BTreeMap<String, DeliveredFile>) -> Result<Packed, String> {
        archive(files).map(Packed)
    }
}

/// What preparing a release came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Whether it was delivered just now; it stood there before otherwise.
    pub delivered: bool,
    /// Shared paths that were made.
    pub made: Vec<String>,
    /// Paths of the release that a link to the shared one replaced.
    pub replaced: Vec<String>,
}

impl Place {
    /// The place at an absolute directory.
    ///
    /// # Errors
    /// It is no such directory, in words.
    pub fn new(to: &str) -> Result<Place, String> {
        let trimmed = to.trim_end_matches('/');
        let leaves = trimmed.split('/').any(|part| part == "..");
        if !trimmed.starts_with('/') || leaves {
            return Err(format!("`{to}` is not an absolute directory"));
        }
        Ok(Place { to: trimmed.to_owned() })
    }

    /// What stands there.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn look(&self, hosts: &dyn Hosts, host: &Host) -> Result<Standing, SshError> {
        let look = script(scripts::LOOK, "muster-look", &[self.to.as_str()]);
        let said = run(hosts, host, "looking at releases", look).await?;
        Ok(Standing::read(&said))
    }

    /// Unpacks a release beside the others, with its links to what is shared. It is not switched to. What an earlier
    /// try left half done goes first, and nothing is left of this one if it fails.
    ///
    /// # Errors
    /// Those of the machine; a name that is none of a release.
    pub async fn prepare(
        &self,
        hosts: &dyn Hosts,
        host: &Host,
        release: &SeenRelease,
        packed: &Packed,
        shared: &Shared,
    ) -> Result<Prepared, SshError> {
        let name = release.name.as_str();
        named(host, name)?;
        let to = self.to.as_str();
        let path = format!("{to}/.archive-{name}.tar");
        let ready = script(scripts::READY, "muster-ready", &[to]);
        run(hosts, host, "making the directory of releases", ready.clone()).await?;
        if let Err(error) = hosts.upload(host, packed.0.clone(), &path, 0o600).await {
            if matches!(error, SshError::Copy { .. } | SshError::Checksum { .. }) {
                // A disk that was too small is not left full. If this fails too, the next try begins with it.
                let _ = run(hosts, host, "removing what was copied in vain", ready).await;
            }
            return Err(error);
        }
        let directories = shared.directories.iter().map(|path| format!("d:{path}"));
        let links: Vec<String> =
            directories.chain(shared.files.iter().map(|path| format!("f:{path}"))).collect();
        let mut arguments = self.known(release);
        arguments.push(path);
        arguments.extend(links);
        let unpack = script(&format!("{}{}", scripts::NOTE, scripts::UNPACK), "muster-unpack", &arguments);
        let said = run(hosts, host, "unpacking a release", unpack).await?;
        let told = |word: &str| -> Vec<String> {
            said.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
        };
        Ok(Prepared { delivered: true, made: told("made "), replaced: told("over ") })
    }

    /// Points `current` to a release that stands. Until [`Place::settle`], the switch counts as unfinished: whoever
    /// comes after a crash finds out, and from where it was.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn switch(
        &self,
        hosts: &dyn Hosts,
        host: &Host,
        release: &SeenRelease,
        previous: Option<&str>,
    ) -> Result<(), SshError> {
        named(host, &release.name)?;
        let mut arguments = self.known(release);
        arguments.push(previous.unwrap_or("-").to_owned());
        let switch = script(&format!("{}{}", scripts::NOTE, scripts::SWITCH), "muster-switch", &arguments);
        run(hosts, host, "switching to a release", switch).await.map(drop)
    }

    /// The place, and what is written down of a release: name, number, time, revision, source.
    fn known(&self, release: &SeenRelease) -> Vec<String> {
        vec![
            self.to.clone(),
            release.name.clone(),
            release.number.map_or_else(String::new, |number| number.to_string()),
            release.at.map_or_else(String::new, |at| at.to_string()),
            release.revision.clone().unwrap_or_default(),
            one_line(release.source.as_deref().unwrap_or_default()),
        ]
    }

    /// Points `current` to a release that stands, and leaves the rest as it is.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn go_back(&self, hosts: &dyn Hosts, host: &Host, release: &str) -> Result<(), SshError> {
        named(host, release)?;
        let back = script(scripts::BACK, "muster-back", &[self.to.as_str(), release]);
        run(hosts, host, "going back to a release", back).await.map(drop)
    }

    /// Ends a switch: what serves is written down, and releases go, so that `keep` besides the current one stay. What is
    /// decided is decided from what stood there before the switch.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn settle(
        &self,
        hosts: &dyn Hosts,
        host: &Host,
        standing: &Standing,
        switched: Switched<'_>,
        keep: u32,
    ) -> Result<(), SshError> {
        let settlement = standing.settlement(switched, keep);
        let mut arguments =
            vec![self.to.clone(), if settlement.finished { "finished" } else { "-" }.to_owned()];
        for (name, count) in settlement.healthy {
            named(host, &name)?;
            arguments.extend([name, count.to_string()]);
        }
        arguments.push("--".to_owned());
        arguments.extend(settlement.go);
        let settle = script(scripts::SETTLE, "muster-settle", &arguments);
        run(hosts, host, "removing old releases", settle).await.map(drop)
    }

    /// Runs a command in a release, or in `current`, and hands its output on. It finds `RELEASE`, `CURRENT` and
    /// `SHARED` in its environment. The machine itself ends it, with all of its process group, when its time is over,
    /// and one whose connection was lost before the next one begins.
    ///
    /// # Errors
    /// Those of the machine; nothing was heard of the command for longer than it may take.
    pub async fn command(
        &self,
        hosts: &dyn Hosts,
        host: &Host,
        release: &str,
        in_current: bool,
        command: (&[String], Duration),
        output: &mut dyn Output,
    ) -> Result<Finished, SshError> {
        named(host, release)?;
        let (argv, limit) = command;
        let place = if in_current { "current" } else { "release" };
        // To `timeout`, zero means for ever.
        let seconds = limit.as_secs().max(1).to_string();
        let mut arguments = vec![self.to.as_str(), release, place, seconds.as_str()];
        arguments.extend(argv.iter().map(String::as_str));
        let exec = Exec::new(script(scripts::RUN, "muster-run", &arguments))
            .limit(limit + ENDING_LIMIT)
            .after_end(OUTPUT_AFTER_END);
        hosts.exec(host, &exec, output).await
    }
}

fn named(host: &Host, release: &str) -> Result<(), SshError> {
    if is_release_name(release) {
        return Ok(());
    }
    Err(SshError::Config { host: host.shown(), message: format!("`{release}` cannot name a release") })
}

fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
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
    let mut links = BTreeMap::new();
    for (path, file) in files.iter().filter(|(_, file)| file.mode == LINK) {
        let target =
            std::str::from_utf8(&file.content).map_err(|_| format!("the link `{path}` is no text"))?;
        links.insert(path.as_str(), target);
    }
    // A link that leaves the release could make the unpacking write elsewhere, and show other files than the code's.
    links_stay(&links).map_err(|problem| match problem {
        BundleProblem::Link { path, target } => {
            format!("the link `{path}` leads out of the code, to `{target}`")
        }
        other => other.to_string(),
    })?;
    let mut builder = tar::Builder::new(Vec::new());
    for (path, file) in files {
        let leaves = path.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        if leaves {
            return Err(format!("`{path}` is not a path below the delivered directory"));
        }
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let added = if let Some(target) = links.get(path.as_str()) {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            builder.append_link(&mut header, path, target)
        } else {
            header.set_size(file.content.len() as u64);
            header.set_mode(file.mode & 0o777);
            builder.append_data(&mut header, path, file.content.as_ref())
        };
        added.map_err(|error| format!("`{path}` cannot be packed: {error}"))?;
    }
    builder.into_inner().map(Bytes::from).map_err(|error| error.to_string())
}
