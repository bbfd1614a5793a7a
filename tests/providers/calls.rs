//! How a vendor of calls that none of the shipped ones is like writes its documents, and tells of everything at one address.

use crate::{given, manifest};
use dunwell::domain::call::{CallOp, CallPlace, Speech};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{CallbackEvent, CallbackKind, CallbackRequest, DeliveryStatus, Grounds};
use dunwell::provider::manifest::Manifest;
use serde_json::{Value, json};

/// Instructions in a list, and beside it the one action that ends a document; ids of menus bring back where the call is.
const MENUS: &str = r##"
identity = { id = "x", channel = "voice", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.secret = { help = "x", required = true, secret = true }
[send]
method = "POST"
url = "https://vendor.example/callouts"
body.json = { to = "{to}", custom = "{call_state}" }
response = { accepted = { status = ["200"] }, reference = { json = "/callId" } }
[[signatures.secret]]
primitive = "secret"
keys = ["{secret}"]
given = { query = "secret" }
[callbacks.status]
methods = ["POST"]
encoding = "json"
signature = "secret"
acknowledge = { status = 200 }
select = [{ value = { json = "/event" }, is = ["dice"] }]
also = "voice"
reference = { json = "/callid" }
status = { json = "/result" }
statuses = { ANSWERED = "ended", BUSY = "busy", NOANSWER = "no_answer", FAILED = "not_connected" }
[callbacks.voice]
methods = ["POST"]
encoding = "json"
signature = "secret"
reference = { json = "/callid" }
state = [{ json = "/menuResult/menuId" }, { json = "/custom" }]
keys = { json = "/menuResult/value" }
answered_by = { json = "/amd/status" }
answers = { human = "human", machine = "machine" }
connected = [{ value = { json = "/connected" }, is = ["true"] }]
[dialect]
content_type = "application/json"
languages = { es = "es-US" }
document.json = { instructions = "{ops}", action = "{last_op}" }
say.json = { name = "say", text = "{text}", locale = "{language}" }
ask.json = { name = "runMenu", mainMenu = "{next_state}", menus = [{ id = "{next_state}", mainPrompt = "#tts[{text}]", maxDigits = "{digits|number}", timeoutMills = "{wait_seconds|number}000" }] }
transfer.json = { name = "connectPstn", number = "{to}", tag = "{next_state}" }
next.json = { name = "continue", tag = "{next_state}" }
hang_up.json = { name = "hangup" }
"##;

fn speech(text: &str) -> Speech {
    Speech { language: "es".to_owned(), text: text.to_owned() }
}

fn place() -> CallPlace {
    CallPlace {
        url: "https://gw.example.com/callbacks/voice/x/voice/s17".to_owned(),
        state: "s17".to_owned(),
    }
}

fn ask() -> CallOp {
    CallOp::Ask { speech: speech("Oprima 1."), digits: 1, wait_seconds: 5, listen: false, next: place() }
}

fn written(text: &str, ops: &[CallOp]) -> String {
    let manifest = manifest("voice/x/manifest.toml", text);
    let settings = manifest.settings(&given(&[("secret", "s")]), "test").expect("settings");
    manifest.document(ops, &settings).expect("a dialect").body
}

fn json_of(text: &str, ops: &[CallOp]) -> Value {
    serde_json::from_str(&written(text, ops)).expect("JSON")
}

#[test]
fn what_ends_a_document_may_stand_beside_the_rest() {
    let say = json!({"name": "say", "text": "Hola & adiós.", "locale": "es-US"});
    let menu = json!({"name": "runMenu", "mainMenu": "s17", "menus": [
        {"id": "s17", "mainPrompt": "#tts[Oprima 1.]", "maxDigits": 1, "timeoutMills": 5000}
    ]});
    let hello = CallOp::Say(speech("Hola & adiós."));
    assert_eq!(json_of(MENUS, &[hello.clone(), ask()]), json!({"instructions": [say], "action": menu}));
    assert_eq!(json_of(MENUS, &[CallOp::HangUp]), json!({"action": {"name": "hangup"}}));
    // What leads on ends a document, whatever others fall through to.
    let on = [hello.clone(), CallOp::Next(place()), CallOp::HangUp];
    let next = json!({"name": "continue", "tag": "s17"});
    assert_eq!(json_of(MENUS, &on), json!({"instructions": [say], "action": next}));
    // One thing that is an instruction and an action.
    let cookie =
        MENUS.replace("ask.json = {", "ask.json = [{ name = \"setCookie\", value = \"{next_state}\" }, {");
    let cookie = cookie.replace("000\" }] }\n", "000\" }] }]\n");
    let set = json!({"name": "setCookie", "value": "s17"});
    assert_eq!(
        json_of(&cookie, &[hello.clone(), ask()]),
        json!({"instructions": [say, set], "action": menu})
    );
    let xml = r#"document.xml = '<call><do>{ops}</do><then>{last_op}</then></call>'
say.xml = '<say>{text}</say>'
ask.xml = '<menu id="{next_state}">{prompt}</menu>'
transfer.xml = '<connect tag="{next_state}">{to}</connect>'
hang_up.xml = '<end/>'
"#;
    let (before, _) = MENUS.split_once("document.json").expect("a document");
    let xml = format!("{before}{xml}");
    assert_eq!(
        written(&xml, &[hello, ask()]),
        "<call><do><say>Hola &amp; adiós.</say></do><then><menu id=\"s17\"><say>Oprima 1.</say></menu></then></call>"
    );
    for (text, from, to, words) in [
        (MENUS, "hang_up.json = { name = \"hangup\" }", "", "`hang_up` is missing"),
        (MENUS, "instructions = \"{ops}\", ", "", "`document` has no `{ops}`"),
        (&*xml, "<end/>", "<end>", "not well-formed"),
    ] {
        assert!(text.contains(from), "{from}");
        let file = SourceFile { path: "voice/x/manifest.toml".to_owned(), text: text.replacen(from, to, 1) };
        let faults = Manifest::read(&file).expect_err(words);
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{words}: {faults:?}");
    }
}

#[test]
fn reports_and_questions_of_a_call_may_come_to_one_address() {
    let manifest = manifest("voice/x/manifest.toml", MENUS);
    let settings = manifest.settings(&given(&[("secret", "s")]), "test").expect("settings");
    let hear = |body: Value| {
        let request = CallbackRequest {
            method: "POST".to_owned(),
            url: "https://gw.example.com/callbacks/voice/x/status?secret=s".to_owned(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        };
        let grounds = Grounds::new(&settings, Timestamp::from_millis(0));
        let heard = manifest.verify_and_parse(CallbackKind::Status, &request, &grounds).expect("believed");
        heard.events.into_iter().next().expect("one event")
    };
    let pressed = json!({"event": "pie", "callid": "c", "menuResult": {"menuId": "s17", "value": "1"}});
    let CallbackEvent::Call(pressed) = hear(pressed) else { panic!("no question") };
    assert_eq!((pressed.state.as_deref(), pressed.keys.as_str()), (Some("s17"), "1"));
    let taken = json!({"event": "ace", "callid": "c", "custom": "s1", "amd": {"status": "machine"}});
    let CallbackEvent::Call(taken) = hear(taken) else { panic!("no question") };
    assert_eq!(
        (taken.state.as_deref(), taken.answered_by.map(|who| who.to_string())),
        (Some("s1"), Some("machine".to_owned()))
    );
    let over = hear(json!({"event": "dice", "callid": "c", "result": "BUSY"}));
    let CallbackEvent::Delivery(over) = over else { panic!("no report") };
    assert_eq!(over.status, DeliveryStatus::Busy);
}

/// A call waits for an answer: what counts once would be answered with nothing when its vendor asks again.
#[test]
fn what_counts_once_asks_no_questions() {
    let once = r#"primitive = "hmac_sha256"
keys = ["{secret}"]
message = "{query:time}"
given = { query = "signature" }
fresh = { time = { query = "time" }, within = "PT10M" }
once = true"#;
    let text =
        MENUS.replace("primitive = \"secret\"\nkeys = [\"{secret}\"]\ngiven = { query = \"secret\" }", once);
    let faults = |text: String| {
        let file = SourceFile { path: "voice/x/manifest.toml".to_owned(), text };
        let faults = Manifest::read(&file).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    // Questions come to either address.
    let found = faults(text.clone());
    assert_eq!(found.len(), 2, "{found:#?}");
    let told = |fault: &String| fault.starts_with("voice/x/manifest.toml:9: ") && fault.contains("no `once`");
    assert!(found.iter().all(told), "{found:#?}");
    assert_eq!(faults(text.replace("once = true", "")), Vec::<String>::new());
}
