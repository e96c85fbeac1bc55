//! What every world begins with: the data centres (captured April 2023) and the stock images.
//! What became of them is in `location` and `image`.
//!
//! Numbers of data centres other than SdnSpb, and of images that the capture does not name, are made up.

/// Kind of disk; the words of `HDDType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskType {
    /// `SAS`.
    Sas,
    /// `SSD`.
    Ssd,
}

impl DiskType {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            DiskType::Sas => "SAS",
            DiskType::Ssd => "SSD",
        }
    }

    /// Reads the API's word in any case.
    pub fn read(text: &str) -> Option<DiskType> {
        [DiskType::Sas, DiskType::Ssd].into_iter().find(|kind| kind.word().eq_ignore_ascii_case(text.trim()))
    }
}

/// Family of operating systems; the words of `ImageFamily`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `Linux`.
    Linux,
    /// `Windows`.
    Windows,
    /// `Bsd`.
    Bsd,
}

impl Family {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Family::Linux => "Linux",
            Family::Windows => "Windows",
            Family::Bsd => "Bsd",
        }
    }

    /// Reads the API's word in any case.
    pub fn read(text: &str) -> Option<Family> {
        [Family::Linux, Family::Windows, Family::Bsd]
            .into_iter()
            .find(|family| family.word().eq_ignore_ascii_case(text.trim()))
    }

    /// The account that `AdminPassword` belongs to.
    pub fn admin(self) -> &'static str {
        match self {
            Family::Windows => "Administrator",
            Family::Linux | Family::Bsd => "root",
        }
    }
}

/// One data centre.
#[derive(Clone, Copy, Debug)]
pub struct DataCentre {
    /// `ID`.
    pub id: u64,
    /// `Title`: the public name, not unique.
    pub title: &'static str,
    /// `TechTitle`: the value for `DCLocation`.
    pub tech_title: &'static str,
    /// `ShortTitle`.
    pub short_title: &'static str,
    /// `Country`.
    pub country: &'static str,
    /// `City`.
    pub city: &'static str,
    /// Whether it has the base pool.
    pub low_pool: bool,
    /// Whether it has the high-performance pool.
    pub high_pool: bool,
    /// Whether backups can be had.
    pub backup: bool,
    /// Whether it refuses `SAS` (documented for Minsk).
    pub ssd_only: bool,
}

#[rustfmt::skip]
const fn data_centre(
    id: u64, title: &'static str, tech_title: &'static str, short_title: &'static str,
    (country, city): (&'static str, &'static str), (low_pool, high_pool): (bool, bool),
) -> DataCentre {
    // The documentation says it of Minsk, whose data centres are 9 and 10.
    let ssd_only = matches!(id, 9 | 10);
    DataCentre { id, title, tech_title, short_title, country, city, low_pool, high_pool, backup: true, ssd_only }
}

/// Every data centre, in the order of the capture. The first is the default one.
#[rustfmt::skip]
pub static DATA_CENTRES: [DataCentre; 13] = [
    data_centre(1, "Xelent", "SdnSpb", "СПБ", ("Россия", "Санкт-Петербург"), (true, true)),
    data_centre(2, "Xelent-2", "SdnSpb2", "СПБ2", ("Россия", "Санкт-Петербург"), (false, true)),
    data_centre(3, "Xelent-3", "SdnSpb3", "СПБ3", ("Россия", "Санкт-Петербург"), (true, true)),
    data_centre(4, "DataSpace", "DsMsk", "МСК", ("Россия", "Москва"), (true, true)),
    data_centre(5, "DataSpace-2", "DsMsk2", "МСК2", ("Россия", "Москва"), (false, true)),
    data_centre(6, "Ahost", "AhKz", "АЛА", ("Казахстан", "Алматы"), (true, true)),
    data_centre(7, "Ahost-2", "AhKz02", "АЛА2", ("Казахстан", "Алматы"), (false, true)),
    data_centre(8, "ТТК", "TtkKz", "NUR", ("Казахстан", "Нур-Султан"), (false, true)),
    data_centre(9, "beCloud", "MinskBy", "МНК", ("Беларусь", "Минск"), (false, true)),
    data_centre(10, "beCloud-3", "MinskBy3", "МНК3", ("Беларусь", "Минск"), (true, true)),
    data_centre(11, "Avantage", "AvnMsk01", "АВН", ("Россия", "Москва"), (true, false)),
    data_centre(12, "МТС", "Vld01", "ВЛД", ("Россия", "Владивосток"), (true, false)),
    data_centre(13, "МТС", "Nsk01", "НСК", ("Россия", "Новосибирск"), (true, false)),
];

/// The data centre that a server stands in, as it was at the beginning: closing it is no matter of those inside.
pub(super) fn data_centre_of(tech_title: &str) -> DataCentre {
    let found = DATA_CENTRES.iter().find(|dc| dc.tech_title.eq_ignore_ascii_case(tech_title.trim()));
    *found.unwrap_or(&DATA_CENTRES[0])
}

/// One stock image as every world begins with it. It exists everywhere.
#[derive(Clone, Copy, Debug)]
pub struct StockImage {
    /// `ID`. Drifts at the provider: look images up by name.
    pub id: u64,
    /// `Name`: the technical name, which servers show as `Image`.
    pub name: &'static str,
    /// `DisplayName`.
    pub display_name: &'static str,
    /// `Hdd`: the smallest disk in GB.
    pub hdd_gb: u32,
    /// `Family`.
    pub family: Family,
}

const fn linux(id: u64, name: &'static str, display_name: &'static str) -> StockImage {
    StockImage { id, name, display_name, hdd_gb: 10, family: Family::Linux }
}

const fn bsd(id: u64, name: &'static str, display_name: &'static str) -> StockImage {
    StockImage { id, name, display_name, hdd_gb: 10, family: Family::Bsd }
}

const fn windows(id: u64, name: &'static str, display_name: &'static str) -> StockImage {
    StockImage { id, name, display_name, hdd_gb: 40, family: Family::Windows }
}

/// Every stock image. `Ubuntu22.04x64`, `Ubuntu24.04x64` and `Debian12x64` are later than the capture.
pub static IMAGES: [StockImage; 24] = [
    windows(3, "WinServer2012R2x64En", "Windows Server 2012 R2 En"),
    windows(4, "WinServer2012R2x64Ru", "Windows Server 2012 R2 Ru"),
    linux(113, "Joomla", "Joomla"),
    bsd(180, "freebsd10x64", "FreeBSD 10"),
    windows(1252, "WinServer2016x64En", "Windows Server 2016 En"),
    windows(1253, "WinServer2016x64Ru", "Windows Server 2016 Ru"),
    linux(1323, "Drupal", "Drupal"),
    linux(2049, "VyOS", "VyOS"),
    linux(2169, "Ubuntu18.04x64", "Ubuntu 18.04"),
    linux(2359, "CentOS7.5_x64", "CentOS 7.9"),
    bsd(2360, "FreeBSD11x64", "FreeBSD 11"),
    linux(2364, "Debian9x64", "Debian 9"),
    windows(3240, "WinServer2019x64En", "Windows Server 2019 En"),
    windows(3241, "WinServer2019x64Ru", "Windows Server 2019 Ru"),
    linux(3492, "Ubuntu20.04x64", "Ubuntu 20.04"),
    windows(3740, "WinServer2022x64En", "Windows Server 2022 En"),
    windows(3742, "WinServer2022x64Ru", "Windows Server 2022 Ru"),
    linux(3782, "Debian10x64", "Debian 10"),
    linux(3783, "Debian11x64", "Debian 11"),
    linux(4112, "RockyLinux_v1", "Rocky Linux 8"),
    linux(4113, "AlmaLinux_v2", "AlmaLinux 8"),
    linux(4301, "Ubuntu22.04x64", "Ubuntu 22.04"),
    linux(4302, "Debian12x64", "Debian 12"),
    linux(4403, "Ubuntu24.04x64", "Ubuntu 24.04"),
];
