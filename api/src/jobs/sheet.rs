//! The file that a job is made from, on its way in: its rows go into pieces, each of which is sealed as soon as it is
//! full, so the file itself is never whole in memory. What stands in the column of addresses is kept beside them until
//! the end, since only then the encoding is known.

use std::mem;

use uuid::Uuid;

use super::rows::sheet::{Piece, SheetRow, write_layout};
use crate::{
    csv::{encoding::Encoding, intake::DataRow, layout::Layout},
    store::keys::{Keyring, Row},
};

/// Room that somebody has set apart; free when it is dropped.
pub(crate) type Room = Box<dyn Send>;

/// A file as it is kept with its job.
pub(crate) struct Sheet {
    /// How it is written, sealed.
    pub(crate) layout: Vec<u8>,
    /// Its rows.
    pub(crate) pieces: Vec<SealedPiece>,
    /// The room that all of it takes, until its job is written down or given up.
    pub(crate) room: Option<Room>,
}

/// Rows of a file.
#[derive(Debug)]
pub(crate) struct SealedPiece {
    pub(crate) rows: u32,
    pub(crate) sealed: Vec<u8>,
}

/// A file that comes in.
pub(crate) struct Gathering {
    keys: Keyring,
    job: Uuid,
    piece: Piece,
    cells: Cells,
    full: Vec<(SealedPiece, Cells)>,
}

/// Cells of a column, one behind the other.
#[derive(Debug, Default)]
struct Cells {
    octets: Vec<u8>,
    ends: Vec<u32>,
}

impl Gathering {
    /// For this job to be.
    pub(crate) fn new(keys: Keyring, job: Uuid) -> Self {
        Self { keys, job, piece: Piece::new(), cells: Cells::default(), full: Vec::new() }
    }

    /// The next row. Now and then a quarter of a megabyte is sealed, which takes less than a millisecond.
    pub(crate) fn push(&mut self, row: &DataRow<'_>) {
        self.cells.push(row.email);
        let (content, end, cells) = (row.row.content, row.row.end, row.row.cells.len());
        self.piece.push(SheetRow { content, end, cells });
        if self.piece.is_full() {
            self.seal();
        }
    }

    /// The file has ended: what stands in the column of addresses, for each row, and the file. With many rows that takes
    /// a while.
    pub(crate) fn finish(mut self, layout: &Layout, room: Option<Room>) -> (Vec<String>, Sheet) {
        if self.piece.rows() > 0 {
            self.seal();
        }
        let mut inputs = Vec::with_capacity(usize::try_from(layout.rows).unwrap_or_default());
        let mut pieces = Vec::with_capacity(self.full.len());
        for (piece, cells) in self.full {
            cells.decode(layout.encoding, &mut inputs);
            pieces.push(piece);
        }
        let layout = self.keys.seal(Row::Layout { job: self.job }, &write_layout(layout));
        (inputs, Sheet { layout, pieces, room })
    }

    fn seal(&mut self) {
        let no = i32::try_from(self.full.len()).unwrap_or(i32::MAX);
        let sealed = self.keys.seal(Row::Sheet { job: self.job, no }, self.piece.text());
        let piece = SealedPiece { rows: self.piece.rows(), sealed };
        self.piece.clear();
        self.full.push((piece, mem::take(&mut self.cells)));
    }
}

impl Cells {
    fn push(&mut self, cell: &[u8]) {
        self.octets.extend_from_slice(cell.trim_ascii());
        // Those of one piece.
        self.ends.push(u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
    }

    /// Adds what they say, without white space around it.
    fn decode(self, encoding: Encoding, texts: &mut Vec<String>) {
        let mut start = 0;
        for end in self.ends {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            texts.push(encoding.decode(&self.octets[start..end]).trim().to_owned());
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{
        csv::{
            CsvError,
            intake::{Intake, Terms},
        },
        jobs::rows::sheet::{open_layout, open_piece, read},
        store::testing::keys,
    };

    const JOB: Uuid = Uuid::from_u128(7);

    fn gather(file: &[u8]) -> (Vec<String>, Sheet, Layout) {
        let mut intake = Intake::new(Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None });
        let mut gathering = Gathering::new(keys(), JOB);
        let mut each = |row: DataRow<'_>| {
            gathering.push(&row);
            Ok::<_, CsvError>(())
        };
        file.chunks(70_001).for_each(|piece| intake.push(piece, &mut each).unwrap());
        intake.finish(&mut each).unwrap();
        let layout = intake.layout();
        let (inputs, sheet) = gathering.finish(&layout, None);
        (inputs, sheet, layout)
    }

    /// The octets of all rows.
    fn rows(sheet: &Sheet) -> Vec<u8> {
        let mut octets = Vec::new();
        for (no, piece) in (0..).zip(&sheet.pieces) {
            let text = open_piece(&keys(), JOB, no, &piece.sealed).unwrap();
            assert_eq!(read(&text).unwrap().count(), piece.rows as usize);
            octets.extend(read(&text).unwrap().flat_map(|row| [row.content, row.end].concat()));
        }
        octets
    }

    #[test]
    fn no_octet_is_lost_between_pieces() {
        let mut file = String::from("email,note\r\n");
        for row in 0..20_000 {
            write!(file, "user{row}@example.com,\"a \"\"note\"\"\r\nof two lines\"\r\n").unwrap();
        }
        let (inputs, sheet, layout) = gather(file.as_bytes());
        assert_eq!((inputs.len(), &*inputs[19_999]), (20_000, "user19999@example.com"));
        assert!(sheet.pieces.len() > 3, "{}", sheet.pieces.len());
        assert!(rows(&sheet) == file.as_bytes()["email,note\r\n".len()..]);
        assert_eq!(open_layout(&keys(), JOB, &sheet.layout).unwrap(), layout);
        let shown = sheet.pieces.iter().any(|piece| piece.sealed.windows(7).any(|seven| seven == b"example"));
        assert!(!shown);
    }

    #[test]
    fn addresses_are_decoded_when_the_encoding_is_known_and_trimmed() {
        // What comes first is ASCII; the last row says that it is no UTF-8.
        let mut file = b"name;email\n".to_vec();
        (0..9000).for_each(|row| file.extend(format!("n;a{row}@example.com \n").bytes()));
        file.extend(b"n;\xa0jos\xe9@example.com \n;\n");
        let (inputs, sheet, layout) = gather(&file);
        assert_eq!((layout.encoding, inputs.len()), (Encoding::Cp1252, 9002));
        assert_eq!((&*inputs[0], &*inputs[9000], &*inputs[9001]), ("a0@example.com", "josé@example.com", ""));
        assert!(rows(&sheet) == file["name;email\n".len()..]);
    }
}
