//! What looks like chance but is not: passwords and hardware addresses are functions of the seed and of a number.
//!
//! They do not depend on the order of requests, so two runs that interleave differently still agree.

/// One step of splitmix64: spreads a number over 64 bits. (Steele, Lea, Flood 2014; public domain.)
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Letters without those that look alike.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const PASSWORD_LETTERS: u64 = 14;

/// The `generation`-th password of a server (a rebuild makes a new one).
pub(super) fn password(seed: u64, server: u64, generation: u64) -> String {
    let base = mix(mix(seed) ^ mix(server) ^ generation.rotate_left(32));
    (0..PASSWORD_LETTERS)
        .map(|place| {
            let at = mix(base.wrapping_add(place)) % LETTERS.len() as u64;
            char::from(LETTERS[at as usize])
        })
        .collect()
}

/// The hardware address of a link, with the VMware prefix. Unique for links below 2^24 of one simulator.
pub(super) fn mac(link: u64) -> String {
    let [.., high, middle, low] = link.to_be_bytes();
    format!("00:50:56:{high:02x}:{middle:02x}:{low:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_password_and_another_one_another() {
        assert_eq!(password(1, 500, 0), password(1, 500, 0));
        assert_ne!(password(1, 500, 0), password(2, 500, 0));
        assert_ne!(password(1, 500, 0), password(1, 501, 0));
        assert_ne!(password(1, 500, 0), password(1, 500, 1));
        assert_eq!(password(1, 500, 0).len(), 14);
        assert_eq!(mac(0x0a0b0c), "00:50:56:0a:0b:0c");
    }
}
