//! The words for an image, and the numbers that old ict files use for images.

/// The start of an image word that means the provider's own id: `id:3492`. Ids drift; it is there for old
/// files and for images that no name tells apart.
pub const IMAGE_ID_PREFIX: &str = "id:";

/// Image ids of 1cloud and their technical names, as captured in 2023 (`spec/onecloud-api.md` §1.6).
/// Only old ict files are read with it; what is on offer today is asked of the provider.
const IDS: &[(u64, &str)] = &[
    (3492, "Ubuntu20.04x64"),
    (2169, "Ubuntu18.04x64"),
    (3782, "Debian10x64"),
    (3783, "Debian11x64"),
    (2364, "Debian9x64"),
    (2359, "CentOS7.5_x64"),
    (4112, "RockyLinux_v1"),
    (4113, "AlmaLinux_v2"),
    (180, "freebsd10x64"),
    (2360, "FreeBSD11x64"),
    (2049, "VyOS"),
    (3, "WinServer2012R2x64En"),
    (4, "WinServer2012R2x64Ru"),
];

/// The technical name behind an id of an old ict file, where it is known.
pub fn image_of_id(id: u64) -> Option<&'static str> {
    IDS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// The provider's id in an image word (`id:3492` → `3492`), if the word is one.
pub fn image_id(words: &str) -> Option<&str> {
    words.strip_prefix(IMAGE_ID_PREFIX).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_old_files() {
        assert_eq!(image_of_id(3492), Some("Ubuntu20.04x64"));
        assert_eq!(image_of_id(9_999), None);
        assert_eq!(image_id("id:3492"), Some("3492"));
        assert_eq!(image_id("Ubuntu 22.04"), None);
    }
}
