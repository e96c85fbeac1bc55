//! A private ssh-agent: lets `ssh` and Ansible log in with keys that never stand on disk (`SEMANTICS.md` §9).
//!
//! Protocol: <https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent>. Only listing and signing are
//! answered; adding, removing, locking and extensions are refused, so whoever reaches the socket can use the keys
//! while it stands but never carry them away. The socket is in a directory of mode 0700, and a caller of another
//! user is turned away.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::signature::Signer;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::secret::LoginKey;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// OpenSSH's own bound on a message.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Callers at a time; further ones wait.
const CALLERS_AT_ONCE: usize = 256;
/// `sun_path` is 108 bytes with its end on Linux, 104 elsewhere.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// An agent that answers until it is dropped.
#[derive(Debug)]
pub struct PrivateAgent {
    socket: PathBuf,
    directory: PathBuf,
    serving: JoinHandle<()>,
}

impl PrivateAgent {
    /// Where the socket of an agent with this mark stands.
    pub fn place(parent: &Path, mark: &str) -> PathBuf {
        parent.join(format!("agent-{mark}")).join("s")
    }

    /// Serves these keys on a socket in a new directory below `parent` (mode 0700), named after `mark`, which must
    /// be unique (an identifier of the world).
    ///
    /// # Errors
    /// The directory exists, cannot be made, or its path is too long for a socket.
    pub fn serve(parent: &Path, mark: &str, keys: Vec<LoginKey>) -> io::Result<PrivateAgent> {
        let socket = PrivateAgent::place(parent, mark);
        let directory = parent.join(format!("agent-{mark}"));
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let message =
                format!("{} is too long for a socket, choose a shorter directory", socket.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let listener = match UnixListener::bind(&socket) {
            Ok(listener) => listener,
            Err(error) => {
                // Nothing but the empty directory stands there.
                let _ = std::fs::remove_dir(&directory);
                return Err(error);
            }
        };
        let serving = tokio::spawn(accept(listener, Arc::new(keys)));
        Ok(PrivateAgent { socket, directory, serving })
    }

    /// The value for `SSH_AUTH_SOCK`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for PrivateAgent {
    fn drop(&mut self) {
        self.serving.abort();
        // A leftover socket would answer nobody; there is no one to tell here.
        let _ = std::fs::remove_file(&self.socket);
        let _ = std::fs::remove_dir(&self.directory);
    }
}

async fn accept(listener: UnixListener, keys: Arc<Vec<LoginKey>>) {
    let room = Arc::new(Semaphore::new(CALLERS_AT_ONCE));
    // Dropped with this task, and then all callers with it: no signature after the agent is gone.
    let mut callers = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely; others will give some back.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let keys = keys.clone();
        callers.spawn(async move {
            // A caller that breaks off or talks nonsense is dropped; the others go on.
            let _ = answer(stream, &keys).await;
            drop(permit);
        });
        while callers.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: UnixStream, keys: &[LoginKey]) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    let caller = stream.peer_cred()?.uid();
    if caller != me && caller != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 || length > MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await?;
        let reply = reply_to(&message, keys).unwrap_or_else(|| vec![FAILURE]);
        let mut framed = (reply.len() as u32).to_be_bytes().to_vec();
        framed.extend(reply);
        stream.write_all(&framed).await?;
    }
}

/// The answer to a message, or none if it is refused.
fn reply_to(message: &[u8], keys: &[LoginKey]) -> Option<Vec<u8>> {
    let (kind, mut rest) = message.split_first()?;
    match *kind {
        REQUEST_IDENTITIES => {
            let mut reply = vec![IDENTITIES_ANSWER];
            reply.extend((keys.len() as u32).to_be_bytes());
            for key in keys {
                put(&mut reply, &key.public().to_bytes().ok()?);
                put(&mut reply, b"muster");
            }
            Some(reply)
        }
        SIGN_REQUEST => {
            let wanted = take(&mut rest)?;
            let data = take(&mut rest)?;
            let key = keys.iter().find(|key| key.public().to_bytes().is_ok_and(|bytes| bytes == wanted))?;
            let signature: Signature = key.private().try_sign(data).ok()?;
            let mut encoded = Vec::new();
            signature.encode(&mut encoded).ok()?;
            let mut reply = vec![SIGN_RESPONSE];
            put(&mut reply, &encoded);
            Some(reply)
        }
        _ => None,
    }
}

fn put(reply: &mut Vec<u8>, bytes: &[u8]) {
    reply.extend((bytes.len() as u32).to_be_bytes());
    reply.extend_from_slice(bytes);
}

fn take<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (bytes, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(bytes)
}
