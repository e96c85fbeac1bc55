//! Worlds to begin with, for benchmarks.

use std::sync::Arc;

use super::catalog;
use super::create::NewServer;
use super::object::Shape;
use super::simulator::Simulator;

impl Simulator {
    /// Puts `count` ready servers called `PREFIX-1`, `PREFIX-2`, … into a project: 1 core, 1024 MB, 40 GB SSD,
    /// `Ubuntu22.04x64` in `SdnSpb`, base pool. Stops where the project is full; gives how many there are now.
    /// With machines each of them starts one.
    pub fn seed_servers(&self, project: usize, prefix: &str, count: usize) -> usize {
        self.with(|inner| {
            let world = &mut inner.world;
            let image = world.stock_image_named("Ubuntu 22.04").filter(|_| project < world.projects.len());
            let Some(image) = image else { return 0 };
            for number in 1..=count {
                let new = NewServer {
                    name: format!("{prefix}-{number}"),
                    shape: Shape {
                        cpu: 1,
                        ram_mb: 1024,
                        hdd_gb: 40,
                        hdd_type: catalog::DiskType::Ssd,
                        high: false,
                    },
                    image: Arc::clone(&image),
                    dc: catalog::DATA_CENTRES[0],
                    backup_days: 0,
                    keys: Vec::new(),
                    networks: Vec::new(),
                    bandwidth: 10,
                    created: world.now,
                };
                match world.make_server(project, new) {
                    Ok(id) if !world.machines => world.finish_at_once(project, id),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            world.projects[project].servers.len()
        })
    }
}
