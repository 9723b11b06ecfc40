//! Lines of a file with their numbers, each cut to a bearable length.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

/// Octets of a line that are kept. Diagnostic texts are a few hundred; a file without line ends must not fill the memory.
const LINE_OCTETS_MAX: usize = 16 * 1024;

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    pub(super) text: String,
}

/// The lines of a file.
pub(super) struct Lines<R> {
    reader: R,
    read: u64,
    /// Put back, to be read again.
    back: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, read: 0, back: VecDeque::new() }
    }

    /// The next line, if there is one. What is no UTF-8 is replaced.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.back.pop_front() {
            return Ok(Some(line));
        }
        let mut octets = Vec::new();
        if !self.read_line(&mut octets)? {
            return Ok(None);
        }
        self.read += 1;
        if octets.last() == Some(&b'\r') {
            octets.pop();
        }
        let text = String::from_utf8_lossy(&octets);
        // Spreadsheets begin their files with a mark of the encoding.
        let text = if self.read == 1 { text.trim_start_matches('\u{feff}') } else { &text };
        Ok(Some(Line { number: self.read, text: text.to_owned() }))
    }

    /// Puts a line back that was read last.
    pub(super) fn push_back(&mut self, line: Line) {
        self.back.push_front(line);
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let mut any = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|octet| *octet == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = LINE_OCTETS_MAX.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(text);
        std::iter::from_fn(|| lines.next().unwrap().map(|line| (line.number, line.text))).collect()
    }

    #[test]
    fn lines_are_numbered_and_bare() {
        let expected = [(1, "a".to_owned()), (2, String::new()), (3, "\u{fffd}b".to_owned())];
        assert_eq!(all(b"\xef\xbb\xbfa\r\n\n\xe9b"), expected);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let endless = vec![b'a'; 10 * LINE_OCTETS_MAX];
        assert_eq!(all(&endless)[0].1.len(), LINE_OCTETS_MAX);
    }

    #[test]
    fn what_is_put_back_comes_again() {
        let mut lines = Lines::new(&b"a\nb"[..]);
        let first = lines.next().unwrap().unwrap();
        lines.push_back(first.clone());
        assert_eq!(lines.next().unwrap(), Some(first));
        assert_eq!(lines.next().unwrap().unwrap().number, 2);
    }
}
