//! Migrations are compiled in by a macro that cargo does not see through: a new file must build the crate anew.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
