//! What may differ at the real provider (switches) and where the simulator stops (limits).

/// What an answer shows as `EndDate` of an action that still runs; unknown, so all three exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EndDateWhileRunning {
    /// `null`.
    #[default]
    Null,
    /// The field is left out.
    Absent,
    /// `0001-01-01T00:00:00`.
    Zero,
}

/// A limit on how fast one key may ask. Off by default: its unit and its answer are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Smallest gap between two GETs.
    pub get_gap_ms: u64,
    /// Smallest gap between two writes.
    pub write_gap_ms: u64,
    /// Status of the refusal: 429 or 403.
    pub status: u16,
}

/// Facts about the API that are not certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `PowerOn` when on and `PowerOff` when off: refused with 400 (true) or completed at once (false).
    pub idle_power_refused: bool,
    /// `NetworkType` of private links.
    pub private_network_type: String,
    /// `EndDate` of an action that still runs.
    pub end_date_while_running: EndDateWhileRunning,
    /// Whether the balance is a quoted string.
    pub balance_quoted: bool,
    /// Whether a stored key comes back without its first word (`ssh-rsa`).
    pub keys_lose_algorithm: bool,
    /// The order of the action list.
    pub actions_newest_first: bool,
    /// `Type` of images that a project made.
    pub own_image_type: String,
    /// Status of the refusal to delete a stock image: 403 or 400.
    pub stock_image_delete_status: u16,
    /// An unknown `DCLocation`: refused with 400 (true) or taken for the default one (false).
    pub unknown_location_refused: bool,
    /// `State` of records: always null (true) or `New` and `Active` (false).
    pub record_state_null: bool,
    /// Whether `HostName` of every record that has an owner comes back fully qualified, as that of TXT always does.
    pub record_names_qualified: bool,
    /// Whether `Service` of SRV records comes back with a dot at its end.
    pub srv_service_dot: bool,
    /// `GET /storage` before its activation: an object with the state `NotActivated` (true) or 404 (false).
    pub storage_shown_before_activation: bool,
    /// Request rate.
    pub rate_limit: Option<RateLimit>,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            idle_power_refused: false,
            private_network_type: "Private".to_owned(),
            end_date_while_running: EndDateWhileRunning::Null,
            balance_quoted: false,
            keys_lose_algorithm: false,
            actions_newest_first: true,
            own_image_type: "UserServer".to_owned(),
            stock_image_delete_status: 403,
            unknown_location_refused: false,
            record_state_null: false,
            record_names_qualified: false,
            srv_service_dot: true,
            storage_shown_before_activation: false,
            rate_limit: None,
        }
    }
}

/// Bounds of the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body; above it 413.
    pub body_bytes_max: usize,
    /// Servers of one project; above it 400.
    pub servers_max: usize,
    /// Private networks of one project.
    pub networks_max: usize,
    /// Public networks of one project.
    pub public_networks_max: usize,
    /// Keys of one project.
    pub keys_max: usize,
    /// Own images of one project.
    pub images_max: usize,
    /// Domains of one project.
    pub domains_max: usize,
    /// Records of one domain.
    pub records_max: usize,
    /// Storage users of one project.
    pub storage_users_max: usize,
    /// Actions of one server that may wait.
    pub actions_waiting_max: usize,
    /// Finished actions that one server remembers.
    pub actions_remembered_max: usize,
    /// Entries of the request journal; then the oldest is dropped.
    pub journal_entries_max: usize,
    /// Bytes of bodies in the request journal; then the oldest is dropped.
    pub journal_bytes_max: usize,
    /// Fault rules that may wait.
    pub faults_max: usize,
    /// Effects that may wait for their late moment.
    pub late_effects_max: usize,
    /// Changes remembered for lists that lag.
    pub history_entries_max: usize,
    /// Longest time an answer may hang; then the connection is closed.
    pub hang_ms_max: u64,
    /// Cores of one server: documented 8, seen 16.
    pub cpu_max: u32,
    /// Memory of one server in MB.
    pub ram_mb_max: u32,
    /// Disk of one server in GB.
    pub hdd_gb_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes_max: 1 << 20,
            servers_max: 20_000,
            networks_max: 1_000,
            public_networks_max: 100,
            keys_max: 1_000,
            images_max: 1_000,
            domains_max: 1_000,
            records_max: 10_000,
            storage_users_max: 1_000,
            actions_waiting_max: 100,
            actions_remembered_max: 200,
            journal_entries_max: 100_000,
            journal_bytes_max: 64 << 20,
            faults_max: 1_000,
            late_effects_max: 10_000,
            history_entries_max: 50_000,
            hang_ms_max: 600_000,
            cpu_max: 16,
            ram_mb_max: 16_384,
            hdd_gb_max: 250,
        }
    }
}
