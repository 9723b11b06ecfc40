//! How a private cluster is set: a file of ours that is written at each start, so that a new version of mailsonde may
//! change it, and that the cluster's own `postgresql.conf` includes.

use std::path::Path;

/// The last line of `postgresql.conf`. Relative to that file, so that the folder may be moved.
pub(super) const INCLUDE: &str = "include '../settings.conf'\n";

/// Where the log is, in the folder of the data.
pub(super) const LOG: &str = "log";

/// All settings, each with its reason; `@socket@` and `@log@` are filled in.
const TEXT: &str = "\
# Written by mailsonde at each start: changes belong into postgresql.auto.conf, by `alter system set`.

# Only who can enter the socket's folder gets in, which is the cluster's user, and root.
listen_addresses = ''
unix_socket_directories = @socket@
unix_socket_permissions = 0700

# Several processes of mailsonde with their pools.
max_connections = 100
# The queue and the results that are being written; old results are read once, from the disk.
shared_buffers = 128MB
# What is promised is on the disk.
fsync = on
synchronous_commit = on
# Results come in bursts: fewer checkpoints, and still a crash is recovered from in seconds.
max_wal_size = 1GB
# Rows of the queue are updated all the time, and dead ones slow it down.
autovacuum_naptime = 10s
# Many short statements. Compiling one takes longer than it runs, and parallel workers want shared memory of which
# containers have little.
jit = off
max_parallel_workers_per_gather = 0

timezone = 'UTC'
log_timezone = 'UTC'

# A file for each day of the week, which begins anew after a week.
log_destination = 'stderr'
logging_collector = on
log_directory = '@log@'
log_filename = 'postgres-%a.log'
log_file_mode = 0600
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] '

# No value gets into the log: no statement, no parameter, and of what goes wrong no detail, which quotes rows. What
# goes wrong with a statement is its client's to tell, and not logged at all; the role of mailsonde says so.
log_min_error_statement = panic
log_min_duration_statement = -1
log_statement = none
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
";

/// The settings of a cluster whose socket is in `socket`.
pub(super) fn text(socket: &Path) -> String {
    TEXT.replace("@log@", LOG).replace("@socket@", &quoted_list(&socket.to_string_lossy()))
}

/// A list of one value: quoted as an item, because of commas and blanks, and then as a text.
fn quoted_list(value: &str) -> String {
    let item = format!("\"{}\"", value.replace('"', "\"\""));
    format!("'{}'", item.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_stay_one_value() {
        assert_eq!(quoted_list("/a, b/it's"), r#"'"/a, b/it''s"'"#);
        let text = text(Path::new("/run/mailsonde"));
        assert!(text.contains("\nunix_socket_directories = '\"/run/mailsonde\"'\n"), "{text}");
        assert!(!text.contains('@'), "{text}");
    }
}
