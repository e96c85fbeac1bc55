//! What runs on the machine: constant texts, data are their arguments. POSIX sh and the tools of any Linux.

/// `TO`. Prints what stands there, a line each: `current NAME`, `unfinished NAME PREVIOUS`, and for each release, the last
/// that was switched to first, `release NAME SECONDS` with the lines that are kept of it. Times are whole seconds; within
/// one, the higher number is the newer. What bears no name of ours is nobody's business.
pub(super) const LOOK: &str = r#"
to=$1
[ -d "$to" ] || exit 0
current=$(readlink "$to/current" 2>/dev/null) && echo "current ${current##*/}"
[ -s "$to/.muster/unfinished" ] && echo "unfinished $(cat "$to/.muster/unfinished")"
[ -d "$to/releases" ] || exit 0
cd "$to/releases" || exit 1
for release in *; do
  case $release in *[!A-Za-z0-9-]*) continue;; esac
  [ -d "$release" ] && [ ! -L "$release" ] || continue
  number=$(sed -n 's/^number \([0-9][0-9]*\)$/\1/p' "$to/.muster/releases/$release" 2>/dev/null)
  echo "$(stat -c %Y "$release" 2>/dev/null || echo 0) ${number:-0} $release"
done | sort -k1,1nr -k2,2nr | while read -r seconds number release; do
  echo "release $release $(stat -c %Y "$release" 2>/dev/null)"
  if [ -s "$to/.muster/releases/$release" ]; then cat "$to/.muster/releases/$release"; fi
done
exit 0
"#;

/// Begins the scripts that write down what is known of a release: `note TO RELEASE NUMBER AT REVISION SOURCE`. When it
/// was healthy stays known.
pub(super) const NOTE: &str = r#"
set -eu
umask 022
note() {
  mkdir -p -- "$1/.muster/releases"
  {
    if [ -n "$3" ]; then echo "number $3"; fi
    if [ -n "$4" ]; then echo "at $4"; fi
    if [ -n "$5" ]; then echo "revision $5"; fi
    if [ -n "$6" ]; then printf 'source %s\n' "$6"; fi
    sed -n '/^healthy /p' "$1/.muster/releases/$2" 2>/dev/null || :
  } > "$1/.muster/releases/.new"
  mv -f -- "$1/.muster/releases/.new" "$1/.muster/releases/$2"
}
"#;

/// `TO`. Makes the place, and removes what tries that came to nothing left there: whoever comes here has the server's
/// lock, so nobody is at it now.
pub(super) const READY: &str = r#"
set -eu
to=$1
mkdir -p -- "$to/releases"
rm -rf -- "$to"/releases/.new-* "$to"/.archive-* "$to"/.current-*
for note in "$to"/.muster/releases/*; do
  if [ -f "$note" ] && [ ! -e "$to/releases/${note##*/}" ]; then rm -f -- "$note"; fi
done
"#;

/// `TO RELEASE NUMBER AT REVISION SOURCE ARCHIVE LINK…`, a link being `d:PATH` or `f:PATH`. Unpacks beside the place, links
/// to what is shared, and renames: the name appears with the last link. Prints `made PATH` and `over PATH`.
pub(super) const UNPACK: &str = r#"
to=$1 release=$2 archive=$7
new=$to/releases/.new-$release
left() {
  rm -rf -- "$new" "$archive"
  if [ ! -d "$to/releases/$release" ]; then rm -f -- "$to/.muster/releases/$release"; fi
}
trap left EXIT
trap 'exit 1' HUP INT TERM
if [ ! -d "$to/releases/$release" ]; then note "$1" "$2" "$3" "" "$5" "$6"; fi
shift 7
rm -rf -- "$new"
mkdir -p -- "$new"
tar -xf "$archive" -C "$new" --no-same-owner -p
for item in "$@"; do
  path=${item#?:}
  shared=$to/shared/$path
  mkdir -p -- "$(dirname -- "$shared")" "$(dirname -- "$new/$path")"
  case $item in
  d:*)
    if [ ! -e "$shared" ]; then mkdir -- "$shared"; echo "made $path"; fi
    if [ ! -d "$shared" ]; then echo "$shared is not a directory" >&2; exit 1; fi;;
  f:*)
    if [ ! -e "$shared" ]; then (umask 077; : > "$shared"); echo "made $path"; fi
    if [ -d "$shared" ]; then echo "$shared is a directory, and the file says that it is a file" >&2; exit 1; fi;;
  esac
  if [ -e "$new/$path" ] || [ -L "$new/$path" ]; then rm -rf -- "$new/$path"; echo "over $path"; fi
  ln -s -- "$shared" "$new/$path"
done
if [ ! -d "$to/releases/$release" ]; then mv -T -- "$new" "$to/releases/$release"; fi
"#;

/// `TO RELEASE NUMBER AT REVISION SOURCE PREVIOUS`. Writes down what is known and that a switch is unfinished, then
/// points `current` to the release in one step.
pub(super) const SWITCH: &str = r#"
to=$1 release=$2 previous=$7
if [ ! -d "$to/releases/$release" ]; then echo "there is no release $release" >&2; exit 1; fi
if [ -e "$to/current" ] && [ ! -L "$to/current" ]; then echo "$to/current is not a symbolic link" >&2; exit 1; fi
note "$1" "$2" "$3" "$4" "$5" "$6"
echo "$release $previous" > "$to/.muster/unfinished.new"
mv -f -- "$to/.muster/unfinished.new" "$to/.muster/unfinished"
touch -- "$to/releases/$release"
ln -sfn -- "releases/$release" "$to/.current-$release"
mv -fT -- "$to/.current-$release" "$to/current"
"#;

/// `TO RELEASE`. Points `current` to a release, and nothing else.
pub(super) const BACK: &str = r#"
set -eu
to=$1 release=$2
if [ ! -d "$to/releases/$release" ]; then echo "there is no release $release" >&2; exit 1; fi
ln -sfn -- "releases/$release" "$to/.current-$release"
mv -fT -- "$to/.current-$release" "$to/current"
"#;

/// `TO STATE [RELEASE COUNT]… -- RELEASE…`. Notes which releases are healthy, and that nothing is unfinished any more if
/// `STATE` is `finished`; the releases after `--` go, but never the current one.
pub(super) const SETTLE: &str = r#"
set -eu
umask 022
to=$1 state=$2
shift 2
notes=$to/.muster/releases
mkdir -p -- "$notes"
while [ "$1" != -- ]; do
  { sed '/^healthy /d' "$notes/$1" 2>/dev/null || :; echo "healthy $2"; } > "$notes/.new"
  mv -f -- "$notes/.new" "$notes/$1"
  shift 2
done
shift
if [ "$state" = finished ]; then rm -f -- "$to/.muster/unfinished"; fi
current=$(readlink "$to/current") || exit 0
for release in "$@"; do
  [ "$release" = "${current##*/}" ] && continue
  rm -rf -- "$to/releases/$release" "$notes/$release"
done
"#;

/// `TO RELEASE WHERE SECONDS PROGRAM ARGUMENT…`. Runs a command in `current`, or in the release, for so many seconds at
/// most. `timeout` makes a process group of it, which is written down: if nobody saw its end, because the connection
/// was lost, it is killed and seen dead before the next one begins. A number is taken for the same process only if that
/// began at the same time since the same start of the machine.
pub(super) const RUN: &str = r#"
to=$1 limit=$4
RELEASE=$1/releases/$2 CURRENT=$1/current SHARED=$1/shared
export RELEASE CURRENT SHARED
running=$to/.muster/running
start() { sed -n 's/.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 19; }
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
if [ -s "$running" ]; then
  read -r pid at of < "$running"
  tries=0
  while [ -n "$at" ] && [ "$of" = "$boot" ] && [ "$(start "$pid")" = "$at" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 10 ]; then echo "process $pid of an earlier command cannot be killed" >&2; exit 126; fi
    kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
    sleep 1
  done
fi
if [ "$3" = current ]; then cd "$CURRENT" || exit 126; else cd "$RELEASE" || exit 126; fi
shift 4
mkdir -p -- "$to/.muster"
echo "$$ $(start $$) $boot" > "$running"
exec timeout -k 5 "$limit" "$@" < /dev/null
"#;
