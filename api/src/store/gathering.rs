//! Asking the database for many at once: whoever has work for it waits for those who are on their way.

use tokio::{sync::mpsc::Receiver, task::yield_now};

/// How often others are waited for: each time while other tasks that could go on have a turn.
const TURNS_MAX: u32 = 8;

/// Adds to those who have come, up to so many, who else comes while other tasks have their turns, and is over as soon as
/// nobody does. For the database many are hardly more work than few; and where nobody else is there, nobody is waited for.
pub(crate) async fn gather<T>(arriving: &mut Receiver<T>, come: &mut Vec<T>, max: usize) {
    for _ in 0..TURNS_MAX {
        let before = come.len();
        if before >= max {
            return;
        }
        yield_now().await;
        while come.len() < max
            && let Ok(next) = arriving.try_recv()
        {
            come.push(next);
        }
        if come.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn whoever_is_on_the_way_comes_along() {
        let (sender, mut arriving) = mpsc::channel(8);
        for number in [2, 3] {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(number).await.unwrap() });
        }
        let mut come = vec![1];
        gather(&mut arriving, &mut come, 8).await;
        assert_eq!(come, [1, 2, 3]);
        gather(&mut arriving, &mut come, 8).await;
        assert_eq!(come.len(), 3, "nobody else is there");
    }

    #[tokio::test]
    async fn no_more_come_than_may_and_others_are_not_waited_for_without_end() {
        let (sender, mut arriving) = mpsc::channel(8);
        for number in 0..4 {
            sender.try_send(number).unwrap();
        }
        let mut come = Vec::new();
        gather(&mut arriving, &mut come, 3).await;
        assert_eq!(come, [0, 1, 2]);
        let task = tokio::spawn(async move {
            while sender.send(9).await.is_ok() {
                yield_now().await;
            }
        });
        gather(&mut arriving, &mut come, usize::MAX).await;
        assert!(come.len() > 3);
        task.abort();
    }
}
