//! A call goes all the way: placed at a vendor judged by its own specification, led by its signed callbacks, and what is
//! pressed on it recorded before the next word is said.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, cites, days_ago, decide, noon, now, person, with};
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Text, Twilio, prism, signature};
use serde_json::{Value, json};

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
        let request = person.request(&format!("r-{number}"), &["voice"]);
        self.place(person, &request)
    }

    /// The call that a request asks for, to somebody on file.
    fn place(&self, person: Person, request: &Value) -> Call<'_> {
        let before = self.vendor.received().len();
        let answer = self.client.post("/v1/contact-requests", request).expect(202);
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

    /// What somebody says where the document listens.
    fn say(&self, document: &str, words: &str) -> String {
        self.told(&asks_at(document), &[("SpeechResult", words), ("Confidence", "0.9")])
    }

    fn history(&self) -> Vec<Value> {
        self.house.client.all(&format!("{}/history", self.person.path()))
    }

    fn count(&self, kind: &str) -> usize {
        self.types().iter().filter(|told| *told == kind).count()
    }

    fn types(&self) -> Vec<String> {
        let history = self.history();
        history.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect()
    }

    /// How the call ended, as the history has it last; null where nothing says so.
    fn result(&self) -> Value {
        let history = self.history();
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

#[track_caller]
fn ends_without_a_word(document: &str) {
    assert!(document.contains("<Hangup/>"), "{document}");
    assert!(!document.contains("<Say") && !document.contains("<Gather"), "{document}");
}

/// What is acknowledged while the phone rings stops the call, whatever date it bears.
#[test]
fn a_stop_that_comes_while_the_phone_rings_ends_the_call() {
    let house = House::new();
    let client = &house.client;
    let earlier = days_ago(1).to_string();
    let stop = |channel: &str| json!({"channel": channel, "received_at": earlier, "source": "a letter"});

    let call = house.call(1);
    client.post(&format!("{}/opt-outs", call.person.path()), &stop("voice")).ok();
    ends_without_a_word(&call.answered_by("human"));
    ends_without_a_word(&call.answered_by("machine_end_beep"));

    let call = house.call(2);
    let here = with(stop("all"), "contact_point", call.person.phone.as_str());
    client.post(&format!("{}/opt-outs", call.person.path()), &here).ok();
    ends_without_a_word(&call.answered_by("human"));

    for (number, kind) in ["cease", "attorney", "bankruptcy", "deceased"].into_iter().enumerate() {
        let call = house.call(10 + number);
        let hold = json!({"since": earlier, "account_ids": [call.person.account]});
        client.put(&format!("{}/holds/{kind}", call.person.path()), &hold).ok();
        ends_without_a_word(&call.answered_by("human"));
    }

    // The number is on another's file, and the stop comes from there.
    let call = house.call(3);
    let other = Person { phone: call.person.phone.clone(), ..person(4) };
    other.enter(client, noon());
    let here = with(stop("voice"), "contact_point", other.phone.as_str());
    client.post(&format!("{}/opt-outs", other.path()), &here).ok();
    ends_without_a_word(&call.answered_by("human"));

    // It comes while it is asked who is there: nothing is disclosed after it, and what is pressed to restrict still counts.
    let call = house.call(5);
    let greeting = call.answered_by("human");
    client.post(&format!("{}/opt-outs", call.person.path()), &stop("voice")).ok();
    ends_without_a_word(&call.press(&greeting, "1"));
    assert_eq!(call.result(), Value::Null);
    ends_without_a_word(&call.press(&greeting, "3"));
    assert_eq!(call.result(), "wrong_number");
}

/// What does not concern the call, or no longer stands, leaves it alone.
#[test]
fn what_bars_no_call_ends_none() {
    let house = House::new();
    let client = &house.client;
    let earlier = days_ago(1).to_string();
    let stop = json!({"channel": "voice", "received_at": earlier, "source": "a letter"});

    let call = house.call(1);
    client.post(&format!("{}/opt-outs", call.person.path()), &with(stop.clone(), "channel", "sms")).ok();
    client.put(&format!("{}/holds/retain", call.person.path()), &json!({"since": earlier})).ok();
    client.put(&format!("{}/holds/cease", call.person.path()), &json!({"since": earlier})).ok();
    client.delete(&format!("{}/holds/cease", call.person.path())).ok();
    client.post(&format!("{}/opt-outs", call.person.path()), &stop).ok();
    let consent = with(call.person.consent("voice", "automated"), "granted_at", now().to_string());
    client.post(&format!("{}/consents", call.person.path()), &consent).ok();
    let greeting = call.answered_by("human");
    assert!(greeting.contains("press 1"), "{greeting}");
    assert!(call.press(&greeting, "1").contains("482.13"));

    // What was on record before was weighed when the call was placed: a notice that law requires survives a demand to cease.
    let person = person(2);
    person.enter(client, noon());
    client.put(&format!("{}/holds/cease", person.path()), &json!({"since": earlier})).ok();
    let notice = |said: Value| with(said, "purpose", "required_notice");
    let lawful = decide(client, &notice(person.query("voice")));
    assert_eq!(lawful["outcome"], "allow", "{lawful}");
    let request = notice(person.request("r-2", &["voice"]));
    let call = house.place(person, &request);
    let greeting = call.answered_by("human");
    assert!(greeting.contains("press 1"), "{greeting}");
}

/// Who says that the debtor has died, is represented or bankrupt, or refuses to pay hears no more of the debt.
#[test]
fn words_that_bar_collection_end_the_call() {
    let house = House::new();
    let said = [
        ("He passed away last year.", "deceased"),
        ("I have an attorney.", "attorney"),
        ("I filed for bankruptcy.", "bankruptcy"),
        ("I refuse to pay.", "refuses_to_pay"),
    ];
    for (number, (words, kind)) in said.into_iter().enumerate() {
        for confirmed in [true, false] {
            let call = house.call(number * 2 + usize::from(confirmed));
            let mut document = call.answered_by("human");
            if confirmed {
                document = call.press(&document, "1");
            }
            let end = call.say(&document, words);
            assert!(end.contains("<Hangup/>") && end.contains("Thank you. Goodbye."), "{words}: {end}");
            assert!(!end.contains("<Dial") && !end.contains("<Gather"), "{words}: {end}");
            let history = call.history();
            let placed = history.iter().filter(|event| event["type"] == "hold.placed");
            let kinds: Vec<&Value> = placed.map(|event| &event["content"]["kind"]).collect();
            assert_eq!(kinds, [kind], "{words}");
        }
    }
    // Who asks for help is still connected to a person.
    let call = house.call(20);
    let message = call.press(&call.answered_by("human"), "1");
    let handed_on = call.say(&message, "Help.");
    assert!(handed_on.contains("<Number>+16145550100</Number>"), "{handed_on}");
}

/// A number that two share: the stop binds both files, the rest of what was said goes to the file of the one who was called.
#[test]
fn what_is_said_beside_a_stop_stays_with_the_one_who_was_called() {
    let house = House::new();
    let mut other = person(2);
    other.phone = person(1).phone;
    other.enter(&house.client, noon());
    let call = house.call(1);
    let message = call.press(&call.answered_by("human"), "1");
    let over = call.say(&message, "Stop calling me, I filed for bankruptcy.");
    ends_without_a_word(&over);
    assert_eq!((call.count("opt_out.received"), call.count("hold.placed")), (1, 1), "{:?}", call.types());

    let theirs = house.client.all(&format!("{}/history", other.path()));
    let told = |kind: &str| theirs.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((told("inbound.received"), told("opt_out.received"), told("hold.placed")), (1, 1, 0));
    assert!(!Value::from(theirs).to_string().to_lowercase().contains("bankruptcy"));
    assert_eq!(decide(&house.client, &other.query("voice"))["outcome"], "block");

    // The vendor says it once more: nobody learns more of it.
    let before = house.client.all(&format!("{}/history", other.path())).len();
    call.say(&message, "Stop calling me, I filed for bankruptcy.");
    assert_eq!(house.client.all(&format!("{}/history", other.path())).len(), before);
}

/// Before anybody has said to be the debtor, a relative's promise is no promise.
#[test]
fn of_a_stranger_s_words_only_what_restricts_is_kept() {
    let house = House::new();
    let call = house.call(1);
    let greeting = call.answered_by("human");
    ends_without_a_word(&call.say(&greeting, "Stop calling me. He will pay 50 dollars on Friday."));
    assert_eq!((call.count("opt_out.received"), call.count("promise.received")), (1, 0));
    let history = call.history();
    let heard = history.iter().find(|event| event["type"] == "inbound.received").expect("it was heard");
    assert_eq!(heard["content"]["intents"], json!(["stop"]));
}

/// The key for another language says the same again, and nothing is recorded for it.
#[test]
fn another_language_records_nothing_again() {
    let house = House::new();
    for (number, (key, kind)) in
        [("3", "callback.requested"), ("5", "dispute.received")].into_iter().enumerate()
    {
        let call = house.call(number);
        let message = call.press(&call.answered_by("human"), "1");
        let said = call.press(&message, key);
        assert_eq!(call.count(kind), 1, "{:?}", call.types());
        let otherwise = call.press(&said, "8");
        assert!(otherwise.contains("Gracias") || otherwise.contains("Hemos registrado"), "{otherwise}");
        call.press(&otherwise, "8");
        assert_eq!(call.count(kind), 1, "{:?}", call.types());
    }
}

/// A key that cannot be recorded is not lost: the same question is asked again, and the same key then counts, once.
#[test]
fn a_key_that_was_not_recorded_is_asked_for_again() {
    let house = House::new();
    let call = house.call(1);
    let message = call.press(&call.answered_by("human"), "1");
    let disputed = || call.count("dispute.received");
    let store = rusqlite::Connection::open(house.gateway.database()).expect("opens by hand");
    store.busy_timeout(std::time::Duration::from_secs(30)).expect("a timeout");
    store
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END",
        )
        .expect("nothing can be recorded");
    let again = call.press(&message, "5");
    assert!(again.contains("482.13") && !again.contains("We have recorded"), "{again}");
    assert_eq!(disputed(), 0);
    store.execute_batch("DROP TRIGGER full").expect("there is room again");
    let recorded = call.press(&again, "5");
    assert!(recorded.contains("We have recorded"), "{recorded}");
    call.press(&message, "5");
    assert_eq!(disputed(), 1);
}
