//! The program: everything is in the library, so that tests can reach it.

/// The store's pages and the messages' short lives are hard on glibc's allocator (its arenas grow and shrink all the time).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dunwell::cli::run()
}
