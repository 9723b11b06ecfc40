//! Months, by a clock that the test sets, and who is told what in them.

use super::*;
use crate::store::keys::Row;

/// From now on, this is the present moment of the database for those who connect.
async fn set_clock(store: &Store, at: &str) {
    run(
        store,
        &format!(
            "create table if not exists clock (at timestamptz);
             delete from clock; insert into clock values ('{at}');
             create or replace function public.now() returns timestamptz language sql stable
                 as 'select at from public.clock';
             do $$ begin
                 execute format('alter database %I set search_path = public, pg_catalog', current_database());
                 execute format('alter database %I set timezone = \"Pacific/Auckland\"', current_database());
             end $$"
        ),
    )
    .await;
}

async fn settled_by_month(store: &Store) -> Vec<(String, i64)> {
    let months = "select month::text, sum(settled)::bigint from usage group by month order by month";
    let rows = store.worker().await.unwrap().query(months, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_month_ends_in_utc_and_the_months_are_the_total() {
    let first = store().await;
    let of = client(&first, None, false).await;
    // Ends of a month, of a February with 29 days and of a year; a leap second; the nights in which clocks are changed.
    let moments = [
        ("2026-03-29T01:00:00Z", "2026-03-01"),
        ("2026-03-31T23:59:59.999999Z", "2026-03-01"),
        ("2026-04-01T00:00:00Z", "2026-04-01"),
        ("2026-10-31T23:59:59Z", "2026-10-01"),
        ("2026-12-31T23:59:60Z", "2027-01-01"),
        ("2027-01-31T12:00:00+13:00", "2027-01-01"),
        ("2027-02-01T00:30:00+01:00", "2027-01-01"),
        ("2028-02-29T23:59:59.999Z", "2028-02-01"),
        ("2028-03-01T00:00:00Z", "2028-03-01"),
    ];
    set_clock(&first, moments[0].0).await;
    let (store, ledger) = process(&first);
    let mut total = 0;
    let mut expected = std::collections::BTreeMap::<String, i64>::new();
    for ((at, month), units) in moments.iter().zip(1..) {
        run(&store, &format!("update clock set at = '{at}'")).await;
        ledger.settle(&of, units, None).await.unwrap();
        *expected.entry((*month).to_owned()).or_default() += i64::from(units);
        total += i64::from(units);
        let usage = billing::usage(&store.worker().await.unwrap(), of.client, None).await.unwrap().unwrap();
        assert_eq!(usage.month.to_string(), *month, "{at}");
    }
    let months = settled_by_month(&store).await;
    assert_eq!(months.iter().map(|(_, settled)| settled).sum::<i64>(), total);
    assert_eq!(months, expected.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_held_in_a_month_is_settled_in_it() {
    let first = store().await;
    let of = client(&first, Some(10), true).await;
    set_clock(&first, "2026-12-31T23:59:59Z").await;
    let (store, ledger) = process(&first);
    let (one, other) = (ledger.hold(&of, 6).await.unwrap(), ledger.hold(&of, 4).await.unwrap());
    assert!(ledger.hold(&of, 1).await.is_err());
    run(&store, "update clock set at = '2027-01-01T00:00:01Z'").await;
    // A new month, a new quota; what is held was the old one's.
    let third = ledger.hold(&of, 10).await.unwrap();
    let (one, third) = tokio::join!(ledger.settle(&of, 5, one), ledger.settle(&of, 9, third));
    one.unwrap();
    third.unwrap();
    drop(other);
    ledger.settle(&Access { hard_cap: false, ..of.clone() }, 1, None).await.unwrap();
    let months = settled_by_month(&store).await;
    assert_eq!(months, [("2026-12-01".into(), 5), ("2027-01-01".into(), 10)]);
    assert_eq!(ask(&store, "select sum(reserved) from usage").await, 0);
}

/// What was to be told: thresholds and used credits, in the order in which it came about.
async fn told(store: &Store) -> Vec<(f64, i64)> {
    let rows = store.worker().await.unwrap();
    let rows = rows.query("select id, sealed from webhook order by created_at, id", &[]).await.unwrap();
    let body = |row: &tokio_postgres::Row| {
        let plain = store.keys().open(Row::Webhook { id: row.get(0) }, row.get(1)).unwrap();
        let message: serde_json::Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(message["url"], "https://hooks.example.com/usage");
        let body: serde_json::Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["type"], "usage.threshold");
        let usage = &body["data"]["usage"];
        assert!(usage["client_id"].is_string() && usage["monthly_quota"] == 10, "{body}");
        (body["data"]["threshold"].as_f64().unwrap(), usage["billable_units"].as_i64().unwrap())
    };
    rows.iter().map(body).collect()
}

/// Many at once, as many processes would.
async fn sweep_all(store: &Store) {
    for swept in join_all((0..5).map(|_| sweep(store))).await {
        swept.unwrap();
    }
}

#[tokio::test]
async fn a_client_is_told_once_a_month_of_each_threshold() {
    let first = store().await;
    let of = client(&first, Some(10), false).await;
    let silent = client(&first, Some(10), false).await;
    let url = first.keys().seal(Row::AlertUrl { client: of.client }, b"https://hooks.example.com/usage");
    let add = "update client set alert_url = $2 where id = $1";
    first.worker().await.unwrap().execute(add, &[&of.client, &url]).await.unwrap();
    set_clock(&first, "2026-12-30T12:00:00Z").await;
    let (store, ledger) = process(&first);
    let mut expected = Vec::new();
    let steps: [(u32, &[(f64, i64)]); 5] =
        [(7, &[]), (1, &[(0.8, 8)]), (1, &[]), (1, &[(1.0, 10)]), (20, &[])];
    for (units, now) in steps {
        ledger.settle(&of, units, None).await.unwrap();
        ledger.settle(&silent, units, None).await.unwrap();
        sweep_all(&store).await;
        expected.extend_from_slice(now);
        assert_eq!(told(&store).await, expected);
    }
    // What comes about in the last second of a month is told in the next one, which begins anew: here with both at once.
    run(&store, "update usage set told = 80; update clock set at = '2027-01-01T00:00:05Z'").await;
    sweep_all(&store).await;
    expected.push((1.0, 30));
    ledger.settle(&of, 10, None).await.unwrap();
    sweep_all(&store).await;
    expected.extend([(0.8, 10), (1.0, 10)]);
    assert_eq!(told(&store).await, expected);
    assert_eq!(ask(&store, "select count(*) from task where kind = 'webhook'").await, 5);
    assert_eq!(ask(&store, "select min(told) from usage where settled >= 10").await, 100);
}

#[tokio::test]
async fn what_is_only_held_is_not_told() {
    let store = store().await;
    let of = client(&store, Some(10), true).await;
    let (_, ledger) = process(&store);
    let hold = ledger.hold(&of, 10).await.unwrap();
    sweep(&store).await.unwrap();
    assert_eq!(ask(&store, "select max(told) from usage").await, 0);
    ledger.settle(&of, 8, hold).await.unwrap();
    sweep(&store).await.unwrap();
    assert_eq!(ask(&store, "select max(told) from usage").await, 80);
    let quotas = billing::quotas(&store.worker().await.unwrap(), 10).await.unwrap();
    assert_eq!(quotas.iter().map(|row| (row.client, row.settled)).collect::<Vec<_>>(), [(of.client, 8)]);
}
