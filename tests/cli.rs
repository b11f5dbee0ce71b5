//! The program's commands as people and scripts run them: each one against a server and on a data
//! directory, with what it prints and what it ends with.

mod bed;
mod directories;
mod exits;
mod logs;
mod push;
mod queries;
mod shell;
mod tail;
mod upkeep;
