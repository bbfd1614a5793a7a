//! An email goes all the way: to a mail server that we did not write, read by a reader that we did not write.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::http::Client;
use crate::support::mail::MailServer;
use crate::support::sample::{Person, decide, noon, person};
use serde_json::{Value, json};

fn mail(client: &Client, person: &Person, request_id: &str) -> String {
    person.enter(client, noon());
    let answer = client.post("/v1/contact-requests", &person.request(request_id, &["email"])).expect(202);
    answer["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"][name].as_str().unwrap_or_else(|| panic!("no {name}: {mail}"))
}

#[test]
fn an_email_arrives_whole() {
    let server = MailServer::start();
    let gateway = Gateway::with(server.setup());
    let client = gateway.admin();
    let sample = person(1);
    let id = mail(&client, &sample, "r-1");
    let state = settle(&client, &id, &["sent", "delivered"]);
    let mail = &server.wait_for(1)[0];
    assert_eq!(mail["defects"], json!([]));
    assert_eq!(mail["type"], "multipart/alternative");
    let types: Vec<&str> =
        mail["parts"].as_array().expect("parts").iter().filter_map(|p| p["type"].as_str()).collect();
    assert_eq!(types, ["text/plain", "text/html"], "the plain part first");
    for part in mail["parts"].as_array().expect("parts") {
        let text = part["text"].as_str().expect("a text");
        assert!(text.contains("482.13") && text.contains("First Recovery LLC"), "{text}");
        assert!(text.contains("debt collector"), "who writes, and that it is about a debt: {text}");
    }
    assert_eq!(header(mail, "to"), sample.email);
    assert_eq!(header(mail, "from"), "First Recovery <notices@recovery.example>");
    assert!(!header(mail, "subject").is_empty() && !header(mail, "date").is_empty());
    assert_eq!(header(mail, "list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    let unsubscribe = header(mail, "list-unsubscribe");
    assert!(unsubscribe.starts_with(&format!("<http://{}/u/", gateway.address)), "{unsubscribe}");
    // The Message-ID finds its attempt again.
    let attempt = state["attempts"][0]["id"].as_str().expect("an id");
    assert!(header(mail, "message-id").contains(attempt.trim_start_matches("att_")), "{mail}");
}

#[test]
fn one_click_unsubscribes_and_a_look_does_not() {
    let server = MailServer::start();
    let gateway = Gateway::with(server.setup());
    let client = gateway.admin();
    let sample = person(1);
    let id = mail(&client, &sample, "r-1");
    settle(&client, &id, &["sent", "delivered"]);
    let mail = &server.wait_for(1)[0];
    let address = header(mail, "list-unsubscribe").trim_matches(['<', '>']).to_owned();
    let path = address.strip_prefix(&format!("http://{}", gateway.address)).expect("our own address");
    let anyone = gateway.anyone();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];

    // Scanners follow links: a GET shows a page and changes nothing.
    let page = anyone.get(path);
    assert_eq!(page.status(), 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    // It asks for nothing: no more than the wish and the address may be required (12 CFR 1006.6(e)).
    let words = page.text();
    assert_eq!(words.matches("<input").count(), 1, "{words}");
    assert!(
        words.contains("<input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">"),
        "{words}"
    );
    assert!(!words.contains("<textarea") && !words.contains("<select"), "{words}");
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
    let forged = format!("{}x", path);
    assert_eq!(anyone.send("POST", &forged, &form, b"List-Unsubscribe=One-Click").status(), 404);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");

    for _ in 0..2 {
        let answer = anyone.send("POST", path, &form, b"List-Unsubscribe=One-Click");
        assert!((200..300).contains(&answer.status()), "no redirect, no log-in: {}", answer.start);
        assert_eq!(decide(&client, &sample.query("email"))["outcome"], "block");
    }
    let history = client.all(&format!("{}/history", sample.path()));
    let stops: Vec<&Value> = history.iter().filter(|event| event["type"] == "opt_out.received").collect();
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert!(stops[0].to_string().contains("debtor"), "the debtor did it: {}", stops[0]);
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
}

#[test]
fn an_address_that_the_server_refuses_fails() {
    let server = MailServer::with(&["-f", "RCPT", "-B", "550 5.1.1 User unknown"]);
    let gateway = Gateway::with(server.setup());
    let client = gateway.admin();
    let id = mail(&client, &person(1), "r-1");
    let state = settle(&client, &id, &["failed"]);
    assert_eq!(state["attempts"][0]["status"], "failed");
    assert!(!state["attempts"][0]["error"].to_string().contains("sample.1@"), "{state}");
}
