// A short message centre on the npm package "smpp", on loopback:  node smsc.js [IDS] [KEY CERTIFICATE]
//
// IDS is text (default) or mixed: identifiers in hex in answers, in decimal in receipts. With key and certificate it speaks TLS.
// Who binds as gw with the password pw is let in. What becomes of a message is chosen by the number's last two digits:
//
//   00 no such number    58 throttled          61 throttled the first time      08 system error   40 an error of its own (0x400)
//   99 UNDELIV, err 005  98 the same, right behind the answer                   77 the receipt comes before the answer
//   33 the receipt has no optional parameters
//   10 hangs up instead of answering           11 never answers                 12 answers after 6 s
//   55 the handset writes STOP                 20 taken, and no receipt ever comes           anything else: DELIVRD
//
// stdout: one JSON line for each thing that happens. stdin: {"deliver": {…}} hands a message over, {"kick": true} cuts every
// connection, {"unbind": true} takes leave, {"refuse": true|false} lets nobody in, {"ask": true} asks who is there,
// {"recount": true} has it count its messages anew,
// {"mark": n} is told back after all that was told before it.
"use strict";
const fs = require("fs");
const readline = require("readline");
const smpp = require("smpp");

const [ids = "text", key, certificate] = process.argv.slice(2);
const sessions = new Set();
const seen = new Map();
let count = 0;
let refuse = false;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const text = (words) => (Buffer.isBuffer(words) ? words.toString("hex") : words);

function handOver(session, message) {
    session.deliver_sm(message, (answer) => say({ acknowledged: answer.command_status }));
}

function receipt(session, pdu, number) {
    const failed = /9[89]$/.test(pdu.destination_addr);
    const id = ids === "mixed" ? String(number) : reference(number);
    const [state, word, code] = failed ? [5, "UNDELIV", "005"] : [2, "DELIVRD", "000"];
    const message = {
        source_addr: pdu.destination_addr, source_addr_ton: 1, source_addr_npi: 1,
        destination_addr: pdu.source_addr, esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:${failed ? "000" : "001"} submit date:2609211333 done date:2609211334 stat:${word} err:${code} text:id:none`,
    };
    if (!/33$/.test(pdu.destination_addr)) Object.assign(message, { receipted_message_id: id, message_state: state });
    handOver(session, message);
}

const reference = (number) => (ids === "mixed" ? number.toString(16).toUpperCase() : `m-${number}`);

function submitted(session, pdu) {
    const to = pdu.destination_addr;
    const short = pdu.short_message || {};
    say({
        submitted: to, from: pdu.source_addr, ton: [pdu.source_addr_ton, pdu.dest_addr_ton], npi: [pdu.source_addr_npi, pdu.dest_addr_npi],
        data_coding: pdu.data_coding, esm_class: pdu.esm_class, registered_delivery: pdu.registered_delivery,
        text: text(short.message), udh: (short.udh || []).map((part) => part.toString("hex")),
        payload: pdu.message_payload && text(pdu.message_payload.message),
        sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
    });
    const end = to.slice(-2);
    const refusals = { "00": smpp.ESME_RINVDSTADR, "58": smpp.ESME_RTHROTTLED, "08": smpp.ESME_RSYSERR, "40": 0x400 };
    const times = (seen.get(to) || 0) + 1;
    seen.set(to, times);
    if (end in refusals) return session.send(pdu.response({ command_status: refusals[end] }));
    // Every second message is put off: of a long one, its second part the first time.
    if (end === "61" && times === 2) return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    if (end === "10") return session.destroy();
    if (end === "11") return undefined;
    const number = 0xa0 + ++count;
    const answer = () => session.send(pdu.response({ message_id: reference(number) }));
    const report = () => {
        // 1 asks for every receipt, 2 only for one that says it failed.
        const wanted = pdu.registered_delivery === 1 || (pdu.registered_delivery === 2 && /9[89]/.test(end));
        if (wanted && end !== "20") receipt(session, pdu, number);
    };
    if (end === "77") {
        report();
        return setTimeout(answer, 200);
    }
    if (end === "98") {
        // In one write, so that both are read at once.
        session.socket.cork();
        answer();
        report();
        return session.socket.uncork();
    }
    if (end === "12") return setTimeout(() => { answer(); setTimeout(report, 50); }, 6_000);
    answer();
    setTimeout(report, 50);
    // After the last part of a long message, and not after each.
    if (end === "55" && pdu.registered_delivery === 1) setTimeout(() => handOver(session, {
        source_addr: to, source_addr_ton: 1, source_addr_npi: 1, destination_addr: pdu.source_addr, short_message: "STOP",
    }), 100);
    return undefined;
}

function serve(session) {
    session.on("error", () => {});
    session.on("close", () => { if (sessions.delete(session)) say({ closed: true }); });
    session.on("bind_transceiver", (pdu) => {
        if (refuse) return session.send(pdu.response({ command_status: smpp.ESME_RALYBND }));
        const known = pdu.system_id === "gw" && pdu.password === "pw";
        say({ bound: known, version: pdu.interface_version });
        if (!known) return session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
        sessions.add(session);
        return session.send(pdu.response({ system_id: "centre" }));
    });
    session.on("enquire_link", (pdu) => { say({ enquired: true }); session.send(pdu.response()); });
    session.on("enquire_link_resp", () => say({ present: true }));
    session.on("unbind", (pdu) => { say({ unbound: true }); session.send(pdu.response()); session.close(); });
    session.on("submit_sm", (pdu) => submitted(session, pdu));
}

const options = key ? { tls: true, key: fs.readFileSync(key), cert: fs.readFileSync(certificate) } : {};
const server = smpp.createServer(options, serve);
server.listen(0, "127.0.0.1", () => say({ listening: server.address().port }));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const told = JSON.parse(line);
    if (told.mark) say({ marked: told.mark });
    if (told.recount) count = 0;
    if ("refuse" in told) refuse = told.refuse;
    for (const session of sessions) {
        if (told.deliver) handOver(session, told.deliver);
        if (told.kick) session.destroy();
        if (told.unbind) session.unbind();
        if (told.ask) session.enquire_link();
    }
}).on("close", () => process.exit(0));
