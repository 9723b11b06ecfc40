//! The room as a whole: uploads of all kinds go in, and come back.

use super::{
    CsvError, HEAD_OCTETS,
    encoding::Encoding,
    intake::{Intake, Terms},
    layout::{Layout, LineEnd, Quoting},
    sniff::Delimiter,
    table::{Changes, Table},
};

const ANY: Terms = Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None };

/// A row as it was handed on.
struct Kept {
    content: Vec<u8>,
    end: Vec<u8>,
    cells: usize,
    email: Vec<u8>,
}

/// Takes an upload in pieces.
fn take_by(upload: &[u8], piece: usize, terms: Terms) -> (Result<(), CsvError>, Layout, Vec<Kept>) {
    let mut intake = Intake::new(terms);
    let mut rows = Vec::new();
    let mut each = |data: super::intake::DataRow<'_>| {
        rows.push(Kept {
            content: data.row.content.to_vec(),
            end: data.row.end.to_vec(),
            cells: data.row.cells.len(),
            email: data.email.to_vec(),
        });
        assert_eq!(data.number, rows.len() as u64);
        Ok(())
    };
    let pushed = upload.chunks(piece).try_for_each(|piece| intake.push(piece, &mut each));
    let taken = pushed.and_then(|()| intake.finish(&mut each));
    (taken, intake.layout(), rows)
}

fn take(upload: &[u8]) -> (Layout, Vec<Kept>) {
    let (taken, layout, rows) = take_by(upload, usize::MAX, ANY);
    assert_eq!(taken, Ok(()));
    (layout, rows)
}

fn layout(upload: &[u8]) -> Layout {
    take(upload).0
}

/// The table that goes back, with these cells of ours in each row.
fn give(layout: &Layout, rows: &[Kept], names: &[&str], cells: &[&str], changes: Changes) -> Vec<u8> {
    let mut table = Table::new(layout, names, changes);
    let mut out = Vec::new();
    table.head(layout, &mut out);
    for row in rows {
        table.row((&row.content, &row.end), row.cells, cells.iter().copied(), &mut out);
    }
    out
}

fn back(upload: &[u8], names: &[&str], cells: &[&str], changes: Changes) -> String {
    let (layout, rows) = take(upload);
    String::from_utf8(give(&layout, &rows, names, cells, changes)).unwrap()
}

fn emails(rows: &[Kept]) -> Vec<&str> {
    rows.iter().map(|row| std::str::from_utf8(&row.email).unwrap()).collect()
}

#[test]
fn an_ordinary_upload() {
    let (layout, rows) =
        take(b"first name,email,signup\r\nJane,jane@example.com,2026-01-01\r\nBob,b@b.example,\r\n");
    assert_eq!((layout.encoding, layout.delimiter), (Encoding::Utf8, Delimiter::Comma));
    assert_eq!((layout.line_end, layout.quoting), (LineEnd::CrLf, Quoting::Never));
    assert_eq!((layout.email, layout.rows, layout.cells), (Some(1), 2, 6));
    assert_eq!(layout.names, ["first name", "email", "signup"]);
    assert_eq!(emails(&rows), ["jane@example.com", "b@b.example"]);
    assert_eq!(layout.checked(), Ok(1));
}

#[test]
fn columns_of_ours_stand_behind_theirs_in_their_own_way() {
    let no = Changes::default();
    assert_eq!(
        back(b"name;email\nJane;j@x.example\nBob\n", &["a", "b"], &["1", "x;y"], no),
        "name;email;a;b\nJane;j@x.example;1;\"x;y\"\nBob;;1;\"x;y\"\n",
    );
    assert_eq!(
        back(b"\"email\"\t\"n\"\r\"j@x.example\"\t\"1\"", &["a"], &["say \"x\""], no),
        "\"email\"\t\"n\"\t\"a\"\r\"j@x.example\"\t\"1\"\t\"say \"\"x\"\"\"",
    );
    // A longer row has names made for it; blank lines stay.
    assert_eq!(
        back(b"\nemail,n\n\nj@x.example,1,2,3\n\n", &["a"], &["0"], no),
        "\nemail,n,column_3,column_4,a\n\nj@x.example,1,2,3,0\n\n",
    );
    // No header: one is made.
    assert_eq!(back(b"j@x.example|1\n", &["a"], &["0"], no), "column_1|column_2|a\nj@x.example|1|0\n");
    // A name of theirs stays theirs.
    assert_eq!(
        back(b"email,a,a_2\nj@x.example,1,2\n", &["a"], &["0"], no),
        "email,a,a_2,a_3\nj@x.example,1,2,0\n"
    );
}

#[test]
fn our_cells_are_no_formulas_and_theirs_are_guarded_on_demand() {
    let upload = b"email,=x\nj@x.example,=1+1\n\"+1\",\"\t-\"\n@x,\"\"=2\n-,\"\"\"=3\"\n";
    let plain = "email,=x,a\nj@x.example,=1+1,'=0\n\"+1\",\"\t-\",'=0\n@x,\"\"=2,'=0\n-,\"\"\"=3\",'=0\n";
    assert_eq!(back(upload, &["a"], &["=0"], Changes::default()), plain);
    let safe =
        "email,'=x,a\nj@x.example,'=1+1,'=0\n\"'+1\",\"'\t-\",'=0\n'@x,'\"\"=2,'=0\n'-,\"\"\"=3\",'=0\n";
    assert_eq!(back(upload, &["a"], &["=0"], Changes { safe: true, utf8: false }), safe);
}

#[test]
fn every_encoding_comes_back_and_can_be_left_for_utf8() {
    for (upload, encoding, utf8) in [
        (&b"email,n\nj@x.example,Jos\xe9 \x80\n"[..], Encoding::Cp1252, "email,n,a\nj@x.example,José €,è?\n"),
        (b"email,n\nj@x.example,Jos\xe9\x9d\n", Encoding::Latin1, "email,n,a\nj@x.example,José\u{9d},è?\n"),
    ] {
        let (layout, rows) = take(upload);
        assert_eq!(layout.encoding, encoding);
        let own = give(&layout, &rows, &["a"], &["è東"], Changes::default());
        let text = encoding.decode(&own);
        assert_eq!(text, utf8);
        let changed = give(&layout, &rows, &["a"], &["è?"], Changes { safe: false, utf8: true });
        assert_eq!(String::from_utf8(changed).unwrap(), utf8);
    }
    let marked = "\u{feff}email,n\nj@x.example,é\n";
    let utf8 = Changes { safe: false, utf8: true };
    for changes in [Changes::default(), utf8] {
        assert_eq!(
            back(marked.as_bytes(), &["a"], &["東"], changes),
            "\u{feff}email,n,a\nj@x.example,é,東\n"
        );
    }
    assert_eq!(layout(marked.as_bytes()).names, ["email", "n"]);
}

#[test]
fn header_and_column_are_found() {
    for (upload, has_header, email) in [
        ("email\na@b.example\n", true, Some(0)),
        ("a@b.example\nb@b.example\n", false, Some(0)),
        ("id,Adresse e-mail\n1,a@b.example\n", true, Some(1)),
        ("id,contact\n1,a@b.example\n2,\n", true, Some(1)),
        ("1,a@b.example\n", false, Some(1)),
        ("id,name\n1,Jane\n", true, None),
        // A name is enough.
        ("id,email\n1,\n2,none\n", true, Some(1)),
        ("mail,email\nno,a@b.example\nyes,b@b.example\n", true, Some(1)),
    ] {
        let layout = layout(upload.as_bytes());
        assert_eq!((layout.header.is_some(), layout.email), (has_header, email), "{upload}");
    }
}

#[test]
fn a_column_may_be_named_or_counted() {
    let upload = b"email,Second Mail,3\na@b.example,b@b.example,c@b.example\n";
    for (column, found) in
        [("Second Mail", Ok("b@b.example")), ("second_mail", Ok("b@b.example")), ("1", Ok("a@b.example"))]
    {
        let (taken, _, rows) = take_by(upload, usize::MAX, Terms { column: Some(column.into()), ..ANY });
        assert_eq!(taken.map(|()| emails(&rows)[0]), found);
    }
    // A name before a number.
    let (_, layout, _) = take_by(upload, usize::MAX, Terms { column: Some("3".into()), ..ANY });
    assert_eq!(layout.email, Some(2));
    for column in ["0", "4", "nothing", ""] {
        let (taken, ..) = take_by(upload, usize::MAX, Terms { column: Some(column.into()), ..ANY });
        assert_eq!(taken, Err(CsvError::NoSuchColumn(column.into())));
    }
}

#[test]
fn what_cannot_be_worked_at_is_told() {
    for (upload, told) in [
        ("", CsvError::EmptyFile),
        ("\n\n", CsvError::NoRows),
        ("\u{feff}", CsvError::NoRows),
        ("email,name\n", CsvError::NoRows),
        ("id,name\n1,Jane\n", CsvError::NoEmailColumn),
    ] {
        assert_eq!(layout(upload.as_bytes()).checked(), Err(told), "{upload:?}");
    }
    // One row of 4,096 cells, and a thousand of one.
    let uneven = format!("email\n{}{}\n", "a@b.example\n".repeat(20_000), ",".repeat(4095));
    assert_eq!(layout(uneven.as_bytes()).checked(), Err(CsvError::Uneven { width: 4096 }));
    let even = format!("email\n{}{}\n", "a@b.example\n".repeat(200), ",".repeat(4095));
    assert_eq!(layout(even.as_bytes()).checked(), Ok(0));
}

#[test]
fn limits_of_the_whole_table_hold() {
    let upload = b"email\na@b.example\n\nb@b.example\n";
    let with = |octets_max, rows_max| take_by(upload, 5, Terms { octets_max, rows_max, column: None }).0;
    let octets = upload.len() as u64;
    assert_eq!(with(octets, 2), Ok(()), "neither the header nor a blank line is a row");
    assert_eq!(with(octets - 1, 2), Err(CsvError::TooLarge { max: octets - 1 }));
    assert_eq!(with(octets, 1), Err(CsvError::TooManyRows { max: 1 }));
}

#[test]
fn what_is_no_text_is_refused_wherever_it_stands() {
    use super::encoding::NotText;
    let late = [&b"email\n"[..], &b"a@b.example\n".repeat(10_000), b"\0"].concat();
    for (upload, told) in [
        (&b"\xff\xfee\0m\0"[..], NotText::Utf16),
        (b"PK\x03\x04\x14\0\0\0", NotText::Archive),
        (b"\x1f\x8b\x08\0", NotText::Compressed),
        (b"email\na\0@b.example\n", NotText::Nul),
        (&late, NotText::Nul),
    ] {
        for piece in [4, 1000, usize::MAX] {
            assert_eq!(take_by(upload, piece, ANY).0, Err(CsvError::NotText(told)), "{told}");
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_costs_no_memory() {
    let upload = [&b"email,n\na@b.example,\""[..], &vec![b'a'; 20 * 1024 * 1024]].concat();
    let (taken, _, rows) = take_by(&upload, 64 * 1024, ANY);
    assert!(matches!(taken, Err(CsvError::LongCell { row: 2 } | CsvError::LongRow { row: 2 })), "{taken:?}");
    assert!(rows.is_empty());
}

#[test]
fn the_beginning_decides_and_the_encoding_is_told_at_the_end() {
    let mut upload = b"email;n\n".to_vec();
    while upload.len() <= HEAD_OCTETS {
        upload.extend_from_slice(b"a@b.example;1,5\n");
    }
    upload.extend_from_slice(b"a,a@b.example,Jos\xe9\n");
    let whole = take(&upload);
    assert_eq!((whole.0.delimiter, whole.0.encoding), (Delimiter::Semicolon, Encoding::Cp1252));
    for piece in [1, 3, 1000, HEAD_OCTETS - 1, HEAD_OCTETS, HEAD_OCTETS + 1] {
        let (taken, layout, rows) = take_by(&upload, piece, ANY);
        assert_eq!((taken, &layout), (Ok(()), &whole.0), "{piece}");
        assert_eq!(rows.len(), whole.1.len());
    }
}

#[test]
fn a_layout_is_stored_and_read_again() {
    let (layout, _) = take(b"\xef\xbb\xbf\n\"email\"|n\r\n\na@b.example|1|2\n");
    let stored = serde_json::to_string(&layout).unwrap();
    assert_eq!(serde_json::from_str::<Layout>(&stored).unwrap(), layout);
}

/// Numbers that look drawn, the same ones in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn one_of<'a>(&mut self, of: &[&'a [u8]]) -> &'a [u8] {
        of[self.below(of.len())]
    }
}

/// Anything that may be between two octets of a table.
fn drawn(dice: &mut Dice) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b",",
        b";",
        b"\t",
        b"|",
        b"\n",
        b"\r",
        b"\r\n",
        b"\"",
        b"\"\"",
        b"a",
        b"a@b.example",
        b"email",
        b" ",
        b"=1",
        b"\xe9",
        b"\xc3\xa9",
        b"\x81",
        b"\xef\xbb\xbf",
        b"'",
        b"1,5",
    ];
    const CELLS: &[&[u8]] = &[
        b"",
        b"Jane",
        b"a@b.example",
        b"\"x, y\"",
        b"\"line\r\nline\"",
        b"\"say \"\"x\"\"\"",
        b"Jos\xe9",
        b"=1",
        b"c\"d",
        b"\"e\"f",
        b"\"\"",
    ];
    let mut upload = dice.one_of(&[b"", b"", b"\xef\xbb\xbf", b"\n", b"email,name\n"]).to_vec();
    if dice.below(2) == 0 {
        for _ in 0..dice.below(40) {
            upload.extend_from_slice(dice.one_of(PIECES));
        }
        return upload;
    }
    let delimiter = dice.one_of(&[b",", b";", b"\t", b"|"]);
    let end = dice.one_of(&[b"\n", b"\r\n", b"\r"]);
    for _ in 0..=dice.below(6) {
        for column in 0..=dice.below(4) {
            upload.extend_from_slice(if column == 0 { b"" } else { delimiter });
            upload.extend_from_slice(dice.one_of(CELLS));
        }
        upload.extend_from_slice(end);
        if dice.below(5) == 0 {
            upload.extend_from_slice(end);
        }
    }
    if dice.below(3) == 0 {
        upload.truncate(upload.len() - end.len());
    }
    upload
}

#[test]
fn without_our_columns_the_download_is_the_upload() {
    let mut dice = Dice(7);
    let mut whole = 0;
    for _ in 0..4_000 {
        let upload = drawn(&mut dice);
        let piece = 1 + dice.below(upload.len().max(1));
        let (taken, layout, rows) = take_by(&upload, piece, ANY);
        if let Err(CsvError::OpenQuote { .. }) = taken {
            continue;
        }
        assert_eq!(taken, Ok(()));
        whole += 1;
        let download = give(&layout, &rows, &[], &[], Changes::default());
        assert_eq!(download, upload, "{}", String::from_utf8_lossy(&upload));
    }
    assert!(whole > 2_000, "{whole}");
}

#[test]
fn with_our_columns_theirs_are_read_as_they_were() {
    let mut dice = Dice(11);
    let mut compared = 0;
    for _ in 0..2_000 {
        let upload = drawn(&mut dice);
        let (taken, layout, rows) = take_by(&upload, usize::MAX, ANY);
        // The other reader takes away a second mark too.
        if taken.is_err() || rows.is_empty() || upload.starts_with(b"\xef\xbb\xbf\xef\xbb\xbf") {
            continue;
        }
        let download = give(&layout, &rows, &["ours"], &["x,;|\t\"\n"], Changes::default());
        // A reader that is not ours, and is told nothing but the delimiter.
        let read = |octets: &[u8]| -> Vec<Vec<Vec<u8>>> {
            let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
            let mut reader = csv::ReaderBuilder::new();
            reader.has_headers(false).flexible(true).delimiter(layout.delimiter.octet());
            let records = reader.from_reader(octets).into_byte_records();
            records.map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
        };
        let (theirs, both) = (read(&upload), read(&download));
        let both = &both[usize::from(layout.header.is_none())..];
        assert_eq!(theirs.len(), both.len());
        let width = layout.names.len();
        for (row, (theirs, both)) in theirs.iter().zip(both).enumerate() {
            assert_eq!(&both[..theirs.len()], theirs);
            assert_eq!(both.len(), width + 1, "every row has the same width");
            let is_header = row == 0 && layout.header.is_some();
            assert_eq!(both[width], if is_header { &b"ours"[..] } else { b"x,;|\t\"\n" });
        }
        compared += 1;
    }
    assert!(compared > 1_000, "{compared}");
}
