//! The makers of the conformance suite, for measurements.

#[path = "../../it/suite/scene.rs"]
#[allow(dead_code, reason = "a measurement needs few of them")]
pub mod scene;
