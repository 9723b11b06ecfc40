//! `mailsonde job …`: submits lists and looks after them. The work itself is done by `mailsonde work`.

use std::{fs::File, io, path::Path};

use anstream::println;
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use mailsonde_engine::Category;
use serde_json::json;
use uuid::Uuid;

use super::{
    Usage,
    args::{Format, JobCommand, JobFormat, SubmitArgs},
    human::{FAINT, GOOD},
    input,
    output::Output,
    pipeline_named,
    service::Service,
};
use crate::{
    assembly::{Choice, asks_mail_servers},
    jobs::{
        capacity::Site,
        config::JobsConfig,
        ending, results,
        submit::{LOCAL, Request, Source, SubmitError, new_id, submit},
    },
    store::{
        LOCAL_CLIENT,
        jobs::{self, End, JobRow},
    },
    verification::Moment,
    verify::Verified,
};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &JobCommand) -> Result<()> {
    // A file that is not there is said before a database is started.
    let inputs = match command {
        JobCommand::Submit(args) => lines(&args.file)?,
        _ => Vec::new(),
    };
    let service = Service::open(config)?;
    let done = match command {
        JobCommand::Submit(args) => submits(&service, args, inputs),
        JobCommand::List { limit, format } => list(&service, *limit, *format),
        JobCommand::Show { id, format } => show(&service, *id, *format),
        JobCommand::Results { id, format, explain } => prints_results(&service, *id, *format, *explain),
        JobCommand::Pause { id } => switch(&service, *id, Switch::Pause),
        JobCommand::Resume { id } => switch(&service, *id, Switch::Resume),
        JobCommand::Cancel { id } => switch(&service, *id, Switch::Cancel),
    };
    service.close()?;
    done
}

fn lines(file: &Path) -> Result<Vec<String>> {
    if file == Path::new("-") {
        return input::all_lines(io::stdin()).context("reading the addresses");
    }
    let opened = File::open(file).map_err(|error| Usage(format!("{}: {error}", file.display())))?;
    input::all_lines(opened).with_context(|| file.display().to_string())
}

fn submits(service: &Service, args: &SubmitArgs, inputs: Vec<String>) -> Result<()> {
    let Service { settings, runtime, store } = service;
    let pipeline = pipeline_named(settings, &args.pipeline)?;
    let choice = Choice {
        ask_anybody: !args.offline,
        check_smtp: !args.no_smtp,
        check_domain_trust: args.domain_trust,
        ..Choice::default()
    };
    let skips = choice.skips(settings)?;
    let asks = asks_mail_servers(&pipeline.stages, &skips);
    let config: JobsConfig = settings.section("jobs")?;
    let site = Site::new(settings, &config)?;
    let request = Request {
        id: new_id(),
        client: LOCAL_CLIENT,
        facade: LOCAL,
        source: Source::LIST,
        callback: None,
        pipeline: args.pipeline.clone(),
        skips,
        asks,
        window: args.deadline,
        deadline: None,
        retention: None,
        is_billed: false,
        inputs,
        sheet: None,
        answer: None,
        terms: None,
    };
    let id = match runtime.block_on(submit(store, &config, &site, request)) {
        Err(error @ (SubmitError::Empty | SubmitError::TooMany | SubmitError::Window)) => {
            return Err(Usage(error.to_string()).into());
        }
        submitted => submitted?,
    };
    println!("{id}");
    Ok(())
}

fn list(service: &Service, limit: u16, format: JobFormat) -> Result<()> {
    let rows = service.runtime.block_on(async {
        let client = service.store.request().await?;
        jobs::jobs(&client, LOCAL_CLIENT, limit.into()).await
    })?;
    match format {
        JobFormat::Json => {
            println!("{}", serde_json::to_string_pretty(&rows.iter().map(object).collect::<Vec<_>>())?);
        }
        JobFormat::Human => rows.iter().for_each(|row| println!("{}", line(row))),
    }
    Ok(())
}

fn find(service: &Service, id: Uuid) -> Result<JobRow> {
    let found = service.runtime.block_on(async {
        let client = service.store.request().await?;
        jobs::job(&client, id).await
    })?;
    found.ok_or_else(|| no_job(id))
}

fn no_job(id: Uuid) -> anyhow::Error {
    Usage(format!("there is no job {id}")).into()
}

fn show(service: &Service, id: Uuid, format: JobFormat) -> Result<()> {
    let row = find(service, id)?;
    match format {
        JobFormat::Json => println!("{}", serde_json::to_string_pretty(&object(&row))?),
        JobFormat::Human => {
            println!("{}", line(&row));
            for (word, count) in words(&row) {
                println!("  {count:>9} {word}");
            }
        }
    }
    Ok(())
}

/// Categories that occur, once they are counted.
fn words(row: &JobRow) -> Vec<(String, i32)> {
    let counts = row.counts.as_deref().unwrap_or_default();
    let words = Category::ALL.iter().map(|category| category.word().to_owned());
    words.zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
}

fn object(row: &JobRow) -> serde_json::Value {
    let stats =
        row.counts.as_ref().map(|_| words(row).into_iter().collect::<std::collections::BTreeMap<_, _>>());
    json!({
        "id": row.id,
        "state": row.state,
        "pipeline": row.pipeline,
        "items": row.items,
        "done": row.done,
        "created_at": seconds(Some(row.created_at)),
        "deadline_at": seconds(Some(row.deadline_at)),
        "started_at": seconds(row.started_at),
        "ended_at": seconds(row.ended_at),
        "left_over": row.left_over,
        "expires_at": seconds(Some(row.expires_at)),
        "is_pruned": row.pruned_at.is_some(),
        "categories": stats,
    })
}

fn seconds(moment: Option<Timestamp>) -> Option<String> {
    moment.map(|moment| format!("{moment:.0}"))
}

fn line(row: &JobRow) -> String {
    let percent = i64::from(row.done) * 100 / i64::from(row.items.max(1));
    let end = match row.ended_at {
        Some(ended_at) => format!("ended {ended_at:.0}"),
        None => format!("until {:.0}", row.deadline_at),
    };
    let left_over = row.left_over.as_deref().map(|word| format!(" ({word})")).unwrap_or_default();
    format!(
        "{} {GOOD}{:<9}{GOOD:#} {:>8} of {} ({percent} %) {FAINT}{end}{left_over}{FAINT:#}",
        row.id, row.state, row.done, row.items,
    )
}

fn prints_results(service: &Service, id: Uuid, format: Format, explain: bool) -> Result<()> {
    let kept = service.runtime.block_on(async {
        let mut client = service.store.request().await?;
        jobs::kept(&mut client, id).await
    })?;
    let Some((row, contents)) = kept else { return Err(no_job(id)) };
    if row.pruned_at.is_some() || row.is_expired {
        bail!("the results of {id} were kept until {:.0}", row.expires_at);
    }
    let verdicts = results::open(service.store.keys(), id, &contents, row.end())?;
    let mut output = Output::new(format, explain, false, false)?;
    for judged in verdicts {
        let moment = Moment { verified_at: judged.verified_at, took: judged.took };
        let verdicts = vec![judged.verdict];
        output.write(&Verified { first_row: judged.row.into(), verdicts, reports: Vec::new(), moment })?;
    }
    output.finish()?;
    Ok(())
}

/// What may be done with a job that runs.
#[derive(Debug, Clone, Copy)]
enum Switch {
    Pause,
    Resume,
    Cancel,
}

fn switch(service: &Service, id: Uuid, to: Switch) -> Result<()> {
    let row = find(service, id)?;
    let is_done = service.runtime.block_on(async {
        match to {
            Switch::Pause => jobs::pause(&mut service.store.request().await?, id).await,
            Switch::Resume => jobs::resume(&mut service.store.request().await?, id).await,
            Switch::Cancel => ending::end(&service.store, id, End::Canceled).await,
        }
    })?;
    if !is_done {
        bail!("{id} is {}: nothing is changed", row.state);
    }
    Ok(())
}
