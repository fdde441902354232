//! `multipart/form-data` bodies as parameters, in memory, within the body's limit.
//!
//! The name of a file is the value of its parameter; its bytes are not kept.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use multer::{Constraints, Multipart, SizeLimit};

use crate::engine::Core;
use crate::hit::Hit;
use crate::limits::Limits;

/// Reads the fields of a multipart hit, then brings it to its session.
pub(crate) fn map(core: &Arc<Core>, mut hit: Box<Hit>, boundary: String) {
    hit.reply.defer();
    let server = core.clone();
    core.runtime.spawn(async move {
        let core = server;
        match fields(hit.body().clone(), boundary, &core.limits).await {
            Ok(fields) => {
                hit.set_fields(fields);
                core.map_checked(hit);
            }
            Err(error) => {
                tracing::debug!(%error, "a multipart body could not be read");
                core.refuse(hit, StatusCode::BAD_REQUEST, "The form could not be read.");
            }
        }
    });
}

async fn fields(body: Bytes, boundary: String, limits: &Limits) -> multer::Result<Vec<(String, String)>> {
    let size = u64::try_from(limits.body).unwrap_or(u64::MAX);
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(size).per_field(size));
    let body = http_body_util::Full::new(body);
    let mut multipart =
        Multipart::with_constraints(http_body_util::BodyDataStream::new(body), boundary, constraints);
    let mut fields = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        // One more than allowed is enough to be refused.
        if fields.len() > limits.params {
            break;
        }
        let name = field.name().unwrap_or_default().to_owned();
        let value = match field.file_name() {
            Some(file) => file.to_owned(),
            None => field.text().await?,
        };
        fields.push((name, value));
    }
    Ok(fields)
}
