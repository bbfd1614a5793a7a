//! Connections to a vendor over HTTP/1.1: each carries one request at a time, and is kept a while for the next.
//!
//! Whoever asks moves the connection on as well, in one task. A message is so spared being handed to a task that writes it,
//! and its answer being handed back.

use crate::channel::{ChannelError, Gate, tls};
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::Service;

/// A connection that is not there by then is given up: less than the second within which a first byte must leave.
const CONNECT: Duration = Duration::from_millis(900);
/// Idle connections are dropped before a vendor's usual keep-alive ends, so that none closes under a request.
const IDLE: Duration = Duration::from_secs(15);
/// A body so long fits into a socket at once, in bytes: whoever answers a longer one early may have left a part of it unread.
const SHORT: u64 = 16 * 1_024;
/// A peer that has gone without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What a request carries; a message asks its gate before it gives itself away.
pub(in crate::channel) struct GatedBody {
    /// What is left to be said.
    pub bytes: Option<Bytes>,
    /// Nothing can overtake what has none.
    pub gate: Option<Arc<Gate>>,
}

/// The gate of a body was shut.
#[derive(Debug, thiserror::Error)]
#[error("overtaken before the first byte left")]
pub(in crate::channel) struct Overtaken;

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Overtaken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Overtaken>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        let open = self.gate.as_ref().is_none_or(|gate| gate.pass());
        Poll::Ready(Some(if open { Ok(Frame::data(bytes)) } else { Err(Overtaken) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::channel) enum NoAnswer {
    /// There was no connection to ask over.
    NotConnected,
    /// The connection ended, or what came over it was no answer.
    Lost,
}

/// An answer, as far as it was read.
pub(in crate::channel) struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body, no longer than asked for; what broke off is here as far as it came.
    pub body: Vec<u8>,
}

/// A connection, and what moves it until it ends.
struct Connection {
    sender: http1::SendRequest<GatedBody>,
    driver: Option<http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, GatedBody>>,
}

/// Whom a connection leads to.
type Origin = (Scheme, Authority);

struct Idle {
    origin: Origin,
    since: Instant,
    connection: Connection,
}

/// Connections that nobody uses, the longest idle first.
#[derive(Default)]
struct Kept {
    idle: VecDeque<Idle>,
    /// Whether a task looks after those that lie too long.
    swept: bool,
}

/// The connections of one provider; never shared with another.
pub(in crate::channel) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    kept: Arc<Mutex<Kept>>,
}

impl Connections {
    /// None yet.
    ///
    /// # Errors
    /// Why TLS would not start.
    pub fn new() -> Result<Self, ChannelError> {
        let mut sockets = HttpConnector::new();
        sockets.enforce_http(false);
        sockets.set_nodelay(true);
        sockets.set_keepalive(Some(KEEPALIVE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(None)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(sockets);
        Ok(Self { connector, kept: Arc::default() })
    }

    /// Asks once, and reads so many bytes of the answer at most. Dropping the future closes the connection.
    ///
    /// The request's address is whole, `https://host/path`, and it has no `Host` yet.
    ///
    /// # Errors
    /// No answer came; whether the request left is for its gate to say.
    pub async fn exchange(&self, mut request: Request<GatedBody>, most: usize) -> Result<Answer, NoAnswer> {
        let address = std::mem::take(request.uri_mut());
        let origin = aim(&mut request, &address).ok_or(NoAnswer::NotConnected)?;
        let short = request.body().size_hint().upper().is_some_and(|length| length <= SHORT);
        while let Some(mut connection) = self.idle(&origin).await {
            match connection.ask(request).await {
                Ok(response) => return self.read(origin, connection, response, most, short).await,
                // It was closed while it lay there, and nothing of the request was written.
                Err(Some(unsent)) => request = unsent,
                Err(None) => return Err(NoAnswer::Lost),
            }
        }
        let mut connection = self.connect(address).await.ok_or(NoAnswer::NotConnected)?;
        match connection.ask(request).await {
            Ok(response) => self.read(origin, connection, response, most, short).await,
            Err(_) => Err(NoAnswer::Lost),
        }
    }

    /// Closes those that nobody uses.
    pub fn close(&self) {
        lock(&self.kept).idle.clear();
    }

    async fn connect(&self, address: Uri) -> Option<Connection> {
        let opened = async {
            let mut connector = self.connector.clone();
            poll_fn(|cx| connector.poll_ready(cx)).await.ok()?;
            let stream = connector.call(address).await.ok()?;
            let (sender, driver) = http1::Builder::new().writev(false).handshake(stream).await.ok()?;
            Some(Connection { sender, driver: Some(driver) })
        };
        tokio::time::timeout(CONNECT, opened).await.ok()?
    }

    /// The one to this origin that was used last, if it is still open.
    async fn idle(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut kept = lock(&self.kept);
                let at = kept.idle.iter().rposition(|idle| idle.origin == *origin)?;
                kept.idle.remove(at).filter(|idle| idle.since.elapsed() < IDLE)?.connection
            };
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    async fn read(
        &self,
        origin: Origin,
        mut connection: Connection,
        response: Response<Incoming>,
        most: usize,
        short: bool,
    ) -> Result<Answer, NoAnswer> {
        let (head, mut rest) = response.into_parts();
        let mut body = Vec::new();
        while let Some(Ok(frame)) = connection.driven(rest.frame()).await {
            let Ok(bytes) = frame.into_data() else { continue };
            let room = most.saturating_sub(body.len());
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() >= room {
                return Ok(Answer { head, body });
            }
        }
        if (short || head.status.is_success()) && connection.is_ready().await {
            self.keep(origin, connection);
        }
        Ok(Answer { head, body })
    }

    fn keep(&self, origin: Origin, connection: Connection) {
        let mut kept = lock(&self.kept);
        kept.idle.push_back(Idle { origin, since: Instant::now(), connection });
        if !kept.swept {
            kept.swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.kept)));
        }
    }
}

/// Closes what lies idle for too long, until nothing does.
async fn sweep(kept: Weak<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = lock(&kept);
        let young = kept.idle.iter().position(|idle| idle.since.elapsed() < IDLE);
        let old = young.unwrap_or(kept.idle.len());
        kept.idle.drain(..old);
        if kept.idle.is_empty() {
            kept.swept = false;
            return;
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a request say its path alone and name its host; gives whom it is for.
fn aim(request: &mut Request<GatedBody>, address: &Uri) -> Option<Origin> {
    let (scheme, authority) = (address.scheme()?.clone(), address.authority()?.clone());
    let usual = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != usual => HeaderValue::from_str(&format!("{}:{port}", authority.host())),
        Some(_) | None => HeaderValue::from_str(authority.host()),
    };
    request.headers_mut().insert(header::HOST, host.ok()?);
    let path = address.path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    Some((scheme, authority))
}

impl Connection {
    /// The answer's head; or, where nothing of the request was written, the request.
    async fn ask(
        &mut self,
        request: Request<GatedBody>,
    ) -> Result<Response<Incoming>, Option<Request<GatedBody>>> {
        let asked = self.sender.try_send_request(request);
        self.driven(asked).await.map_err(|mut fault| fault.take_message())
    }

    /// Whether it can take a request.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.advance(cx);
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Moves the connection on while something is waited for that comes over it.
    async fn driven<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            // Asked before too: it may have to say first what it wants.
            if let Poll::Ready(come) = wanted.as_mut().poll(cx) {
                return Poll::Ready(come);
            }
            self.advance(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        // Once it has ended it is let go of: only then a request that it never took comes back.
        if self.driver.as_mut().is_some_and(|driver| Pin::new(driver).poll(cx).is_ready()) {
            self.driver = None;
        }
    }
}
