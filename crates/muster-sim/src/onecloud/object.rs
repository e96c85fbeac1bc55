//! The objects of one project, as the simulator keeps them. How they are written is in `view`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::catalog::{DiskType, Family};
use super::image::Image;

/// Where a server or a network stands; the documented words of `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Being made.
    New,
    /// Ready.
    Active,
    /// Not paid for any more.
    Blocked,
    /// Not made for lack of money.
    NeedMoney,
}

impl Life {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Life::New => "New",
            Life::Active => "Active",
            Life::Blocked => "Blocked",
            Life::NeedMoney => "NeedMoney",
        }
    }

    /// Reads the API's word in any case.
    pub fn read(word: &str) -> Option<Life> {
        [Life::New, Life::Active, Life::Blocked, Life::NeedMoney]
            .into_iter()
            .find(|life| life.word().eq_ignore_ascii_case(word.trim()))
    }
}

/// What a server is made of; the fields that a resize can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub cpu: u32,
    pub ram_mb: u32,
    pub hdd_gb: u32,
    pub hdd_type: DiskType,
    pub high: bool,
}

/// A connection of a server to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// `LinkID`.
    pub id: u64,
    /// `NetworkID`; 1 is the shared public one.
    pub network: u64,
    /// `NetworkType`.
    pub network_type: String,
    /// `NetworkName`.
    pub network_name: String,
    /// `IP`.
    pub ip: IpAddr,
    /// `MAC`.
    pub mac: String,
    /// `Mask`.
    pub mask: Ipv4Addr,
    /// `Gateway`; private networks have none.
    pub gateway: Option<Ipv4Addr>,
    /// `Bandwidth` in Mbit/s.
    pub bandwidth: u32,
}

/// One server.
#[derive(Clone, Debug)]
pub struct Server {
    /// `ID`.
    pub id: u64,
    /// `Name`: free text, not unique.
    pub name: String,
    /// Where it stands.
    pub life: Life,
    /// Another word that `State` shows instead, put there by a fault or by drift.
    pub state_word: Option<String>,
    /// `IsPowerOn`.
    pub power_on: bool,
    /// `CPU`.
    pub cpu: u32,
    /// `RAM` in MB.
    pub ram_mb: u32,
    /// `HDD` in GB.
    pub hdd_gb: u32,
    /// `HDDType`.
    pub hdd_type: DiskType,
    /// `IsHighPerformance`.
    pub high: bool,
    /// `IP`, once assigned.
    pub ip: Option<IpAddr>,
    /// `AdminPassword`, once ready; a made-up machine's, so clear text is fine here.
    pub admin_password: Option<String>,
    /// Number of the image.
    pub image_id: u64,
    /// `Image`: technical name of the image.
    pub image: String,
    /// `ImageFamily`.
    pub family: Family,
    /// `DCLocation`.
    pub dc_location: String,
    /// Days that a backup is kept; 0 is no backup.
    pub backup_days: u32,
    /// `LinkedNetworks`.
    pub links: Vec<Link>,
    /// `LinkedSshKeys`.
    pub keys: Vec<SshKey>,
    /// `DateCreate`.
    pub created: Timestamp,
    /// `Hdd` of its image: the smallest disk that it may have.
    pub(super) image_hdd_gb: u32,
    /// Whether it was on when it was blocked.
    pub(super) on_before_block: bool,
    /// Its JSON text, kept until it changes: a list of thousands is then only copied together.
    pub(super) text: OnceLock<Box<str>>,
}

impl Server {
    /// The word that `State` shows.
    pub fn state(&self) -> &str {
        self.state_word.as_deref().unwrap_or(self.life.word())
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            cpu: self.cpu,
            ram_mb: self.ram_mb,
            hdd_gb: self.hdd_gb,
            hdd_type: self.hdd_type,
            high: self.high,
        }
    }

    pub(super) fn take_shape(&mut self, shape: Shape) {
        self.cpu = shape.cpu;
        self.ram_mb = shape.ram_mb;
        self.hdd_gb = shape.hdd_gb;
        self.hdd_type = shape.hdd_type;
        self.high = shape.high;
    }

    pub(super) fn take_image(&mut self, image: &Image) {
        self.image_id = image.id;
        image.name.clone_into(&mut self.image);
        self.family = image.family;
        self.image_hdd_gb = image.hdd_gb;
    }

    /// What its image was; the image itself may be gone by now.
    pub(super) fn image_now(&self) -> Image {
        Image {
            id: self.image_id,
            name: self.image.clone(),
            display_name: self.image.clone(),
            hdd_gb: self.image_hdd_gb,
            family: self.family,
            dc_location: String::new(),
            stock: false,
        }
    }
}

/// One private network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// `ID`.
    pub id: u64,
    /// `Name`.
    pub name: String,
    /// Where it stands.
    pub life: Life,
    /// Another word that `State` shows instead.
    pub state_word: Option<String>,
    /// `IsDHCP`.
    pub dhcp: bool,
    /// `DCLocation`.
    pub dc_location: String,
    /// Second byte of its addresses, 10.N.0.0/16. Private networks may share one: they never meet.
    pub(super) second_byte: u8,
    /// Addresses handed out so far.
    pub(super) hosts_given: u32,
    /// Whether its deletion is under way.
    pub(super) deleting: bool,
}

/// Length of a private network's prefix.
pub(super) const PRIVATE_PREFIX: u8 = 16;
/// Mask of a private network.
pub(super) const PRIVATE_MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 0, 0);
/// How many hosts a private network holds.
pub(super) const PRIVATE_CAPACITY: u32 = 65_000;

impl Network {
    /// The word that `State` shows.
    pub fn state(&self) -> &str {
        self.state_word.as_deref().unwrap_or(self.life.word())
    }

    /// The next address; the first ten are left for gateways and the owner's own use.
    pub(super) fn next_address(&mut self) -> Ipv4Addr {
        let host = 10 + self.hosts_given % PRIVATE_CAPACITY;
        self.hosts_given += 1;
        let [.., high, low] = host.to_be_bytes();
        Ipv4Addr::new(10, self.second_byte, high, low)
    }
}

/// A public key that new servers can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshKey {
    /// `ID`.
    pub id: u64,
    /// `Title`.
    pub title: String,
    /// `PublicKey`, the whole line.
    pub public_key: String,
}

/// How far an action is; the documented words of its `State`. There is no failure state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// Waiting behind another action of the same server.
    Postponed,
    /// Running.
    InProgress,
    /// Done.
    Completed,
}

impl ActionState {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            ActionState::Postponed => "Postponed",
            ActionState::InProgress => "InProgress",
            ActionState::Completed => "Completed",
        }
    }
}

/// One of the five things that can be done to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
    Reboot,
    ShutDownGuest,
    RebootGuest,
}

/// What an action does when its time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Create { networks: Vec<u64>, bandwidth: u32 },
    Resize(Shape),
    Power(Power),
    AddNetwork(u64),
    RemoveNetwork(u64),
    Bandwidth { link: u64, speed: u32 },
    Rebuild { image: Arc<Image> },
    Delete,
}

impl Work {
    /// The API's word for `Type`. `Rebuild` and `Delete` are guesses: clients read the first action without
    /// looking at its type.
    pub fn word(&self) -> &'static str {
        match self {
            Work::Create { .. } => "Create",
            Work::Resize(_) => "Resize",
            Work::Power(Power::On) => "PowerOn",
            Work::Power(Power::Off) => "PowerOff",
            Work::Power(Power::Reboot) => "PowerReboot",
            Work::Power(Power::ShutDownGuest) => "ShutDownGuestOS",
            Work::Power(Power::RebootGuest) => "RebootGuestOS",
            Work::AddNetwork(_) => "AddNetwork",
            Work::RemoveNetwork(_) => "RemoveNetwork",
            Work::Bandwidth { .. } => "EditNetworkBandwidth",
            Work::Rebuild { .. } => "Rebuild",
            Work::Delete => "Delete",
        }
    }
}

/// One action of a server.
#[derive(Clone, Debug)]
pub struct Action {
    /// `ID`.
    pub id: u64,
    /// `State`.
    pub state: ActionState,
    /// `StartDate`.
    pub started: Timestamp,
    /// `EndDate`.
    pub ended: Option<Timestamp>,
    pub(super) work: Work,
    /// A fault keeps it `InProgress` until the faults are cleared.
    pub(super) stuck: bool,
    /// The machine's part of the work is still under way.
    pub(super) machine_busy: bool,
    /// The machine's part failed; the action then never ends, as the API knows no failed state.
    pub(super) machine_failure: Option<String>,
    /// When it ends, if its machine is ready by then.
    pub(super) due: Timestamp,
    /// What was laid ready when it started: links, address, password.
    pub(super) prepared: Prepared,
}

impl Action {
    /// The word of `Type`.
    pub fn kind(&self) -> &'static str {
        self.work.word()
    }
}

/// What an action will hand over at its end, laid ready at its start because a machine needs it earlier.
#[derive(Clone, Debug, Default)]
pub(super) struct Prepared {
    pub links: Vec<Link>,
    pub ip: Option<IpAddr>,
    pub password: Option<String>,
}
