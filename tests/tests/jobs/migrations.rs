//! The schema, and who may bring it up to date.

use std::thread;

use mailsonde_tests::site::Site;

/// A command fails with one line that says why.
fn fails(site: &Site, args: &[&str], why: &str) {
    let run = site.run(args);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(run.stderr.trim_end().lines().count() == 1 && run.stderr.contains(why), "{}", run.stderr);
}

#[test]
fn of_four_that_migrate_at_once_all_succeed() {
    let site = Site::bare([]);
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| site.run(&["migrate"]))).collect();
        for run in all.into_iter().map(|run| run.join().unwrap()) {
            assert!(run.status.success(), "{}", run.stderr);
            assert_eq!(run.stderr, "");
        }
    });
    assert_eq!(site.query("select no from migration order by no").lines().next(), Some("1"));
    assert_eq!(site.query("select count(*) = count(distinct name) from migration"), "t");
    assert_eq!(site.query("select count(*) from client"), "2", "each step was applied once");

    site.query("insert into migration (no, name, sha256) values (99, '0099_from_the_future', '')");
    let before = site.postgres.dump().unwrap();
    for args in [&["migrate"][..], &["work"], &["job", "list"]] {
        fails(&site, args, "newer than this program");
    }
    assert_eq!(schema(&site.postgres.dump().unwrap()), schema(&before), "nothing is changed");
}

#[test]
fn half_a_schema_is_refused() {
    let site = Site::new(&[]);
    site.query("drop table session_lease");
    for args in [&["migrate"][..], &["work"], &["job", "list"]] {
        fails(&site, args, "session_lease");
    }
    let other = Site::bare([]);
    other.query("create table chunk (no int)");
    fails(&other, &["migrate"], "half of it");
    let tables = "select string_agg(tablename, ',') from pg_tables where schemaname = 'public'";
    assert_eq!(other.query(tables), "chunk", "nothing is left of the attempt");
}

/// A dump without the words that differ from one to the next.
fn schema(dump: &str) -> Vec<&str> {
    dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")).collect()
}
