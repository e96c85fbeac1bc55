//! The slow suites of this room: `./dev test-full` and `./dev bench` run them, `./dev test` does not build them.

mod bench;
mod cost;
mod devcontainer;
mod machine_fleet;
#[path = "../../../../testing/skip.rs"]
mod skip;
