//! Guests as files of other kinds than text: core modules, components, components that import WASI.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use crate::guest::Guest;

/// As much of WASI as guests of the tests import.
const WASI: &str = "
package test:guest;

world with-wasi {
    import wasi:cli/stderr@0.2.0;
    import wasi:io/streams@0.2.0;
    import wasi:random/random@0.2.0;
    include mailsonde:stage/full@1.0.0;
}

package wasi:io@0.2.0 {
    interface error {
        resource error;
    }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }
}

package wasi:cli@0.2.0 {
    interface stderr {
        use wasi:io/streams@0.2.0.{output-stream};
        get-stderr: func() -> output-stream;
    }
}

package wasi:random@0.2.0 {
    interface random {
        get-random-bytes: func(len: u64) -> list<u8>;
    }
}
";

impl Guest {
    /// The guest as a binary core module.
    pub(crate) fn module(&self) -> Vec<u8> {
        wat::parse_str(self.wat()).unwrap_or_else(|error| panic!("{error}\n{}", self.wat()))
    }

    /// The guest as a component.
    pub(crate) fn component(&self) -> Vec<u8> {
        mailsonde_wasm::componentize(&self.module()).unwrap().into_owned()
    }

    /// The guest as a component of a world that has WASI beside ours.
    pub(crate) fn component_with_wasi(&self) -> Vec<u8> {
        let (mut resolve, mut ours, mut wasi) = (Resolve::new(), SourceMap::new(), SourceMap::new());
        for (name, text) in mailsonde_wasm::WIT {
            ours.push(name.as_ref(), text);
        }
        wasi.push("wasi.wit".as_ref(), WASI);
        resolve.push_group(ours.parse().map_err(|(_, error)| error).unwrap()).unwrap();
        let package = resolve.push_group(wasi.parse().map_err(|(_, error)| error).unwrap()).unwrap();
        let world = resolve.select_world(&[package], Some("with-wasi")).unwrap();
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }
}
