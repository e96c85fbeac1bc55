# Installing what is missing: idempotent, and quick when nothing is. Sources: Debian by apt, PyPI by pip,
# crates.io by cargo, and nothing else. Without root the missing things are listed and the work goes on.

# ---- Rust ----------------------------------------------------------------------------------------------

# The pinned toolchain must be found, also with a fresh HOME, and also when rustup knows it by another name:
# rustup compares names, so it would download "1.95.0" although "stable" or "1.95" is the same version.
setup_rust() {
  local place pinned
  if ! has cargo; then
    for place in "${CARGO_HOME:-$HOME/.cargo}" /usr/local/cargo /root/.cargo; do
      if [ -x "$place/bin/cargo" ]; then
        PATH=$place/bin:$PATH
        break
      fi
    done
  fi
  has cargo || die "Rust is missing. Install rustup (https://rustup.rs), then run this again."
  if has rustup; then choose_toolchain; fi
  export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
  pinned=$(pinned_rust)
  rust_version | grep -qF "rustc $pinned" || die "Rust $pinned is needed, this is $(rust_version || echo none)."
}

pinned_rust() { sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml"; }
rust_version() { rustc --version 2>/dev/null; }
# From another directory, because here rust-toolchain.toml makes rustup install what it does not find.
toolchains() { (cd / && rustup toolchain list 2>/dev/null | grep -v '^no installed' | sed 's/ .*//') || true; }

choose_toolchain() {
  local pinned name beside
  pinned=$(pinned_rust)
  if [ -z "$(toolchains)" ] && [ -z "${RUSTUP_HOME:-}" ]; then
    # With a fresh HOME rustup looks for its toolchains in the wrong place; they stand beside its cargo.
    beside=$(dirname "$(dirname "$(dirname "$(command -v cargo)")")")
    if [ -d "$beside/.rustup/toolchains" ]; then export RUSTUP_HOME=$beside/.rustup; fi
  fi
  if toolchains | grep -qE "^$pinned(-|\$)"; then return 0; fi
  while read -r name; do
    if (cd / && RUSTUP_TOOLCHAIN=$name rustc --version 2>/dev/null) | grep -qF "rustc $pinned"; then
      export RUSTUP_TOOLCHAIN=$name
      note "the toolchain $name is Rust $pinned"
      return 0
    fi
  done < <(toolchains)
  note "Rust $pinned is not here; rustup fetches it"
}

# ---- Debian --------------------------------------------------------------------------------------------

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

setup_packages() {
  local name purpose missing=()
  if ! has dpkg-query || ! has apt-get; then
    absent "Debian's packages (this is not Debian): no local machines"
    return 0
  fi
  while read -r name purpose; do
    case $name in '' | \#*) continue ;; esac
    installed "$name" || missing+=("$name")
  done <"$ROOT/dev.d/packages.txt"
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! is_root; then
    for name in "${missing[@]}"; do
      absent "Debian package $name: $(sed -n "s/^$name //p" "$ROOT/dev.d/packages.txt")"
    done
    note "to install them: sudo apt-get install ${missing[*]}"
    return 0
  fi
  say "Installing from Debian: ${missing[*]}"
  install_packages "${missing[@]}"
}

# A package must not start a service on somebody's machine (openssh-server would), so a policy forbids it
# while we install, unless the machine has one of its own.
install_packages() {
  local policy=/usr/sbin/policy-rc.d ours='' log=$WORK/apt.log
  if [ ! -e "$policy" ]; then
    ours=$policy
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  local status=0
  {
    apt_get update && apt_get install -y --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || status=$?
  if [ -n "$ours" ]; then
    rm -f "$ours"
    case " $* " in
      *' openssh-server '*) [ ! -d /run/systemd/system ] || systemctl disable ssh.service >/dev/null 2>&1 || true ;;
    esac
    case " $* " in
      *' postgresql '*) [ ! -d /run/systemd/system ] || systemctl disable postgresql.service >/dev/null 2>&1 || true ;;
    esac
  fi
  if [ $status -ne 0 ]; then
    tail -n 20 "$log" >&2
    absent "Debian packages $*: apt-get ended with $status (whole output: $log)"
  fi
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"; }

# ---- PyPI and crates.io --------------------------------------------------------------------------------

setup_python() {
  local wanted=$ROOT/dev.d/requirements.txt done=$VENV/.requirements
  cmp -s "$wanted" "$done" && return 0
  say "Installing from PyPI into .work/venv"
  if python3 -m venv "$VENV" >"$WORK/pip.log" 2>&1 &&
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r "$wanted" >>"$WORK/pip.log" 2>&1 </dev/null; then
    cp "$wanted" "$done"
    return 0
  fi
  tail -n 5 "$WORK/pip.log" >&2
  # One thing that PyPI does not have for this machine must not cost the others.
  local line
  while read -r line; do
    case $line in '' | \#*) continue ;; esac
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check "$line" >>"$WORK/pip.log" 2>&1 </dev/null ||
      absent "PyPI $line (output: .work/pip.log)"
  done <"$wanted"
}

# NAME: from PyPI if that worked, else what is installed, else compiled in the version of requirements.txt.
cargo_tool() {
  local name=$1 version
  has "cargo-$name" && return 0
  version=$(sed -n "s/^astral-dev-toolchain-cargo-$name==//p" "$ROOT/dev.d/requirements.txt")
  say "Compiling cargo-$name $version"
  cargo install --quiet --locked --root "$WORK" "cargo-$name@$version" </dev/null ||
    absent "cargo-$name $version: neither PyPI nor crates.io gave it"
}

# ---- Together ------------------------------------------------------------------------------------------

setup_build() {
  settle_environment
  setup_packages
  setup_rust
}

setup_all() {
  local before
  before=$(seconds)
  setup_build
  setup_python
  local tool
  for tool in nextest deny shear; do cargo_tool "$tool"; done
  note "set-up: $(($(seconds) - before)) s"
}
