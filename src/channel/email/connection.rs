//! Connections to a relay: sockets of our own, the dialogue step by step.

use crate::channel::email::message::Letter;
use crate::channel::email::reply::{Stage, outcome};
use crate::channel::{ChannelError, failed};
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::provider::settings::Settings;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
#[expect(deprecated, reason = "the only door to TLS over a socket of our own")]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// How a step of the dialogue ended, when not well.
pub(in crate::channel::email) enum Step {
    /// The relay said no; the connection still stands.
    Refused(Outcome),
    /// The relay said no and hung up.
    HungUp(Outcome),
    /// The connection is gone.
    Broken,
}

/// An open connection.
pub(in crate::channel::email) struct Line {
    pub(in crate::channel::email) smtp: AsyncSmtpConnection,
    /// The relay takes several commands at once (RFC 2920).
    pipelining: bool,
}

enum Tls {
    None,
    Starttls(TlsParameters),
    Wrapped(TlsParameters),
}

/// What it takes to open a connection.
pub(in crate::channel::email) struct Dialler {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: ClientId,
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

impl Dialler {
    pub(in crate::channel::email) fn new(settings: &Settings) -> Result<Self, ChannelError> {
        let host = settings.get("host").unwrap_or_default().to_owned();
        let port = settings.number("port").unwrap_or(587);
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port =
            port.ok_or_else(|| ChannelError::Setting("port", "is not between 1 and 65535".to_owned()))?;
        let tls = match settings.get("tls").unwrap_or("starttls") {
            "none" => Tls::None,
            "wrapped" => Tls::Wrapped(tls(&host, settings)?),
            _ => Tls::Starttls(tls(&host, settings)?),
        };
        let credentials = match (settings.get("username"), settings.get("password")) {
            (Some(username), Some(password)) => {
                Some(Credentials::new(username.to_owned(), password.to_owned()))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let message = "goes with `username`: give both or neither".to_owned();
                return Err(ChannelError::Setting("password", message));
            }
        };
        if credentials.is_some() && matches!(tls, Tls::None) && !is_loopback(&host) {
            let message =
                "is none, and the password would travel in clear: use starttls or wrapped".to_owned();
            return Err(ChannelError::Setting("tls", message));
        }
        let hello = settings
            .get("hello_name")
            .map_or_else(ClientId::default, |name| ClientId::Domain(name.to_owned()));
        Ok(Self { host, port, tls, credentials, hello })
    }

    /// Opens a connection, up to where a message may be offered.
    ///
    /// # Errors
    /// The outcome: nothing of any message has left.
    pub(in crate::channel::email) async fn connect(&self) -> Result<Line, Outcome> {
        let unreachable = || failed(FailureClass::NeverLeft, FailureCause::Provider, "connect");
        let socket = tokio::time::timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port)));
        let socket = socket.await.map_err(|_| unreachable())?.map_err(|_| unreachable())?;
        socket.set_nodelay(true).map_err(|_| unreachable())?;
        let greeted = self.greet(socket).await;
        greeted.map_err(|error| {
            let lost = || failed(FailureClass::NeverLeft, FailureCause::Provider, "handshake");
            outcome(Stage::Greeting, &error).unwrap_or_else(lost)
        })
    }

    async fn greet(&self, socket: TcpStream) -> Result<Line, Error> {
        let stream: Box<dyn AsyncTokioStream> = match &self.tls {
            Tls::None | Tls::Starttls(_) => Box::new(socket),
            Tls::Wrapped(parameters) => Box::new(Wrapped::open(socket, parameters).await?),
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
        if let Tls::Starttls(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        // Asked once more, because lettre does not keep what it does not use itself.
        let offers = connection.command(Ehlo::new(self.hello.clone())).await?;
        let pipelining = offers.message().any(|line| line.eq_ignore_ascii_case("PIPELINING"));
        Ok(Line { smtp: connection, pipelining })
    }
}

fn tls(host: &str, settings: &Settings) -> Result<TlsParameters, ChannelError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = settings.get("ca_pem") {
        let wrong = |_| ChannelError::Setting("ca_pem", "is not a certificate in PEM".to_owned());
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(wrong)?);
    }
    builder.build_rustls().map_err(|error| ChannelError::Start(error.to_string()))
}

/// TLS from the first byte (RFC 8314) over a socket of our own: lettre's stream, seen as tokio's.
#[derive(Debug)]
struct Wrapped {
    #[expect(deprecated, reason = "the only door to TLS over a socket of our own")]
    stream: AsyncNetworkStream,
}

#[expect(deprecated, reason = "the only door to TLS over a socket of our own")]
impl Wrapped {
    async fn open(socket: TcpStream, parameters: &TlsParameters) -> Result<Self, Error> {
        let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(socket));
        stream.upgrade_tls(parameters.clone()).await?;
        Ok(Self { stream })
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = buf.initialize_unfilled();
        let read = futures_util::AsyncRead::poll_read(Pin::new(&mut self.stream), cx, unfilled);
        read.map_ok(|count| buf.advance(count))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        futures_util::AsyncWrite::poll_write(Pin::new(&mut self.stream), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures_util::AsyncWrite::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures_util::AsyncWrite::poll_close(Pin::new(&mut self.stream), cx)
    }
}

impl AsyncTokioStream for Wrapped {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

fn step(stage: Stage, error: &Error) -> Step {
    match outcome(stage, error) {
        // The relay hangs up, whatever the stage (RFC 5321, section 3.8).
        Some(outcome) if error.status().is_some_and(|code| u16::from(code) == 421) => Step::HungUp(outcome),
        Some(outcome) => Step::Refused(outcome),
        None => Step::Broken,
    }
}

/// Offers a message: sender, recipient, `DATA`. Well ended, the relay waits for the message itself.
pub(in crate::channel::email) async fn offer(line: &mut Line, letter: &Letter) -> Result<(), Step> {
    let mut parameters = Vec::new();
    let mut addresses = letter.envelope.from().into_iter().chain(letter.envelope.to());
    if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
        if !line.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
            let outcome = failed(FailureClass::Refused, FailureCause::InvalidAddress, "no_smtputf8");
            return Err(Step::Refused(outcome));
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let mut commands =
        vec![(Stage::Sender, Mail::new(letter.envelope.from().cloned(), parameters).to_string())];
    let recipients = letter.envelope.to().iter();
    commands.extend(recipients.map(|to| (Stage::Recipient, Rcpt::new(to.clone(), Vec::new()).to_string())));
    commands.push((Stage::Data, Data.to_string()));
    if line.pipelining {
        together(&mut line.smtp, &commands).await
    } else {
        apart(&mut line.smtp, &commands).await
    }
}

/// One command after another, each with its reply.
async fn apart(smtp: &mut AsyncSmtpConnection, commands: &[(Stage, String)]) -> Result<(), Step> {
    for (stage, command) in commands {
        smtp.command(command).await.map_err(|error| step(*stage, &error))?;
    }
    Ok(())
}

/// All commands at once, then all replies: one round trip instead of three (RFC 2920, section 3.1).
async fn together(smtp: &mut AsyncSmtpConnection, commands: &[(Stage, String)]) -> Result<(), Step> {
    let mut group = Some(commands.iter().map(|(_, command)| command.as_str()).collect::<String>());
    let mut refusal = None;
    for (stage, _) in commands {
        let reply = match group.take() {
            Some(group) => smtp.command(group).await,
            None => smtp.read_response().await,
        };
        match (reply.map_err(|error| step(*stage, &error)), refusal.take()) {
            // The relay waits for a message although it has nobody to send it to: only hanging up ends that.
            (Ok(_), Some(outcome)) if *stage == Stage::Data => return Err(Step::HungUp(outcome)),
            (Ok(_), earlier) => refusal = earlier,
            // What follows a refusal follows from it.
            (Err(Step::Refused(_)), Some(outcome)) => refusal = Some(outcome),
            (Err(Step::Refused(outcome)), None) => refusal = Some(outcome),
            (Err(Step::HungUp(_) | Step::Broken), Some(outcome)) => return Err(Step::HungUp(outcome)),
            (Err(end), None) => return Err(end),
        }
    }
    refusal.map_or(Ok(()), |outcome| Err(Step::Refused(outcome)))
}

/// Sends the message itself. `ended` is set right before its end is written: until then the relay has not taken it.
pub(in crate::channel::email) async fn deliver(
    line: &mut Line,
    letter: &Letter,
    ended: &AtomicBool,
) -> Result<Outcome, Step> {
    let mut body = Some(letter.bytes.as_slice());
    let parts = std::iter::from_fn(|| {
        let part = body.take();
        if part.is_none() {
            ended.store(true, Ordering::Release);
        }
        part
    });
    match line.smtp.message_iter(parts).await {
        Ok(_) => Ok(Outcome::Accepted { provider_ref: Some(letter.message_id.clone()) }),
        Err(error) => Err(step(Stage::End, &error)),
    }
}
