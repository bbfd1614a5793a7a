//! Consents, opt-outs, preferences and holds: stated, counted by the next decision, lifted.

use crate::support::gateway::Gateway;
use crate::support::http::Client;
use crate::support::sample::{Person, cites, days_ago, decide, hour, in_one_hour, instant, noon, person};
use serde_json::{Value, json};

fn outcome(client: &Client, person: &Person, channel: &str) -> Value {
    decide(client, &person.query(channel))["outcome"].clone()
}

#[test]
fn a_text_needs_two_consents_and_an_email_one() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    let consents = format!("{}/consents", sample.path());
    for channel in ["sms", "email"] {
        assert_eq!(outcome(&client, &sample, channel), "block", "{channel}");
    }
    for channel in ["portal", "voice"] {
        assert_eq!(outcome(&client, &sample, channel), "allow", "{channel}");
    }
    let automated_call = json!({"debtor_id": sample.id, "channel": "voice", "automated": true});
    assert_eq!(decide(&client, &automated_call)["outcome"], "block");

    client.post(&consents, &sample.consent("sms", "electronic")).ok();
    assert_eq!(outcome(&client, &sample, "sms"), "block");
    client.post(&consents, &sample.consent("sms", "automated")).ok();
    assert_eq!(outcome(&client, &sample, "sms"), "allow");
    client.post(&consents, &sample.consent("email", "electronic")).ok();
    assert_eq!(outcome(&client, &sample, "email"), "allow");
    client.post(&consents, &sample.consent("voice", "automated")).ok();
    assert_eq!(decide(&client, &automated_call)["outcome"], "allow");
}

#[test]
fn a_consent_may_end_and_may_name_accounts() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    let consents = format!("{}/consents", sample.path());
    sample.enter_bare(&client, noon());
    let mut ended = sample.consent("email", "electronic");
    ended["expires_at"] = json!(days_ago(1).to_string());
    client.post(&consents, &ended).ok();
    assert_eq!(outcome(&client, &sample, "email"), "block");
    let mut other_account = sample.consent("email", "electronic");
    other_account["account_ids"] = json!(["A-other"]);
    client.post(&consents, &other_account);
    assert_eq!(outcome(&client, &sample, "email"), "block");
    let mut this_account = sample.consent("email", "electronic");
    this_account["account_ids"] = json!([sample.account]);
    client.post(&consents, &this_account).ok();
    assert_eq!(outcome(&client, &sample, "email"), "allow");
}

#[test]
fn a_statement_that_makes_no_sense_is_refused() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    let consents = format!("{}/consents", sample.path());
    assert_eq!(client.post(&consents, &sample.consent("email", "excess_calls")).pointers(), ["/scope"]);
    let mut wrong = sample.consent("sms", "automated");
    wrong["granted_at"] = json!("last week");
    assert_eq!(client.post(&consents, &wrong).pointers(), ["/granted_at"]);
    let mut unknown = sample.consent("sms", "automated");
    unknown["colour"] = json!("red");
    assert_eq!(client.post(&consents, &unknown).pointers(), ["/colour"]);
    client.post("/v1/debtors/D-nobody/consents", &sample.consent("sms", "automated")).problem(404);
    let opt_outs = format!("{}/opt-outs", sample.path());
    let no_channel = json!({"received_at": days_ago(1).to_string(), "source": "a letter"});
    client.post(&opt_outs, &no_channel).problem(422);
    let holds = format!("{}/holds/boredom", sample.path());
    let status = client.put(&holds, &json!({"since": days_ago(1).to_string()})).status();
    assert!(matches!(status, 404 | 422), "an unknown kind of hold gave {status}");
}

#[test]
fn an_opt_out_binds_its_channel_its_point_and_its_accounts_until_consent_returns() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let opt_outs = format!("{}/opt-outs", sample.path());
    let stop = |channel: &str, received_at: String| json!({"channel": channel, "received_at": received_at, "source": "a call"});

    client.post(&opt_outs, &stop("sms", days_ago(2).to_string())).ok();
    let decision = decide(&client, &sample.query("sms"));
    assert_eq!(decision["outcome"], "block", "{decision}");
    assert!(cites(&decision, "block", "CFR"), "{decision}");
    assert_eq!(outcome(&client, &sample, "email"), "allow");

    // A consent dated before the stop lifts nothing; one dated after it does.
    for scope in ["automated", "electronic"] {
        client.post(&format!("{}/consents", sample.path()), &sample.consent("sms", scope)).ok();
    }
    assert_eq!(outcome(&client, &sample, "sms"), "block");
    for scope in ["automated", "electronic"] {
        let mut consent = sample.consent("sms", scope);
        consent["granted_at"] = json!(days_ago(1).to_string());
        consent["contact_point"] = json!(sample.phone);
        client.post(&format!("{}/consents", sample.path()), &consent).ok();
    }
    assert_eq!(outcome(&client, &sample, "sms"), "allow");

    client.post(&opt_outs, &stop("all", hour(0).to_string())).ok();
    for channel in ["sms", "email", "voice", "portal"] {
        assert_eq!(outcome(&client, &sample, channel), "block", "{channel}");
    }
}

#[test]
fn a_stop_from_a_number_binds_it_on_every_file() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let (one, two) = (person(1), person(2));
    one.enter(&client, noon());
    let mut shared = two.file(noon());
    shared["contact_points"][0]["value"] = json!(one.phone);
    client.put(&two.path(), &shared).ok();
    for scope in ["automated", "electronic"] {
        client.post(&format!("{}/consents", two.path()), &two.consent("sms", scope)).ok();
    }
    assert_eq!(outcome(&client, &two, "sms"), "allow");
    let stop = json!({
        "channel": "sms", "contact_point": one.phone, "received_at": hour(0).to_string(), "source": "a text", "text": "STOP",
    });
    client.post(&format!("{}/opt-outs", one.path()), &stop).ok();
    assert_eq!(outcome(&client, &one, "sms"), "block");
    assert_eq!(outcome(&client, &two, "sms"), "block");
}

#[test]
fn stated_inconvenient_times_defer() {
    in_one_hour(inconvenient_times_defer);
}

fn inconvenient_times_defer() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let preferences =
        json!({"inconvenient": [{"days": every_day, "from": "11:00", "to": "15:00"}], "language": "es"});
    client.put(&format!("{}/preferences", sample.path()), &preferences).ok();
    let decision = decide(&client, &sample.query("sms"));
    assert_eq!(decision["outcome"], "defer", "{decision}");
    // It is some minute past twelve there: `to` is exclusive, so 15:00 is the first good moment.
    assert_eq!(instant(&decision["permitted_from"]), hour(3), "{decision}");

    let calls_only =
        json!({"inconvenient": [{"days": every_day, "from": "11:00", "to": "15:00", "channels": ["voice"]}]});
    client.put(&format!("{}/preferences", sample.path()), &calls_only).ok();
    assert_eq!(outcome(&client, &sample, "sms"), "allow");
    assert_eq!(outcome(&client, &sample, "voice"), "defer");

    let wrong = json!({"inconvenient": [{"days": ["someday"], "from": "11:00", "to": "15:00"}]});
    assert_eq!(
        client.put(&format!("{}/preferences", sample.path()), &wrong).pointers(),
        ["/inconvenient/0/days/0"]
    );
    let wrong = json!({"inconvenient": [{"days": ["mon"], "from": "25:00", "to": "15:00"}]});
    assert_eq!(
        client.put(&format!("{}/preferences", sample.path()), &wrong).pointers(),
        ["/inconvenient/0/from"]
    );
}

#[test]
fn holds_block_and_lifting_one_is_recorded() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    for (number, (kind, law)) in [
        ("cease", "1006.6(c)"),
        ("attorney", "1006.6(b)(2)"),
        ("bankruptcy", ""),
        ("deceased", ""),
        ("litigation", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let sample = person(number);
        sample.enter(&client, noon());
        let path = format!("{}/holds/{kind}", sample.path());
        client.put(&path, &json!({"since": days_ago(1).to_string(), "detail": "on the telephone"})).ok();
        let decision = decide(&client, &sample.query("voice"));
        assert_ne!(decision["outcome"], "allow", "{kind}: {decision}");
        assert!(cites(&decision, "block", law), "{kind}: {decision}");
        let state = client.get(&sample.path()).expect(200);
        assert_eq!(state["holds"][0]["kind"], kind, "{state}");
        client.delete(&path).ok();
        assert_eq!(outcome(&client, &sample, "voice"), "allow", "{kind}");
        let types: Vec<Value> = client
            .all(&format!("{}/history", sample.path()))
            .iter()
            .map(|event| event["type"].clone())
            .collect();
        assert!(types.ends_with(&[json!("hold.placed"), json!("hold.lifted")]), "{types:?}");
    }
    // A hold against erasure bars no contact.
    let sample = person(50);
    sample.enter(&client, noon());
    client.put(&format!("{}/holds/retain", sample.path()), &json!({"since": days_ago(1).to_string()})).ok();
    assert_eq!(outcome(&client, &sample, "voice"), "allow");
}
