//! The judge against the contract: every rule, every word, every score; and the laws that hold for all findings.

mod cases;
mod laws;
mod opinions;
mod table;
