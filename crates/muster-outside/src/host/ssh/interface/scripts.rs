//! What runs inside a guest: constant texts. Data are their arguments and their standard input, never part of them.
//!
//! Where a script reads or writes files, its first argument is the root below which they are: nothing on a guest, a
//! folder in tests, which so run every branch as it is.

/// Tells `device`, the interface whose hardware address is `$mac`, and `master`, what that is part of.
macro_rules! find_device {
    () => {
        r#"
device=$(ip -o link show | while read -r number name rest; do
  case " $rest " in *" link/ether $mac "*) ;; *) continue ;; esac
  name=${name%:}
  # What sits on another interface (a VLAN, a macvlan) has that one's address; a cable's end is named @if too.
  case $name in *@if*) name=${name%%@*} ;; *@*) continue ;; esac
  echo "$name"
  break
done)
master=
if [ -n "$device" ]; then
  master=$(ip -o link show dev "$device" | while read -r line; do
    case $line in *" master "*) line=${line#* master }; echo "${line%% *}" ;; esac
  done)
fi
"#
    };
}

/// Tells what there is, one fact a line. `$1` the root, `$2` the interface's hardware address, `$3` the address it
/// should have: with its prefix, without (any prefix will do), or nothing (any address will do). The address counts
/// only where that interface, or what it is part of, has it: on another link it reaches nobody here.
pub(super) const LOOK: &str = concat!(
    r#"
set -u
root=$1 mac=$2 want=$3
PATH=$PATH:$root/usr/local/sbin:$root/usr/sbin:$root/sbin
there() { command -v "$1" >/dev/null 2>&1; }
active() { systemctl is-active --quiet "$1" 2>/dev/null; }
if [ "$(id -u)" = 0 ]; then echo 'root yes'; elif sudo -n true 2>/dev/null; then echo 'root sudo'; fi
there ip || { echo 'lacks ip'; exit 0; }
"#,
    find_device!(),
    r#"
[ -z "$device" ] || echo "device $device"
[ -z "$master" ] || echo "master $master"
ip -4 -o addr show scope global | while read -r number name family address rest; do
  name=${name%%@*}
  [ -n "$device" ] || break
  [ "$name" = "$device" ] || [ "$name" = "$master" ] || continue
  echo "address $address"
  if [ -z "$want" ]; then echo 'configured'; continue; fi
  case $address in "$want" | "$want"/*) echo 'configured' ;; esac
done
for file in "$root"/etc/netplan/*.yaml; do
  if [ -e "$file" ] && there netplan; then echo 'manager netplan'; break; fi
done
if there nmcli && active NetworkManager; then echo 'manager NetworkManager'; fi
if there networkctl && active systemd-networkd; then echo 'manager systemd-networkd'; fi
# Whether somebody else's file of ifupdown speaks of the device by its name.
named() {
  for file in "$root"/etc/network/interfaces "$root"/etc/network/interfaces.d/*; do
    case $file in */muster-*) continue ;; esac
    [ -f "$file" ] || continue
    while read -r word name rest; do
      if [ "$word $name" = "iface $device" ]; then return 0; fi
    done < "$file"
  done
  return 1
}
if there ifup && [ -e "$root/etc/network/interfaces" ]; then
  echo 'manager ifupdown'
  if ! named; then echo "ifupdown $(ifup --version 2>/dev/null | while read -r line; do echo "$line"; break; done)"; fi
fi
for tool in netplan nmcli networkctl ifup wicked connmanctl dhcpcd; do
  if there "$tool"; then echo "tool $tool"; fi
done
exit 0
"#
);

/// Puts a file in its place in one step and lets its manager read it. `$1` the root, `$2` the manager, `$3` the file,
/// `$4` the device, `$5` the file's mode; the file's content on standard input.
pub(super) const APPLY: &str = r#"
set -eu
root=$1 manager=$2 file=$1$3 device=$4 mode=$5
PATH=$PATH:$root/usr/local/sbin:$root/usr/sbin:$root/sbin
# By the file that it was brought up with: afterwards that name may mean nothing.
if [ "$manager" = ifupdown ]; then ifdown --force "$device" >/dev/null 2>&1 || true; fi
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
  main=$root/etc/network/interfaces
  if ! grep -Eq '^[[:space:]]*source(-directory)?[[:space:]]+(/etc/network/)?interfaces\.d' "$main"; then
    printf '\nsource /etc/network/interfaces.d/*\n' >> "$main"
  fi
  while read -r word logical rest; do
    if [ "$word" = iface ]; then break; fi
  done < "$file"
  # Some versions know no other name than the device's.
  if [ "$logical" = "$device" ]; then ifup "$device"; else ifup "$device=$logical"; fi
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

/// Takes away whatever Muster configured, whichever manager it was for; says `removed` if there was any. `$1` the root,
/// `$2` the name it was configured under, `$3` the device, or nothing where there is none any more.
pub(super) const RELEASE: &str = r#"
set -u
root=$1 name=$2 device=$3
PATH=$PATH:$root/usr/local/sbin:$root/usr/sbin:$root/sbin
networkd=$root/etc/systemd/network/05-$name.network
netplan=$root/etc/netplan/90-$name.yaml
ifupdown=$root/etc/network/interfaces.d/$name
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
  if [ -n "$device" ]; then ifdown --force "$device" >/dev/null 2>&1; fi
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

/// Tries to reach an address (`$1`) through the interface with a hardware address (`$3`) at most `$2` times, one packet
/// each, and says how: `ping`, or `tcp` where nothing answers to that, since ICMP may be filtered; `none` where the
/// guest has nothing to try with. Status 1: it did not answer, or the way there leads over another link (`elsewhere`
/// with its device), over none (`nowhere`), or the interface is not there (`absent`).
pub(super) const REACH: &str = concat!(
    r#"
set -u
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
address=$1 tries=$2 mac=$3
there() { command -v "$1" >/dev/null 2>&1; }
tcp=no
if there bash && there timeout; then tcp=yes; fi
if ! there ping && [ "$tcp" = no ]; then echo none; exit 0; fi
"#,
    find_device!(),
    r#"
if [ -z "$device" ]; then echo absent; exit 1; fi
n=0
while [ "$n" -lt "$tries" ]; do
  [ "$n" = 0 ] || sleep 1
  n=$((n + 1))
  way=$(ip -4 -o route get "$address" 2>/dev/null) || way=
  case " $way " in
  *" dev $device "* | *" dev ${master:-$device} "*) ;;
  *" dev "*) way=${way#* dev }; how="elsewhere ${way%% *}"; continue ;;
  *) how=nowhere; continue ;;
  esac
  how=
  if there ping; then
    if ping -c 1 -W 2 -I "${master:-$device}" "$address" >/dev/null 2>&1; then echo ping; exit 0; fi
    how=ping
  fi
  if [ "$tcp" = yes ]; then
    # A refusal is an answer too: whoever refuses was reached.
    if said=$(timeout 2 bash -c ': < "/dev/tcp/$1/22"' reach "$address" 2>&1); then echo tcp; exit 0; fi
    case $said in *refused*) echo tcp; exit 0 ;; esac
    how="${how:+$how or }tcp"
  fi
done
echo "$how"
exit 1
"#
);
