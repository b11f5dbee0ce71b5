//! Every test that lives outside its crate, in one binary.

mod floors;
