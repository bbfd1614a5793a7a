// Voice vendors' own SDKs as judges: one JSON question a line in, one JSON answer a line out.
//
//   {"ask": "twilio-sign", token, url, params}            the signature that Twilio's SDK expects of a callback
//   {"ask": "vonage-sign", secret, body, now}             a signed webhook's token, made as Vonage describes it
//   {"ask": "vonage-believes", token, key}                whether Vonage's SDK believes a token of ours, and its claims
//   {"ask": "twiml", text} / {"ask": "ncco", text}        what is wrong with a document: it is built again with the SDK,
//                                                         and must come out the same
"use strict";
const fs = require("fs");
const crypto = require("crypto");
const readline = require("readline");
const { isDeepStrictEqual } = require("util");
const twilio = require("twilio");
const { XMLParser } = require("fast-xml-parser");
const { verifySignature } = require("@vonage/jwt");
const jsonwebtoken = require("jsonwebtoken");
const voice = require("@vonage/voice");

// ---- TwiML: every verb must be one that the SDK has at this place, with attributes that it declares.
const declared = fs.readFileSync(require.resolve("twilio/lib/twiml/VoiceResponse.d.ts"), "utf8");
const attributesOf = (tag) => {
  const names = new Set();
  for (const found of declared.matchAll(new RegExp(`interface ${tag}Attributes[^{]*\\{([^}]*)\\}`, "g")))
    for (const [, name] of found[1].matchAll(/^\s+(\w+)\?:/gm)) names.add(name);
  return names;
};
const parser = new XMLParser({ preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: "", trimValues: true, parseTagValue: false, parseAttributeValue: false });
const tree = (text) => parser.parse(text).filter((node) => !("?xml" in node));
const plain = (nodes) =>
  nodes.map((node) => {
    if ("#text" in node) return node["#text"];
    const tag = Object.keys(node).find((key) => key !== ":@");
    return { tag, attributes: Object.fromEntries(Object.entries(node[":@"] || {}).sort()), inside: plain(node[tag]) };
  });

function rebuild(parent, nodes, path, wrong) {
  for (const node of nodes) {
    if (typeof node === "string") continue;
    const here = `${path}/${node.tag}`;
    const method = node.tag[0].toLowerCase() + node.tag.slice(1);
    if (typeof parent[method] !== "function" || node.tag[0] !== node.tag[0].toUpperCase()) {
      wrong.push(`${here}: not allowed here`);
      continue;
    }
    const known = attributesOf(node.tag);
    for (const name of Object.keys(node.attributes)) if (!known.has(name)) wrong.push(`${here}@${name}: unknown`);
    const text = node.inside.find((inner) => typeof inner === "string");
    const made = text === undefined ? parent[method](node.attributes) : parent[method](node.attributes, text);
    rebuild(made, node.inside, here, wrong);
  }
}

function twiml(text) {
  const [root, ...more] = plain(tree(text));
  if (!root || root.tag !== "Response" || more.length) return ["it is not one <Response>"];
  const wrong = [];
  const response = new twilio.twiml.VoiceResponse();
  rebuild(response, root.inside, "Response", wrong);
  const again = plain(tree(response.toString()))[0];
  if (!wrong.length && !isDeepStrictEqual(again, root)) wrong.push(`the SDK writes ${response.toString()}`);
  return wrong;
}

// ---- NCCO: every action must come out of the SDK's class as it stands.
const only = (list) => (Array.isArray(list) && list.length === 1 ? list[0] : undefined);
const settings = { dtmf: ["timeOut", "maxDigits", "submitOnHash"], speech: ["uuid", "endOnSilence", "language", "context", "startTimeout", "maxDuration", "saveAudio"] };
const build = {
  talk: (a) => new voice.Talk(a.text, a.bargeIn, a.loop, a.level, a.language, a.style, a.premium),
  input: (a) => new voice.Input(a.dtmf, a.speech, only(a.eventUrl), a.eventMethod, a.mode),
  connect: (a) => new voice.Connect(only(a.endpoint), a.from, a.randomFromNumber, a.eventType, a.timeout, a.limit, a.machineDetection, only(a.eventUrl), a.eventMethod, a.ringbackTone),
  notify: (a) => new voice.Notify(a.payload, only(a.eventUrl), a.eventMethod),
  wait: (a) => new voice.Wait(a.timeout),
  record: (a) => new voice.Record(a.format, a.split, a.channels, a.endOnSilence, a.endOnKey, a.timeOut, a.beepStart, only(a.eventUrl), a.eventMethod),
};

function ncco(text) {
  const actions = JSON.parse(text);
  if (!Array.isArray(actions)) return ["it is not a list"];
  const wrong = [];
  actions.forEach((action, at) => {
    if (!build[action.action]) return wrong.push(`[${at}] unknown action ${action.action}`);
    const again = JSON.parse(JSON.stringify(build[action.action](action).serializeToNCCO()));
    if (!isDeepStrictEqual(again, action)) wrong.push(`[${at}] the SDK writes ${JSON.stringify(again)}`);
    for (const [name, known] of Object.entries(settings))
      for (const key of Object.keys(action[name] || {})) if (!known.includes(key)) wrong.push(`[${at}] ${name}.${key}: unknown`);
    if (action.action === "talk" && action.text.length > 1500) wrong.push(`[${at}] says too much at once`);
    const next = actions[at + 1] || {};
    if (action.bargeIn && !(next.action === "input" || next.bargeIn)) wrong.push(`[${at}] bargeIn before no input`);
  });
  return wrong;
}

const answers = {
  "twilio-sign": ({ token, url, params }) => twilio.getExpectedTwilioSignature(token, url, params),
  "vonage-sign": ({ secret, body, now }) => {
    const payload_hash = crypto.createHash("sha256").update(body).digest("hex");
    const claims = { iat: now, jti: crypto.randomUUID(), iss: "Vonage", api_key: "abcd1234", payload_hash };
    const token = jsonwebtoken.sign(claims, secret, { algorithm: "HS256" });
    if (!verifySignature(token, secret)) throw new Error("the SDK does not believe it");
    return token;
  },
  "vonage-believes": ({ token, key }) => {
    const open = crypto.createPublicKey(key).export({ type: "spki", format: "pem" });
    return { believed: verifySignature(token, open), claims: jsonwebtoken.decode(token) };
  },
  twiml: ({ text }) => twiml(text),
  ncco: ({ text }) => ncco(text),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    const question = JSON.parse(line);
    answer = { answer: answers[question.ask](question) };
  } catch (error) {
    answer = { error: String(error && error.stack) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
