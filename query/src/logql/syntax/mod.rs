//! The syntax of LogQL: the tree, its parser and its printer.

pub mod ast;

pub use ast::Query;
