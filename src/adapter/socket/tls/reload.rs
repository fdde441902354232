//! SIGHUP: the certificate is read again, by the program that renewed it or by a service manager's `reload`.

use tokio::signal::unix::{SignalKind, signal};

use super::Certificate;

/// Reads the certificate again at each SIGHUP; never returns. If the new one is no good the old one stays.
pub(super) async fn on_hangup(certificate: &Certificate) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be handled: the certificate is not read again");
            return std::future::pending().await;
        }
    };
    while hangups.recv().await.is_some() {
        // What went wrong is in the log already.
        drop(certificate.reload());
    }
}
