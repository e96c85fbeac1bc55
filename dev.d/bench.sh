# Measurements: each prints a few lines that a person can read and a script can cut. The measuring code is
# a test of the `full` targets named bench_NAME, so it is compiled and kept true with everything else.

bench() {
  if [ $# -eq 0 ]; then
    note "benchmarks in this tree:"
    grep -rhoE 'fn bench_[a-z0-9_]+' "$ROOT"/crates/*/tests/full 2>/dev/null | sed 's/^fn bench_/   /' | sort -u
    return 0
  fi
  local name=$1
  shift
  setup_all
  if [ "$name" = runs ]; then setup_celery && setup_dbos; fi
  prepare_test_run
  export MUSTER_TEST_FULL=1
  # Optimised, because the numbers are promises about the program that people run.
  cargo nextest run --workspace --locked --cargo-profile ci --profile full --test full \
    --no-capture -E "test(/bench_${name//-/_}\$/)" "$@" </dev/null
}

# A peer that only this measurement needs.
setup_celery() {
  local venv=$WORK/venv-celery
  if is_root && ! has redis-server; then install_packages redis-server; fi
  if has redis-server && [ ! -x "$venv/bin/celery" ]; then
    say "Installing Celery, to compare with"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'celery[redis]==5.*'
  fi
  if [ -x "$venv/bin/celery" ] && has redis-server; then export MUSTER_BENCH_CELERY=$venv/bin/python; fi
}

# Another one, from crates.io, in a work space of its own.
setup_dbos() {
  local target=$WORK/peers/dbos
  if [ ! -x "$target/release/dbos-noop" ]; then
    say "Building the dbos crate, to compare with"
    (cd "$ROOT/testing/peers/dbos" && CARGO_TARGET_DIR=$target cargo build --quiet --release --locked)
  fi
  if [ -x "$target/release/dbos-noop" ]; then export MUSTER_BENCH_DBOS=$target/release/dbos-noop; fi
}
