# `./dev demo`: the main job from end to end, against a simulated 1cloud on loopback. Every act is printed as
# the command that a person would type, and then its real output. Nothing leaves this machine.

readonly DEMO=$WORK/demo
readonly DEMO_WAIT_SECONDS_MAX=60
readonly DEMO_END_SECONDS_MAX=20

demo() {
  local keep=no
  case ${1:-} in
    '') ;;
    --keep) keep=yes ;;
    --clean)
      settle_environment
      demo_clean
      return
      ;;
    *) die "demo knows --keep and --clean, not $1" ;;
  esac
  setup_build
  setup_python
  local tool
  for tool in curl jq python3 setsid; do has $tool || die "$tool is missing; the demo needs it."; done
  demo_clean >/dev/null # what an earlier --keep left
  say "Building"
  # With one test target selected, cargo builds the program with the very features the tests use, so
  # `./dev demo` and `./dev test` share every compiled dependency.
  cargo build --workspace --locked --bins --test full
  PATH=$ROOT/target/debug:$PATH
  export KEEP=$keep
  trap demo_end EXIT
  local before
  before=$(seconds)
  demo_start
  demo_acts
  say "The demo took $(($(seconds) - before)) s"
}

# Empty when local machines can run here, in one way or the other, else what is missing.
machines_missing() {
  local missing
  missing=$(nspawn_missing)
  if [ "${MUSTER_MACHINES:-nspawn}" = nspawn ] && [ -z "$missing" ]; then return; fi
  if timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then return; fi
  echo "${missing:-docker}, and no Docker engine answers"
}

# What systemd-nspawn lacks.
nspawn_missing() {
  is_root || {
    echo "root"
    return
  }
  local tool
  for tool in systemd-nspawn mmdebstrap ip; do
    has $tool || {
      echo "$tool"
      return
    }
  done
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || {
    echo "the kernel's overlay file system"
    return
  }
  # A namespace of our own is the surest sign of the rights that machines need (containers often lack them).
  unshare --mount --net true 2>/dev/null || echo "the right to make namespaces"
}

demo_start() {
  local missing port key
  mkdir -p "$DEMO/home" "$DEMO/files"
  cp -R "$ROOT/examples/demo/." "$DEMO/files/"
  missing=$(machines_missing)
  MACHINES=local
  if [ -n "$missing" ]; then MACHINES=none; fi
  port=$(free_port)
  key=$(demo_key)
  URL=http://127.0.0.1:$port
  export MUSTER_HOME=$DEMO/home ONECLOUD_URL=$URL ONECLOUD_API_KEY=$key
  cd "$DEMO/files"

  say "A cloud to work with: 1cloud, simulated (machines: $MACHINES)"
  if [ "$MACHINES" = none ]; then
    note "Real machines cannot run here, because this is missing: $missing."
    note "So servers exist only in the cloud's answers, and what happens inside them is left out."
  else
    note "Each server will be a real machine on this computer, with systemd, sshd and an address of its own."
    [ -d "$MUSTER_MACHINE_CACHE" ] || note "Their common root is made first, once: about 40 s."
  fi
  printf '\n$ muster sim onecloud --listen 127.0.0.1:%s --key 0123… --machines %s &\n' "$port" "$MACHINES"
  printf '$ export ONECLOUD_URL=%s ONECLOUD_API_KEY=0123…\n' "$URL"
  setsid muster sim onecloud --listen "127.0.0.1:$port" --key "$key" --machines "$MACHINES" \
    >"$DEMO/simulator.log" 2>&1 </dev/null &
  echo $! >"$DEMO/simulator.pid"
  printf '%s\n' "$URL" >"$DEMO/simulator.url"
  (umask 077 && printf '%s\n' "$key" >"$DEMO/simulator.key") # `--clean` must be able to delete the servers
  local i
  for ((i = 0; i < DEMO_WAIT_SECONDS_MAX * 5; i++)); do
    if curl -fs -o /dev/null "$URL/_sim/journal"; then return 0; fi
    kill -0 "$(cat "$DEMO/simulator.pid")" 2>/dev/null || break
    sleep 0.2
  done
  cat "$DEMO/simulator.log" >&2
  die "the simulator did not start"
}

demo_acts() {
  local update=(muster infra update shop --yes)
  if [ "$MACHINES" = none ]; then update+=(--skip-provision); fi

  act "The wanted state is one file" cat infra/shop.yaml
  act "What would happen?" "${update[@]/--yes/--dry-run}"
  act "Make it so" "${update[@]}"
  curl -fs -X DELETE "$URL/_sim/journal" >/dev/null
  act "Again: nothing to do" "${update[@]}"
  demo_writes

  if [ "$MACHINES" = local ]; then
    act "Put the application on them" muster infra deploy shop --yes
    local web
    web=$(server_address web-1)
    act "Ask the application" curl -fsS --max-time 10 "http://$web/"
    act "Once more: web answers, store counts" curl -fsS --max-time 10 "http://$web/"
    act "How are the servers?" muster stats shop
  else
    act "What is there?" muster server list
  fi

  say "Somebody changes things in the provider's panel"
  shown curl -fsS -X POST "$URL/_sim/drift" -H 'content-type: application/json' -d '{"server": "web-2", "set": {"CPU": 4}}'
  shown curl -fsS -X POST "$URL/_sim/drift" -H 'content-type: application/json' -d '{"server": "store-1", "set": {"IsPowerOn": false}}'
  act "Muster says what differs, and why it matters" expect_status 4 "${update[@]/--yes/--check}"
  act "Update brings it back" "${update[@]}"
  curl -fs -X DELETE "$URL/_sim/journal" >/dev/null
  act "Again: nothing to do" "${update[@]}"
  demo_writes
  act "Everything that happened is on record" muster run list
}

act() { # TITLE COMMAND…
  say "$1"
  shift
  shown "$@"
}

# Prints the command as a person would type it, and runs it. Words that need no quotes get none.
shown() {
  local word line='' quote="'"
  for word in "$@"; do
    if [ "$word" = expect_status ]; then continue; fi
    case $word in
      *[!a-zA-Z0-9_./:=@%+,-]* | '') line+=" $quote$word$quote" ;;
      *) line+=" $word" ;;
    esac
  done
  if [ "$1" = expect_status ]; then line=" ${line#* "$2" }"; fi
  printf '\n$%s\n' "$line"
  "$@"
  # curl prints no line end after an answer without one.
  if [ "$1" = curl ]; then echo; fi
}

# A command that ends with another status than 0 by design: say it, and fail if it is not so.
expect_status() { # STATUS COMMAND…
  local wanted=$1 got=0
  shift
  "$@" || got=$?
  printf '(exit code %s)\n' "$got"
  [ "$got" = "$wanted" ] || die "exit code $got, expected $wanted"
}

# The simulator's own journal is the witness: a run that changes nothing sends nothing.
demo_writes() {
  local writes
  writes=$(curl -fs "$URL/_sim/journal" | jq '[.[] | select(.method != "GET")] | length')
  note "write requests that the cloud saw in this run: $writes"
  [ "$writes" = 0 ] || die "a run with nothing to do sent $writes write requests"
}

server_address() {
  curl -fs -H "Authorization: Bearer $ONECLOUD_API_KEY" "$URL/server" |
    jq -er --arg name "$1" '[.[] | select(.Name == $name)][0].IP'
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# 1cloud's keys are 64 hexadecimal digits; a fresh one for each demo.
demo_key() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

demo_end() {
  local status=$?
  trap - EXIT
  if [ $status -ne 0 ]; then note "the demo failed; the simulator's output: $DEMO/simulator.log"; fi
  if [ "$KEEP" = yes ] && [ $status -eq 0 ]; then
    say "Left running, because of --keep"
    note "cd $DEMO/files"
    note "export PATH=$ROOT/target/debug:$VENV/bin:\$PATH MUSTER_HOME=$MUSTER_HOME"
    note "export ONECLOUD_URL=$ONECLOUD_URL ONECLOUD_API_KEY=$ONECLOUD_API_KEY MUSTER_MACHINE_CACHE=$MUSTER_MACHINE_CACHE"
    note "to end it: ./dev demo --clean"
    exit 0
  fi
  if [ $status -eq 0 ]; then
    act "Clean up" muster infra destroy shop --yes --allow-deletes 3 || status=$?
  fi
  demo_clean || status=1
  exit $status
}

# Ends the simulator, which ends its machines. Safe to call when nothing runs.
demo_clean() {
  local pid=''
  if [ -s "$DEMO/simulator.pid" ]; then pid=$(cat "$DEMO/simulator.pid"); fi
  if [ -n "$pid" ] && grep -qs 'muster' "/proc/$pid/comm"; then
    # Deleting through the API first: then no machine is left, however the simulator ends.
    demo_delete_servers
    local signal
    for signal in INT TERM KILL; do
      kill -$signal "$pid" 2>/dev/null || break
      if gone "$pid"; then break; fi
      note "the simulator did not end on $signal in $DEMO_END_SECONDS_MAX s"
    done
  fi
  rm -rf "$DEMO/home" "$DEMO/files" "$DEMO"/simulator.{pid,url,key}
}

gone() { # PID: waits for its end
  local i
  for ((i = 0; i < DEMO_END_SECONDS_MAX * 5; i++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.2
  done
  return 1
}

demo_delete_servers() {
  [ -s "$DEMO/simulator.key" ] && [ -s "$DEMO/simulator.url" ] || return 0
  local url id i authorization
  url=$(cat "$DEMO/simulator.url")
  authorization="Authorization: Bearer $(cat "$DEMO/simulator.key")"
  for id in $(curl -fs -m 20 -H "$authorization" "$url/server" | jq -r '.[].ID'); do
    curl -fs -m 20 -o /dev/null -X DELETE -H "$authorization" "$url/server/$id" || true
  done
  for ((i = 0; i < DEMO_WAIT_SECONDS_MAX * 2; i++)); do
    [ "$(curl -fs -m 20 -H "$authorization" "$url/server" | jq length)" != 0 ] || return 0
    sleep 0.5
  done
}
