//! Commands that must start at most once: the small wrapper on the machine (`SEMANTICS.md` §5).
//!
//! Each attempt is a directory on the machine, made with one atomic `mkdir` whose success is the right to start. In
//! it stand the boot id, the process with its start time, the output and, at the end, the exit status, until
//! somebody has fetched them; the exit status stays for 30 days, because the one who fetched it may die before he has
//! written it down. The command runs in a session of its own and outlives our connection. Tokens: each
//! owner of a lane leaves a mark with its number, and an older number is refused. No lock is held anywhere, so no
//! crash can leave one behind.
//!
//! The scripts are constant text; all data are their arguments.

use std::fmt;

use super::quote::script;

/// One attempt at one step of one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    lane: String,
    name: String,
    token: u64,
}

impl Attempt {
    /// `run` and `lane` name who owns the work, `step` and `attempt` what is tried, `token` is the lane's fence.
    ///
    /// # Panics
    /// If `run` holds anything but letters, digits and `-`: our identifiers never do.
    pub fn new(run: &str, lane: u32, step: u32, attempt: u32, token: u64) -> Attempt {
        let fine = |character: char| character.is_ascii_alphanumeric() || character == '-';
        assert!(!run.is_empty() && run.chars().all(fine), "a run's identifier is letters, digits and dashes");
        Attempt { lane: format!("{run}-{lane}"), name: format!("{run}-{step}-{attempt}"), token }
    }

    /// The fence it was made with.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Who owns the work: the run and its lane.
    pub(crate) fn lane(&self) -> &str {
        &self.lane
    }

    /// The name of its directory.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

/// What asking for a start came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It runs now.
    Now,
    /// This attempt was started before, by us or by whoever owned the lane then: follow or fetch it.
    Before,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended with this status (128 + n after signal n).
    Finished(u32),
    /// It still runs.
    Running,
    /// It was never started here, or it was and nobody can tell any more. Never a guess.
    Unknown(Lost),
}

/// Why nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// There is no trace of the attempt.
    NoTrace,
    /// The machine has been restarted since.
    Rebooted,
    /// The process is gone and left no exit status.
    Killed,
    /// The directory stands but the process never told its number.
    NeverBegan,
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Lost::NoTrace => "there is no trace of it on the machine",
            Lost::Rebooted => "the machine was restarted while it ran",
            Lost::Killed => "it was killed and left no exit status",
            Lost::NeverBegan => "it was about to start when something stopped it",
        })
    }
}

/// Shared by all scripts: where things stand, and the start time of a process (field 22 of its `stat`). One that is
/// dead but not yet collected by its parent has none.
const PRELUDE: &str = r#"
umask 077
base=$1; shift
if [ -z "$base" ]; then
  if [ "$(id -u)" = 0 ]; then base=/var/lib/muster; else base=$HOME/.local/state/muster; fi
fi
born() {
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${line##*) }
  case $1 in Z|X) return 1;; esac
  echo "${20}"
}
"#;

const START: &str = r#"
lane=$1 token=$2 attempt=$3 bytes_max=$4; shift 4
marks=$base/token/$lane
mkdir -p "$marks" "$base/attempt" || exit 125
mkdir "$marks/$token" 2>/dev/null
for mark in "$marks"/*; do
  mark=${mark##*/}
  case $mark in *[!0-9]*) continue;; esac
  if [ "$mark" -gt "$token" ]; then echo "older $mark"; exit 0; fi
  if [ "$mark" -lt "$token" ]; then rmdir "$marks/$mark" 2>/dev/null; fi
done
find "$base/attempt" -mindepth 1 -maxdepth 1 -type d -mtime +30 2>/dev/null | while read -r old; do
  if [ -s "$old/code" ]; then rm -rf -- "$old"; fi
done
here=$base/attempt/$attempt
if ! mkdir "$here" 2>/dev/null; then
  if [ -d "$here" ]; then echo before; exit 0; fi
  echo "cannot make $here" >&2; exit 125
fi
cat /proc/sys/kernel/random/boot_id > "$here/boot" || exit 125
mkfifo "$here/o" "$here/e" || exit 125
session=setsid
command -v setsid >/dev/null 2>&1 || session=nohup
$session sh -c '
  here=$1 bytes_max=$2; shift 2
  born() { line=$(cat "/proc/$1/stat"); set -- ${line##*) }; echo "${20}"; }
  echo "$$ $(born $$)" > "$here/pid.new" && mv "$here/pid.new" "$here/pid" || exit 125
  { head -c "$bytes_max" > "$here/out"; cat > /dev/null; : > "$here/o.end"; } < "$here/o" &
  { head -c "$bytes_max" > "$here/err"; cat > /dev/null; : > "$here/e.end"; } < "$here/e" &
  "$@" > "$here/o" 2> "$here/e" < /dev/null
  code=$?
  n=0
  while [ $n -lt 40 ]; do
    if [ -e "$here/o.end" ] && [ -e "$here/e.end" ]; then break; fi
    sleep 0.05; n=$((n + 1))
  done
  echo "$code" > "$here/code.new" && mv "$here/code.new" "$here/code"
  rm -f "$here/o" "$here/e" "$here/o.end" "$here/e.end"
' muster-attempt "$here" "$bytes_max" "$@" < /dev/null > /dev/null 2>&1 &
echo now
"#;

/// Prints output from the given offsets and ends with a status that tells how the attempt stands.
const LOOK: &str = r#"
attempt=$1 out_from=$2 err_from=$3 rounds=$4
here=$base/attempt/$attempt
[ -d "$here" ] || exit 21
size() { if [ -f "$1" ]; then wc -c < "$1"; else echo 0; fi; }
n=0 state=10 silent=0
while :; do
  if [ -s "$here/code" ]; then state=20; break; fi
  if [ "$(cat "$here/boot" 2>/dev/null)" != "$(cat /proc/sys/kernel/random/boot_id)" ]; then state=22; break; fi
  if [ -s "$here/pid" ]; then
    read -r pid since < "$here/pid"
    if [ "$(born "$pid")" != "$since" ]; then
      if [ -s "$here/code" ]; then state=20; else state=23; fi
      break
    fi
  else
    silent=$((silent + 1))
    if [ $silent -gt 30 ]; then state=24; break; fi
    sleep 0.1
    continue
  fi
  if [ "$(size "$here/out")" -gt "$out_from" ] || [ "$(size "$here/err")" -gt "$err_from" ]; then break; fi
  [ $n -ge "$rounds" ] && break
  n=$((n + 1))
  sleep 0.2
done
[ -f "$here/out" ] && tail -c "+$((out_from + 1))" "$here/out"
[ -f "$here/err" ] && tail -c "+$((err_from + 1))" "$here/err" >&2
exit $state
"#;

const CODE: &str = r#"cat "$base/attempt/$1/code""#;

/// Refuses an older token than the newest that was seen of this lane.
const REFUSE_OLDER: &str = r#"
lane=$1 token=$2; shift 2
for mark in "$base/token/$lane"/*; do
  mark=${mark##*/}
  case $mark in *[!0-9]*) continue;; esac
  if [ "$mark" -gt "$token" ]; then echo "older $mark"; exit 0; fi
done
"#;

const STOP: &str = r#"
here=$base/attempt/$1
[ -s "$here/pid" ] || exit 0
read -r pid since < "$here/pid"
kill_all() { kill "-$1" -- "-$pid" 2>/dev/null || kill "-$1" "$pid" 2>/dev/null; }
[ "$(born "$pid")" = "$since" ] || exit 0
kill_all TERM
n=0
while [ $n -lt 50 ]; do
  [ "$(born "$pid")" = "$since" ] || exit 0
  sleep 0.1; n=$((n + 1))
done
kill_all KILL
"#;

/// The exit status stays, for whoever takes over before it is in the journal; without one there is nothing to keep.
const FORGET: &str = r#"
here=$base/attempt/$1
if [ -s "$here/code" ]; then rm -f -- "$here/out" "$here/err" "$here/pid" "$here/boot"; else rm -rf -- "$here"; fi
"#;

/// How often one look waits for news, 0.2 s each: 20 s, below what quiet networks forget.
pub(crate) const ROUNDS_PER_LOOK: u32 = 100;

fn with_prelude(text: &str, name: &str, base: &str, arguments: &[&str]) -> Vec<String> {
    let mut all = vec![base];
    all.extend(arguments);
    script(&format!("{PRELUDE}{text}"), name, &all)
}

/// A script that only the newest owner may run.
fn guarded(text: &str, name: &str, base: &str, attempt: &Attempt) -> Vec<String> {
    let token = attempt.token.to_string();
    let text = format!("{REFUSE_OLDER}{text}");
    with_prelude(&text, name, base, &[attempt.lane.as_str(), &token, &attempt.name])
}

/// The command that starts an attempt. Prints `now`, `before` or `older TOKEN`.
pub(crate) fn start_command(
    base: &str,
    attempt: &Attempt,
    bytes_max: u64,
    command: &[String],
) -> Vec<String> {
    let token = attempt.token.to_string();
    let bytes_max = bytes_max.to_string();
    let mut arguments = vec![attempt.lane.as_str(), &token, &attempt.name, &bytes_max];
    arguments.extend(command.iter().map(String::as_str));
    with_prelude(START, "muster-start", base, &arguments)
}

/// The command that prints new output and tells the state by its status, see [`read_state`].
pub(crate) fn look_command(base: &str, attempt: &Attempt, from: [u64; 2], rounds: u32) -> Vec<String> {
    let [out, err] = from.map(|offset| offset.to_string());
    with_prelude(LOOK, "muster-look", base, &[&attempt.name, &out, &err, &rounds.to_string()])
}

/// The command that prints the exit status of a finished attempt.
pub(crate) fn code_command(base: &str, attempt: &Attempt) -> Vec<String> {
    with_prelude(CODE, "muster-code", base, &[&attempt.name])
}

/// The command that ends an attempt.
pub(crate) fn stop_command(base: &str, attempt: &Attempt) -> Vec<String> {
    guarded(STOP, "muster-stop", base, attempt)
}

/// The command that removes what is kept of an attempt but its exit status.
pub(crate) fn forget_command(base: &str, attempt: &Attempt) -> Vec<String> {
    guarded(FORGET, "muster-forget", base, attempt)
}

/// How an attempt stands, from the status of [`look_command`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// 10.
    Running,
    /// 20: its status can be asked for.
    Finished,
    /// 21 to 24.
    Lost(Lost),
}

pub(crate) fn read_state(status: u32) -> Option<State> {
    Some(match status {
        10 => State::Running,
        20 => State::Finished,
        21 => State::Lost(Lost::NoTrace),
        22 => State::Lost(Lost::Rebooted),
        23 => State::Lost(Lost::Killed),
        24 => State::Lost(Lost::NeverBegan),
        _ => return None,
    })
}
