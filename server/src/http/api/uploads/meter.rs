//! How much of a form may come that is in none of its files. What reads forms keeps all that comes before a boundary, and
//! the heads of the parts, in memory, without a bound of its own.

use axum::body::{Body, BodyDataStream, Bytes};
use futures::Stream;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

/// So much may come until the next field is found, and with a field that is no file.
const BESIDE_FILES: u64 = 64 << 10;
const NO_BOUND: u64 = u64::MAX;

/// What still may come. Shared by the one who reads the form and the body behind it.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Left>);

#[derive(Debug, Default)]
struct Left {
    bytes: AtomicU64,
    refused: AtomicBool,
}

impl Meter {
    /// The next field begins, or one that is no file.
    pub fn beside_files(&self) {
        self.0.bytes.store(BESIDE_FILES, Ordering::Relaxed);
    }

    /// A file begins. How long it may be is judged elsewhere.
    pub fn in_file(&self) {
        self.0.bytes.store(NO_BOUND, Ordering::Relaxed);
    }

    /// Whether more came than may.
    pub fn has_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// A body that is measured.
    pub fn measure(&self, body: Body) -> Body {
        Body::from_stream(Measured { inner: body.into_data_stream(), meter: self.clone(), looks: 0 })
    }
}

struct Measured {
    inner: BodyDataStream,
    meter: Meter,
    /// How often the reader looks at what it has before it gets more. It would take all there is first otherwise.
    looks: u8,
}

impl Stream for Measured {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.looks > 0 {
            self.looks -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let left = self.meter.0.bytes.load(Ordering::Relaxed);
        if left == 0 {
            self.meter.0.refused.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(io::Error::other("too much of a form is in none of its files"))));
        }
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.looks = 1;
                if left != NO_BOUND {
                    let left = left.saturating_sub(bytes.len() as u64);
                    self.meter.0.bytes.store(left, Ordering::Relaxed);
                    // What is sought may be in the last bytes, and the reader may ask twice before it looks.
                    self.looks = if left == 0 { 2 } else { 1 };
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
