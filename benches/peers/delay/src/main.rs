//! `delay QUEUE MICROSECONDS`: accepts each packet of a netfilter queue that long after it came, in order.
//!
//! A stand-in for netem, which not every kernel has. It prints `ready` when it holds the queue: from then on,
//! rules of iptables with `-j NFQUEUE --queue-num QUEUE` may send packets to it. It loses and reorders none.

use std::collections::VecDeque;
use std::env;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nfq::{Message, Queue, Verdict};

/// Between two looks at the queue while packets are held: few enough that the delay costs no CPU worth counting.
/// A packet waits half of it to be seen and half of it to be let go, on average; that is taken off its delay.
const LOOK_AGAIN: Duration = Duration::from_micros(200);
/// The kernel drops what does not fit; its own default is 1,024.
const QUEUE_LENGTH_MAX: u32 = 65_536;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [queue_number, delay_us] = arguments.as_slice() else { bail!("usage: delay QUEUE MICROSECONDS") };
    let queue_number = queue_number.parse().context("the queue's number")?;
    let delay = Duration::from_micros(delay_us.parse().context("the delay in microseconds")?);

    let mut queue =
        open(queue_number).context("no netfilter queue; it takes root and a kernel that has them")?;
    println!("ready");
    let mut held = VecDeque::new();
    loop {
        take_in(&mut queue, &mut held, delay.saturating_sub(LOOK_AGAIN))?;
        let now = Instant::now();
        while let Some((_, mut packet)) = held.pop_front_if(|(due, _)| *due <= now) {
            packet.set_verdict(Verdict::Accept);
            queue.verdict(packet)?;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn open(number: u16) -> Result<Queue> {
    let mut queue = Queue::open()?;
    queue.bind(number)?;
    queue.set_copy_range(number, 0)?; // contents do not matter here
    queue.set_recv_gso(number, true)?; // nor do sizes
    queue.set_queue_max_len(number, QUEUE_LENGTH_MAX)?;
    Ok(queue)
}

/// Takes all that waits in the queue, each with the moment at which it is due. Waits for a first one if none is held.
fn take_in(queue: &mut Queue, held: &mut VecDeque<(Instant, Message)>, delay: Duration) -> Result<()> {
    loop {
        queue.set_nonblocking(!held.is_empty());
        match queue.recv() {
            Ok(packet) => held.push_back((Instant::now() + delay, packet)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("receiving a packet"),
        }
    }
}
