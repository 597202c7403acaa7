//! COMPRESS=DEFLATE (RFC 4978) around a connection: what is written is compressed, what is read is inflated. What
//! was written leaves with the next flush, which ends a block, so that the other side can read all of it.

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How much is read at once, and by how much the output grows.
const STEP: usize = 16 << 10;
/// So many compressed bytes wait before no more are made.
const HIGH: usize = 128 << 10;

/// A connection with a layer of compression.
pub struct Deflated<S> {
    inner: S,
    inflate: Decompress,
    deflate: Compress,
    /// Read, to be inflated.
    input: BytesMut,
    /// Compressed, to be written.
    output: Vec<u8>,
    /// How much of the output was written.
    written: usize,
    /// Whether the last block was ended.
    ended: bool,
}

impl<S> Deflated<S> {
    /// Starts to compress; `read` is what was read already behind the server's consent.
    pub fn new(inner: S, read: BytesMut) -> Self {
        Self {
            inner,
            // Raw deflate without a zlib header (RFC 4978 section 3).
            inflate: Decompress::new(false),
            deflate: Compress::new(Compression::fast(), false),
            input: read,
            output: Vec::new(),
            written: 0,
            ended: true,
        }
    }

    /// The connection below.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Compresses; how many bytes were taken.
    fn compress(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<usize> {
        self.output.reserve(STEP);
        let before = self.deflate.total_in();
        self.deflate.compress_vec(bytes, &mut self.output, flush).map_err(io::Error::other)?;
        Ok(usize::try_from(self.deflate.total_in() - before).unwrap_or(0))
    }
}

impl<S: AsyncWrite + Unpin> Deflated<S> {
    /// Writes what is compressed.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            let n = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.output[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            // Also without input: what did not fit the last time is still inside.
            let (read, made) = (this.inflate.total_in(), this.inflate.total_out());
            let room = buf.initialize_unfilled();
            let status = this.inflate.decompress(&this.input, room, FlushDecompress::None);
            let status = status.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            this.input.advance(usize::try_from(this.inflate.total_in() - read).unwrap_or(0));
            let made = usize::try_from(this.inflate.total_out() - made).unwrap_or(0);
            if made > 0 || status == Status::StreamEnd {
                buf.advance(made);
                return Poll::Ready(Ok(()));
            }
            this.input.reserve(STEP);
            let more = std::pin::pin!(this.inner.read_buf(&mut this.input)).poll(cx);
            if ready!(more)? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.len() >= HIGH {
            ready!(this.drain(cx))?;
        }
        let mut taken = 0;
        for slice in slices {
            let mut bytes: &[u8] = slice;
            while !bytes.is_empty() {
                if this.output.len() >= HIGH && taken > 0 {
                    return Poll::Ready(Ok(taken));
                }
                this.ended = false;
                let n = this.compress(bytes, FlushCompress::None)?;
                bytes = &bytes[n..];
                taken += n;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.ended {
            this.compress(&[], FlushCompress::Sync)?;
            // Room left says that all of it came out.
            this.ended = this.output.len() < this.output.capacity();
        }
        ready!(this.drain(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let mut step = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        };
        // Half of it is text that compresses, half is not.
        (0..length).map(|n| if n / 5_000 % 2 == 0 { b'a' + (n % 7) as u8 } else { step() }).collect()
    }

    #[tokio::test]
    async fn what_is_written_is_read_through_however_narrow_a_pipe() {
        for (pipe, length) in [(1, 3_000), (100, 100_000), (64 << 10, 3_000_000)] {
            let (left, right) = duplex(pipe);
            let mut left = Deflated::new(left, BytesMut::new());
            let mut right = Deflated::new(right, BytesMut::new());
            let sent = noise(length, length as u64);
            let mut received = Vec::new();
            let write = async {
                for piece in sent.chunks(997) {
                    left.write_all(piece).await.unwrap();
                }
                left.flush().await.unwrap();
                left.shutdown().await.unwrap();
            };
            let ((), read) = tokio::join!(write, right.read_to_end(&mut received));
            read.unwrap();
            assert!(received == sent, "{pipe} {length}");
        }
    }

    #[tokio::test]
    async fn a_flush_brings_all_of_it_and_small_reads_lose_nothing() {
        let (left, right) = duplex(1 << 20);
        let mut left = Deflated::new(left, BytesMut::new());
        let mut right = Deflated::new(right, BytesMut::new());
        for length in [1, 16 << 10, 70_000] {
            let sent = vec![b'x'; length];
            left.write_all(&sent).await.unwrap();
            left.flush().await.unwrap();
            let mut received = vec![0; length];
            for piece in received.chunks_mut(11) {
                right.read_exact(piece).await.unwrap();
            }
            assert_eq!(received, sent);
        }
    }

    #[tokio::test]
    async fn what_was_read_before_comes_first_and_nonsense_is_an_error() {
        let mut packed = Vec::with_capacity(100);
        let mut deflate = Compress::new(Compression::fast(), false);
        deflate.compress_vec(b"* OK", &mut packed, FlushCompress::Sync).unwrap();
        let (left, mut right) = duplex(100);
        let mut left = Deflated::new(left, BytesMut::from(&packed[..]));
        let mut received = [0; 4];
        left.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"* OK");
        right.write_all(&[0xff; 50]).await.unwrap();
        assert_eq!(left.read(&mut received).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
