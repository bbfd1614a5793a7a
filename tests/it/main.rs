//! Black-box tests: each starts the built program on its own port and directory and talks to it as the world does.
