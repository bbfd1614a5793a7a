//! The API as a caller knows it, without a socket: the same router, keys and bodies.

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 << 20;

/// A caller with a key.
#[derive(Clone)]
pub struct Door {
    router: Router,
    key: String,
}

impl Door {
    /// A caller of this router.
    pub fn new(router: Router, key: String) -> Self {
        Self { router, key }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// The answer is no success; says what the problem document says.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, Body::empty()).await
    }

    /// States something.
    ///
    /// # Errors
    /// The answer is no success; says what the problem document says.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Body::from(serde_json::to_vec(body)?)).await
    }

    /// Adds something.
    ///
    /// # Errors
    /// The answer is no success; says what the problem document says.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Body::from(serde_json::to_vec(body)?)).await
    }

    async fn call(&self, method: Method, path: &str, body: Body) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)?;
        let answer = self.router.clone().oneshot(request).await?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), LARGEST).await?;
        let body: Value = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).with_context(|| format!("{method} {path}: {status}"))?,
        };
        anyhow::ensure!(status.is_success(), "{method} {path}: {status}: {body}");
        Ok(body)
    }
}
