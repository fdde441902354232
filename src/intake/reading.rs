//! A body as it comes in: piece by piece, within a size, and not too slowly.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::arrivals::Meter;
use super::{Refusal, is_late};
use crate::error::BoxError;
use crate::limits::Limits;

/// A body that is being uploaded.
pub(super) struct Reading<B> {
    body: Pin<Box<B>>,
    meter: Arc<Meter>,
    most: u64,
    started: Instant,
    /// How long a body of no bytes may take.
    grace: Duration,
    /// Bytes a second it may not fall below.
    rate: u32,
}

impl<B> Reading<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    pub(super) fn new(body: B, meter: Arc<Meter>, limits: &Limits) -> Self {
        let most = u64::try_from(limits.upload).unwrap_or(u64::MAX);
        let (started, grace, rate) = (Instant::now(), limits.body_time, limits.upload_rate);
        Reading { body: Box::pin(body), meter, most, started, grace, rate }
    }

    /// What comes next; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            // Each byte that came earns time for those to come.
            let earned = Duration::from_secs(self.meter.received() / u64::from(self.rate.max(1)));
            let left = self.grace.saturating_add(earned).saturating_sub(self.started.elapsed());
            let frame = timeout(left, self.body.frame()).await.map_err(|_| Refusal::SLOW)?;
            let Some(frame) = frame else { return Ok(None) };
            let broken = |error: B::Error| {
                if is_late(&*error.into()) { Refusal::SLOW } else { Refusal::BROKEN }
            };
            let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
            if self.meter.add(piece.len() as u64) > self.most {
                return Err(Refusal::LARGE);
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}
