//! The ledger by itself: nothing is waited for.
