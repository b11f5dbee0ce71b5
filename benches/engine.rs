//! The criterion benches of the engine through its door.
fn main() {}
