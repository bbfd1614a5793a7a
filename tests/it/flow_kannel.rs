//! Texts through a real Kannel: there by its HTTP interface, back by its delivery reports and its service addresses.

use crate::api_requests::settle;
use crate::support::attempts::count;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::kannel::{Kannel, Ports};
use crate::support::sample::{noon, person};

#[test]
fn a_text_goes_through_kannel_and_its_report_and_a_stop_come_back() {
    let ports = Ports::free();
    let gateway = Gateway::with(ports.setup());
    let mut kannel = Kannel::start(ports, gateway.address, gateway.dir());
    let client = gateway.admin();
    let sample = person(7);
    sample.enter(&client, noon());
    // Beyond the GSM alphabet and longer than one part, as a debtor in Spanish would get it.
    let mut file = sample.file(noon());
    file["language"] = "es".into();
    client.put(&sample.path(), &file).ok();
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["sms"])).expect(202);
    let id = answer["id"].as_str().expect("an id").to_owned();
    let state = settle(&client, &id, &["delivered"]);
    assert_eq!(state["attempts"][0]["provider"], "kannel");
    eventually("it to reach the network", || {
        let network = std::fs::read_to_string(gateway.dir().join("network.log")).expect("a log");
        network.contains(sample.phone.trim_start_matches('+')).then_some(())
    });

    kannel.handset_writes(&sample.phone, "15005550006", "STOP", gateway.dir());
    eventually("the stop", || (count(&client, &sample, "opt_out.received") == 1).then_some(()));
    let answer = client.post("/v1/contact-requests", &sample.request("r-2", &["sms"])).expect(202);
    let id = answer["id"].as_str().expect("an id").to_owned();
    settle(&client, &id, &["blocked", "deferred"]);
    assert_eq!(count(&client, &sample, "attempt.started"), 1, "nothing more goes out");
}
