# The tests, and the sum at the end. What a test could not do here it writes into $MUSTER_TEST_SKIPS
# (docs/testing.md); those lines are shown and counted, and with CI=true one is enough to fail.

run_tests() {
  setup_all
  prepare_test_run
  if [ $# -eq 0 ]; then run_checks; else say "Only the tests, because of the arguments: $*"; fi
  say "Tests"
  nextest "$@" || true
  tell_result
}

run_tests_full() {
  export MUSTER_TEST_FULL=1
  setup_all
  prepare_test_run
  run_checks
  say "Tests, large samples and slow suites"
  nextest --profile full "$@" || true
  # The slow suites are targets of their own (`test = false`), so that the quick run has nothing to skip.
  nextest --profile full --test full "$@" || true
  # Traces are a feature, and so a build of its own.
  nextest --profile full --features muster/otlp -E 'test(/^traces::/)' "$@" || true
  tell_result
}

prepare_test_run() {
  export MUSTER_TEST_SKIPS=$WORK/test/skips
  rm -rf "$WORK/test"
  mkdir -p "$WORK/test"
  : >"$MUSTER_TEST_SKIPS"
  TESTS_PASSED=0
  TESTS_FAILED=0
  unset MUSTER_MACHINES MUSTER_MACHINE_NETWORK # the tests choose for themselves
  trap docker_stop EXIT
  docker_start
}

# One build for all tests, one process for each test. The numbers come from nextest's report file: the
# words on the screen are for people.
nextest() {
  local profile=default report status=0 arguments=("$@") i
  for i in "${!arguments[@]}"; do
    if [ "${arguments[$i]}" = --profile ]; then profile=${arguments[$((i + 1))]}; fi
  done
  report=$ROOT/target/nextest/$profile/junit.xml
  rm -f "$report"
  cargo nextest run --workspace --locked "$@" </dev/null || status=$?
  if [ -s "$report" ]; then
    local all failed
    all=$(report_number "$report" tests)
    failed=$(($(report_number "$report" failures) + $(report_number "$report" errors)))
    TESTS_FAILED=$((TESTS_FAILED + failed))
    TESTS_PASSED=$((TESTS_PASSED + all - failed))
    # A time-out of the whole run, or an interruption, must not look like success.
    if [ $status -ne 0 ] && [ "$failed" = 0 ]; then TESTS_FAILED=$((TESTS_FAILED + 1)); fi
  else
    note "no test ran, see above"
    TESTS_FAILED=$((TESTS_FAILED + 1))
  fi
  return $status
}

report_number() { # FILE ATTRIBUTE: of the outermost element
  sed -n "s/.*<testsuites [^>]*\\b$2=\"\\([0-9]*\\)\".*/\\1/p" "$1" | head -n 1
}

tell_result() {
  local skipped passed failed line
  # One line for each test, whatever it said twice: it is one test that did not run.
  sort -u -k1,1 -o "$MUSTER_TEST_SKIPS" "$MUSTER_TEST_SKIPS"
  skipped=$(grep -c . "$MUSTER_TEST_SKIPS" || true)
  # A test that said "not here" ended without an error, but it is not a test that passed.
  passed=$((TESTS_PASSED - skipped + CHECKS_PASSED))
  failed=$((TESTS_FAILED + CHECKS_FAILED))
  if [ -s "$ABSENT" ]; then list_absent; fi
  if [ "$skipped" -gt 0 ]; then
    say "Skipped here, and why"
    while read -r line; do printf 'SKIPPED: %s\n' "$line"; done <"$MUSTER_TEST_SKIPS"
    if is_ci; then
      note "CI=true: a skipped test counts as failed"
      failed=$((failed + skipped))
    fi
  fi
  say "$((TESTS_PASSED + TESTS_FAILED)) tests and $((CHECKS_PASSED + CHECKS_FAILED)) checks"
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" = 0 ]
}

# The table of proven lines is written by the same code that checks it.
write_conformance() {
  setup_all
  MUSTER_CONFORMANCE_WRITE=1 cargo nextest run --workspace --locked -E 'test(the_table_is_what_the_tests_claim)' </dev/null
  git -C "$ROOT" --no-pager diff --stat -- docs/conformance.md
}
