//! A verdict as a flat row: the columns that files get. The names are those of the contract's result file.

use mailsonde_engine::{Reason, Verdict};

use crate::{
    csv::formula::guarded,
    verification::{Moment, Suggestion},
};

/// Names of the columns, in order.
pub(crate) const COLUMNS: [&str; 9] = [
    "ev_category",
    "ev_sub_category",
    "ev_reason",
    "ev_confidence_score",
    "ev_suggestion",
    "ev_is_catch_all",
    "ev_is_disposable",
    "ev_is_role_based",
    "ev_verified_at",
];

/// The column that follows where duplicates are marked: the row in which the mailbox stood first.
pub(crate) const DUPLICATE_OF: &str = "ev_duplicate_of_row";

/// The cells of a verdict, one for each of [`COLUMNS`].
pub(crate) fn cells(verdict: &Verdict, moment: &Moment) -> [String; COLUMNS.len()] {
    let judgement = &verdict.judgement;
    let flags = judgement.flags;
    let word = |word: fn(&Reason) -> &str| {
        judgement.reason.as_ref().map(|reason| guarded(word(reason)).into_owned()).unwrap_or_default()
    };
    [
        judgement.category.word().to_owned(),
        word(Reason::group),
        word(Reason::word),
        format!("{:.2}", judgement.confidence.as_f64()),
        Suggestion::of(verdict)
            .map(|suggestion| guarded(&suggestion.to_string()).into_owned())
            .unwrap_or_default(),
        flags.is_catch_all.to_string(),
        flags.is_disposable.to_string(),
        flags.role.is_some().to_string(),
        format!("{:.0}", moment.verified_at),
    ]
}
