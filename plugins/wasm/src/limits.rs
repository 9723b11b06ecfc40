//! Limits of the plugin host: each a name, a value and a reason. What an operator may choose is in
//! [`PluginConfig`](crate::PluginConfig).

use std::time::Duration;

/// Octets of a component or module file. The largest toolchain, Python's, makes some 40 MB; a file of 200 MB is no
/// plugin, and compiling it would take minutes.
pub const FILE_OCTETS_MAX: u64 = 64 << 20;

/// How often a running guest is looked at. A guest holds its thread no longer than this at a stretch, or than one
/// instruction or one host call takes, and is stopped at most two of these past its time.
pub const TICK: Duration = Duration::from_millis(1);

/// How long the clock of the guests goes on when none runs: waking it costs more than some idle ticks.
pub(crate) const TICKS_IDLE_MAX: u32 = 1_000;

/// Time for one batch where the plugin's table says nothing else: more than a question to silent name servers takes.
pub const SLOT_DEADLINE: Duration = Duration::from_secs(8);

/// Time for each call of the loading: starting, `describe`, `configure`, a sample call. Compiling is not counted.
pub(crate) const LOAD_CALL_MAX: Duration = Duration::from_secs(30);

/// Processor time for `describe` and `configure`, and for beginning: a list of 100,000 entries is read then.
pub(crate) const CONFIGURE_CPU_MAX: Duration = Duration::from_secs(10);

/// Subjects of one call where the plugin gives no hint: enough that the call itself costs nothing.
pub(crate) const CALL_SUBJECTS: usize = 250;

/// Calls that may fail while the subjects at fault in one batch are looked for: nine isolate one among 250. What is
/// left then is left open.
pub(crate) const FAILED_CALLS_MAX: usize = 64;

/// Octets that one host call, or one answer of the guest, may hand over: 1 KiB for each subject of the largest call.
pub(crate) const HANDED_OVER_MAX: usize = 1 << 20;

/// Octets that one host call may return from the cache or from DNS: a cache value of the largest size for each subject
/// of a usual call. They are made outside the guest's memory, before the guest's own limit can refuse them.
pub(crate) const RETURNED_OCTETS_MAX: usize = 4 << 20;

/// What the guest may ask of the host in one call: each host call counts, and each element of a list that it hands
/// over. Ten elements and more for each subject of the largest call. No host call holds its thread for longer than this
/// many elements take.
pub(crate) const HOST_CALLS_MAX: u32 = 20_000;

/// Native stack of a guest: recursion ends here.
pub(crate) const STACK_OCTETS_MAX: usize = 512 << 10;

/// Native stack of a call, the guest's part and the host functions that it calls.
pub(crate) const CALL_STACK_OCTETS: usize = 1 << 20;

/// Elements of all tables of an instance. Python's largest has 10,000.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Core instances, memories and tables of one component. Python has some thirty of each. Each instance has room outside
/// its memories, for its globals and functions, of which a module may have a million.
pub(crate) const PARTS_MAX: usize = 100;

/// Memories, or tables, of all instances of a process: some twenty plugins with places as by default. Each takes 4 GiB of
/// address space, of which a process has 128 TiB, and some microseconds when the process begins.
pub(crate) const ROOM: usize = 1_000;

/// Octets of a memory or a table that are cleared and used again: what plugins in Rust and C have. What larger
/// ones have beyond it goes back to the system.
pub(crate) const KEPT_OCTETS_MAX: usize = 2 << 20;

/// Memories that are kept ready while nobody uses them.
pub(crate) const IDLE_ROOM_MAX: u32 = 32;

/// Lines that a call may log; the rest is counted.
pub(crate) const LOG_LINES_MAX: u32 = 100;

/// Octets of a line.
pub(crate) const LOG_LINE_OCTETS_MAX: usize = 1_024;

/// Random octets of one call: they are made in one go, during which nothing else gets its turn. Python asks for 2,500.
pub(crate) const RANDOM_OCTETS_MAX: u64 = 64 << 10;

/// Streams, terminals and the like that an instance may hold open. Language runtimes hold a dozen.
pub(crate) const HANDLES_MAX: usize = 1_000;

/// DNS questions for each subject of a call: a blocklist or two, and some records.
pub(crate) const DNS_QUERIES_PER_SUBJECT_MAX: usize = 8;

/// Octets of a cache entry's key.
pub(crate) const CACHE_KEY_OCTETS_MAX: usize = 256;

/// Octets of a cache entry's value.
pub(crate) const CACHE_VALUE_OCTETS_MAX: usize = 16 << 10;

/// What an entry costs besides its texts, about: the table, the queue, the clock.
pub(crate) const CACHE_ENTRY_OCTETS: usize = 256;

/// Octets of all that one plugin keeps in its cache, for all clients.
pub(crate) const CACHE_OCTETS_MAX: u64 = 16 << 20;

/// How long a cache entry is kept at most.
pub(crate) const CACHE_TTL_MAX: Duration = Duration::from_hours(168);

/// Octets of a domain name, without the final dot (RFC 1035 §3.1). A longer one is not asked for.
pub(crate) const NAME_OCTETS_MAX: usize = 253;

/// Octets of a reason; it is a word, not a text.
pub(crate) const REASON_OCTETS_MAX: usize = 64;

/// Octets of a plugin's version, which is shown to people.
pub(crate) const VERSION_OCTETS_MAX: usize = 64;

/// Octets of a plugin's id.
pub(crate) const ID_OCTETS_MAX: usize = 64;

/// Keys that a plugin may list as read, as perhaps read, or as written: each is compared with each fact of each
/// subject.
pub(crate) const KEYS_MAX: usize = 64;

/// Octets of a fact's key.
pub(crate) const KEY_OCTETS_MAX: usize = 128;

/// Facts that a plugin may write of one subject.
pub(crate) const FACTS_MAX: usize = 32;

/// Octets of all facts of one subject, keys and values: they are kept as long as the batch, and parsed they take up to a
/// hundred times the room.
pub(crate) const FACTS_OCTETS_MAX: usize = 4 << 10;

/// Octets of a text of others in an error: a decoder repeats what it could not read, however long.
pub(crate) const SHOWN_OCTETS_MAX: usize = 2 << 10;

/// Octets of a component or module as text. Parsed it takes a hundred times the room, and people write no more.
pub(crate) const TEXT_OCTETS_MAX: usize = 4 << 20;

/// Calls of a warm instance, after which a new one takes its place: what leaks is bounded.
pub(crate) const WARM_CALLS_MAX: u32 = 10_000;

/// How long a warm instance waits for work before it is dropped.
pub(crate) const WARM_IDLE_MAX: Duration = Duration::from_mins(1);

/// Batches in a row of which nothing could be settled, after which the plugin is tried on a harmless address.
pub(crate) const FAILED_BATCHES_MAX: u32 = 5;

/// How long a trial must have lasted at least to count as failed when whoever waits for it gives it up: less says more
/// of them than of the plugin.
pub(crate) const TRIAL_MIN: Duration = Duration::from_millis(100);

/// The same, in times of what it took when the plugin was loaded: one that reads a long list takes its time.
pub(crate) const TRIAL_TIMES: u32 = 10;

/// How long a plugin that fails is parked at first; doubled each time.
pub(crate) const PARKED_MIN: Duration = Duration::from_secs(1);

/// How long it is parked at most.
pub(crate) const PARKED_MAX: Duration = Duration::from_mins(1);

/// How long compiled code is kept on disk. What is still wanted then takes some milliseconds to compile anew.
pub(crate) const COMPILED_KEPT_MAX: Duration = Duration::from_hours(30 * 24);

/// How often the files of plugins are looked at for changes.
pub const WATCH_EVERY: Duration = Duration::from_secs(1);
