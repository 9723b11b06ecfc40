//! End-to-end tests of mailsonde: the program itself against mail and DNS servers of other people's making.
//!
//! [`real`] starts those servers on loopback, [`mailsonde`] builds and runs the program, [`site`] is an installation of it
//! that stays: processes on one Postgres. None knows our code: this crate depends on no other of the workspace, so a bug
//! cannot hide by being on both sides of a test.
//!
//! `tests/setup` installs the servers' packages. The tests need Linux and root (Postfix insists on it), no
//! network and no port below 1024, and leave nothing behind.

pub mod chance;
pub mod mailsonde;
pub mod range;
pub mod real;
pub mod site;
