//! IPv4 subnets: cutting a private range into slots and numbering machines. Pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 network such as `10.210.0.0/22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    /// The network that holds `address`; `None` for a prefix above 30 (no room for two machines).
    pub fn new(address: Ipv4Addr, prefix: u8) -> Option<Subnet> {
        if prefix > 30 {
            return None;
        }
        Some(Subnet { base: u32::from(address) & mask(prefix), prefix })
    }

    /// The length of the network part, in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The address with this number, or `None` when the number is the network's own, its broadcast or beyond.
    pub fn address(self, number: u32) -> Option<Ipv4Addr> {
        (number >= 1 && number <= self.number_max()).then(|| Ipv4Addr::from(self.base + number))
    }

    /// The highest number that [`Subnet::address`] accepts.
    pub fn number_max(self) -> u32 {
        !mask(self.prefix) - 1
    }

    /// Whether the address lies in this network.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Subnet) -> bool {
        let wider = self.prefix.min(other.prefix);
        self.base & mask(wider) == other.base & mask(wider)
    }

    /// The part with this index when cut into parts of `prefix`; `None` beyond the end.
    pub fn part(self, prefix: u8, index: u32) -> Option<Subnet> {
        if prefix < self.prefix || prefix > 30 || u64::from(index) >= 1u64 << (prefix - self.prefix) {
            return None;
        }
        Some(Subnet { base: self.base + (index << (32 - u32::from(prefix))), prefix })
    }
}

fn mask(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(prefix)) }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Subnet, String> {
        let wrong = || format!("{text:?} is not an IPv4 network such as 10.210.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        Subnet::new(address, prefix).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Subnet, String> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

/// The destinations of `ip -4 -o route show table all`: networks and single addresses, without the default route.
pub(super) fn routes(listing: &str) -> Vec<Subnet> {
    let mut found = Vec::new();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let mut word = words.next().unwrap_or_default();
        if matches!(word, "local" | "broadcast" | "unicast" | "unreachable" | "blackhole" | "prohibit") {
            word = words.next().unwrap_or_default();
        }
        let subnet = match word.parse::<Ipv4Addr>() {
            Ok(address) => Subnet::new(address, 30),
            Err(_) => word.parse().ok(),
        };
        found.extend(subnet);
    }
    found
}

/// The destinations in `/proc/net/route`, whose numbers are the bytes of an address in the order of this processor;
/// without the default route. What `ip` would say, where there is no `ip`.
pub(super) fn kernel_routes(listing: &str) -> Vec<Subnet> {
    let number =
        |word: &str| u32::from_str_radix(word, 16).ok().map(|bytes| Ipv4Addr::from(bytes.to_ne_bytes()));
    let mut found = Vec::new();
    for line in listing.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, destination, _, _, _, _, _, mask, ..] = words[..] else { continue };
        let (Some(destination), Some(mask)) = (number(destination), number(mask)) else { continue };
        let prefix = u32::from(mask).leading_ones().min(30) as u8;
        found.extend(Subnet::new(destination, prefix).filter(|_| prefix > 0));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_cut_into_parts() {
        let range = net("10.210.0.0/16");
        assert_eq!(range.part(22, 0), Some(net("10.210.0.0/22")));
        assert_eq!(range.part(22, 63), Some(net("10.210.252.0/22")));
        assert_eq!(range.part(22, 64), None);
        assert_eq!(range.part(8, 0), None);
        assert_eq!(net("10.210.5.9/22").to_string(), "10.210.4.0/22");
    }

    #[test]
    fn numbers_are_addresses() {
        let slot = net("10.210.4.0/22");
        assert_eq!(slot.address(1), Some(Ipv4Addr::new(10, 210, 4, 1)));
        assert_eq!(slot.address(1022), Some(Ipv4Addr::new(10, 210, 7, 254)));
        assert_eq!((slot.address(0), slot.address(1023)), (None, None));
        assert!(slot.contains(Ipv4Addr::new(10, 210, 6, 1)));
        assert!(!slot.contains(Ipv4Addr::new(10, 210, 8, 1)));
    }

    #[test]
    fn overlap_is_symmetric_and_exact() {
        assert!(net("10.0.0.0/8").overlaps(net("10.210.4.0/22")));
        assert!(net("10.210.4.0/22").overlaps(net("10.0.0.0/8")));
        assert!(!net("10.210.4.0/22").overlaps(net("10.210.8.0/22")));
    }

    #[test]
    fn routes_are_read_from_ip() {
        let listing = "default via 192.0.2.1 dev eth0 \n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2 \n\
                       local 10.210.0.1 dev muster0 table local proto kernel\n172.17.0.0/16 dev docker0 linkdown\n";
        assert_eq!(routes(listing), [net("192.0.2.0/24"), net("10.210.0.0/30"), net("172.17.0.0/16")]);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_are_read_from_the_kernel() {
        let listing = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                       eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                       eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                       docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                       vpn\t0709000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n";
        assert_eq!(kernel_routes(listing), [net("192.0.2.0/24"), net("172.17.0.0/16"), net("10.0.9.4/30")]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/31", "10.0.0/8", "10.0.0.0/-1", "::/0"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
