//! What runs inside a guest: constant texts. Data are their arguments and their standard input, never part of them.

/// Tells what there is, one fact a line. `$1` the interface's hardware address, `$2` the address it should have: with
/// its prefix, without (any prefix will do), or nothing (any address will do).
pub(super) const LOOK: &str = r#"
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
mac=$1 want=$2
there() { command -v "$1" >/dev/null 2>&1; }
active() { systemctl is-active --quiet "$1" 2>/dev/null; }
if [ "$(id -u)" = 0 ]; then echo 'root yes'; elif sudo -n true 2>/dev/null; then echo 'root sudo'; fi
there ip || { echo 'lacks ip'; exit 0; }
device=$(ip -o link show | while read -r number name rest; do
  case " $rest " in *" link/ether $mac "*) ;; *) continue ;; esac
  name=${name%:}
  # What sits on another interface (a VLAN, a macvlan) has that one's address; a cable's end is named @if too.
  case $name in *@if*) name=${name%%@*} ;; *@*) continue ;; esac
  echo "$name"
  break
done)
if [ -n "$device" ]; then
  echo "device $device"
  ip -o link show dev "$device" | while read -r line; do
    case $line in *" master "*) line=${line#* master }; echo "master ${line%% *}" ;; esac
  done
fi
ip -4 -o addr show scope global | while read -r number name family address rest; do
  if [ "${name%%@*}" = "$device" ]; then
    echo "address $address"
    [ -n "$want" ] || echo 'configured'
  fi
  [ -n "$want" ] || continue
  case $address in "$want" | "$want"/*) echo 'configured' ;; esac
done
for file in /etc/netplan/*.yaml; do
  if [ -e "$file" ] && there netplan; then echo 'manager netplan'; break; fi
done
if there nmcli && active NetworkManager; then echo 'manager NetworkManager'; fi
if there networkctl && active systemd-networkd; then echo 'manager systemd-networkd'; fi
if there ifup && [ -e /etc/network/interfaces ]; then echo 'manager ifupdown'; fi
for tool in netplan nmcli networkctl ifup wicked connmanctl dhcpcd; do
  if there "$tool"; then echo "tool $tool"; fi
done
exit 0
"#;

/// Puts a file in its place in one step and lets its manager read it. `$1` the manager, `$2` the file, `$3` the
/// device, `$4` the file's mode; the file's content on standard input.
pub(super) const APPLY: &str = r#"
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
manager=$1 file=$2 device=$3 mode=$4
new=${file%/*}/.${file##*/}.new
umask 022
mkdir -p -- "${file%/*}"
umask 077
cat > "$new"
chmod "$mode" "$new"
mv -f -- "$new" "$file"
case $manager in
systemd-networkd)
  if ! { networkctl reload && networkctl reconfigure "$device"; } 2>/dev/null; then
    systemctl restart systemd-networkd
  fi
  ;;
netplan)
  if ! said=$(netplan generate 2>&1); then
    rm -f -- "$file"
    printf '%s\n' "$said" >&2
    exit 1
  fi
  netplan apply
  ;;
ifupdown)
  main=/etc/network/interfaces
  if ! grep -Eq '^[[:space:]]*source(-directory)?[[:space:]]+/etc/network/interfaces\.d' "$main"; then
    printf '\nsource /etc/network/interfaces.d/*\n' >> "$main"
  fi
  ifdown --force "$device" >/dev/null 2>&1 || true
  ifup "$device"
  ;;
*)
  echo "unknown manager $manager" >&2
  exit 2
  ;;
esac
"#;

/// A connection of NetworkManager. `$1` its name, `$2` the hardware address, `$3` `auto` or `manual`, `$4` the
/// address with its prefix or nothing.
pub(super) const APPLY_NETWORK_MANAGER: &str = r#"
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
name=$1 mac=$2 method=$3 address=$4
if nmcli --terse --fields NAME connection show | grep -qxF -- "$name"; then
  nmcli connection delete id "$name" >/dev/null
fi
set -- connection add type ethernet con-name "$name" ifname '*' 802-3-ethernet.mac-address "$mac" \
  connection.autoconnect yes ipv4.never-default yes ipv4.ignore-auto-dns yes ipv6.method ignore
if [ -n "$address" ]; then set -- "$@" ipv4.addresses "$address"; fi
nmcli "$@" ipv4.method "$method" >/dev/null
nmcli --wait 40 connection up id "$name" >/dev/null
"#;

/// Takes away whatever Muster configured under `$1`, whichever manager it was for; says `removed` if there was any.
pub(super) const RELEASE: &str = r#"
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
name=$1
networkd=/etc/systemd/network/05-$name.network
netplan=/etc/netplan/90-$name.yaml
ifupdown=/etc/network/interfaces.d/$name
if [ -e "$networkd" ]; then
  rm -f -- "$networkd" || exit 1
  networkctl reload 2>/dev/null || systemctl restart systemd-networkd
  echo removed
fi
if [ -e "$netplan" ]; then
  rm -f -- "$netplan" || exit 1
  netplan apply
  echo removed
fi
if [ -e "$ifupdown" ]; then
  while read -r word device rest; do
    if [ "$word" = iface ]; then ifdown --force "$device" >/dev/null 2>&1; fi
  done < "$ifupdown"
  rm -f -- "$ifupdown" || exit 1
  echo removed
fi
if command -v nmcli >/dev/null 2>&1 &&
  nmcli --terse --fields NAME connection show 2>/dev/null | grep -qxF -- "$name"; then
  nmcli connection delete id "$name" >/dev/null || exit 1
  echo removed
fi
exit 0
"#;

/// Tries to reach an address (`$1`) at most `$2` times, one packet each, and says how: `ping` or `tcp`; `none` where
/// the guest has nothing to try with. Status 1: it did not answer.
pub(super) const REACH: &str = r#"
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
address=$1 tries=$2
if command -v ping >/dev/null 2>&1; then how=ping
elif command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1; then how=tcp
else echo none; exit 0; fi
n=0
while [ "$n" -lt "$tries" ]; do
  [ "$n" = 0 ] || sleep 1
  n=$((n + 1))
  case $how in
  ping)
    if ping -c 1 -W 2 "$address" >/dev/null 2>&1; then echo ping; exit 0; fi
    ;;
  tcp)
    # A refusal is an answer too: whoever refuses was reached.
    if said=$(timeout 2 bash -c ': < "/dev/tcp/$1/22"' reach "$address" 2>&1); then echo tcp; exit 0; fi
    case $said in *refused*) echo tcp; exit 0 ;; esac
    ;;
  esac
done
echo "$how"
exit 1
"#;
