//! `mailsonde serve` as its clients and its operators see it: the program itself on a port of its own, a Postgres for each
//! test, and requests written octet by octet, so that they can be as wrong as they like.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod answers;
mod bodies;
mod browser;
mod documented;
mod downloads;
mod drains;
mod email_verifier;
mod expired;
mod heads;
mod kept;
mod limits;
mod manual;
mod names;
mod pages;
mod products;
mod published;
mod reference;
mod relentless;
mod repeats;
mod sdk;
mod slow;
mod starts;
mod stats;
mod switches;
mod tasks;
mod uploads;
