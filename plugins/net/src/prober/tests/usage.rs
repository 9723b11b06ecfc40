//! What a prober says that it has used.

use super::*;
use crate::{
    budget::{BudgetKey, UsageOf},
    script::Host,
};

const GOOGLE: &str = "aspmx.l.google.com";

/// A host that takes its time, knows `user…` and wants to hear of `grey…` again.
fn host() -> Host {
    Host::default().on("RCPT", |line| {
        let said = if line.contains("<user") {
            "250 ok"
        } else if line.contains("<grey") {
            "450 4.2.0 Greylisted, try again in 300 seconds"
        } else {
            "550 5.1.1 unknown"
        };
        Say::after(Duration::from_millis(500), said)
    })
}

async fn asked(prober: &SmtpProber, name: &str) {
    let everybody = ["user1@a.test", "user2@a.test", "grey1@b.test", "nobody@a.test"];
    answers(prober, ask(mx(&[name]), &everybody)).await;
}

#[tokio::test(start_paused = true)]
async fn random_recipients_and_idle_sessions_do_not_count() {
    for (name, of) in [(GOOGLE, UsageOf::Operator("google")), ("mx", UsageOf::Few)] {
        let prober = prober(Net::default().host(name, "9.9.9.9", &host()));
        assert_eq!(prober.usage(), []);
        asked(&prober, name).await;
        sessions_end().await;
        let usage = prober.usage();
        let [usage] = &*usage else { panic!("{usage:?}") };
        assert_eq!((usage.of, usage.asked, usage.put_off), (of, 4, 1));
        // Four, and the random ones of two domains; the session was kept for two seconds more.
        assert!(usage.time >= Duration::from_secs(2), "{usage:?}");
        assert!(usage.time < Duration::from_secs(2) + config().keep_warm, "{usage:?}");
        assert_eq!((usage.bears, usage.pace), (1.0, None));
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_were_met_are_told_along() {
    let prober = prober(Net::default().host(GOOGLE, "9.9.9.9", &host()));
    asked(&prober, GOOGLE).await;
    let share = prober.0.budget.share(EgressId(0), &BudgetKey::Operator("google"));
    let _open = (share.session().await, share.session().await, share.session().await);
    assert!(share.too_many_sessions());
    share.heard(Instant::now(), 90, 10);
    let usage = prober.usage()[0];
    let max = share.sessions_max();
    assert_eq!(usage.pace.map(|pace| pace > 80), Some(true));
    assert!((usage.bears * 10.0 - f64::from(u32::try_from(max).unwrap())).abs() < 1e-9, "{usage:?} of {max}");
}
