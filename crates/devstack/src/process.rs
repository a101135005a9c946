//! Starts programs, waits for them and stops them: on success, failure, panic and Ctrl-C.
//!
//! Every child gets its own process group: Ctrl-C reaches only xtask, which decides the order of stopping. Every child also gets a
//! parent-death signal, so that even a killed xtask leaves no orphan.
//!
//! `tools`, `stores` and `stack` choose the programs and their arguments. `process/command` puts a program into its group, `process/task`
//! runs programs that end by themselves, `process/daemon` the others, and `process/interrupt` waits.

mod command;
mod daemon;
mod interrupt;
mod restarts;
mod task;

pub use command::{User, command, own_program};
pub use daemon::{Daemon, Process, last_lines};
pub use interrupt::{check_interrupt, interrupted, pause, sleep, wait_until, watch_signals};
pub use task::{Captured, capture, capture_ok, run, task};
