//! A task's rows as a file: a table as text, a workbook, or lines of address and status. No cell of any is run by a
//! spreadsheet.

use rust_xlsxwriter::{Workbook, XlsxError};

use super::email::{Email, Job};
use crate::csv::formula::guarded;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Txt,
    Xlsx,
}

/// The names of columns.
const COLUMNS: [&str; 13] = [
    "email",
    "status",
    "is_role_based",
    "is_disposable",
    "has_mx_records",
    "has_reverse_dns",
    "domain_name",
    "host_name",
    "server_type",
    "is_catchall",
    "validated_at",
    "unknown_reason",
    "needs_physical_verify",
];

impl Format {
    /// The format of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Csv, Self::Txt, Self::Xlsx].into_iter().find(|format| format.word() == word)
    }

    /// Its word, and what its files are called.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Txt => "txt",
            Self::Xlsx => "xlsx",
        }
    }

    /// What its files are.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// Why a file cannot be written: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SheetError {
    #[error(transparent)]
    Csv(#[from] csv::Error),
    #[error(transparent)]
    Workbook(#[from] XlsxError),
    #[error("the table is not whole")]
    Broken,
}

/// A file in the making.
pub(crate) struct Sheet {
    format: Format,
    rows: Vec<[Box<str>; COLUMNS.len()]>,
}

impl Sheet {
    /// Without rows.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, rows: Vec::new() }
    }

    /// One more row.
    pub(crate) fn push(&mut self, job: &Job<'_>) {
        let mut cells = job.email.as_ref().map(Email::cells).unwrap_or_default();
        cells[0] = job.email_address.into();
        if job.email.is_none() {
            cells[1] = job.status.into();
        }
        self.rows.push(cells);
    }

    /// The file.
    ///
    /// # Errors
    /// [`SheetError`].
    pub(crate) fn finish(self) -> Result<Vec<u8>, SheetError> {
        match self.format {
            Format::Csv => self.csv(),
            Format::Txt => Ok(self.txt()),
            Format::Xlsx => self.xlsx(),
        }
    }

    fn csv(self) -> Result<Vec<u8>, SheetError> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS)?;
        for row in self.rows {
            table.write_record(row.iter().map(|cell| guarded(cell).into_owned()))?;
        }
        table.into_inner().map_err(|_| SheetError::Broken)
    }

    /// Address, tabulator, status. A line is a row, whatever the address is.
    fn txt(self) -> Vec<u8> {
        let mut text = String::new();
        for row in self.rows {
            text.extend(row[0].chars().map(|char| if char.is_control() { ' ' } else { char }));
            text.push('\t');
            text.push_str(&row[1]);
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Cells are texts there, and no formulas.
    fn xlsx(self) -> Result<Vec<u8>, SheetError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (column, name) in (0..).zip(COLUMNS) {
            sheet.write_string(0, column, name)?;
        }
        for (number, row) in (1..).zip(&self.rows) {
            for (column, cell) in (0..).zip(row) {
                sheet.write_string(number, column, &**cell)?;
            }
        }
        Ok(workbook.save_to_buffer()?)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::csv::workbook::first_sheet;

    fn sheet(format: Format) -> String {
        let mut sheet = Sheet::new(format);
        for input in ["jane@example.com", "=cmd()@example.com", "a\r\nb"] {
            sheet.push(&Job {
                id: Uuid::nil(),
                task_id: Uuid::nil(),
                email_address: input,
                status: "pending",
                email: None,
                created_at: String::new(),
                updated_at: String::new(),
            });
        }
        let octets = sheet.finish().unwrap();
        String::from_utf8(if format == Format::Xlsx { first_sheet(&octets, 9).unwrap() } else { octets })
            .unwrap()
    }

    #[test]
    fn no_cell_of_a_table_is_run() {
        let csv = sheet(Format::Csv);
        assert!(csv.starts_with("email,status,is_role_based,"), "{csv}");
        assert!(csv.contains("\njane@example.com,pending,") && csv.contains("\n'=cmd()@example.com,pending"));
        let xlsx = sheet(Format::Xlsx);
        assert!(xlsx.starts_with("email,status,is_role_based,"), "{xlsx}");
        assert!(xlsx.contains("\njane@example.com,pending") && xlsx.contains("\n=cmd()@example.com,pending"));
    }

    #[test]
    fn a_line_of_text_is_a_row() {
        assert_eq!(
            sheet(Format::Txt),
            "jane@example.com\tpending\n=cmd()@example.com\tpending\na  b\tpending\n"
        );
    }

    #[test]
    fn formats_have_words() {
        for format in [Format::Csv, Format::Txt, Format::Xlsx] {
            assert_eq!(Format::of(format.word()), Some(format));
        }
        assert_eq!(Format::of("pdf"), None);
    }
}
