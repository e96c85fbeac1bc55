//! The owner's side: to own a child, to renew its deadline, to take up what somebody else began.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use tokio::time::sleep;

use super::record::{Begun, FORM};
use super::{Child, End, Folder, GONE_WITHIN, Lost, Process, clock, kin};

/// How often a supervisor's answer is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(20);
/// The longest that a supervisor may take to start its child.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often the deadline is renewed while somebody follows.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// The deadline in an owner's file: nanoseconds, as wide as the largest number and the line's end.
const DEADLINE_BYTES: usize = 21;
/// For a supervisor's moment with the lock.
const LOCK_TRIES: u32 = 50;

/// How long an owner may still own.
pub trait Remaining: Send + Sync {
    /// The time left; none once it is over for good.
    fn remaining(&self) -> Option<Duration>;
}

impl Remaining for Duration {
    fn remaining(&self) -> Option<Duration> {
        Some(*self)
    }
}

/// Who wants to own a child.
#[derive(Clone)]
pub struct Owner {
    /// The lane's fence: an older one is refused.
    pub token: u64,
    /// How long it may; asked at every renewal.
    pub lease: Arc<dyn Remaining>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Owner({})", self.token)
    }
}

/// Why a child does not run for us.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder.
    #[error("the folder of the child")]
    Folder(#[source] io::Error),
    /// A newer owner was there.
    #[error("the child belongs to a newer owner: token {token} is older than {newest}")]
    Older {
        /// Ours.
        token: u64,
        /// Theirs.
        newest: u64,
    },
    /// The lease is over.
    #[error("the lease is lost; nothing is started")]
    Lapsed,
    /// No supervisor.
    #[error("starting its supervisor `{program}`")]
    Supervisor {
        /// Which executable.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The program is not there.
    #[error("the program is not there")]
    NotFound,
    /// It could not be started.
    #[error("{0}")]
    Refused(String),
    /// The supervisor died, or did not answer.
    #[error("its supervisor did not answer: {log}")]
    Silent {
        /// The end of what it said.
        log: String,
        /// Whether it may have started the child.
        begun: bool,
    },
}

impl StartError {
    /// Whether the child may run, or have run.
    pub fn may_have_begun(&self) -> bool {
        matches!(self, StartError::Silent { begun: true, .. })
    }
}

/// A child that is ours. Dropped, it is nobody's: somebody may take it up, or it is ended soon.
#[derive(Debug)]
pub struct Owned {
    folder: Folder,
    owner: Owner,
    file: File,
}

impl Owned {
    /// Becomes the owner; whoever was it before is it no more.
    pub(super) fn take(folder: &Folder, owner: &Owner) -> Result<Owned, StartError> {
        let newest = folder.newest_owner().unwrap_or(0);
        if newest > owner.token {
            return Err(StartError::Older { token: owner.token, newest });
        }
        let remaining = owner.lease.remaining().ok_or(StartError::Lapsed)?;
        // Until the deadline is in it the supervisor waits, as long as for any adoption.
        let path = folder.owner(owner.token);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(StartError::Folder)?;
        let mut tries = 0;
        while let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            tries += 1;
            if tries > LOCK_TRIES {
                return Err(StartError::Folder(error.into()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let owned = Owned { folder: folder.clone(), owner: owner.clone(), file };
        owned.set(clock::now() + remaining).map_err(StartError::Folder)?;
        Ok(owned)
    }

    fn set(&self, deadline: Duration) -> io::Result<()> {
        let nanoseconds = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
        self.file.write_all_at(format!("{nanoseconds:020}\n").as_bytes(), 0)
    }

    /// Moves the deadline as far as the lease goes. Without a lease it stays where it is.
    pub fn renew(&self) {
        if let Some(remaining) = self.owner.lease.remaining()
            && let Err(error) = self.set(clock::now() + remaining)
        {
            tracing::warn!(%error, "the deadline of a child could not be renewed");
        }
    }

    /// Renews for as long as it is awaited.
    pub async fn keep(&self) {
        loop {
            self.renew();
            sleep(RENEW_EVERY).await;
        }
    }

    /// Renews until the child belongs to somebody else, or has ended.
    pub async fn keep_until_taken(&self) {
        while self.folder.newest_owner() == Some(self.owner.token) && matches!(self.end(), Ok(Ok(None))) {
            self.renew();
            sleep(RENEW_EVERY).await;
        }
    }

    /// Has the child ended at once: its deadline is in the past.
    pub fn stop(&self) {
        // If this fails, the deadline passes by itself.
        let _ = self.set(Duration::ZERO);
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// How the child ended, once it has; an error if its supervisor is gone without a word.
    pub(crate) fn end(&self) -> io::Result<Result<Option<End>, Lost>> {
        if let Some(end) = self.folder.end()? {
            return Ok(Ok(Some(end)));
        }
        let is_alive = match self.folder.begun()? {
            Some(Begun { supervisor: Some(supervisor), .. }) => supervisor.is_alive(),
            Some(Begun { supervisor: None, .. }) | None => false,
        };
        if is_alive {
            return Ok(Ok(None));
        }
        // Its last word may have come in between.
        if let Some(end) = self.folder.end()? {
            return Ok(Ok(Some(end)));
        }
        prove_dead(&self.folder);
        Ok(Err(Lost::Killed))
    }

    /// Waits until the supervisor has started the child, or said why not, or is gone.
    pub(super) async fn begun(&self, is_gone: impl Fn() -> bool) -> Result<(), StartError> {
        let mut waited = Duration::ZERO;
        loop {
            // Asked before its files are read: its last word stands there before it ends.
            let is_gone = is_gone();
            if let Some(refusal) = self.folder.refusal().map_err(StartError::Folder)? {
                return Err(match refusal.not_found {
                    true => StartError::NotFound,
                    false => StartError::Refused(refusal.message),
                });
            }
            if self.folder.child().map_err(StartError::Folder)?.is_some() {
                return Ok(());
            }
            if is_gone || waited >= ANSWER_LIMIT {
                break;
            }
            self.renew();
            sleep(ANSWER_POLL).await;
            waited += ANSWER_POLL;
        }
        let log = std::fs::read_to_string(self.folder.log()).unwrap_or_default().trim().to_owned();
        // If it has not begun by now, it never will.
        let called_off = self.folder.begin(None).map_err(StartError::Folder)?;
        Err(StartError::Silent { log, begun: !called_off })
    }
}

/// What there is of a child that somebody began.
#[derive(Debug)]
pub enum Found {
    /// Nothing: it was never begun on this machine, or its outcome was taken.
    Nothing,
    /// It runs, and is ours now.
    Running(Box<Owned>, Child),
    /// It has ended, and everything it said is in the folder.
    Ended(End),
    /// Nobody can tell; no process of it is left.
    Lost(Lost),
}

/// Looks after a child that somebody began: takes its outcome, adopts it, or proves it dead.
///
/// # Errors
/// We are an older owner, or the folder cannot be read.
pub async fn take_up(folder: &Folder, owner: &Owner) -> Result<Found, StartError> {
    if !folder.exists() {
        return Ok(Found::Nothing);
    }
    if let Some(end) = folder.end().map_err(StartError::Folder)? {
        return Ok(Found::Ended(end));
    }
    // Before anything is looked at: from here on the supervisor listens to us, and to nobody before us.
    let owned = Owned::take(folder, owner)?;
    let begun = folder.begun().map_err(StartError::Folder)?;
    let begun = match begun {
        Some(begun) => Some(begun),
        None if folder.begin(None).map_err(StartError::Folder)? => None,
        None => folder.begun().map_err(StartError::Folder)?,
    };
    let supervisor = match begun {
        None | Some(Begun { supervisor: None, .. }) => return Ok(Found::Lost(Lost::NeverBegan)),
        Some(Begun { supervisor: Some(process), .. }) if process.is_of_an_earlier_boot() => {
            return Ok(Found::Lost(Lost::Rebooted));
        }
        Some(Begun { form, supervisor: Some(process) }) => {
            if form != FORM {
                // It would not understand us: it sees an owner whose deadline is long past.
                owned.stop();
                gone(&process).await;
            }
            process
        }
    };
    match owned.begun(|| !supervisor.is_alive()).await {
        // Gone without a word: what it left is looked at.
        Ok(()) | Err(StartError::Silent { .. }) => {}
        Err(StartError::NotFound | StartError::Refused(_)) => {
            // It said so itself: there is no child, and as soon as it has ended nothing of it.
            gone(&supervisor).await;
            return Ok(Found::Lost(Lost::NeverBegan));
        }
        Err(error) => return Err(error),
    }
    match owned.end().map_err(StartError::Folder)? {
        Ok(Some(end)) => Ok(Found::Ended(end)),
        Ok(None) => match folder.child().map_err(StartError::Folder)? {
            Some(child) => Ok(Found::Running(Box::new(owned), child)),
            None => Ok(Found::Lost(Lost::NeverBegan)),
        },
        Err(lost) => Ok(Found::Lost(lost)),
    }
}

/// Waits for the end of a supervisor, within the bound.
async fn gone(supervisor: &Process) {
    let mut waited = Duration::ZERO;
    while supervisor.is_alive() && waited < GONE_WITHIN {
        sleep(ANSWER_POLL).await;
        waited += ANSWER_POLL;
    }
}

/// Without a supervisor: whatever bears the folder's mark is killed, and its directories go.
fn prove_dead(folder: &Folder) {
    if !kin::kill_marked(folder.path(), &folder.directories()) {
        tracing::error!(folder = %folder.path().display(), "processes of a lost child could not be ended");
    }
    folder.remove_directories();
}

/// What the newest owner's file says.
pub(super) enum Held {
    /// Locked by a living owner, until this moment.
    Until(Duration),
    /// Nobody holds it; the deadline it had.
    Free(Duration),
}

/// What the supervisor sees of the newest owner.
pub(super) fn held(folder: &Folder) -> Option<Held> {
    use std::io::Read;

    let path = folder.owner(folder.newest_owner()?);
    let mut file = File::open(&path).ok()?;
    let mut bytes = [0; DEADLINE_BYTES];
    file.read_exact(&mut bytes).ok()?;
    let nanoseconds: u64 = std::str::from_utf8(&bytes).ok()?.trim_end().parse().ok()?;
    let deadline = Duration::from_nanos(nanoseconds);
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Some(Held::Free(deadline)),
        Err(_) => Some(Held::Until(deadline)),
    }
}
