# The checks that are not tests: format, clippy, dependencies, documentation. Each is one function; `check`
# runs it, keeps its output, and counts it, so that one run tells every problem and not only the first.

CHECKS_PASSED=0
CHECKS_FAILED=0

check() { # NAME COMMAND…
  local name=$1 log before
  shift
  mkdir -p "$WORK/checks"
  log=$WORK/checks/${name// /-}.log
  before=$(seconds)
  if "$@" >"$log" 2>&1 </dev/null; then
    CHECKS_PASSED=$((CHECKS_PASSED + 1))
    note "passed: $name ($(($(seconds) - before)) s)"
  else
    CHECKS_FAILED=$((CHECKS_FAILED + 1))
    note "FAILED: $name; its output:"
    tail -n 200 "$log"
  fi
}

check_format() { cargo fmt --all --check; }
# "All targets" leaves out those with `test = false`, so the slow suites are named.
check_clippy() {
  cargo clippy --workspace --locked --all-targets -- -D warnings &&
    cargo clippy --workspace --locked --test full -- -D warnings
}
check_bans() { cargo deny --locked check bans licenses sources; }
check_unused() { cargo shear --locked; }
check_documentation() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps; }

run_checks() {
  say "Checks"
  check 'format' check_format
  check 'licences, bans and sources of dependencies' check_bans
  check 'no unused dependency' check_unused
  check 'clippy' check_clippy
  check 'documentation' check_documentation
}

run_lint() {
  setup_all
  run_checks
  printf '\n%s passed, %s failed, 0 skipped\n' "$CHECKS_PASSED" "$CHECKS_FAILED"
  [ "$CHECKS_FAILED" = 0 ]
}
