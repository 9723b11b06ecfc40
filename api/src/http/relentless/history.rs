//! `GET /client/history`: what was asked and answered at once, the newest first. Jobs are listed by themselves.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{error::ApiError, paging::Paging};
use crate::{
    facade::relentless::{
        kept::Kept,
        moment,
        result::IdentityProvider,
        words::{Outcome, RequestType, State as StateWord},
    },
    http::{App, Caller, Query, answer},
    store::{
        StoreError,
        keys::{Keyring, Row},
        requests::{self, RequestRow, Wanted},
    },
};

/// Requests of a page.
const PAGE_MAX: i64 = 25;

/// A page of requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientRequestHistoryPageResponse)]
pub(super) struct HistoryPage {
    items: Vec<HistoryItem>,
    total: i64,
    page: i64,
    page_size: i64,
    total_pages: i64,
}

/// A request that was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientRequestHistoryItem)]
pub(super) struct HistoryItem {
    id: Uuid,
    #[schema(value_type = RequestType)]
    request_type: String,
    input_name: Option<String>,
    input_domain: Option<String>,
    input_email: Option<String>,
    /// The address, or the name and the domain.
    input_label: String,
    #[schema(value_type = StateWord)]
    state: String,
    #[schema(value_type = Outcome)]
    outcome: String,
    resolved_address: Option<String>,
    #[schema(minimum = 0)]
    duration_ms: i32,
    provider: Option<String>,
    identity_providers: Vec<IdentityProvider>,
    mx_hosts: Vec<String>,
    /// Nothing yet.
    #[schema(value_type = Object)]
    metadata: BTreeMap<String, String>,
    is_alias: bool,
    is_catchall: bool,
    request_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// What was asked and answered at once, the newest first.
#[utoipa::path(
    get,
    path = "/client/history",
    tag = "Account",
    params(
        ("page" = Option<i64>, Query, minimum = 1, maximum = 2_147_483_647, description = "From 1 on; 1 where nothing is said"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 25, description = "25 where nothing is said"),
        ("request_type" = Option<RequestType>, Query, description = "Only these"),
        ("state" = Option<StateWord>, Query, description = "Only these"),
    ),
    responses((status = 200, body = HistoryPage, description = "A page of requests")),
)]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let paging = Paging::read(&mut query, PAGE_MAX, PAGE_MAX);
    let kind = query.word("request_type", &["finder", "probe"]);
    let state = query.word("state", &["deliverable", "undeliverable"]);
    query.finish()?;
    let wanted = Wanted { client: access.client, kind, state };
    let mut connection = app.store.request().await?;
    let (rows, total) = requests::page(&mut connection, wanted, paging.size, paging.offset()).await?;
    let keys = app.store.keys();
    let items = rows.into_iter().map(|row| HistoryItem::of(keys, row)).collect::<Result<_, StoreError>>()?;
    let page = HistoryPage {
        items,
        total,
        page: paging.page,
        page_size: paging.size,
        total_pages: paging.pages(total),
    };
    Ok(answer(StatusCode::OK, &page))
}

impl HistoryItem {
    fn of(keys: &Keyring, row: RequestRow) -> Result<Self, StoreError> {
        let text = keys.open(Row::Request { id: row.id }, &row.sealed)?;
        let Kept { input, result } = Kept::read(&text)?;
        Ok(Self {
            id: row.id,
            request_type: row.kind,
            input_label: input.label(),
            input_name: input.name,
            input_domain: input.domain,
            input_email: input.email,
            state: row.state,
            outcome: row.outcome,
            provider: result.provider().map(str::to_owned),
            resolved_address: result.address,
            duration_ms: row.duration_ms,
            identity_providers: result.identity_providers,
            mx_hosts: result.mx_hosts,
            metadata: BTreeMap::new(),
            is_alias: result.is_alias,
            is_catchall: result.is_catchall,
            request_id: result.request_id,
            created_at: moment(row.created_at),
        })
    }
}
