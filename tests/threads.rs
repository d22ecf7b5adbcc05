//! Threads that need ONNX Runtime while another is loading it share one environment. What is tried is
//! the first use in a process, so this is a process of its own.
#![allow(missing_docs, clippy::unwrap_used)]

use std::thread;

use abslrp::verify::runtime::{Locate, load};

#[test]
fn threads_share_an_environment() {
    let runtime = Locate { fetch: Some(|what| eprintln!("{what}")), ..Locate::default() };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| load(&runtime))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}
