//! The store's conformance suite: what every store must do. One binary; the theme is the file's name.

mod approval;
mod facts;
mod forms;
mod journal;
mod node;
mod output;
mod scene;
mod settings;
