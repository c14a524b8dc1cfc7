//! Request bodies: parts of bytes that are never copied, however often they are sent.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::env::Env;
use crate::transport::NewAttachment;

/// What a request carries. Cloning it shares the bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload {
    /// The `Content-Type`, if there is anything.
    pub(super) content_type: Option<String>,
    parts: VecDeque<Bytes>,
}

impl Payload {
    /// A JSON document.
    pub(super) fn json(document: impl Into<Bytes>) -> Self {
        Self { content_type: Some("application/json".to_owned()), parts: VecDeque::from([document.into()]) }
    }

    /// The same document with files (Discord docs, "API Reference": Uploading Files).
    ///
    /// Twilight's forms would copy each file three times; here the file's own bytes lie between the form's lines.
    pub(super) fn with_files(self, files: &[NewAttachment], env: &dyn Env) -> Self {
        let mut random = [0; 16];
        env.random(&mut random);
        let boundary = format!("discobase{:032x}", u128::from_le_bytes(random));
        let mut parts = VecDeque::with_capacity(2 * files.len() + 3);
        parts.push_back(Bytes::from(format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\
             Content-Type: application/json\r\n\r\n"
        )));
        parts.extend(self.parts);
        for (index, file) in files.iter().enumerate() {
            parts.push_back(Bytes::from(format!(
                "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"files[{index}]\"; filename=\"{}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n",
                file.filename
            )));
            parts.push_back(file.bytes.clone());
        }
        parts.push_back(Bytes::from(format!("\r\n--{boundary}--\r\n")));
        Self { content_type: Some(format!("multipart/form-data; boundary={boundary}")), parts }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        while let Some(part) = self.parts.pop_front() {
            if !part.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
