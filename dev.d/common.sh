# Words and places that every part of ./dev shares. Sourced, never run by itself.

# Everything that ./dev makes lies below .work or target; both are ignored by git.
readonly WORK=$ROOT/.work
readonly VENV=$WORK/venv
readonly TOOLS=$WORK/bin
readonly ABSENT=$WORK/absent # one line for each thing that could not be installed, with what it costs

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 2
}
is_root() { [ "$(id -u)" = 0 ]; }
is_ci() { [ "${CI:-}" = true ]; }
has() { command -v "$1" >/dev/null 2>&1; }
seconds() { date +%s; }

# A run may start with no terminal, no HOME and odd settings of the caller; the tests shall not notice.
settle_environment() {
  mkdir -p "$WORK" "$TOOLS"
  : >"$ABSENT"
  export TERM=${TERM:-dumb}
  export HOME=${HOME:-$WORK/home}
  mkdir -p "$HOME"
  export LC_ALL=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1
  export CARGO_NET_RETRY=5
  # With CI the artefacts are used once: incremental files would only cost disk and time.
  if is_ci; then export CARGO_INCREMENTAL=0; fi
  [ -t 1 ] || export CARGO_TERM_COLOR=never
  # Roots of local machines are made once and shared by the demo and every test.
  export MUSTER_MACHINE_CACHE=${MUSTER_MACHINE_CACHE:-$WORK/machines}
  unset MUSTER_HOME MUSTER_KEY ONECLOUD_API_KEY ONECLOUD_URL ONECLOUD_SETTLE_MS RUSTFLAGS RUSTDOCFLAGS
  PATH=$TOOLS:$VENV/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
  export PATH
}

# What is not here, and what follows. Tests that need it say so themselves (docs/testing.md).
absent() {
  printf '%s\n' "$*" >>"$ABSENT"
  note "not here: $*"
}

list_absent() {
  if [ -s "$ABSENT" ]; then
    say "Missing on this machine"
    cat "$ABSENT"
  else
    say "Nothing is missing"
  fi
}

clean() {
  if [ -e "$WORK/demo/simulator.pid" ]; then demo --clean; fi
  if [ -e "$DOCKER" ]; then docker_stop; fi
  rm -rf "$WORK" "$ROOT/target"
}
