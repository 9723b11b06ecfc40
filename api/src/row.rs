//! A verdict as a flat row: the columns that files get. The names are those of the contract's result file.

use mailsonde_engine::{Judgement, Reason, Verdict};

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

/// Names of the columns of a table whose duplicates are marked, in order.
pub(crate) fn columns() -> Vec<&'static str> {
    COLUMNS.into_iter().chain([DUPLICATE_OF]).collect()
}

/// Cells that a judgement has whatever it is of: all but the suggestion, and when it was reached.
pub(crate) type Said = [String; COLUMNS.len() - 2];

/// The cells of a verdict, one for each of [`COLUMNS`].
pub(crate) fn cells(verdict: &Verdict, moment: &Moment) -> [String; COLUMNS.len()] {
    let suggestion = Suggestion::of(verdict).map(suggested).unwrap_or_default();
    let moment = format!("{:.0}", moment.verified_at);
    in_order(said(&verdict.judgement), suggestion, moment)
}

/// See [`Said`].
pub(crate) fn said(judgement: &Judgement) -> Said {
    let flags = judgement.flags;
    let word = |word: fn(&Reason) -> &str| {
        judgement.reason.as_ref().map(|reason| guarded(word(reason)).into_owned()).unwrap_or_default()
    };
    [
        judgement.category.word().to_owned(),
        word(Reason::group),
        word(Reason::word),
        format!("{:.2}", judgement.confidence.as_f64()),
        flags.is_catch_all.to_string(),
        flags.is_disposable.to_string(),
        flags.role.is_some().to_string(),
    ]
}

/// The cell of a suggestion.
pub(crate) fn suggested(suggestion: Suggestion<'_>) -> String {
    guarded(&suggestion.to_string()).into_owned()
}

/// Cells in the order of [`COLUMNS`].
pub(crate) fn in_order<C>(said: [C; COLUMNS.len() - 2], suggestion: C, moment: C) -> [C; COLUMNS.len()] {
    let [category, group, reason, confidence, is_catch_all, is_disposable, is_role_based] = said;
    [category, group, reason, confidence, suggestion, is_catch_all, is_disposable, is_role_based, moment]
}
