//! The debtor's own pages, asked as a browser asks them, under a clock that the tests move.

use crate::house::{House, actor};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use dunwell::domain::consent::{HoldKind, OptOutChannel};
use dunwell::domain::event::EventBody;
use dunwell::domain::id::AttemptId;
use dunwell::domain::time::Span;
use dunwell::pipeline::links::{LINK_LIFE, VISIT};
use dunwell::pipeline::{DecisionAnswer, Refusal};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A browser: it keeps one cookie, and sends forms with what their page holds.
struct Guest {
    router: Router,
    cookie: Option<String>,
    further: Vec<(&'static str, &'static str)>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The value of a hidden field.
    fn field(&self, name: &str) -> &str {
        let start = format!("name=\"{name}\" value=\"");
        self.text.split(&start).nth(1).and_then(|rest| rest.split('"').next()).expect("a field")
    }

    #[track_caller]
    fn leads_to(&self, address: &str) {
        assert_eq!((self.status, self.header("location")), (StatusCode::SEE_OTHER, address), "{}", self.text);
    }
}

impl Guest {
    fn of(house: &House) -> Self {
        let router = dunwell::portal::router(house.pipeline.clone());
        Self { router, cookie: None, further: Vec::new() }
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        for (name, value) in &self.further {
            request = request.header(*name, *value);
        }
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let answer = Answer { status, headers, text: String::from_utf8(bytes.to_vec()).expect("UTF-8") };
        if let Some(set) = answer.headers.get("set-cookie") {
            let set = set.to_str().expect("text");
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, String::new()).await
    }

    /// Sends a form as its page would.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get("/portal/stop").await;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("form", page.field("form"));
        form.extend_pairs(fields);
        self.send("POST", path, form.finish()).await
    }

    async fn open(&mut self, link: &str) -> Answer {
        self.send("POST", link, String::new()).await
    }
}

async fn link(house: &House, debtor: &str, identified: bool) -> String {
    let made = house.pipeline.issue_link(&actor(), debtor, LINK_LIFE, identified).await.expect("a link");
    made.0.strip_prefix("http://127.0.0.1:8080").expect("the public address").to_owned()
}

/// A visitor who has proved to be the debtor.
async fn visitor(house: &House, debtor: &str) -> Guest {
    let mut guest = Guest::of(house);
    let link = link(house, debtor, true).await;
    guest.open(&link).await.leads_to("/portal");
    guest
}

/// A debtor with one message in the inbox; the attempt.
async fn with_message(house: &House, debtor: &str) -> AttemptId {
    house.debtor(debtor, json!({"date_of_birth": "1984-02-11", "language": "en"})).await;
    let request = house.request(&format!("r-{debtor}"), debtor, &["portal"]);
    let accepted = house.accept(request).await.expect("accepted");
    house.until(debtor, &accepted, "sent").await.attempts[0]
}

async fn asked(house: &House, debtor: &str, channel: &str) -> DecisionAnswer {
    let query = json!({"debtor_id": debtor, "account_ids": [format!("{debtor}-1")], "channel": channel});
    let query = serde_json::from_value(query).expect("a question");
    house.pipeline.decide(vec![query], false).await.pop().expect("an answer").expect("answered")
}

async fn seq(house: &House, debtor: &str) -> u64 {
    house.state(debtor).await.seq
}

#[tokio::test]
async fn a_link_opens_once_and_a_look_uses_nothing_up() {
    let house = House::new().await;
    with_message(&house, "p1").await;
    let link = link(&house, "p1", true).await;
    let before = seq(&house, "p1").await;
    let mut scanner = Guest::of(&house);
    for _ in 0..3 {
        let page = scanner.get(&link).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.headers.get("set-cookie").is_none() && page.text.contains("<button"));
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(scanner.send("HEAD", &link, String::new()).await.status, StatusCode::OK);
    }
    assert_eq!(seq(&house, "p1").await, before, "a look changes nothing");

    let mut guest = Guest::of(&house);
    let opened = guest.open(&link).await;
    opened.leads_to("/portal");
    let cookie = opened.header("set-cookie");
    for part in ["; Path=/portal", "; Max-Age=3600", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it is not served by https here");
    assert!(guest.get("/portal").await.text.contains("Payment due"));
    // Who came by it may come back by it; nobody else.
    guest.open(&link).await.leads_to("/portal");
    assert_eq!(guest.get(&link).await.status, StatusCode::OK);
    assert_eq!(scanner.open(&link).await.status, StatusCode::GONE);
    assert_eq!(scanner.get(&link).await.status, StatusCode::GONE);

    let (place, clock) = house.close().await;
    let house = House::at(place, clock).await;
    assert_eq!(Guest::of(&house).open(&link).await.status, StatusCode::GONE, "after a restart too");
    let mut again = Guest::of(&house);
    again.cookie = guest.cookie.clone();
    assert_eq!(again.get("/portal").await.status, StatusCode::OK);
    again.post("/portal/leave", &[]).await.leads_to("/portal");
    again.cookie = guest.cookie;
    assert_eq!(again.get("/portal").await.status, StatusCode::UNAUTHORIZED, "a visit that was ended is over");
}

#[tokio::test]
async fn links_end_and_are_not_to_be_forged() {
    let house = House::new().await;
    with_message(&house, "p2").await;
    let (one, other) = (link(&house, "p2", false).await, link(&house, "p2", true).await);
    let mut guest = Guest::of(&house);
    let mut flipped = one.clone().into_bytes();
    for place in [20, 60, one.len() - 2] {
        flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(flipped.clone()).expect("ASCII");
        assert_eq!(guest.open(&forged).await.status, StatusCode::NOT_FOUND);
        assert_eq!(guest.get(&forged).await.status, StatusCode::NOT_FOUND);
    }
    guest.cookie = Some("portal=c2FtcGxl".to_owned());
    assert_eq!(guest.get("/portal").await.status, StatusCode::UNAUTHORIZED);
    guest.cookie = None;
    guest.open(&other).await.leads_to("/portal");
    house.pass(VISIT);
    assert_eq!(guest.get("/portal").await.status, StatusCode::UNAUTHORIZED, "a visit lasts an hour");
    house.pass(LINK_LIFE);
    assert_eq!(guest.open(&one).await.status, StatusCode::NOT_FOUND, "a link lasts a week");
    for lives in [Span::millis(0), Span::days(91)] {
        let refused = house.pipeline.issue_link(&actor(), "p2", lives, false).await;
        assert!(matches!(refused, Err(Refusal::Invalid(_))));
    }
    let nobody = house.pipeline.issue_link(&actor(), "nobody", LINK_LIFE, false).await;
    assert!(matches!(nobody, Err(Refusal::NotFound("debtor"))));
    let last = link(&house, "p2", true).await;
    house.pipeline.erase(&actor(), "p2").await.expect("erased");
    assert_eq!(guest.open(&last).await.status, StatusCode::NOT_FOUND, "nobody is there any more");
}

#[tokio::test]
async fn nothing_of_a_debt_is_shown_before_the_answer() {
    let house = House::new().await;
    let message = with_message(&house, "p3").await;
    let mut guest = Guest::of(&house);
    let link_of_a_message = link(&house, "p3", false).await;
    let door = guest.get(&link_of_a_message).await;
    guest.open(&link_of_a_message).await;
    let question = guest.get("/portal/check").await;
    let stop = guest.get("/portal/stop").await;
    for page in [&door, &question, &stop] {
        assert_eq!(page.status, StatusCode::OK);
        for secret in
            ["First Recovery", "First Bank", "482", "1234", "debt", "Payment", "Sample", "1984", "33101"]
        {
            let shown = if secret == "1984" { page.text.replace("2 11 1984", "") } else { page.text.clone() };
            assert!(!shown.contains(secret), "{secret} is shown");
        }
    }
    for path in [
        "/portal",
        "/portal/write",
        "/portal/preferences",
        "/portal/allow",
        &format!("/portal/messages/{message}"),
    ] {
        guest.get(path).await.leads_to("/portal/check");
    }
    for path in ["/portal/write", "/portal/preferences", "/portal/allow"] {
        guest.post(path, &[("text", "I will pay")]).await.leads_to("/portal/check");
    }
    let (right, wrong) = (
        [("month", "2"), ("day", "11"), ("year", "1984")],
        [("month", "2"), ("day", "12"), ("year", "1984")],
    );
    let unreadable = guest.post("/portal/check", &[("month", "13"), ("day", "11"), ("year", "1984")]).await;
    assert_eq!(unreadable.status, StatusCode::UNPROCESSABLE_ENTITY);
    for _ in 0..4 {
        assert_eq!(guest.post("/portal/check", &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let mut second = Guest::of(&house);
    let another = link(&house, "p3", false).await;
    second.open(&another).await;
    assert_eq!(second.post("/portal/check", &wrong).await.status, StatusCode::FORBIDDEN, "five are enough");
    for one in [&mut guest, &mut second] {
        assert_eq!(
            one.post("/portal/check", &right).await.status,
            StatusCode::FORBIDDEN,
            "by whichever link"
        );
        one.get("/portal").await.leads_to("/portal/check");
    }
    house.pass(Span::hours(24));
    let mut later = Guest::of(&house);
    let newest = link(&house, "p3", false).await;
    later.open(&newest).await;
    later.post("/portal/check", &right).await.leads_to("/portal");
    assert!(later.get("/portal").await.text.contains("First Recovery LLC"));
}

#[tokio::test]
async fn with_nothing_to_ask_for_only_a_stop_is_taken() {
    let house = House::new().await;
    house.debtor("p4", json!({"locations": [], "time_zone": "America/New_York", "language": "es"})).await;
    house.consent("p4", "sms", &["automated", "electronic"]).await;
    assert_eq!(asked(&house, "p4", "sms").await.decision.outcome.as_str(), "allow");
    let mut guest = Guest::of(&house);
    let link = link(&house, "p4", false).await;
    guest.open(&link).await;
    guest.get("/portal").await.leads_to("/portal/check");
    let page = guest.get("/portal/check").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("<html lang=\"es\">") && page.text.contains("Llámenos"));
    assert_eq!(guest.post("/portal/stop", &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    guest.post("/portal/stop", &[("stop", "sms")]).await.leads_to("/portal/stop?done=stopped");
    assert_eq!(asked(&house, "p4", "sms").await.decision.outcome.as_str(), "block");
    let state = house.state("p4").await;
    assert_eq!((state.opt_outs[0].channel, state.opt_outs[0].point), (OptOutChannel::Sms, None));
    assert!(state.holds.is_empty(), "one medium is not everything");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let house = House::new().await;
    with_message(&house, "p5").await;
    let mut guest = visitor(&house, "p5").await;
    let before = seq(&house, "p5").await;
    for body in ["stop=all", "stop=all&form=", "stop=all&form=00000000000000000000000000000000"] {
        assert_eq!(guest.send("POST", "/portal/stop", body.to_owned()).await.status, StatusCode::FORBIDDEN);
    }
    for foreign in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        guest.further = vec![foreign];
        assert_eq!(guest.post("/portal/stop", &[("stop", "all")]).await.status, StatusCode::FORBIDDEN);
        let link = link(&house, "p5", true).await;
        assert_eq!(
            guest.open(&link).await.status,
            StatusCode::FORBIDDEN,
            "a link is not opened for somebody"
        );
    }
    // Three links were made meanwhile, and nothing else.
    assert_eq!(seq(&house, "p5").await, before + 3);
    guest.further = vec![("origin", "null"), ("sec-fetch-site", "same-origin")];
    guest.post("/portal/stop", &[("stop", "email")]).await.leads_to("/portal/stop?done=stopped");
    guest.further = vec![("origin", "http://127.0.0.1:8080")];
    guest.post("/portal/stop", &[("stop", "voice")]).await.leads_to("/portal/stop?done=stopped");
}

#[tokio::test]
async fn a_message_that_is_opened_is_delivered() {
    let house = House::new().await;
    let message = with_message(&house, "p6").await;
    let mut guest = visitor(&house, "p6").await;
    let inbox = guest.get("/portal").await.text;
    assert!(inbox.contains("New</strong>") && inbox.contains(&format!("/portal/messages/{message}")));
    let path = format!("/portal/messages/{message}");
    assert_eq!(guest.send("HEAD", &path, String::new()).await.status, StatusCode::OK);
    assert_eq!(house.state("p6").await.attempts[&message].status.as_str(), "sent", "HEAD opens nothing");
    let page = guest.get(&path).await.text;
    for part in
        ["$482.13", "attempt to collect a debt", "First Recovery LLC", "1 Main St", "from a debt collector"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert_eq!(house.state("p6").await.attempts[&message].status.as_str(), "delivered");
    let once = seq(&house, "p6").await;
    guest.get(&path).await;
    assert_eq!(seq(&house, "p6").await, once, "read once is read");
    assert!(!guest.get("/portal").await.text.contains("New</strong>"));
    // Nobody else's messages are to be had by their identifier.
    let other = with_message(&house, "p7").await;
    for wrong in [other.to_string(), "att_00".to_owned(), "x".to_owned()] {
        assert_eq!(guest.get(&format!("/portal/messages/{wrong}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_written_is_understood_or_held() {
    let house = House::new().await;
    with_message(&house, "p8").await;
    let mut guest = visitor(&house, "p8").await;
    for (text, done) in [
        ("I dispute this debt", "/portal/write?done=dispute"),
        ("lorem ipsum dolor", "/portal/write?done=held"),
        ("thank you", "/portal/write?done=other"),
        ("please stop texting me\r\nand emailing", "/portal/write?done=stop"),
    ] {
        guest.post("/portal/write", &[("text", text)]).await.leads_to(done);
    }
    let long = "x".repeat(10_001);
    for wrong in ["", " \r\n ", &long] {
        let refused = guest.post("/portal/write", &[("text", wrong)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let escaped = guest.post("/portal/write", &[("text", &format!("<script>{long}"))]).await;
    assert!(escaped.text.contains("&lt;script&gt;") && !escaped.text.contains("<script>"));
    let state = house.state("p8").await;
    assert!(state.holds.iter().any(|hold| hold.kind == HoldKind::Dispute));
    assert_eq!(state.frozen.len(), 1);
    let closed: Vec<_> = state.opt_outs.iter().map(|stop| stop.channel).collect();
    for channel in [OptOutChannel::Sms, OptOutChannel::Email] {
        assert!(closed.contains(&channel), "{closed:?}");
    }
    assert_eq!(asked(&house, "p8", "sms").await.decision.outcome.as_str(), "block");
    let heard = house.events("p8").await;
    let written = heard.iter().filter(|event| matches!(event.body, EventBody::InboundReceived(..)));
    assert!(
        written.clone().count() == 4 && written.into_iter().all(|event| event.actor.to_string() == "debtor")
    );
}

#[tokio::test]
async fn to_stop_everything_is_to_cease() {
    let house = House::new().await;
    with_message(&house, "p9").await;
    house.consent("p9", "sms", &["automated", "electronic"]).await;
    for channel in ["sms", "voice", "letter"] {
        assert_eq!(asked(&house, "p9", channel).await.decision.outcome.as_str(), "allow", "{channel}");
    }
    let mut guest = visitor(&house, "p9").await;
    guest.post("/portal/stop", &[("stop", "all")]).await.leads_to("/portal/stop?done=stopped");
    for channel in ["sms", "voice", "letter", "portal"] {
        assert_eq!(asked(&house, "p9", channel).await.decision.outcome.as_str(), "block", "{channel}");
    }
    let state = house.state("p9").await;
    assert!(state.holds.iter().any(|hold| hold.kind == HoldKind::Cease));
    assert_eq!(state.opt_outs[0].channel, OptOutChannel::All);
    assert!(guest.get("/portal/allow").await.text.contains("call us"), "nothing is asked of who has ceased");
    assert_eq!(guest.post("/portal/allow", &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(guest.get("/portal").await.status, StatusCode::OK, "what was placed is still to be read");
}

#[tokio::test]
async fn an_agreement_opens_what_a_stop_closed() {
    let house = House::new().await;
    let work = json!([
        {"kind": "phone", "value": "+13055550166", "line_type": "mobile"},
        {"kind": "email", "value": "p10@example.com"},
        {"kind": "email", "value": "p10@work.example", "workplace": true, "employer_provided": true},
        {"kind": "portal", "value": "p10"},
    ]);
    house.debtor("p10", json!({ "contact_points": work })).await;
    house.opt_out("p10", "sms").await;
    assert_eq!(asked(&house, "p10", "sms").await.decision.outcome.as_str(), "block");
    house.pass(Span::minutes(1));
    let mut guest = visitor(&house, "p10").await;
    let page = guest.get("/portal/allow").await.text;
    assert!(page.contains("••••0166") && !page.contains("5550166") && !page.contains("work.example"));
    let ids: Vec<&str> = page.split("value=\"").filter_map(|part| part.split('"').next()).collect();
    let text = ids.iter().find(|id| id.starts_with("sms-")).expect("an offer");
    let forged = text.replacen("sms", "email", 1);
    for nothing in [vec![], vec![("allow", forged.as_str())], vec![("allow", "sms-00")]] {
        assert_eq!(guest.post("/portal/allow", &nothing).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    guest.post("/portal/allow", &[("allow", text)]).await.leads_to("/portal/allow?done=allowed");
    assert_eq!(asked(&house, "p10", "sms").await.decision.outcome.as_str(), "allow");
    assert_eq!(
        asked(&house, "p10", "email").await.decision.outcome.as_str(),
        "block",
        "only what was agreed to"
    );
    let evidence = house.events("p10").await.into_iter().find_map(|event| match event.body {
        EventBody::ConsentGranted(_, secret) => secret.open().and_then(|secret| secret.evidence.clone()),
        _ => None,
    });
    let agreed = evidence.unwrap_or(Value::Null)["agreed_to"].to_string();
    assert!(agreed.contains("First Recovery LLC may send me text messages"), "{agreed}");
}

#[tokio::test]
async fn preferences_are_kept_and_times_are_heeded() {
    let house = House::new().await;
    with_message(&house, "p11").await;
    let mut guest = visitor(&house, "p11").await;
    let seen = guest.get("/portal/preferences").await.field("seen").to_owned();
    let choice = [
        ("seen", seen.as_str()),
        ("language", "es"),
        ("channel", "email"),
        ("day", "wed"),
        ("from", "14:00"),
        ("to", "16:00"),
        ("about", ""),
    ];
    guest.post("/portal/preferences", &choice).await.leads_to("/portal/preferences?done=saved");
    let said = house.state("p11").await.preferences;
    assert_eq!(
        (said.language.as_deref(), said.preferred_channel.map(|c| c.as_str())),
        (Some("es"), Some("email"))
    );
    // It is Wednesday, three in the afternoon.
    assert_eq!(asked(&house, "p11", "voice").await.decision.outcome.as_str(), "defer");
    assert!(guest.get("/portal").await.text.contains("<html lang=\"es\">"), "the pages speak it too");

    let stale = guest.post("/portal/preferences", &choice).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "two windows do not undo each other");
    let page = guest.get("/portal/preferences").await;
    assert!(page.text.contains("miércoles, 14:00–16:00"), "{}", page.text);
    let seen = page.field("seen").to_owned();
    for wrong in [
        [("day", "wed"), ("from", "10:00")],
        [("from", "10:00"), ("to", "11:00")],
        [("day", "mon"), ("from", "9 o'clock")],
    ] {
        let refused =
            guest.post("/portal/preferences", &[&[("seen", seen.as_str())], &wrong[..]].concat()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let removal = [("seen", seen.as_str()), ("language", ""), ("channel", ""), ("remove", "0")];
    guest.post("/portal/preferences", &removal).await.leads_to("/portal/preferences?done=saved");
    assert!(house.state("p11").await.preferences == dunwell::domain::consent::Preferences::default());
    guest.post("/portal/language", &[("language", "es")]).await.leads_to("/portal");
    guest.post("/portal/language", &[("language", "xx")]).await.leads_to("/portal");
    assert_eq!(house.state("p11").await.preferences.language.as_deref(), Some("es"));
}

#[tokio::test]
async fn a_message_brings_its_own_way_to_answer_and_to_stop() {
    let house = House::new().await;
    let message = with_message(&house, "p12").await;
    house.consent("p12", "email", &["electronic"]).await;
    let accepted = house.accept(house.request("r-mail", "p12", &["email"])).await.expect("accepted");
    house.until("p12", &accepted, "sent").await;
    let state = house.state("p12").await;
    let content = |attempt: &AttemptId| {
        let message = state.attempts[attempt].message.open().expect("words").content.clone();
        serde_json::to_value(message).expect("JSON")["html"].as_str().expect("HTML").to_owned()
    };
    let mail = content(&state.requests[&accepted.id].attempts[0]);
    let door = mail.split("href=\"http://127.0.0.1:8080").filter_map(|rest| rest.split('"').next());
    let door = door.filter(|path| path.starts_with("/portal/open/")).collect::<Vec<_>>();
    let mut guest = Guest::of(&house);
    guest.open(door[0]).await.leads_to("/portal");
    guest.get("/portal").await.leads_to("/portal/check");

    let entry = content(&message);
    assert!(entry.contains("/portal/write") && !entry.contains("/portal/open/"));
    let stop = entry.split("/u/").nth(1).and_then(|rest| rest.split('"').next()).expect("a link that stops");
    house.pipeline.unsubscribe(stop).await.expect("stopped");
    let stops = house.state("p12").await.opt_outs;
    assert_eq!((stops.len(), stops[0].channel), (1, OptOutChannel::Portal), "it stops what it came by");
    assert_eq!(asked(&house, "p12", "portal").await.decision.outcome.as_str(), "block");
    assert_eq!(asked(&house, "p12", "email").await.decision.outcome.as_str(), "allow");
}
