//! Black-box tests: each starts the built program on its own port and directory and talks to it as the world does.

#![expect(clippy::disallowed_methods, reason = "these tests run against the real clock")]

mod api_access;
mod api_contact_events;
mod api_debtors;
mod api_decisions;
mod api_facts;
mod api_history;
mod api_operations;
mod api_requests;
mod durability;
mod flow_calls;
mod flow_email;
mod flow_failover;
mod flow_kannel;
mod flow_mail;
mod flow_portal;
mod flow_replies;
mod flow_smpp;
mod flow_sms;
mod flow_stop;
mod flow_voice;
mod flow_webhooks;
mod privacy;
mod program;
mod proof;
mod service;
mod support;
