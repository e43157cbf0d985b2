//! An answer on its way out.

use chunk_store::component::sending;
use chunk_store_http::{Body, Failure, refusal};
use http::{HeaderMap, Response, StatusCode};
use wit_bindgen::{FutureWriter, StreamWriter, spawn_local};

use crate::component::bindings::exports::streaming::chunk_store::web;
use crate::component::bindings::{wit_future, wit_stream};

/// Hands over the head, and sends the body after it.
pub(crate) fn send(response: Response<Body>) -> web::Answer {
    let (head, body) = response.into_parts();
    let failure = head.extensions.get().map(|Failure(why)| why.clone());
    let length = body.length();
    web::Answer {
        status: head.status.as_u16(),
        headers: headers(&head.headers),
        length,
        failure: failure.filter(|_| head.status.is_server_error()),
        body: (length != Some(0)).then(|| {
            let (writer, content) = wit_stream::new();
            let (end, ended) = wit_future::new(|| Err("the answer was given up".to_string()));
            spawn_local(send_body(body, writer, end));
            web::Body { content, ended }
        }),
    }
}

/// Settings that are not understood open nothing. Only the operator is told which.
pub(crate) fn misconfigured(why: &str) -> web::Answer {
    let detail = "this server's settings are not understood; its operator can see why";
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let answer = send(refusal(status, "start", detail).map(Body::whole));
    web::Answer { failure: Some(why.to_string()), ..answer }
}

/// What came was no request.
pub(crate) fn unreadable(why: &str) -> web::Answer {
    send(refusal(StatusCode::BAD_REQUEST, "invalid-argument", why).map(Body::whole))
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    // Values that the rules give are UTF-8.
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// Sends the body, then how it ended.
async fn send_body(
    mut body: Body,
    mut stream: StreamWriter<u8>,
    end: FutureWriter<Result<(), String>>,
) {
    if let Some(ended) = sending::send(&mut body, &mut stream).await {
        drop(stream);
        // An error here means that nobody awaits the end.
        let _ = end.write(ended.map_err(|error| error.to_string())).await;
    }
}
