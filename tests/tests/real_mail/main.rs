//! Verdicts end to end: the program, real DNS, real SMTP, and what it has to say in each situation.
//!
//! Every run also shows that no message was sent, that there is one verdict per address, in the order of the
//! addresses, and that the program is content (exit status 0).

mod batches;
mod command;
mod connections;
mod encryption;
mod finder;
mod greylisting;
mod limits;
mod mailboxes;
mod manners;
mod names;
mod other_servers;
mod refusals;
mod verdict;
