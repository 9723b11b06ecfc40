//! `GET /api/v1/credits/balance` and `GET /api/v1/credits/transactions`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    error::ApiError,
    list::{of_whom, user},
};
use crate::{
    facade::tasks::credits::{self, Transaction},
    http::{App, Caller, Query, answer},
    store::{
        billing::{self, UsageRow},
        task_lists,
    },
};

/// Transactions of a page.
const TRANSACTIONS_DEFAULT: i64 = 50;
const TRANSACTIONS_MAX: i64 = 100;

/// What is left of the present month's credits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balance {
    user_id: Uuid,
    /// Without what is held for work under way. 1,000,000,000 less what is used, where there is no quota.
    #[schema(minimum = 0)]
    balance: i64,
}

/// A page of transactions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionList<'a> {
    transactions: &'a [Transaction],
    /// On all pages.
    total: usize,
    limit: i64,
    offset: i64,
}

/// What is left of the present month's credits (UTC).
#[utoipa::path(
    get,
    path = "/api/v1/credits/balance",
    tag = "Credits",
    params(("user_id" = Option<Uuid>, Query, description = "Another client's, for who may see all")),
    responses(
        (status = 200, body = Balance, description = "The balance"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn balance(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let client = user(&mut query);
    query.finish()?;
    let row = usage(&app, of_whom(&access, client)?).await?;
    let balance = credits::balance(row.monthly_quota, row.settled + row.reserved);
    Ok(answer(StatusCode::OK, &Balance { user_id: row.client, balance }))
}

/// What led to the balance, the newest first, as far as it is kept: the quota of each month, what each task has cost, and
/// what else a month has cost.
#[utoipa::path(
    get,
    path = "/api/v1/credits/transactions",
    tag = "Credits",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "50 where nothing is said"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "0 where nothing is said"),
        ("user_id" = Option<Uuid>, Query, description = "Another client's, for who may see all"),
    ),
    responses(
        (status = 200, body = TransactionList, description = "A page of transactions"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn transactions(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let limit = query.integer("limit", 1..=TRANSACTIONS_MAX).unwrap_or(TRANSACTIONS_DEFAULT);
    let offset = query.integer("offset", 0..=i64::MAX).unwrap_or(0);
    let client = user(&mut query);
    query.finish()?;
    let row = usage(&app, of_whom(&access, client)?).await?;
    let connection = app.store.request().await?;
    let months = task_lists::months(&connection, row.client).await?;
    let costs = task_lists::costs(&connection, row.client).await?;
    let all = credits::transactions(row.client, row.monthly_quota, &months, &costs, Timestamp::now());
    let number = |count: i64| usize::try_from(count).unwrap_or(usize::MAX);
    let begin = number(offset).min(all.len());
    let end = begin.saturating_add(number(limit)).min(all.len());
    let page = TransactionList { transactions: &all[begin..end], total: all.len(), limit, offset };
    Ok(answer(StatusCode::OK, &page))
}

/// What a client has used in this month.
async fn usage(app: &App, client: Uuid) -> Result<UsageRow, ApiError> {
    let row = billing::usage(&app.store.request().await?, client, None).await?;
    row.ok_or_else(ApiError::user_not_found)
}
