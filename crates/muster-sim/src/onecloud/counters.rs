//! Numbers of new objects, from one counter a kind: a number is never used twice.

/// The last number given to each kind.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    server: u64,
    action: u64,
    network: u64,
    public_network: u64,
    link: u64,
    key: u64,
    image: u64,
    domain: u64,
    record: u64,
    storage: u64,
    storage_user: u64,
}

fn next(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter
}

impl Counters {
    pub fn new() -> Counters {
        Counters {
            server: 500_122,
            action: 900_000,
            network: 30_000,
            public_network: 60_000,
            link: 70_000,
            key: 4_000,
            image: 8_000,
            domain: 20_000,
            record: 200_000,
            storage: 1_000,
            storage_user: 11_000,
        }
    }

    pub fn server(&mut self) -> u64 {
        next(&mut self.server)
    }

    pub fn action(&mut self) -> u64 {
        next(&mut self.action)
    }

    pub fn network(&mut self) -> u64 {
        next(&mut self.network)
    }

    pub fn public_network(&mut self) -> u64 {
        next(&mut self.public_network)
    }

    pub fn link(&mut self) -> u64 {
        next(&mut self.link)
    }

    pub fn key(&mut self) -> u64 {
        next(&mut self.key)
    }

    pub fn image(&mut self) -> u64 {
        next(&mut self.image)
    }

    pub fn domain(&mut self) -> u64 {
        next(&mut self.domain)
    }

    pub fn record(&mut self) -> u64 {
        next(&mut self.record)
    }

    pub fn storage(&mut self) -> u64 {
        next(&mut self.storage)
    }

    pub fn storage_user(&mut self) -> u64 {
        next(&mut self.storage_user)
    }
}
