//! Inputs of a command: arguments, or lines of a file or of standard input, cut into batches.
//!
//! A batch leaves when it is full or when no more input is waiting, so that a slow producer is not kept waiting either.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use mailsonde_engine::BATCH_MAX;
use tokio::sync::mpsc;

use crate::verify::Inputs;

/// Octets of a line that are kept. Longer than any address, so that a file without line ends cannot fill the memory.
const LINE_OCTETS_MAX: usize = 4096;

/// Octets read at once: a few thousand addresses, so that batches of a file are full.
const READ_OCTETS: usize = 256 * 1024;

/// Sends batches of lines until the input ends or nobody listens any more.
///
/// # Errors
/// When the input cannot be read.
pub(super) fn send_lines(reader: impl Read, batches: &mpsc::Sender<Inputs>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(READ_OCTETS, reader);
    let mut first_row = 1;
    let mut inputs = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let more = read_line(&mut reader, &mut line, LINE_OCTETS_MAX)?;
        if more {
            inputs.push(decode(&line));
        }
        let is_ready = inputs.len() == BATCH_MAX || !more || reader.buffer().is_empty();
        if is_ready && !inputs.is_empty() {
            let rows = inputs.len() as u64;
            if batches.blocking_send(Inputs { first_row, inputs: std::mem::take(&mut inputs) }).is_err() {
                return Ok(());
            }
            first_row += rows;
        }
        if !more {
            return Ok(());
        }
    }
}

/// All lines of an input, as those of [`send_lines`] are read.
///
/// # Errors
/// When the input cannot be read.
pub(super) fn all_lines(reader: impl Read) -> io::Result<Vec<String>> {
    let mut reader = BufReader::with_capacity(READ_OCTETS, reader);
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    while read_line(&mut reader, &mut line, LINE_OCTETS_MAX)? {
        lines.push(decode(&line));
        line.clear();
    }
    Ok(lines)
}

/// Counts the lines of a file, for its bar; `None` for what can be read only once.
pub(super) fn count_lines(path: &Path) -> Option<u64> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut reader = BufReader::with_capacity(READ_OCTETS, File::open(path).ok()?);
    let (mut lines, mut is_inside) = (0, false);
    loop {
        let buffer = reader.fill_buf().ok()?;
        let Some(last) = buffer.last() else { break };
        is_inside = *last != b'\n';
        lines += buffer.split(|octet| *octet == b'\n').count() as u64 - 1;
        let used = buffer.len();
        reader.consume(used);
    }
    Some(lines + u64::from(is_inside))
}

/// Reads a line without its end; of a long one the first `octets_max`. False at the end of the input.
pub(super) fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    octets_max: usize,
) -> io::Result<bool> {
    let mut any = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = octets_max.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}

/// A line without the white space around it; one that is a JSON string stands for that very string, which is the way
/// to submit what a line cannot hold.
fn decode(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    if text.starts_with('"')
        && let Ok(decoded) = serde_json::from_str::<String>(&text)
    {
        return decoded;
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(input: &[u8]) -> Vec<(u64, Vec<String>)> {
        let (sender, mut receiver) = mpsc::channel(100);
        send_lines(input, &sender).unwrap();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv().map(|batch| (batch.first_row, batch.inputs))).collect()
    }

    #[test]
    fn lines_become_inputs() {
        let text = b"a@b.example\r\n\n\"a\\u0000@b\"\n\"quoted\"@b.example\nlast@b.example";
        let expected =
            ["a@b.example", "", "a\0@b", "\"quoted\"@b.example", "last@b.example"].map(String::from);
        assert_eq!(batches(text), [(1, expected.to_vec())]);
        assert_eq!(batches(b""), []);
    }

    #[test]
    fn batches_are_full_and_numbered() {
        let lines = "a@b.example\n".repeat(2 * BATCH_MAX + 1);
        let sizes: Vec<_> =
            batches(lines.as_bytes()).into_iter().map(|(row, inputs)| (row, inputs.len())).collect();
        let full = BATCH_MAX as u64;
        assert_eq!(sizes, [(1, BATCH_MAX), (full + 1, BATCH_MAX), (2 * full + 1, 1)]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let line = vec![b'a'; 10 * LINE_OCTETS_MAX];
        assert_eq!(batches(&line)[0].1[0].len(), LINE_OCTETS_MAX);
    }

    #[test]
    fn lines_are_counted_with_and_without_a_last_end() {
        let path = std::env::temp_dir().join(format!("mailsonde-lines-{}", std::process::id()));
        for (text, count) in [("", 0), ("a", 1), ("a\n", 1), ("a\n\nb", 3)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(count_lines(&path), Some(count), "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(count_lines(Path::new("/dev/null")), None);
    }
}
