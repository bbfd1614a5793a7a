//! What every service has: health, metrics, its own description, and quiet logs.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::sample::{noon, person};
use std::fs;
use std::process::Command;

#[test]
fn it_is_healthy_ready_and_measured() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["portal"])).expect(202);
    settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(gateway.anyone().get(path).status(), 200);
    }
    let metrics = client.get("/metrics");
    assert_eq!(metrics.status(), 200);
    let kind = metrics.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = metrics.text();
    assert!(text.lines().any(|line| line.starts_with("# TYPE dunwell_")), "{text}");
    assert!(!text.contains(&sample.phone) && !text.contains(&sample.id), "{text}");
}

#[test]
fn the_description_is_a_valid_openapi_document_and_complete() {
    let gateway = Gateway::start();
    let served = gateway.anyone().get("/openapi.json").expect(200);
    let printed = gateway.tool(&["openapi"]);
    assert!(printed.status.success());
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(printed, served, "the command prints what the service serves");
    assert!(served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for path in [
        "/v1/debtors/{debtor_id}",
        "/v1/debtors/{debtor_id}/consents",
        "/v1/debtors/{debtor_id}/opt-outs",
        "/v1/debtors/{debtor_id}/preferences",
        "/v1/debtors/{debtor_id}/holds/{kind}",
        "/v1/debtors/{debtor_id}/history",
        "/v1/contact-events",
        "/v1/contact-events/batch",
        "/v1/decisions",
        "/v1/decisions/batch",
        "/v1/permits",
        "/v1/permits/{permit_id}/outcome",
        "/v1/pauses/{name}",
        "/v1/reviews",
        "/v1/contact-requests",
        "/v1/contact-requests/batch",
        "/v1/contact-requests/{id}",
        "/v1/contact-requests/{id}/messages",
        "/v1/contact-requests/{id}/cancel",
        "/v1/history",
        "/v1/events",
        "/healthz",
        "/readyz",
    ] {
        assert!(served["paths"][path].is_object(), "{path} is not described");
    }
    // A validator that we did not write.
    let file = gateway.dir().join("openapi.json");
    fs::write(&file, served.to_string()).expect("written");
    let validator = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/node_modules/.bin/validate-api");
    let output =
        Command::new(validator).arg(&file).output().expect("the validator is there: run tests/setup.sh");
    let verdict =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && verdict.contains("true"), "{verdict}");
}

#[test]
fn the_documentation_page_needs_nobody_else() {
    let gateway = Gateway::start();
    let page = gateway.anyone().get("/docs");
    assert_eq!(page.status(), 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let text = page.text();
    assert!(text.contains("contact-requests"), "the page tells of the interface");
    for outside in ["src=\"http", "src=\"//", "href=\"//", "@import", "url(http"] {
        assert!(!text.contains(outside), "the page loads something from elsewhere: {outside}");
    }
}
