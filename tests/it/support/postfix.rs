//! A relay that we did not write: Postfix, as a private instance on loopback with a folder of its own.
//!
//! It queues, tries again, gives up, and sends real bounces (RFC 3464) to the envelope's sender. Postfix is for root alone: by
//! anybody else it is started through `sudo`.

use super::eventually;
use super::gateway::{Setup, free_address};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What is started on demand; all else that Postfix knows is not needed.
const SERVICES: &str = "\
pickup    unix  n  -  n  60     1  pickup
cleanup   unix  n  -  n  -      0  cleanup
qmgr      unix  n  -  n  300    1  qmgr
rewrite   unix  -  -  n  -      -  trivial-rewrite
bounce    unix  -  -  n  -      0  bounce
defer     unix  -  -  n  -      0  bounce
trace     unix  -  -  n  -      0  bounce
flush     unix  n  -  n  1000?  0  flush
proxymap  unix  -  -  n  -      -  proxymap
smtp      unix  -  -  n  -      -  smtp
lmtp      unix  -  -  n  -      -  lmtp
error     unix  -  -  n  -      -  error
retry     unix  -  -  n  -      -  error
discard   unix  -  -  n  -      -  discard
anvil     unix  -  -  n  -      1  anvil
scache    unix  -  -  n  -      1  scache
postlog   unix-dgram n - n  -      1  postlogd
";

/// A relay; ends with the test.
pub struct Postfix {
    pub address: SocketAddr,
    dir: tempfile::TempDir,
    /// Where mail goes, by domain and then for all others.
    routes: String,
}

impl Postfix {
    /// One that hands the mail of each domain to the transport behind it (`smtp:[127.0.0.1]:25`), all else to `others`, and has
    /// these further settings.
    pub fn start(routes: &[(&str, String)], others: SocketAddr, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        // Its processes are different users.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let transports: String =
            routes.iter().map(|(domain, transport)| format!(" {{{domain} = {transport}}}")).collect();
        let mut routes = format!("relayhost = [127.0.0.1]:{}\n", others.port());
        // An empty table is an error to it.
        if !transports.is_empty() {
            routes.push_str(&format!("transport_maps = inline:{{{transports} }}\n"));
        }
        let postfix = Self { address: free_address(), dir, routes };
        for folder in ["etc", "spool"] {
            fs::create_dir(postfix.dir.path().join(folder)).expect("a directory");
        }
        let data = postfix.path("data");
        done(as_root("install").args(["-d", "-o", "postfix"]).arg(data).output());
        let door = format!("{}  inet  n  -  n  -  -  smtpd\n", postfix.address);
        fs::write(postfix.path("etc/master.cf"), door + SERVICES).expect("written");
        fs::write(postfix.path("etc/dynamicmaps.cf"), "").expect("written");
        postfix.configure(more);
        postfix.run();
        postfix
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, more: &str) {
        let (dir, routes) = (self.dir.path().display(), &self.routes);
        let text = format!(
            "compatibility_level = 3.6\nqueue_directory = {dir}/spool\ndata_directory = {dir}/data\n\
             maillog_file = {dir}/mail.log\nmaillog_file_prefixes = {dir}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = relay.example\nmydestination =\n\
             mynetworks = 127.0.0.0/8\nlocal_recipient_maps =\nalias_maps =\nalias_database =\n{routes}\
             notify_classes =\nsmtp_tls_security_level = none\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n\
             queue_run_delay = 1s\nsmtpd_relay_restrictions = permit_mynetworks, reject\n{more}\n"
        );
        fs::write(self.path("etc/main.cf"), text).expect("written");
    }

    /// Starts it again, with other settings.
    pub fn start_again(&self, more: &str) {
        self.configure(more);
        self.run();
    }

    fn run(&self) {
        done(self.postfix("start"));
        eventually("Postfix to listen", || TcpStream::connect(self.address).ok());
    }

    /// Ends it at once, whatever it is doing.
    pub fn stop(&self) {
        if let Some(pid) = self.pid() {
            done(as_root("kill").args(["-TERM", &pid]).output());
            eventually("Postfix to end", || (!Path::new("/proc").join(&pid).exists()).then_some(()));
        }
    }

    fn postfix(&self, command: &str) -> std::io::Result<Output> {
        as_root("/usr/sbin/postfix").arg("-c").arg(self.path("etc")).arg(command).output()
    }

    /// The number of its first process, as long as that lives.
    fn pid(&self) -> Option<String> {
        let output = as_root("cat").arg(self.path("spool/pid/master.pid")).output().ok()?;
        let pid = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        let lives = !pid.is_empty() && Path::new("/proc").join(&pid).exists();
        lives.then_some(pid)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let output = as_root("cat").arg(self.path("mail.log")).output().expect("cat is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a gateway needs to send mail by it and to take bounces in at a door of its own.
    pub fn setup(&self, inbound: Option<(SocketAddr, &str)>) -> Setup {
        let mut channels = format!(
            "[channels.email]\nproviders = [\"smtp\"]\n[providers.email.smtp]\nhost = \"127.0.0.1\"\nport = {}\n\
             tls = \"none\"\nfrom = \"First Recovery <notices@recovery.example>\"\n",
            self.address.port()
        );
        if let Some((door, protocol)) = inbound {
            channels.push_str(&format!(
                "[inbound.email]\nlisten = \"{door}\"\nprotocol = \"{protocol}\"\ndomains = [\"recovery.example\"]\n"
            ));
        }
        Setup { channels, env: Vec::new() }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = as_root("kill").args(["-TERM", &pid]).output();
        }
        // What it has made is not ours.
        let _ = as_root("rm").args(["-rf"]).arg(self.dir.path()).output();
    }
}

fn as_root(program: &str) -> Command {
    let uid = Command::new("id").arg("-u").output().expect("id is there").stdout;
    if uid.trim_ascii() == b"0" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

#[track_caller]
fn done(output: std::io::Result<Output>) {
    let output = output.expect("it is there: run tests/setup.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
