//! The arguments, in one place: what `--help` shows is written here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use mailsonde_builtin::syntax;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    client::ClientCommand, csv::CsvArgs, key::KeyCommand, log::LogLevel, plugin::PluginCommand,
    webhook::WebhookCommand,
};
use crate::{access::Facade, bounces};

/// Verify email addresses without sending mail.
#[derive(Debug, Parser)]
#[command(name = "mailsonde", version, about, max_term_width = 100)]
pub(super) struct Args {
    /// Configuration file [default: ./mailsonde.toml, else the user's, else the system's, else built-in defaults]
    #[arg(long, global = true, value_name = "FILE", env = "MAILSONDE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print without colours, even on a terminal
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What is told on standard error while a command runs
    #[arg(long, global = true, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify addresses: arguments, a file, or lines on standard input
    Verify(VerifyArgs),
    /// Find a person's address: a full name, and a company's domain
    Find(FindArgs),
    /// Verify the addresses of a table, which gets columns of verdicts; or say what a table is like
    Csv(CsvArgs),
    /// Say what SMTP replies mean: arguments, or lines on standard input
    Reply(ReplyArgs),
    /// Remember mailboxes that refused mail elsewhere
    #[command(subcommand)]
    Bounces(BouncesCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the data lists, or refresh them
    #[command(subcommand)]
    Data(DataCommand),
    /// Make, test and measure plugins: stages as WebAssembly components
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Submit lists to be verified in the background, and look after them
    #[command(subcommand)]
    Job(JobCommand),
    /// Say who is served, and on which terms
    #[command(subcommand)]
    Client(ClientCommand),
    /// Make, list and end the keys of clients
    #[command(subcommand)]
    Key(KeyCommand),
    /// Serve the API, and work at submitted jobs, until told to end (Ctrl-C; twice: at once)
    Serve(ServeArgs),
    /// Work at submitted jobs until told to end (Ctrl-C; twice: at once)
    Work(WorkArgs),
    /// Look after the secrets that sign webhooks, and try receivers
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Remove people from everything that is kept: their rows in jobs, and the memory of their mailboxes
    Forget(ForgetArgs),
    /// Bring the database's schema up to date; every command that needs it does so too
    Migrate,
    /// Print the `OpenAPI` 3.1 document of the API
    Openapi {
        /// Of one product alone, to make its clients from [default: all that is served]
        #[arg(long, value_enum, value_name = "PRODUCT")]
        facade: Option<Facade>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct VerifyArgs {
    /// Addresses; `-` reads one per line from standard input
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// Read one address per line from a file
    #[arg(long, short, value_name = "FILE", conflicts_with = "addresses")]
    pub input: Option<PathBuf>,
    /// How to print [json: one object for one ADDRESS, else an array]
    #[arg(long, short, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Say how each verdict came about
    #[arg(long)]
    pub explain: bool,
    #[command(flatten)]
    pub pass: PassArgs,
    /// Print each batch as it is done, with row numbers, instead of in order (human or jsonl)
    #[arg(long)]
    pub as_completed: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct FindArgs {
    /// The full name; `-` reads one person per line from standard input: a name, a tab and a domain, or
    /// `{"full_name": …, "email_domain": …, "colleagues": […]}`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The company's domain, or the address of its web site
    #[arg(value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// List the addresses that it may be, the likeliest first; nobody is asked
    #[arg(long)]
    pub candidates: bool,
    /// The address of a colleague, which tells how the company makes addresses; several may be named
    #[arg(long = "colleague", value_name = "ADDRESS")]
    pub colleagues: Vec<String>,
    /// Say what became of each address that it may be
    #[arg(long, conflicts_with = "candidates")]
    pub explain: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = FindFormat::Human)]
    pub format: FindFormat,
    /// Which pipeline of the configuration to run
    #[arg(long, default_value = "find", value_name = "NAME")]
    pub pipeline: String,
    /// Time for a batch of people, e.g. 30s
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = humantime::parse_duration)]
    pub deadline: Duration,
    /// Ask again servers that want us to come back later (greylisting), for as long as this, e.g. 10m
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}

/// How people who are found are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FindFormat {
    /// A line for a person, with colours on a terminal
    Human,
    /// A JSON object each, indented
    Json,
    /// A JSON object a line
    Jsonl,
}

/// How addresses are verified.
#[derive(Debug, ClapArgs)]
pub(super) struct PassArgs {
    /// Ask nobody: run only the stages that need no network
    #[arg(long)]
    pub offline: bool,
    /// Do not ask mail servers
    #[arg(long)]
    pub no_smtp: bool,
    /// Suggest no corrected domain
    #[arg(long)]
    pub no_typo: bool,
    /// Do not look for random local parts
    #[arg(long)]
    pub no_random: bool,
    /// Look up the standing of each domain (SPF, DMARC, DNSSEC …)
    #[arg(long)]
    pub domain_trust: bool,
    /// Which addresses count as valid [default: the configuration's]
    #[arg(long, value_name = "POLICY")]
    pub syntax_policy: Option<syntax::Policy>,
    /// Which pipeline of the configuration to run
    #[arg(long, default_value = "verify", value_name = "NAME")]
    pub pipeline: String,
    /// Time for a batch of up to 1,000 addresses, e.g. 30s
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = humantime::parse_duration)]
    pub deadline: Duration,
    /// Ask again servers that want us to come back later (greylisting), for as long as this, e.g. 10m
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for a person, with colours on a terminal
    Human,
    /// One JSON value
    Json,
    /// A JSON object a line
    Jsonl,
    /// Comma-separated, with a header
    Csv,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Submit a file with one address per line; prints the job's id
    Submit(SubmitArgs),
    /// List jobs, the newest first
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u16,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// Show how far a job is
    Show {
        /// The job
        id: Uuid,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// Print the verdicts of a job that are known, by row
    Results {
        /// The job
        id: Uuid,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = Format::Human)]
        format: Format,
        /// Say how each verdict came about
        #[arg(long)]
        explain: bool,
    },
    /// Stop work at a job until it is resumed; its deadline stays
    Pause {
        /// The job
        id: Uuid,
    },
    /// Go on with a paused job
    Resume {
        /// The job
        id: Uuid,
    },
    /// End a job; verdicts that are known are kept
    Cancel {
        /// The job
        id: Uuid,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct SubmitArgs {
    /// One address per line; `-` reads standard input
    pub file: PathBuf,
    /// The time it has, e.g. 10m [default: the configuration's]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub deadline: Option<Duration>,
    /// Ask nobody: run only the stages that need no network
    #[arg(long)]
    pub offline: bool,
    /// Do not ask mail servers
    #[arg(long)]
    pub no_smtp: bool,
    /// Look up the standing of each domain (SPF, DMARC, DNSSEC …)
    #[arg(long)]
    pub domain_trust: bool,
    /// Which pipeline of the configuration to run
    #[arg(long, default_value = "verify", value_name = "NAME")]
    pub pipeline: String,
}

/// How jobs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum JobFormat {
    /// A line for a person
    Human,
    /// JSON
    Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ServeArgs {
    /// Leave jobs to other processes
    #[arg(long)]
    pub no_work: bool,
    /// Make a client and a key if there is no client yet, and say how to try them
    #[arg(long)]
    pub first_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct WorkArgs {
    /// End when nothing is left to do
    #[arg(long)]
    pub until_idle: bool,
    /// Where to answer /healthz, /readyz and /metrics, e.g. 127.0.0.1:9100 [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ForgetArgs {
    /// Addresses
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ReplyArgs {
    /// Replies as servers sent them. Without any, one a line from standard input; a line may be a JSON string, or an
    /// object with `text`, `mx` and `stage`
    #[arg(value_name = "REPLY")]
    pub replies: Vec<String>,
    /// The mail host that sent them: operators have words of their own
    #[arg(long, value_name = "HOST")]
    pub mx: Option<String>,
    /// What they answered
    #[arg(long, value_enum, default_value_t = ReplyStage::Rcpt)]
    pub stage: ReplyStage,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = ReplyFormat::Human)]
    pub format: ReplyFormat,
}

/// What a reply answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReplyStage {
    /// The connection: the banner
    Connect,
    /// EHLO or HELO
    Hello,
    /// STARTTLS
    Starttls,
    /// MAIL FROM
    Mail,
    /// RCPT TO
    Rcpt,
}

/// How readings of replies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplyFormat {
    /// A line for a person
    Human,
    /// A JSON object a line
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(super) enum BouncesCommand {
    /// Read bounces from a file: addresses one a line, CSV with a header, or messages that report failed deliveries.
    /// Only what says plainly that a mailbox is gone is remembered
    Import(BouncesImport),
}

#[derive(Debug, ClapArgs)]
pub(super) struct BouncesImport {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// When those bounced that have no date in the file, e.g. 2026-06-10 [default: now]
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub seen: Option<Timestamp>,
}

fn date(text: &str) -> Result<Timestamp, String> {
    bounces::date(text).ok_or_else(|| "no date such as 2026-06-10 or 2026-06-10T09:10:00Z".into())
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the configuration is right, and if not, where and why
    Check,
    /// Print the configuration in effect, and where each value comes from
    Show,
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Print each list's size, date, source and licence
    Stats {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace lists by newer ones, without a rebuild
    Refresh(RefreshArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct RefreshArgs {
    /// Where the new lists are: a folder or URL that holds NAME.txt files, or with --list one text file or URL.
    /// A list has one domain a line, `#` begins a comment
    #[arg(long, value_name = "FILE|URL")]
    pub from: String,
    /// Replace this list alone: mainstream, alias-relays, alias-operators, disposable-curated, disposable-broad,
    /// free-providers, disposable-mx, parking, tld-risk
    #[arg(long, value_name = "NAME")]
    pub list: Option<String>,
    /// Replace even when the new list is less than half as long
    #[arg(long)]
    pub force: bool,
}
