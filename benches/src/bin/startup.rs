//! From process start to the first packet of one `verify`: `startup BINARY [RUNS]` prints milliseconds as JSON.
//!
//! The binary is pointed at a socket of ours as its name server; the clock stops when its first question arrives.

#![allow(clippy::print_stdout)] // figures are the output

use std::{
    net::UdpSocket,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = args.next().context("usage: startup BINARY [RUNS]")?;
    let runs: usize = args.next().map_or(Ok(20), |runs| runs.parse())?;
    let mut millis = Vec::with_capacity(runs);
    for _ in 0..runs {
        millis.push(first_packet(&binary)?.as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    let figures = serde_json::json!({ "runs": runs, "min": millis[0], "median": millis[runs / 2], "max": millis[runs - 1] });
    println!("{figures}");
    Ok(())
}

fn first_packet(binary: &str) -> Result<Duration> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args(["verify", "jane.doe@example.com"])
        .env("MAILSONDE_DNS__SERVERS", format!("[\"{}\"]", socket.local_addr()?))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let received = socket.recv(&mut [0; 512]).context("no question arrived");
    let elapsed = began.elapsed();
    child.kill()?;
    child.wait()?;
    received?;
    Ok(elapsed)
}
