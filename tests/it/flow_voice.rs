//! A call goes all the way: placed at a vendor judged by its own specification, led by its signed callbacks, and what is
//! pressed on it recorded before the next word is said.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, cites, decide, noon, person};
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Text, Twilio, prism, signature};
use serde_json::Value;

struct House {
    gateway: Gateway,
    client: Client,
    vendor: Twilio,
}

/// A call that the vendor was asked to place.
struct Call<'h> {
    house: &'h House,
    person: Person,
    asked: Text,
}

impl House {
    fn new() -> Self {
        let vendor = Twilio::accepting();
        let gateway = Gateway::with(vendor.calls());
        let client = gateway.admin();
        Self { gateway, client, vendor }
    }

    fn call(&self, number: usize) -> Call<'_> {
        let person = person(number);
        person.enter(&self.client, noon());
        let before = self.vendor.received().len();
        let request = person.request(&format!("r-{number}"), &["voice"]);
        let answer = self.client.post("/v1/contact-requests", &request).expect(202);
        let request = answer["id"].as_str().expect("an id").to_owned();
        settle(&self.client, &request, &["sent"]);
        let asked = self.vendor.wait_for(before + 1)[before].clone();
        Call { house: self, person, asked }
    }
}

impl Call<'_> {
    /// What the vendor posts, signed with this token.
    fn post(&self, url: &str, more: &[(&str, &str)], token: &str) -> Message {
        let mut fields = vec![
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", self.asked.sid.as_str()),
            ("Direction", "outbound-api"),
            ("From", self.asked.get("From")),
            ("To", self.asked.get("To")),
        ];
        fields.extend_from_slice(more);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let signed = signature(token, url, &fields);
        let address = format!("http://{}", self.house.gateway.address);
        let path = url.strip_prefix(&address).expect("our own address");
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", &signed)];
        self.house.gateway.anyone().send("POST", path, &headers, body.as_bytes())
    }

    /// The next document.
    #[track_caller]
    fn told(&self, url: &str, more: &[(&str, &str)]) -> String {
        let answer = self.post(url, more, AUTH_TOKEN);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/xml"));
        answer.text()
    }

    fn answered_by(&self, who: &str) -> String {
        self.told(self.asked.get("Url"), &[("AnsweredBy", who), ("CallStatus", "in-progress")])
    }

    fn press(&self, document: &str, key: &str) -> String {
        self.told(&asks_at(document), &[("Digits", key)])
    }

    fn status(&self, word: &str) {
        let answer = self.post(self.asked.get("StatusCallback"), &[("CallStatus", word)], AUTH_TOKEN);
        assert_eq!(answer.status(), 204, "{}", answer.text());
    }

    fn types(&self) -> Vec<String> {
        let history = self.house.client.all(&format!("{}/history", self.person.path()));
        history.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect()
    }

    /// How the call ended, as the history has it last; null where nothing says so.
    fn result(&self) -> Value {
        let history = self.house.client.all(&format!("{}/history", self.person.path()));
        let told = history.iter().filter(|event| event["type"] == "delivery.updated");
        told.map(|event| event["content"]["result"].clone())
            .rfind(|result| !result.is_null())
            .unwrap_or(Value::Null)
    }

    fn decision(&self, channel: &str) -> Value {
        decide(&self.house.client, &self.person.query(channel))
    }
}

/// Where a document says that the vendor is to ask what comes next.
#[track_caller]
fn asks_at(document: &str) -> String {
    let after = document.split_once("action=\"").map(|(_, after)| after);
    let after = after.or_else(|| document.split_once("<Redirect method=\"POST\">").map(|(_, after)| after));
    let after = after.unwrap_or_else(|| panic!("it asks nothing: {document}"));
    after.split(['"', '<']).next().expect("an address").replace("&amp;", "&")
}

const SECRETS: [&str; 4] = ["debt", "482.13", "First Bank", "First Recovery"];

#[test]
fn a_call_is_as_twilio_specifies_and_tells_only_the_debtor() {
    let (judge, _prism) = prism("tests/data/vendors/twilio.json");
    // The judge is worth nothing unless it refuses: here a call from nobody.
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", "Basic QUM6dA==")];
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json");
    let verdict = judge.send("POST", &path, &form, b"To=%2B15005550006&Url=http%3A%2F%2Fa.example");
    assert!(verdict.status() == 422 && verdict.text().contains("'From'"), "{}", verdict.text());

    let vendor =
        Twilio::start(Some(judge), |_| crate::support::vendor::Answer::Accept(std::time::Duration::ZERO));
    let gateway = Gateway::with(vendor.calls());
    let house = House { client: gateway.admin(), gateway, vendor };
    let call = house.call(1);
    assert_eq!(call.asked.get("To"), call.person.phone);
    assert_eq!(call.asked.get("MachineDetection"), "DetectMessageEnd");

    // Neither a stranger nor an altered place learns anything.
    let url = call.asked.get("Url");
    assert_eq!(call.post(url, &[("AnsweredBy", "human")], "another token").status(), 401);
    let greeting = call.answered_by("human");
    for secret in SECRETS {
        assert!(!greeting.contains(secret), "{secret}: {greeting}");
    }
    assert_eq!(call.post(&asks_at(&greeting), &[("Digits", "1")], "another token").status(), 401);
    assert_eq!(call.result(), Value::Null);

    let message = call.press(&greeting, "1");
    assert!(message.contains("debt collector") && message.contains("482.13"), "{message}");
    assert_eq!(call.result(), "conversation");
    let next = call.decision("voice");
    assert_eq!(next["outcome"], "defer", "{next}");
    assert!(cites(&next, "defer", "1006.14(b)(2)(i)(B)"), "{next}");

    // The vendor's last word changes nothing of what is known, and no word said twice does.
    let before = call.types();
    call.press(&greeting, "1");
    call.status("completed");
    assert_eq!(call.types(), before);
    assert_eq!(call.result(), "conversation");
}

/// Every key of the shipped flow, and that it acts before the vendor is answered.
#[test]
fn keys_act() {
    let house = House::new();
    let call = house.call(1);
    let over = call.press(&call.answered_by("human"), "9");
    assert!(over.contains("<Hangup/>") && !over.contains("<Say"), "{over}");
    assert_eq!(call.decision("voice")["outcome"], "block");
    assert!(call.types().contains(&"opt_out.received".to_owned()), "{:?}", call.types());

    let call = house.call(2);
    let over = call.press(&call.answered_by("human"), "3");
    assert!(over.contains("<Hangup/>"), "{over}");
    assert_eq!(call.result(), "wrong_number");
    assert_eq!(call.decision("voice")["outcome"], "block");

    let call = house.call(3);
    let message = call.press(&call.answered_by("human"), "1");
    let disputed = call.press(&message, "5");
    assert!(disputed.contains("dispute"), "{disputed}");
    assert_eq!(call.decision("email")["outcome"], "block", "{:?}", call.types());

    let call = house.call(4);
    let message = call.press(&call.answered_by("human"), "1");
    let before = call.types().len();
    call.press(&message, "3");
    assert!(call.types()[before..].contains(&"inbound.received".to_owned()), "{:?}", call.types());

    let call = house.call(5);
    let message = call.press(&call.answered_by("human"), "1");
    let handed_on = call.press(&message, "0");
    assert!(handed_on.contains("<Number>+16145550100</Number>"), "{handed_on}");
    let nobody = call.told(&asks_at(&handed_on), &[("DialCallStatus", "no-answer")]);
    assert!(nobody.contains("Nobody can take your call"), "{nobody}");

    // What is said in words acts as well.
    let call = house.call(6);
    let greeting = call.answered_by("human");
    let over = call.told(&asks_at(&greeting), &[("SpeechResult", "Stop calling me."), ("Confidence", "0.9")]);
    assert!(over.contains("<Hangup/>") && !over.contains("<Say"), "{over}");
    assert_eq!(call.decision("voice")["outcome"], "block");

    // What restricts nothing is the debtor's to say, so that it counts once somebody has said to be the debtor.
    let call = house.call(7);
    let promise = [("SpeechResult", "I will pay 50 dollars on Friday."), ("Confidence", "0.9")];
    let greeting = call.told(&asks_at(&call.answered_by("human")), &promise);
    assert!(!call.types().contains(&"inbound.received".to_owned()), "{:?}", call.types());
    let message = call.press(&greeting, "1");
    call.told(&asks_at(&message), &promise);
    for heard in ["inbound.received", "promise.received"] {
        assert!(call.types().contains(&heard.to_owned()), "{heard}: {:?}", call.types());
    }
}

/// A machine hears the limited-content message and no more; how a call ended otherwise is what the vendor says.
#[test]
fn what_came_of_a_call_is_valued() {
    let house = House::new();
    for (number, who) in ["machine_end_beep", "unknown", "fax"].into_iter().enumerate() {
        let call = house.call(number);
        let left = call.answered_by(who);
        assert!(left.contains("Please call Pat Sample"), "{who}: {left}");
        for secret in SECRETS {
            assert!(!left.contains(secret), "{who}: {secret}: {left}");
        }
        assert_eq!(call.result(), Value::Null, "it was not said yet");
        assert!(call.told(&asks_at(&left), &[]).contains("<Hangup/>"));
        assert_eq!(call.result(), "limited_content_message");
    }
    for (number, (word, result)) in [
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("failed", "not_connected"),
        ("completed", "no_answer"),
    ]
    .into_iter()
    .enumerate()
    {
        let call = house.call(10 + number);
        call.status(word);
        assert_eq!(call.result(), result, "{word}");
    }
}
