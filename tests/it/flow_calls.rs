//! The same calls at both vendors: whatever is asked is signed by the vendor's own SDK, whatever is answered is built again
//! with it, and what the history learns is the same.

use crate::api_requests::settle;
use crate::support::gateway::{Gateway, Setup, free_address};
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, decide, noon, person};
use crate::support::sdk::Sdk;
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Twilio, prism};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const SECRET: &str = "ZYDKHoGODLyKHWLsL4gNtdqA5WzZHy8QEUMRg1aJZSAaU9zdqg";
const APPLICATION: &str = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab";
const LIMITED: &str = "Hello. This is FR Services. Please call Pat Sample at 6 1 4, 5 5 5, 0 1 0 0.";
/// What a stranger must not hear.
const TELLING: [&str; 7] = ["debt", "482.13", "First Bank", "First Recovery", "deuda", "account", "cuenta"];

fn private_key() -> String {
    let file = format!("{}/tests/data/vendors/vectors/vonage-api-jwt.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("vectors")).expect("JSON");
    vectors["private_key_pem"].as_str().expect("a key").to_owned()
}

/// A Vonage that takes every call.
#[derive(Clone)]
struct Vonage {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Message>>>,
}

impl Vonage {
    fn start() -> Self {
        let listener = TcpListener::bind(free_address()).expect("a port");
        let vonage = Self { address: listener.local_addr().expect("an address"), received: Arc::default() };
        let vendor = vonage.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let vendor = vendor.clone();
                std::thread::spawn(move || vendor.serve(&stream));
            }
        });
        vonage
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = Message::read(&mut reader) {
            let count = {
                let mut received = self.received.lock().expect("a lock");
                received.push(request);
                received.len() - 1
            };
            let uuid = uuid(count);
            let body = json!({"uuid": uuid, "status": "started", "direction": "outbound", "conversation_uuid": "CON-1"});
            let body = body.to_string();
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length:";
            if { stream }.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).is_err() {
                return;
            }
        }
    }

    fn setup(&self) -> Setup {
        let channels = format!(
            r#"
[channels.voice]
providers = ["vonage"]
[providers.voice.vonage]
base_url = "http://{}"
application_id = "{APPLICATION}"
private_key = {{ env = "VONAGE_KEY" }}
signature_secret = {{ env = "VONAGE_SECRET" }}
from = "15005550006"
rate_per_second = 100
"#,
            self.address
        );
        let env = [("VONAGE_KEY", private_key()), ("VONAGE_SECRET", SECRET.to_owned())];
        Setup { channels, env: env.map(|(name, value)| (name.to_owned(), value)).into() }
    }
}

fn uuid(number: usize) -> String {
    format!("aaaaaaaa-bbbb-4ccc-8ddd-{number:012}")
}

enum Vendor {
    Twilio(Twilio),
    Vonage(Vonage),
}

struct House {
    gateway: Gateway,
    client: Client,
    vendor: Vendor,
    sdk: Sdk,
}

/// A call that the vendor placed.
struct Line {
    person: Person,
    request: String,
    /// The vendor's identifier.
    reference: String,
    answer_url: String,
    status_url: String,
}

/// What the vendor was answered.
#[derive(Debug)]
struct Document(String);

impl House {
    fn twilio() -> Self {
        let vendor = Twilio::accepting();
        Self::with(vendor.calls(), Vendor::Twilio(vendor))
    }

    fn vonage() -> Self {
        let vendor = Vonage::start();
        Self::with(vendor.setup(), Vendor::Vonage(vendor))
    }

    fn with(setup: Setup, vendor: Vendor) -> Self {
        let gateway = Gateway::with(setup);
        Self { client: gateway.admin(), gateway, vendor, sdk: Sdk::start() }
    }

    fn place(&self, number: usize, language: &str) -> Line {
        let person = person(number);
        person.enter(&self.client, noon());
        let mut file = person.file(noon());
        file["language"] = language.into();
        self.client.put(&person.path(), &file).ok();
        let request = person.request(&format!("r-{number}"), &["voice"]);
        let answer = self.client.post("/v1/contact-requests", &request).expect(202);
        let request = answer["id"].as_str().expect("an id").to_owned();
        settle(&self.client, &request, &["sent"]);
        let (reference, answer_url, status_url) = match &self.vendor {
            Vendor::Twilio(twilio) => {
                let asked = twilio.received().pop().expect("a call");
                (asked.sid.clone(), asked.get("Url").to_owned(), asked.get("StatusCallback").to_owned())
            }
            Vendor::Vonage(vonage) => {
                let received = vonage.received.lock().expect("a lock");
                let asked: Value =
                    serde_json::from_slice(&received.last().expect("a call").body).expect("JSON");
                let url = |name: &str| asked[name][0].as_str().expect("an address").to_owned();
                (uuid(received.len() - 1), url("answer_url"), url("event_url"))
            }
        };
        Line { person, request, reference, answer_url, status_url }
    }

    /// Posts what the vendor would, as its SDK signs it.
    #[track_caller]
    fn post(&self, line: &Line, url: &str, form: &[(&str, &str)], body: &Value) -> Message {
        let path = url.strip_prefix(&format!("http://{}", self.gateway.address)).expect("our own address");
        match &self.vendor {
            Vendor::Twilio(_) => {
                let mut fields = vec![("AccountSid", ACCOUNT_SID), ("CallSid", line.reference.as_str())];
                fields.extend_from_slice(form);
                let signed = self.sdk.twilio_signature(AUTH_TOKEN, url, &fields);
                let body =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
                let kind = ("Content-Type", "application/x-www-form-urlencoded");
                let headers = [kind, ("X-Twilio-Signature", signed.as_str())];
                self.gateway.anyone().send("POST", path, &headers, body.as_bytes())
            }
            Vendor::Vonage(_) => {
                let mut body = body.clone();
                body["uuid"] = line.reference.as_str().into();
                body["conversation_uuid"] = "CON-1".into();
                let body = body.to_string();
                let token = format!("Bearer {}", self.sdk.vonage_token(SECRET, &body));
                let headers = [("Content-Type", "application/json"), ("Authorization", token.as_str())];
                self.gateway.anyone().send("POST", path, &headers, body.as_bytes())
            }
        }
    }

    /// The next document, as the SDK would write it too.
    #[track_caller]
    fn told(&self, line: &Line, url: &str, form: &[(&str, &str)], body: &Value) -> Document {
        let answer = self.post(line, url, form, body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let text = answer.text();
        let kind = match self.vendor {
            Vendor::Twilio(_) => "twiml",
            Vendor::Vonage(_) => "ncco",
        };
        assert_eq!(self.sdk.faults(kind, &text), Vec::<Value>::new(), "{text}");
        Document(text)
    }

    #[track_caller]
    fn answered(&self, line: &Line, by_person: bool) -> Document {
        match self.vendor {
            Vendor::Twilio(_) => {
                let who = if by_person { "human" } else { "machine_end_beep" };
                self.told(line, &line.answer_url, &[("AnsweredBy", who)], &Value::Null)
            }
            Vendor::Vonage(_) => {
                // Nobody knows yet who it is: the line stays silent until the vendor tells.
                let hold = self.told(line, &line.answer_url, &[], &json!({"from": "1", "to": "2"}));
                assert_eq!(hold.said(), "", "{hold:?}");
                let event = |body: Value| self.told(line, &line.status_url, &[], &body);
                if by_person {
                    return event(json!({"status": "human"}));
                }
                let hold = event(json!({"status": "machine"}));
                assert_eq!(hold.said(), "", "it waits for the tone: {hold:?}");
                event(json!({"status": "machine", "sub_state": "beep_start"}))
            }
        }
    }

    #[track_caller]
    fn press(&self, line: &Line, at: &Document, key: &str) -> Document {
        let body = json!({"dtmf": {"digits": key, "timed_out": key.is_empty()}, "speech": {"results": []}});
        self.told(line, &at.next(), &[("Digits", key)], &body)
    }

    #[track_caller]
    fn go_on(&self, line: &Line, at: &Document) -> Document {
        self.told(line, &at.next(), &[], &json!({"payload": {"next": "document"}}))
    }

    #[track_caller]
    fn ended(&self, line: &Line) {
        let body = json!({"status": "completed", "timestamp": jiff::Timestamp::now().to_string()});
        let answer = self.post(line, &line.status_url, &[("CallStatus", "completed")], &body);
        assert_eq!(answer.status(), 204, "{}", answer.text());
    }

    fn history(&self, line: &Line) -> Vec<Value> {
        self.client.all(&format!("{}/history", line.person.path()))
    }

    /// What was recorded of what was heard: types and, of calls, how they ended.
    fn learned(&self, line: &Line) -> Vec<String> {
        let history = self.history(line);
        let from = history.iter().position(|event| event["type"] == "attempt.sent").expect("a call");
        let words = history[from + 1..].iter().map(|event| {
            let result = event["content"]["result"].as_str().unwrap_or_default();
            format!("{} {result}", event["type"].as_str().expect("a type")).trim_end().to_owned()
        });
        words.collect()
    }

    fn outcome(&self, line: &Line) -> Value {
        decide(&self.client, &line.person.query("voice"))["outcome"].clone()
    }
}

impl Document {
    /// What is said, without what only steers.
    fn said(&self) -> String {
        if self.0.starts_with('[') {
            let actions: Value = serde_json::from_str(&self.0).expect("JSON");
            let texts =
                actions.as_array().expect("a list").iter().filter_map(|action| action["text"].as_str());
            return texts.collect::<Vec<_>>().join(" ");
        }
        let texts = self.0.split("<Say").skip(1).filter_map(|part| part.split_once('>')?.1.split('<').next());
        texts.collect::<Vec<_>>().join(" ")
    }

    /// Where it says that the vendor is to ask what comes next.
    #[track_caller]
    fn next(&self) -> String {
        let marks = ["action=\"", "<Redirect method=\"POST\">", "\"eventUrl\":[\""];
        let after = marks.into_iter().find_map(|mark| self.0.split_once(mark));
        let (_, after) = after.unwrap_or_else(|| panic!("it asks nothing: {self:?}"));
        after.split(['"', '<']).next().expect("an address").replace("&amp;", "&")
    }

    /// Whether nothing follows.
    fn ends(&self) -> bool {
        self.0.ends_with("<Hangup/></Response>") || !self.0.contains("eventUrl") && self.0.starts_with('[')
    }

    #[track_caller]
    fn tells_nothing(&self) {
        for word in TELLING {
            assert!(!self.said().contains(word), "{word}: {}", self.said());
        }
    }
}

/// Runs a test at both vendors.
fn at_both(test: impl Fn(&House)) {
    test(&House::twilio());
    test(&House::vonage());
}

#[test]
fn the_debtor_hears_the_message_and_is_handed_on() {
    at_both(|house| {
        let line = house.place(1, "en");
        let greeting = house.answered(&line, true);
        greeting.tells_nothing();
        assert!(
            greeting.said().contains("FR Services") && greeting.said().contains("press 9"),
            "{greeting:?}"
        );
        let message = house.press(&line, &greeting, "1");
        assert!(
            message.said().contains("debt collector") && message.said().contains("482.13"),
            "{message:?}"
        );
        let agent = house.press(&line, &message, "0");
        assert!(agent.0.contains("16145550100"), "{agent:?}");
        let body = json!({"payload": {"connected": "yes"}});
        let over = house.told(&line, &agent.next(), &[("DialCallStatus", "completed")], &body);
        assert!(over.ends(), "{over:?}");
        house.ended(&line);
        assert_eq!(house.learned(&line), ["delivery.updated conversation"]);
        assert_eq!(
            settle(&house.client, &line.request, &["delivered"])["attempts"][0]["status"],
            "delivered"
        );
        assert_eq!(house.outcome(&line), "defer", "no call for seven days after a conversation");
        let message =
            house.client.get(&format!("/v1/contact-requests/{}/messages", line.request)).expect(200);
        assert!(
            message.to_string().contains("standard@"),
            "everything that might have been said is kept: {message}"
        );
    });
}

#[test]
fn a_wrong_number_is_not_called_again_and_was_told_nothing() {
    at_both(|house| {
        let line = house.place(1, "en");
        let greeting = house.answered(&line, true);
        let over = house.press(&line, &greeting, "3");
        over.tells_nothing();
        assert!(over.ends() && over.said().contains("We will not call this number"), "{over:?}");
        house.ended(&line);
        let learned = ["delivery.updated wrong_number", "inbound.received", "contact_point.invalid"];
        assert_eq!(house.learned(&line), learned);
        assert_eq!(house.outcome(&line), "block");
        assert_eq!(settle(&house.client, &line.request, &["failed"])["status"], "failed");
    });
}

#[test]
fn a_machine_hears_exactly_the_limited_content_message() {
    at_both(|house| {
        let line = house.place(1, "en");
        let left = house.answered(&line, false);
        assert_eq!(left.said(), LIMITED);
        assert_eq!(house.learned(&line), Vec::<String>::new(), "it was not said yet");
        assert!(house.go_on(&line, &left).ends());
        house.ended(&line);
        assert_eq!(house.learned(&line), ["delivery.updated limited_content_message"]);
        assert_eq!(house.outcome(&line), "allow", "no conversation took place");
    });
}

#[test]
fn silence_is_asked_again_and_then_taken_for_a_machine() {
    at_both(|house| {
        let line = house.place(1, "en");
        let mut document = house.answered(&line, true);
        for _ in 0..2 {
            document = house.press(&line, &document, "");
            assert!(document.said().starts_with("Sorry, we did not understand. Hello."), "{document:?}");
        }
        assert!(house.press(&line, &document, "6").said() == LIMITED, "a third mistake is the last");
        let left = house.press(&line, &document, "");
        assert_eq!(left.said(), LIMITED);
        assert!(house.go_on(&line, &left).ends());
        assert_eq!(house.learned(&line), ["delivery.updated limited_content_message"]);
        let line = house.place(2, "en");
        house.answered(&line, true);
        house.ended(&line);
        assert_eq!(
            house.learned(&line),
            ["delivery.updated no_answer"],
            "hung up before anybody said a word"
        );
    });
}

/// Nothing is kept between two questions but the history: a restart in mid-call, and a question asked twice, change nothing.
#[test]
fn a_stop_is_recorded_once_and_closes_the_number_at_once() {
    for mut house in [House::twilio(), House::vonage()] {
        let line = house.place(1, "en");
        let greeting = house.answered(&line, true);
        house.gateway.kill();
        house.gateway.run();
        let over = house.press(&line, &greeting, "9");
        assert!(over.ends() && over.said().is_empty(), "{over:?}");
        assert_eq!(house.outcome(&line), "block");
        let learned = ["inbound.received", "opt_out.received"];
        assert_eq!(house.learned(&line), learned);
        house.press(&line, &greeting, "9");
        assert_eq!(house.learned(&line), learned);
        let stop = house.history(&line).pop().expect("a stop");
        assert_eq!(stop["content"]["channel"], "voice");
        assert!(stop.to_string().contains(&line.person.phone), "{stop}");
    }
}

#[test]
fn spanish_is_spoken_where_it_is_on_file_and_where_it_is_asked_for() {
    at_both(|house| {
        let line = house.place(1, "es");
        let greeting = house.answered(&line, true);
        assert!(greeting.said().starts_with("Hola.") && greeting.0.contains("es-US"), "{greeting:?}");
        greeting.tells_nothing();
        let message = house.press(&line, &greeting, "1");
        assert!(
            message.said().contains("cobrador de deudas") && message.said().contains("El saldo"),
            "{message:?}"
        );
        let line = house.place(2, "en");
        let greeting = house.answered(&line, true);
        let greeting = house.press(&line, &greeting, "8");
        assert!(greeting.said().starts_with("Hola."), "{greeting:?}");
        let message = house.press(&line, &greeting, "1");
        assert!(message.said().contains("cobrador de deudas"), "{message:?}");
        let line = house.place(3, "es");
        assert!(house.answered(&line, false).said().starts_with("Hola. Le llamamos de FR Services."));
    });
}

/// The address says where the call is, under our seal: who alters it, or calls without the vendor's signature, learns nothing.
#[test]
fn no_stranger_is_told_what_comes_next() {
    let house = House::vonage();
    let line = house.place(1, "en");
    let greeting = house.answered(&line, true);
    let message = house.press(&line, &greeting, "1");
    assert!(message.said().contains("482.13"));
    let url = message.next();
    let path = url.strip_prefix(&format!("http://{}", house.gateway.address)).expect("ours").to_owned();
    assert_eq!(house.gateway.anyone().send("POST", &path, &[], b"{}").status(), 401);
    assert_eq!(house.gateway.anyone().get(&path).status(), 404, "it comes by POST alone");
    let (before, seal) = url.rsplit_once('.').expect("a seal");
    let flipped = if seal.starts_with('0') { "1" } else { "0" };
    let forged = format!("{before}.{flipped}{}", &seal[1..]);
    let body = json!({"dtmf": {"digits": "7", "timed_out": false}});
    house.told(&line, &forged, &[], &body).tells_nothing();
    let mut stranger = house.place(2, "en");
    stranger.reference = uuid(999);
    let unknown = house.told(&stranger, &forged, &[], &body);
    assert!(unknown.ends() && unknown.said().is_empty(), "{unknown:?}");
}

#[test]
fn a_call_is_as_vonage_specifies_and_shows_who_we_are() {
    let (judge, _prism) = prism("tests/data/vendors/vonage-voice.json");
    let bearer = [("Content-Type", "application/json"), ("Authorization", "Bearer x")];
    let verdict = judge.send("POST", "/v1/calls", &bearer, b"{\"answer_url\":\"https://a.example\"}");
    assert_eq!(verdict.status(), 422, "the judge is worth nothing unless it refuses: {}", verdict.text());
    let house = House::vonage();
    house.place(1, "en");
    let Vendor::Vonage(vonage) = &house.vendor else { unreachable!("a house of Vonage") };
    let asked = vonage.received.lock().expect("a lock").pop().expect("a call");
    assert_eq!(asked.start, "POST /v1/calls HTTP/1.1");
    let authorization = asked.header("authorization").expect("a token").to_owned();
    let headers = [("Content-Type", "application/json"), ("Authorization", authorization.as_str())];
    let verdict = judge.send("POST", "/v1/calls", &headers, &asked.body);
    assert_eq!(verdict.status(), 201, "{}", verdict.text());
    let token = authorization.strip_prefix("Bearer ").expect("a bearer");
    let claims = house.sdk.believed(token, &private_key());
    assert_eq!(claims["application_id"], APPLICATION);
    assert!(claims["exp"].as_i64() > claims["iat"].as_i64() && claims["jti"].is_string(), "{claims}");
}
