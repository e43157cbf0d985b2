//! A response on its way out.

use chunk_store::component::sending;
use http::HeaderMap;
use wasip3::cli::stderr;
use wasip3::http::types::{ErrorCode, Fields, Response};
use wasip3::http_compat::BodyWriter;
use wasip3::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

use crate::body::Body;

/// Hands over the head, and sends the body after it.
pub(super) fn send(response: http::Response<Body>) -> Result<Response, ErrorCode> {
    let (head, body) = response.into_parts();
    let fields = fields(head.headers)?;
    let (response, _sent) = if body.length() == Some(0) {
        let (end, ended) = wit_future::new(|| Ok(None));
        spawn_local(async move {
            // An error means that the host does not ask.
            let _ = end.write(Ok(None)).await;
        });
        Response::new(fields, None, ended)
    } else {
        let (writer, stream, ended) = BodyWriter::new();
        spawn_local(send_body(body, writer));
        Response::new(fields, Some(stream), ended)
    };
    response
        .set_status_code(head.status.as_u16())
        .map_err(|()| ErrorCode::InternalError(Some(format!("status {}", head.status))))?;
    Ok(response)
}

fn fields(headers: HeaderMap) -> Result<Fields, ErrorCode> {
    headers.try_into().map_err(|error| ErrorCode::InternalError(Some(format!("{error}"))))
}

/// Sends the body, then how it ended: after an error the host breaks the connection.
async fn send_body(mut body: Body, writer: BodyWriter) {
    let BodyWriter { stream_writer: mut stream, result_writer: end, .. } = writer;
    if let Some(ended) = sending::send(&mut body, &mut stream).await {
        drop(stream);
        let ended = ended.map_err(|error| ErrorCode::InternalError(Some(error.to_string())));
        let _ = end.write(ended.map(|()| None)).await;
    }
}

/// Writes a line to the standard error stream, for whoever runs the host.
pub(super) fn log(line: String) {
    let (mut writer, stream) = wit_stream::new();
    spawn_local(async move {
        let written = stderr::write_via_stream(stream);
        writer.write_all(format!("{line}\n").into_bytes()).await;
        drop(writer);
        // A host without such a stream has nobody who reads it.
        let _ = written.await;
    });
}
