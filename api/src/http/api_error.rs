//! Why an endpoint does not do what it was asked for: what every facade may refuse, and what its own alone does.

use axum::{
    http::{HeaderValue, StatusCode, header::CONNECTION},
    response::{IntoResponse, Response},
};
use mailsonde_config::ConfigError;

use super::{refusal::Refusal, shape::Shape};
use crate::store::StoreError;

/// A refusal of an endpoint.
#[derive(Debug)]
pub(crate) enum ApiError<Own> {
    /// What every facade may refuse.
    Refused(Refusal),
    /// What this one does.
    Own(Own),
}

/// What a facade alone refuses, in its own words.
pub(crate) trait OwnRefusal: IntoResponse {
    /// In whose words it tells what all of them refuse.
    const SHAPE: Shape;
}

impl<Own> From<Refusal> for ApiError<Own> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<Own> From<StoreError> for ApiError<Own> {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// It was right when the service began.
impl<Own> From<ConfigError> for ApiError<Own> {
    fn from(error: ConfigError) -> Self {
        tracing::error!("a pipeline cannot be used: {error}");
        Self::Refused(Refusal::Internal)
    }
}

impl<Own: OwnRefusal> IntoResponse for ApiError<Own> {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => Own::SHAPE.refuse(&refusal),
            Self::Own(own) => {
                let mut response = own.into_response();
                // What is left of the request is not worth reading.
                if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }
    }
}
