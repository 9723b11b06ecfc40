//! What stands beside addresses, in a real store.

use std::fmt::Write as _;

use super::*;
use crate::{
    jobs::testing::{submit, submit_file},
    store::{LOCAL_CLIENT, testing::store},
};

async fn extra(store: &Store, job: Uuid, rows: &[u32]) -> Extra {
    Extra::of(store, job, rows.to_vec(), OCTETS_MAX).await.unwrap()
}

fn told(extra: &Extra, row: u32) -> Vec<(&str, &str)> {
    extra.row(row).collect()
}

#[tokio::test]
async fn cells_stand_by_their_names_in_the_order_of_columns() {
    let store = store().await;
    let file = b"Pr\xe9nom;E-Mail;note;note\n\"Jos\xe9 \"\"J\"\"\";jose@example.com;\"a;b\nc\";2\n\
        ;ann@example.com\nBob;bob@example.com;;;more\n";
    let job = submit_file(&store, LOCAL_CLIENT, file).await;
    let extra = extra(&store, job, &[1, 2, 3]).await;
    let names = ["Prénom", "note", "note_2", "column_5"];
    let row = |number| -> Vec<&str> {
        let (found, cells): (Vec<_>, Vec<_>) = extra.row(number).unzip();
        assert_eq!(found, names);
        cells
    };
    assert_eq!(row(1), ["José \"J\"", "a;b\nc", "2", ""]);
    assert_eq!(row(2), ["", "", "", ""]);
    assert_eq!(row(3), ["Bob", "", "", "more"]);
    assert!(told(&extra, 4).is_empty());
}

#[tokio::test]
async fn of_a_list_and_of_a_file_that_is_gone_there_is_nothing() {
    let store = store().await;
    let list = submit(&store, LOCAL_CLIENT, &["a@example.com"]).await;
    assert!(told(&extra(&store, list, &[1]).await, 1).is_empty());
    let file = submit_file(&store, LOCAL_CLIENT, b"email,note\na@example.com,1\n").await;
    assert_eq!(told(&extra(&store, file, &[1]).await, 1), [("note", "1")]);
    assert!(extra(&store, file, &[]).await.rows.is_empty());
    let client = store.worker().await.unwrap();
    client.execute("delete from sheet where job = $1", &[&file]).await.unwrap();
    assert!(told(&extra(&store, file, &[1]).await, 1).is_empty());
}

#[tokio::test]
async fn rows_are_found_in_their_pieces_and_a_lost_one_costs_no_other() {
    let store = store().await;
    let note = "x".repeat(1000);
    let mut file = String::from("email,no,note\n");
    (1..=600).for_each(|row| writeln!(file, "user{row}@example.com,{row},{note}").unwrap());
    let job = submit_file(&store, LOCAL_CLIENT, file.as_bytes()).await;
    let client = store.worker().await.unwrap();
    let spans = sheets::spans(&client, job).await.unwrap();
    assert_eq!((spans.len(), spans[1].first_row, spans[2].range().end), (3, spans[0].rows + 1, 601));
    let wanted = [1, spans[1].first_row - 1, spans[1].first_row, 599];
    let of = async || {
        let extra = extra(&store, job, &wanted).await;
        wanted.map(|row| extra.row(row).next().map(|(_, cell)| cell.to_owned()))
    };
    let all = wanted.map(|row| Some(row.to_string()));
    assert_eq!(of().await, all);
    // Moved to where it does not belong.
    let swap = "update sheet set sealed = (select sealed from sheet where job = $1 and no = 2) where job = $1 and no = 1";
    client.execute(swap, &[&job]).await.unwrap();
    let [first, last, _, other] = all;
    assert_eq!(of().await, [first, last, None, other]);
}

#[tokio::test]
async fn a_page_that_would_be_much_larger_than_its_file_is_refused() {
    let store = store().await;
    // The names of 4,000 columns at each of a thousand rows that have one.
    let mut file = String::from("email");
    (0..4000).for_each(|column| write!(file, ",column{column}").unwrap());
    file += "\n";
    (0..1000).for_each(|row| writeln!(file, "user{row}@example.com").unwrap());
    let job = submit_file(&store, LOCAL_CLIENT, file.as_bytes()).await;
    let all = Extra::of(&store, job, (1..=1000).collect(), OCTETS_MAX).await;
    assert!(matches!(all, Err(NoExtra::TooMuch)), "{all:?}");
    assert_eq!(extra(&store, job, &(1..=300).collect::<Vec<_>>()).await.row(300).count(), 4000);
}

#[tokio::test]
async fn octets_are_counted_as_they_are_told() {
    let store = store().await;
    // As JSON, eight octets of the first note are 48, and five of the second ten.
    let file = b"email,n\na@example.com,\x01\x02\x03\x04\x05\x06\x07\x0b\nb@example.com,\"\"\"\"\"\\\\\n\"\n";
    let job = submit_file(&store, LOCAL_CLIENT, file).await;
    for (row, note) in [(1, 48), (2, 10)] {
        let octets = "n".len() + CELL_OCTETS + "a@example.com".len() + note;
        let of = async |octets_max| Extra::of(&store, job, vec![row], octets_max).await;
        assert!(matches!(of(octets - 1).await, Err(NoExtra::TooMuch)), "{row}");
        assert_eq!(of(octets).await.unwrap().row(row).count(), 1);
    }
    // What one octet is in the file may be three in an answer.
    let mut file = b"email,n\na@example.com,".to_vec();
    file.extend([0x80; 100]);
    let job = submit_file(&store, LOCAL_CLIENT, &file).await;
    let of = async |octets_max| Extra::of(&store, job, vec![1], octets_max).await;
    let octets = 300 + "n".len() + CELL_OCTETS + "a@example.com".len();
    assert!(matches!(of(octets - 1).await, Err(NoExtra::TooMuch)));
    assert_eq!(of(octets).await.unwrap().row(1).next(), Some(("n", &*"\u{20ac}".repeat(100))));
}

#[tokio::test]
async fn of_a_file_that_expires_while_it_is_read_nothing_is_told() {
    let store = store().await;
    let note = "x".repeat(1000);
    let mut file = String::from("email,note\n");
    (1..=600).for_each(|row| writeln!(file, "user{row}@example.com,{note}").unwrap());
    let job = submit_file(&store, LOCAL_CLIENT, file.as_bytes()).await;
    let client = store.worker().await.unwrap();
    let (layout, spans) =
        (sheets::layout(&client, job).await.unwrap(), sheets::spans(&client, job).await.unwrap());
    let layout = open_layout(store.keys(), job, &layout.unwrap()).unwrap();
    let rows = vec![1, 600];
    let through = async || {
        let reading = Reading::new(layout.clone(), OCTETS_MAX);
        reading.through(&store, job, &spans, rows.clone()).await.unwrap()
    };
    assert_eq!(through().await.rows.len(), 2);
    client.execute("delete from sheet where job = $1 and no = 2", &[&job]).await.unwrap();
    let extra = through().await;
    assert!(extra.rows.is_empty() && extra.names.is_empty());
}
