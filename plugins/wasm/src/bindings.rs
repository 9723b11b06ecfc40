//! Version 1 of the interface, as Rust: made from `wit/v1`, which is where its words are explained.

#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)] // generated

wasmtime::component::bindgen!({
    path: "../../wit/v1",
    world: "full",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: {
        "mailsonde:stage/dns.lookup-many": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
