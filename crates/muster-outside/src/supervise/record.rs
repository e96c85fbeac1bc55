//! The folder of one child: what its supervisor wrote, what is true of it, and how it goes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::clock;
use crate::process;

/// The form of the files; a supervisor of another form is not adopted.
pub(super) const FORM: u16 = 1;
/// Folders that one sweep looks at.
const SWEPT_MAX: usize = 1_000;

/// A process, named so that a reused number is never taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks since the machine did.
    pub start_ticks: u64,
    /// Which start of the machine.
    pub boot: String,
}

impl Process {
    /// The process with this number now.
    pub fn of(pid: i32) -> Option<Process> {
        let start_ticks = process::stat(pid)?.start_ticks;
        Some(Process { pid, start_ticks, boot: clock::boot() })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Process::of(self.pid).as_ref() == Some(self)
    }

    /// Whether the machine was started again since.
    pub fn is_of_an_earlier_boot(&self) -> bool {
        self.boot != clock::boot()
    }
}

/// A child that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its leader.
    pub process: Process,
    /// Who guards it.
    pub supervisor: Process,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its exit status; negative: a signal.
    pub status: i32,
    /// What ended it.
    pub why: Why,
    /// Whether no process of it is left. Without it somebody has to look at the machine.
    pub clean: bool,
    /// The end of what it wrote to standard error, secrets hidden.
    pub complaint: String,
}

/// What ended a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nobody: it ended by itself.
    Itself,
    /// Its owner did not renew the deadline: it was frozen, or its lease was lost.
    Unrenewed,
    /// Its owner died and nobody took it up.
    Unowned,
    /// It took too long.
    TimedOut,
    /// Its owner asked for it.
    Stopped,
    /// The supervisor was told to end, by the machine's shutdown as a rule.
    Shutdown,
}

/// Why nobody can tell how a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was never started, and never will be.
    NeverBegan,
    /// The machine was started again while it ran.
    Rebooted,
    /// Its supervisor was killed. What was left of the child has been killed since.
    Killed,
}

/// Directories that go with a child.
#[derive(Serialize, Deserialize)]
struct Plan {
    form: u16,
    directories: Vec<PathBuf>,
    /// Those that stay until its outcome is safe, if it ended well.
    #[serde(default)]
    kept: Vec<PathBuf>,
}

/// Who has the right to start the child: whoever links this file first.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub form: u16,
    /// The supervisor; none: the start was called off.
    pub supervisor: Option<Process>,
}

/// The folder of one child.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// At this path.
    pub fn at(path: PathBuf) -> Folder {
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.0.is_dir()
    }

    pub(super) fn create(&self, directories: &[PathBuf], kept: &[PathBuf]) -> io::Result<()> {
        if let Some(parent) = self.0.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        // Not recursive: an attempt is started once.
        DirBuilder::new().mode(0o700).create(&self.0)?;
        self.write("plan.json", &Plan { form: FORM, directories: directories.to_vec(), kept: kept.to_vec() })
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    pub(super) fn owner(&self, token: u64) -> PathBuf {
        self.0.join(format!("owner.{token}"))
    }

    /// The highest fence that ever owned it.
    pub(super) fn newest_owner(&self) -> Option<u64> {
        let entries = std::fs::read_dir(&self.0).ok()?.flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("owner.")?.parse().ok()).max()
    }

    pub(super) fn events(&self) -> PathBuf {
        self.0.join("events")
    }

    /// What the child printed, if that is kept.
    pub(crate) fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// What the child told, from its beginning, if it can have told anything.
    pub(crate) fn open_events(&self) -> io::Result<Option<File>> {
        match File::open(self.events()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Claims the one right to start the child, or to call its start off. False: somebody was first.
    pub(super) fn begin(&self, supervisor: Option<Process>) -> io::Result<bool> {
        let new = self.0.join(format!("begun.{}", std::process::id()));
        let bytes = serde_json::to_vec(&Begun { form: FORM, supervisor })?;
        write_durably(&new, &bytes)?;
        let linked = std::fs::hard_link(&new, self.0.join("begun.json"));
        let _ = std::fs::remove_file(&new);
        match linked {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn begun(&self) -> io::Result<Option<Begun>> {
        self.read("begun.json")
    }

    /// The child, once it was started.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn child(&self) -> io::Result<Option<Child>> {
        self.read("child.json")
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn end(&self) -> io::Result<Option<End>> {
        self.read("end.json")
    }

    /// Why the supervisor could not start it.
    pub(super) fn refusal(&self) -> io::Result<Option<Refusal>> {
        self.read("refusal.json")
    }

    /// How many events were taken out so far, as the last owner noted.
    pub fn taken(&self) -> u64 {
        let text = std::fs::read_to_string(self.0.join("taken")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Notes that so many events are safe elsewhere. It only spares a repetition, so it is not made durable.
    pub fn note_taken(&self, events: u64) {
        let new = self.0.join("taken.new");
        // Without the note an event is told twice, never lost.
        let _ = std::fs::write(&new, events.to_string())
            .and_then(|()| std::fs::rename(&new, self.0.join("taken")));
    }

    pub(super) fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let new = self.0.join(format!("{name}.new"));
        write_durably(&new, &serde_json::to_vec(value)?)?;
        std::fs::rename(&new, self.0.join(name))?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match std::fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn plan(&self) -> Option<Plan> {
        self.read("plan.json").ok().flatten()
    }

    /// Removes the directories that go with the child.
    pub(super) fn remove_directories(&self) {
        for directory in self.directories() {
            // Best effort: what stays is private, and its name is never used again.
            let _ = std::fs::remove_dir_all(directory);
        }
    }

    /// Removes what a child made, which nobody wants.
    pub(super) fn remove_kept(&self) {
        for directory in self.plan().map(|plan| plan.kept).unwrap_or_default() {
            let _ = std::fs::remove_dir_all(directory);
        }
    }

    /// The directories that go with the child.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.plan().map(|plan| plan.directories).unwrap_or_default()
    }

    /// Removes everything that is kept of a child that has ended: its outcome is safe elsewhere. One that may still
    /// run keeps its folder, because its supervisor looks there.
    pub fn forget(&self) {
        if self.is_guarded() && !self.0.join("end.json").exists() {
            return;
        }
        self.remove_directories();
        self.remove_kept();
        let _ = std::fs::remove_dir_all(&self.0);
        if let Some(parent) = self.0.parent() {
            // Goes with its last folder.
            let _ = std::fs::remove_dir(parent);
        }
    }

    /// Whether a supervisor looks after it now.
    pub(super) fn is_guarded(&self) -> bool {
        matches!(self.begun(), Ok(Some(Begun { supervisor: Some(process), .. })) if process.is_alive())
    }
}

/// Why a supervisor could not start its child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refusal {
    /// Whether the program is missing.
    pub not_found: bool,
    pub message: String,
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes folders below `parent` (two levels: run, attempt) that nobody asked about for longer than `age`.
pub fn sweep(parent: &Path, age: Duration, now: SystemTime) {
    let below = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    for entry in below(parent).take(SWEPT_MAX).flat_map(|run| below(&run.path())) {
        let changed = entry.metadata().and_then(|data| data.modified());
        let is_old = changed.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since > age));
        let folder = Folder::at(entry.path());
        if !is_old || folder.is_guarded() {
            continue;
        }
        if is_copy(&entry.file_name()) {
            let _ = std::fs::remove_dir_all(entry.path());
        } else {
            folder.forget();
        }
    }
}

/// Whether this is the copy of some build, as earlier versions put it beside the folders of children. What is in it is
/// somebody's code, and no word of ours.
fn is_copy(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_none_or(|name| name.ends_with("-copy"))
}
