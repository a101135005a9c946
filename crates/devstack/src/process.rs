//! Starts programs, waits for them and stops them: on success, failure, panic and Ctrl-C.
//!
//! Every child gets its own process group, so that Ctrl-C reaches only xtask, which decides the order of stopping. Every child also gets a
//! parent-death signal, so that it ends even if xtask is killed.
//!
//! The callers choose the programs and their arguments. `process/command` puts a program into its group, `process/task` runs programs that
//! end by themselves, `process/daemon` runs the others, `process/restarts` schedules their restarts, and `process/interrupt` handles
//! Ctrl-C and has the functions that wait.

mod command;
mod daemon;
mod interrupt;
mod restarts;
mod task;

pub use command::{User, command, own_program};
pub use daemon::{Daemon, Process, last_lines};
pub use interrupt::{check_interrupt, interrupted, pause, rest, sleep, wait_until, watch_signals};
pub use task::{Captured, capture, capture_ok, run, task};
