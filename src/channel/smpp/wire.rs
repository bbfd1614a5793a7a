//! The socket: TCP, TLS where it is wanted, and whole units cut out of what comes in.

use crate::channel::{ChannelError, tls};
use crate::provider::smpp::pdu::{HEAD, LONGEST};
use crate::provider::smpp::plan::Plan;
use bytes::{Buf, BytesMut};
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Either kind of socket.
pub(in crate::channel::smpp) trait Socket:
    AsyncRead + AsyncWrite + Send + Unpin
{
}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// What may be written to.
pub(in crate::channel::smpp) type Writer = WriteHalf<Box<dyn Socket>>;

/// What is needed to speak TLS, where that is wanted.
pub(in crate::channel::smpp) fn connector(plan: &Plan) -> Result<Option<TlsConnector>, ChannelError> {
    if !plan.tls {
        return Ok(None);
    }
    let config = tls::config(plan.ca_pem.as_deref())?;
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

/// Opens the socket.
pub(in crate::channel::smpp) async fn open(
    plan: &Plan,
    tls: Option<&TlsConnector>,
) -> io::Result<(Frames, Writer)> {
    let socket = TcpStream::connect((plan.host.as_str(), plan.port)).await?;
    socket.set_nodelay(true)?;
    let socket: Box<dyn Socket> = match tls {
        None => Box::new(socket),
        Some(tls) => {
            let name = ServerName::try_from(plan.host.clone())
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no name for TLS"))?;
            Box::new(tls.connect(name, socket).await?)
        }
    };
    Ok(halves(socket))
}

/// What is read from a socket, and what is written to it.
pub(in crate::channel::smpp) fn halves(socket: Box<dyn Socket>) -> (Frames, Writer) {
    let (reader, writer) = tokio::io::split(socket);
    (Frames { reader, buffer: BytesMut::with_capacity(4_096) }, writer)
}

/// Whole units, as they come in.
pub(in crate::channel::smpp) struct Frames {
    reader: ReadHalf<Box<dyn Socket>>,
    buffer: BytesMut,
}

impl Frames {
    /// The next unit; none once the connection is closed. Nothing is lost if the future is dropped.
    pub(in crate::channel::smpp) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(bytes) = self.buffer.get(..4) {
                let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                if !(HEAD..=LONGEST).contains(&length) {
                    let why = "a length that no PDU has";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                if self.buffer.len() >= length {
                    let frame = self.buffer[..length].to_vec();
                    self.buffer.advance(length);
                    return Ok(Some(frame));
                }
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
