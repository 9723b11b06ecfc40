//! The peer of `benches/run serve`: an axum handler without anything around it, which reads the JSON of a verification and
//! writes JSON of the same length as ours. `bare ANSWER`, the answer as JSON; prints its address.

#![allow(clippy::print_stdout)] // the address is the output

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;

fn main() -> Result<()> {
    let answer = std::env::args().nth(1).context("usage: bare ANSWER")?;
    let answer: Arc<Value> = Arc::new(serde_json::from_str(&answer)?);
    let routes = Router::new().route("/api/v1/verify", post(verify)).with_state(answer);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        Ok(axum::serve(listener, routes).await?)
    })
}

/// It echoes the address, as ours does, so that what it read cannot be left out.
async fn verify(State(answer): State<Arc<Value>>, Json(asked): Json<Value>) -> Json<Value> {
    let mut answer = Value::clone(&answer);
    answer["email"] = asked["email"].clone();
    Json(answer)
}
