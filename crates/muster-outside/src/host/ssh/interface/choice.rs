//! What an interface should be, what a guest was found to be like, and what follows from the two. Pure.

use std::fmt::Write;
use std::net::Ipv4Addr;

/// Comment at the head of every file of ours.
const HEAD: &str = "# Written by Muster; it goes when the server is unlinked from the network.";
/// An address by DHCP on a private network must not take the default route away: the public one is better.
const PRIVATE_METRIC: u32 = 9_999;

/// The ifupdown of Debian 10, the first whose manual tells of matching by hardware address (interfaces(5), "Pattern
/// matching interfaces").
const IFUPDOWN_MATCHES_MAC: [u32; 3] = [0, 8, 35];

/// What an interface should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its hardware address, lower case.
    mac: String,
    /// Its address, where the provider tells one.
    address: Option<Ipv4Addr>,
    /// Length of its network's prefix, where the provider tells a mask.
    prefix: Option<u8>,
    /// Whether it asks for its address.
    dhcp: bool,
}

impl Wanted {
    /// From what the provider tells of the link; texts may be empty.
    ///
    /// # Errors
    /// What is missing or is not what it should be, in words.
    pub fn new(mac: &str, address: &str, mask: &str, dhcp: bool) -> Result<Wanted, String> {
        let mac = mac.trim().to_ascii_lowercase();
        let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        if mac.split(':').count() != 6 || !mac.split(':').all(pair) {
            return Err(format!("the provider tells the hardware address `{mac}`, which is none"));
        }
        let told = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let address = match told(address) {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| format!("the provider tells the address `{text}`, which is no IPv4 one"))?,
            ),
            None => None,
        };
        let prefix = match told(mask) {
            Some(text) => Some(
                prefix(&text)
                    .ok_or_else(|| format!("the provider tells the mask `{text}`, which is none"))?,
            ),
            None => None,
        };
        if !dhcp && (address.is_none() || prefix.is_none()) {
            return Err("the network hands out no addresses, and the provider tells no address or no mask of the link"
                .to_owned());
        }
        Ok(Wanted { mac, address, prefix, dhcp })
    }

    /// Its hardware address.
    pub(super) fn mac(&self) -> &str {
        &self.mac
    }

    /// Whether it asks for its address.
    pub(super) fn dhcp(&self) -> bool {
        self.dhcp
    }

    /// What a look compares with: with its prefix only where we set that.
    pub(super) fn compared(&self) -> String {
        match self.address {
            Some(address) if self.dhcp => address.to_string(),
            Some(_) => self.fixed(),
            None => String::new(),
        }
    }

    /// The address with its prefix, as it is set; empty with DHCP.
    pub(super) fn fixed(&self) -> String {
        if self.dhcp { String::new() } else { self.known() }
    }

    /// The address with its prefix, where the provider tells both; else empty.
    fn known(&self) -> String {
        match (self.address, self.prefix) {
            (Some(address), Some(prefix)) => format!("{address}/{prefix}"),
            _ => String::new(),
        }
    }

    /// Whether the provider tells the address with its prefix.
    pub(super) fn is_known(&self) -> bool {
        !self.known().is_empty()
    }

    /// The name of everything that is kept in the guest for this interface.
    pub(super) fn name(&self) -> String {
        name_of(&self.mac)
    }
}

/// The name of everything that is kept in the guest for the interface with this hardware address.
pub(super) fn name_of(mac: &str) -> String {
    format!("muster-{}", mac.replace(':', ""))
}

/// The length of a mask's prefix: `255.255.0.0`, `/16` and `16` are the same. One of no length would make everything
/// there is a neighbour, and take the way to it.
fn prefix(mask: &str) -> Option<u8> {
    let length = match mask.trim_start_matches('/').parse::<u8>() {
        Ok(length) => length,
        Err(_) => {
            let bits = u32::from(mask.parse::<Ipv4Addr>().ok()?);
            if bits.count_ones() != bits.leading_ones() {
                return None;
            }
            bits.leading_ones() as u8
        }
    };
    (1..=32).contains(&length).then_some(length)
}

/// What configures interfaces in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Configurer {
    Netplan,
    NetworkManager,
    Networkd,
    Ifupdown,
}

/// The first that is there decides: netplan writes the configuration of the two behind it, and ifupdown may be left
/// over beside any of them.
const MANAGERS: [(Configurer, &str); 4] = [
    (Configurer::Netplan, "netplan"),
    (Configurer::NetworkManager, "NetworkManager"),
    (Configurer::Networkd, "systemd-networkd"),
    (Configurer::Ifupdown, "ifupdown"),
];

impl Configurer {
    /// Its word in the scripts and for people.
    pub(super) fn word(self) -> &'static str {
        MANAGERS.iter().find(|(manager, _)| *manager == self).map_or("", |(_, word)| word)
    }

    /// The file it reads, its mode and its content; none where it is told by its own command. `matches_mac` as
    /// [`Found::matches_mac`].
    pub(super) fn file(
        self,
        wanted: &Wanted,
        device: &str,
        matches_mac: bool,
    ) -> Option<(String, &'static str, String)> {
        let name = wanted.name();
        match self {
            Configurer::Netplan => {
                Some((format!("/etc/netplan/90-{name}.yaml"), "600", netplan(wanted, &name)))
            }
            Configurer::Networkd => {
                Some((format!("/etc/systemd/network/05-{name}.network"), "644", networkd(wanted)))
            }
            Configurer::Ifupdown => Some((
                format!("/etc/network/interfaces.d/{name}"),
                "644",
                ifupdown(wanted, device, matches_mac),
            )),
            Configurer::NetworkManager => None,
        }
    }
}

fn netplan(wanted: &Wanted, name: &str) -> String {
    let mac = wanted.mac();
    let mut text = format!(
        "{HEAD}\nnetwork:\n  version: 2\n  ethernets:\n    {name}:\n      match:\n        macaddress: \"{mac}\"\n      \
         optional: true\n"
    );
    if wanted.dhcp {
        text.push_str(
            "      dhcp4: true\n      dhcp4-overrides:\n        use-routes: false\n        use-dns: false\n",
        );
    } else {
        let _ = write!(text, "      dhcp4: false\n      addresses:\n        - \"{}\"\n", wanted.fixed());
    }
    text
}

fn networkd(wanted: &Wanted) -> String {
    let head = format!(
        "{HEAD}\n[Match]\nMACAddress={}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n",
        wanted.mac()
    );
    if wanted.dhcp {
        format!("{head}DHCP=ipv4\n\n[DHCPv4]\nUseRoutes=no\nUseDNS=no\n")
    } else {
        format!("{head}Address={}\n", wanted.fixed())
    }
}

/// By the hardware address where ifupdown can, since devices change their names; else by the name, and only while that
/// device has the hardware address. Its DHCP client takes name servers and routes that nobody can refuse it, so that an
/// address which the provider tells is set without asking for it.
fn ifupdown(wanted: &Wanted, device: &str, matches_mac: bool) -> String {
    let (mac, name) = (wanted.mac(), wanted.name());
    let mut text = match matches_mac {
        true => format!("{HEAD}\nauto mac/{mac}={name}\niface {name} inet"),
        false => format!("{HEAD}\nallow-hotplug {device}\niface {device} inet"),
    };
    let known = wanted.known();
    if known.is_empty() {
        let _ = write!(text, " dhcp\n    metric {PRIVATE_METRIC}\n");
    } else {
        let _ = write!(text, " static\n    address {known}\n");
    }
    if !matches_mac {
        let _ = writeln!(text, "    pre-up grep -qix {mac} /sys/class/net/$IFACE/address");
    }
    text
}

/// How a guest lets us change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Root {
    /// We are root.
    Yes,
    /// `sudo` asks for no password.
    Sudo,
    /// Neither.
    #[default]
    No,
}

/// A guest as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) root: Root,
    /// The interface with the hardware address.
    pub(super) device: Option<String>,
    /// What that interface is part of.
    master: Option<String>,
    /// Its addresses.
    pub(super) addresses: Vec<String>,
    /// Whether the wanted address is there.
    pub(super) configured: bool,
    managers: Vec<Configurer>,
    /// What ifupdown says of its version, where no other file of it names the device.
    ifupdown: String,
    tools: Vec<String>,
    lacks_ip: bool,
}

impl Found {
    /// Reads what a look printed; lines of other kinds are a shell's greeting and passed over.
    pub(super) fn read(text: &str) -> Found {
        let mut found = Found::default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "root" => found.root = if rest == "yes" { Root::Yes } else { Root::Sudo },
                "device" => found.device = Some(rest.to_owned()),
                "master" => found.master = Some(rest.to_owned()),
                "address" => found.addresses.push(rest.to_owned()),
                "configured" => found.configured = true,
                "manager" => {
                    found
                        .managers
                        .extend(MANAGERS.iter().filter(|(_, known)| *known == rest).map(|(one, _)| *one));
                }
                "ifupdown" => found.ifupdown = rest.to_owned(),
                "tool" => found.tools.push(rest.to_owned()),
                "lacks" => found.lacks_ip = true,
                _ => {}
            }
        }
        found
    }

    /// Whether ifupdown can be told an interface by its hardware address. Where another file names the device, both
    /// have to speak of the same name: one interface has one.
    pub(super) fn matches_mac(&self) -> bool {
        let Some(version) = self.ifupdown.strip_prefix("ifup version ") else { return false };
        let mut numbers = version.split(['.', '-', '+', '~']).map_while(|part| {
            let digits = part.find(|one: char| !one.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u32>().ok()
        });
        let version: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
        version >= IFUPDOWN_MATCHES_MAC
    }

    /// Which device gets its configuration from which manager.
    ///
    /// # Errors
    /// Why nothing can be configured, what was found, and what to do.
    pub(super) fn choose(&self, wanted: &Wanted) -> Result<(&str, Configurer), String> {
        if self.lacks_ip {
            return Err(
                "the guest has no `ip`, so its interfaces cannot be looked at; install iproute2 there".into(),
            );
        }
        let Some(device) = self.device.as_deref() else {
            return Err(format!(
                "the guest has no interface with the hardware address {}; look at `ip link` there and at the link \
                 in the provider's panel",
                wanted.mac()
            ));
        };
        if let Some(master) = &self.master {
            return Err(format!(
                "the interface {device} is part of {master}, which somebody set up; give {master} its address there, \
                 or take {device} out of it"
            ));
        }
        if self.root == Root::No {
            return Err("Muster is neither root there nor may it use sudo without a password".into());
        }
        let chosen = MANAGERS.iter().find(|(manager, _)| self.managers.contains(manager));
        chosen.map(|(manager, _)| (device, *manager)).ok_or_else(|| {
            let found = if self.tools.is_empty() { "none of them".to_owned() } else { self.tools.join(", ") };
            format!(
                "nothing that runs there configures interfaces in a way that Muster knows (netplan, NetworkManager, \
                 systemd-networkd, ifupdown); found: {found}. Set {device} up by hand, or start one of these"
            )
        })
    }
}
