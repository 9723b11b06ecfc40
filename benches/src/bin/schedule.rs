//! Simulated days of jobs: `schedule [SEEDS [RECONSIDERED]]` prints figures as JSON, a line for each kind of day.
//!
//! Each seed is a day, of which so many refused jobs are looked at again. The first line tells how
//! long cutting a job of 100,000 items takes.

#![allow(clippy::print_stdout)] // figures are the output

use std::time::Instant;

use anyhow::Result;
use mailsonde::plan::{
    cut::{Keys, cut},
    simulation::{Figures, Options, examine},
};
use mailsonde_benches::addresses;
use mailsonde_engine::Operator;

type Day = fn(u64) -> Options;

const DAYS: [(&str, Day); 4] = [
    ("heavy", Options::heavy),
    ("by_operators", Options::by_operators),
    ("ordinary", Options::ordinary),
    ("small", Options::small),
];

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let seeds: u64 = args.next().map_or(Ok(10), |seeds| seeds.parse())?;
    let reconsidered: usize = args.next().map_or(Ok(20), |count| count.parse())?;
    println!("{}", cutting());
    for (name, day) in DAYS {
        let days = (1..=seeds).map(|seed| examine(&day(seed), reconsidered));
        let figures = days.reduce(|sum, day| sum.and(&day)).unwrap_or_default();
        println!("{}", line(name, &figures));
    }
    Ok(())
}

fn line(name: &str, figures: &Figures) -> serde_json::Value {
    serde_json::json!({
        "day": name,
        "jobs": figures.jobs,
        "accepted": figures.accepted,
        "missed": figures.missed,
        "hurried": figures.hurried,
        "kept": figures.kept(),
        "reconsidered": figures.reconsidered,
        "refused_wrongly": figures.refused_wrongly(),
        "lost": figures.lost(),
        "items": figures.items,
        "busy_at_peak": figures.busy_at_peak(),
    })
}

/// The best of five.
fn cutting() -> serde_json::Value {
    let inputs: Vec<String> = addresses(100_000).collect();
    let millis = (0..5).map(|_| {
        let began = Instant::now();
        let mut keys = Keys::new(|domain: &str| Operator::of_domain(domain).map(Operator::id));
        let items: Vec<_> = inputs.iter().map(|input| keys.of(input)).collect();
        let chunks = cut(&keys, &items).len();
        (began.elapsed().as_secs_f64() * 1000.0, chunks)
    });
    let (millis, chunks) = millis.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    serde_json::json!({ "cut": "100,000 items", "millis": millis, "chunks": chunks })
}
