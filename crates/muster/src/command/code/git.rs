//! Commits of git repositories, by the `git` of this machine. Its arguments are lists, and hold no credentials; what it
//! asks for them is its own credential helper or ssh.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_model::code::{GitSource, is_commit};
use muster_model::diagnostic::{nearest, shown};

use super::{Exported, Tree, archive};
use crate::exit::Failure;

/// The longest one command of git may take.
const GIT_LIMIT: Duration = Duration::from_secs(600);
/// How often it is looked whether git has ended.
const GIT_POLL: Duration = Duration::from_millis(20);
/// What is shown of the end of its words.
const COMPLAINT_CHARS: usize = 600;
/// What a list of git's (references, entries of a tree) may have, in bytes.
const LIST_BYTES_MAX: u64 = 64 << 20;
/// Ways to a repository that git may use; none of them runs a program of the URL's choice.
const PROTOCOLS: &str = "file:git:http:https:ssh";
/// Variables that would send git to another repository, as they do for a command in one of its hooks.
const ELSEWHERE: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// Exports a commit; gives it. The state of a work tree is of no account: what is exported is what was committed.
pub(super) fn export(
    root: &Path,
    source: &GitSource,
    exported: &mut Exported,
    tree: &mut Tree,
) -> Result<String, Failure> {
    let git = Git { what: format!("the repository {}", shown(&source.git)), scratch: exported.path("git") };
    make_directory(&git.scratch)?;
    let (place, commit) = if is_url(&source.git) { git.fetch(source)? } else { git.local(root, source)? };
    let below = if source.path.is_empty() { commit.clone() } else { format!("{commit}:{}", source.path) };
    git.no_submodules(&place, &below, source)?;
    let packed = git.scratch.join("tree.tar");
    let done = git.run(Some(&place), &["archive", "--format=tar", &below], Some(&packed))?;
    if !done.well {
        return Err(git.failed("export its commit", &done.complaint));
    }
    let file =
        File::open(&packed).map_err(|error| Failure::usage(format!("{}: {error}", packed.display())))?;
    archive::unpack(std::io::BufReader::new(file), &git.what, "", exported, tree)?;
    let _ = std::fs::remove_dir_all(&git.scratch);
    Ok(commit)
}

/// Whether it is an address, as opposed to a path: with a scheme, or as ssh writes it (`git@host:path`).
fn is_url(git: &str) -> bool {
    let scp = git.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'));
    git.contains("://") || scp
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::usage(format!("{} cannot be made: {error}", path.display())))
}

struct Git {
    what: String,
    scratch: PathBuf,
}

/// How one command of git ended.
struct Done {
    well: bool,
    said: String,
    complaint: String,
}

impl Git {
    /// The commit in a repository of this machine.
    fn local(&self, root: &Path, source: &GitSource) -> Result<(PathBuf, String), Failure> {
        let place = root.join(&source.git);
        let place = place.canonicalize().map_err(|error| {
            Failure::usage(format!("{} is not there: {} cannot be read: {error}", self.what, place.display()))
        })?;
        let known = self.run(Some(&place), &["rev-parse", "--git-dir"], None)?;
        if !known.well {
            return Err(self.failed("be used", &known.complaint));
        }
        match self.commit(&place, &source.revision)? {
            Some(commit) => Ok((place, commit)),
            None => Err(self.no_revision(&place, &source.revision)),
        }
    }

    /// The commit, fetched: it alone where the other side allows that, else everything.
    fn fetch(&self, source: &GitSource) -> Result<(PathBuf, String), Failure> {
        let place = self.scratch.join("repository.git");
        make_directory(&place)?;
        let made = self.run(Some(&place), &["init", "--quiet", "--bare"], None)?;
        if !made.well {
            return Err(self.failed("be fetched", &made.complaint));
        }
        let only = ["fetch", "--quiet", "--depth=1", "--no-tags", "--", &source.git, &source.revision];
        if self.run(Some(&place), &only, None)?.well
            && let Some(commit) = self.commit(&place, "FETCH_HEAD")?
        {
            return Ok((place, commit));
        }
        let all = ["+HEAD:refs/muster/head", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        let everything = [&["fetch", "--quiet", "--no-tags", "--", source.git.as_str()][..], &all].concat();
        let fetched = self.run(Some(&place), &everything, None)?;
        if !fetched.well {
            return Err(self.failed("be fetched", &fetched.complaint));
        }
        match self.commit(&place, &source.revision)? {
            Some(commit) => Ok((place, commit)),
            None => Err(self.no_revision(&place, &source.revision)),
        }
    }

    fn commit(&self, place: &Path, revision: &str) -> Result<Option<String>, Failure> {
        let meant = format!("{revision}^{{commit}}");
        let done =
            self.run(Some(place), &["rev-parse", "--verify", "--quiet", "--end-of-options", &meant], None)?;
        let commit = done.said.trim();
        Ok((done.well && is_commit(commit)).then(|| commit.to_owned()))
    }

    fn no_revision(&self, place: &Path, revision: &str) -> Failure {
        let list = ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags"];
        let known = self.run(Some(place), &list, None).map(|done| done.said).unwrap_or_default();
        let near = nearest(revision, known.lines()).map(|near| format!("; did you mean `{near}`?"));
        Failure::usage(format!(
            "{} has no branch, tag or commit `{}`{}",
            self.what,
            shown(revision),
            near.unwrap_or_default()
        ))
    }

    /// A submodule would be an empty directory in the export, and the release would lack it without a word.
    fn no_submodules(&self, place: &Path, tree: &str, source: &GitSource) -> Result<(), Failure> {
        let done = self.run(Some(place), &["ls-tree", "-r", "-z", "--full-tree", tree], None)?;
        if !done.well {
            let message = format!("{} has no directory `{}` in that commit", self.what, shown(&source.path));
            return Err(Failure::usage(message));
        }
        let module = done.said.split('\0').find_map(|line| line.strip_prefix("160000 ")?.split_once('\t'));
        match module {
            None => Ok(()),
            Some((_, path)) => Err(Failure::usage(format!(
                "{}: `{}` is a submodule, and a commit does not hold those; leave it out with `path:`, or deliver a \
                 directory",
                self.what,
                shown(path)
            ))),
        }
    }

    fn failed(&self, doing: &str, complaint: &str) -> Failure {
        Failure::usage(format!("{} cannot {doing}: {complaint}", self.what))
    }

    /// Runs one command of git. Its output goes into files, so that none of it can block.
    fn run(&self, place: Option<&Path>, arguments: &[&str], into: Option<&Path>) -> Result<Done, Failure> {
        let (said, complaint) = (self.scratch.join("said"), self.scratch.join("complaint"));
        let to = into.unwrap_or(&said);
        let file = |path: &Path| {
            File::create(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
        };
        let mut command = Command::new("git");
        if let Some(place) = place {
            command.arg("-C").arg(place);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(file(to)?).stderr(file(&complaint)?);
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::usage("`git` is not there; install it, or deliver a directory or an archive")
            }
            _ => Failure::usage(format!("git cannot be started: {error}")),
        })?;
        let mut waited = Duration::ZERO;
        let status = loop {
            let ended = child.try_wait().map_err(|error| Failure::usage(format!("git: {error}")))?;
            if let Some(status) = ended {
                break status;
            }
            if waited > GIT_LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                let message = format!("{}: git took longer than {} s", self.what, GIT_LIMIT.as_secs());
                return Err(Failure::usage(message));
            }
            std::thread::sleep(GIT_POLL);
            waited += GIT_POLL;
        };
        let read = |path: &Path| -> String {
            use std::io::Read;
            let mut text = Vec::new();
            let _ = File::open(path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        };
        let told = read(&complaint);
        let told = told.trim().replace('\n', "; ");
        let from = told.char_indices().rev().nth(COMPLAINT_CHARS).map_or(0, |(at, _)| at);
        let said = if into.is_none() { read(&said) } else { String::new() };
        Ok(Done { well: status.success(), said, complaint: told[from..].to_owned() })
    }
}
