//! Black-box tests: each starts the built program on its own port and directory and talks to it as the world does.

mod api_access;
mod api_contact_events;
mod api_debtors;
mod api_decisions;
mod api_facts;
mod api_history;
mod api_operations;
mod api_requests;
mod service;
mod support;
