//! Files to and from a machine, each with its checksum.

use bytes::Bytes;
use russh_sftp::client::SftpSession;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Connection;
use super::quote::script;
use super::{Copied, Exec, SshError, SshSettings};

/// Prints `SHA256 MODE` of a file, or nothing if it is not there; `-` where the machine has no tool for checksums.
const DESCRIBE: &str = r#"
[ -f "$1" ] || exit 0
if command -v sha256sum >/dev/null 2>&1; then sum=$(sha256sum < "$1") || exit 1
elif command -v shasum >/dev/null 2>&1; then sum=$(shasum -a 256 < "$1") || exit 1
else sum=-; fi
mode=$(stat -c %a "$1" 2>/dev/null || stat -f %Lp "$1") || exit 1
echo "${sum%% *} $mode"
"#;

/// Moves a checked file to its place; a symbolic link there is replaced, not followed.
const SETTLE: &str = r#"chmod "$3" "$1" && mv -f -- "$1" "$2""#;

/// The SHA-256 of bytes, hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the machine says about a file.
struct Described {
    sha256: Option<String>,
    mode: u32,
}

impl Connection {
    pub(crate) async fn upload(
        &self,
        content: Bytes,
        to: &str,
        mode: u32,
        settings: &SshSettings,
    ) -> Result<Copied, SshError> {
        let expected = sha256(&content);
        if let Some(there) = self.describe(to, settings).await?
            && there.sha256.as_deref() == Some(&expected)
            && there.mode == mode
        {
            return Ok(Copied { sha256: expected, changed: false });
        }
        // Two uploads of the same content to the same place may share the name: they write the same bytes.
        let beside = format!("{to}.muster-{}", &expected[..16]);
        self.write(&beside, &content, settings).await?;
        let found = match self.describe(&beside, settings).await? {
            Some(Described { sha256: Some(found), .. }) => found,
            Some(Described { sha256: None, .. }) => sha256(&self.read(&beside, u64::MAX, settings).await?),
            None => "no file".to_owned(),
        };
        if found != expected {
            let remove = Exec::new(["rm", "-f", "--", beside.as_str()]).limit(settings.own_command_limit);
            self.must("removing a damaged copy", &remove).await?;
            return Err(SshError::Checksum {
                host: self.host_shown().to_owned(),
                path: to.to_owned(),
                expected,
                found,
            });
        }
        let settle = script(SETTLE, "muster-settle", &[beside.as_str(), to, &format!("{mode:o}")]);
        self.must("moving a file to its place", &Exec::new(settle).limit(settings.own_command_limit)).await?;
        Ok(Copied { sha256: expected, changed: true })
    }

    pub(crate) async fn download(
        &self,
        from: &str,
        bytes_max: u64,
        settings: &SshSettings,
    ) -> Result<Bytes, SshError> {
        let content = self.read(from, bytes_max, settings).await?;
        let found = sha256(&content);
        let there = self.describe(from, settings).await?.and_then(|there| there.sha256);
        match there {
            Some(expected) if expected != found => Err(SshError::Checksum {
                host: self.host_shown().to_owned(),
                path: from.to_owned(),
                expected,
                found,
            }),
            Some(_) | None => Ok(content),
        }
    }

    async fn describe(&self, path: &str, settings: &SshSettings) -> Result<Option<Described>, SshError> {
        let command =
            Exec::new(script(DESCRIBE, "muster-describe", &[path])).limit(settings.own_command_limit);
        let said = self.must("looking at a file", &command).await?.text();
        let Some((sum, mode)) = said.split_once(' ') else { return Ok(None) };
        let sha256 = (sum != "-").then(|| sum.to_owned());
        Ok(u32::from_str_radix(mode, 8).ok().map(|mode| Described { sha256, mode }))
    }

    async fn write(&self, path: &str, content: &Bytes, settings: &SshSettings) -> Result<(), SshError> {
        let failed = |message: String| self.copy_failed("writing", path, message);
        let work = async {
            let _session = self.session_permit().await?;
            let sftp = self.sftp(settings).await?;
            let mut file = sftp.create(path).await.map_err(|error| failed(error.to_string()))?;
            file.write_all(content).await.map_err(|error| failed(error.to_string()))?;
            file.shutdown().await.map_err(|error| failed(error.to_string()))?;
            sftp.close().await.map_err(|error| failed(error.to_string()))
        };
        self.bounded_copy(work, settings).await
    }

    async fn read(&self, path: &str, bytes_max: u64, settings: &SshSettings) -> Result<Bytes, SshError> {
        let failed = |message: String| self.copy_failed("reading", path, message);
        let work = async {
            let _session = self.session_permit().await?;
            let sftp = self.sftp(settings).await?;
            let file = sftp.open(path).await.map_err(|error| failed(error.to_string()))?;
            let mut content = Vec::new();
            let mut limited = file.take(bytes_max.saturating_add(1));
            limited.read_to_end(&mut content).await.map_err(|error| failed(error.to_string()))?;
            if content.len() as u64 > bytes_max {
                return Err(failed(format!("it holds more than {bytes_max} bytes")));
            }
            sftp.close().await.map_err(|error| failed(error.to_string()))?;
            Ok(Bytes::from(content))
        };
        self.bounded_copy(work, settings).await
    }

    async fn bounded_copy<T>(
        &self,
        work: impl Future<Output = Result<T, SshError>>,
        settings: &SshSettings,
    ) -> Result<T, SshError> {
        match tokio::time::timeout(settings.own_command_limit, work).await {
            Ok(done) => done,
            Err(_) => Err(SshError::TimedOut {
                host: self.host_shown().to_owned(),
                doing: "copying a file",
                limit: settings.own_command_limit,
                started: false,
            }),
        }
    }

    async fn sftp(&self, settings: &SshSettings) -> Result<SftpSession, SshError> {
        let channel = self.open_session("opening a file session").await?;
        let started = channel.request_subsystem(true, "sftp").await;
        started.map_err(|source| self.protocol("starting sftp", source))?;
        let session = SftpSession::new(channel.into_stream()).await;
        let session =
            session.map_err(|error| self.copy_failed("starting sftp for", "files", error.to_string()))?;
        session.set_timeout(settings.own_command_limit.as_secs().max(1));
        Ok(session)
    }

    fn copy_failed(&self, doing: &'static str, path: &str, message: String) -> SshError {
        SshError::Copy { host: self.host_shown().to_owned(), doing, path: path.to_owned(), message }
    }
}
