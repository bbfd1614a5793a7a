//! Pages for people: escaped text in a frame that runs nothing and loads nothing, readable without JavaScript.

use aws_lc_rs::digest;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

/// Text made safe between tags and inside quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A whole page.
pub struct Page<'a> {
    /// Its language, BCP 47.
    pub language: &'a str,
    /// Its title, plain text.
    pub title: &'a str,
    /// Its style sheet.
    pub style: &'a str,
    /// Its body, HTML.
    pub body: &'a str,
}

impl Page<'_> {
    /// The HTML of the page.
    pub fn html(&self) -> String {
        let mut html = String::with_capacity(self.body.len() + self.style.len() + 512);
        // Writing to a string does not fail.
        let _ = write!(
            html,
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{}</style>\n</head>\n\
             <body>\n{}\n</body>\n</html>\n",
            escape(self.language),
            escape(self.title),
            self.style,
            self.body
        );
        html
    }

    /// The page as an answer. Its policy lets it show its own style and post a form to where it came from; nothing else.
    pub fn respond(&self, status: StatusCode) -> Response {
        let sheet = STANDARD.encode(digest::digest(&digest::SHA256, self.style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{sheet}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let mut response = (status, self.html()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}
