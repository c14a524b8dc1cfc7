//! Multipart bodies, taken apart without copying the files in them. Pure.
//!
//! Callers: `http::body`. RFC 7578 and RFC 2046, section 5.1.

use bytes::Bytes;
use memchr::memmem;

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) data: Bytes,
}

/// The parts of a body; nothing if it is not well-formed.
pub(super) fn parse(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let boundary = parameter(content_type, "boundary")?;
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // Only at the end of a line: a file may contain the boundary with more behind it.
    let next = |from: usize| {
        let rest = body.get(from..)?;
        let mut found = finder.find_iter(rest).map(|at| from + at);
        found.find(|at| body.get(at + delimiter.len()..).is_some_and(ends_line))
    };
    // The first delimiter has no line break before it, unless there is a preamble.
    let first = delimiter.as_bytes().get(2..)?;
    let mut at = if body.starts_with(first) { first.len() } else { next(0)? + delimiter.len() };
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let part = at + memchr::memchr(b'\n', rest)? + 1;
        let end = next(part)?;
        parts.push(read_part(&body.slice(part..end))?);
        at = end + delimiter.len();
    }
}

/// Whether a line ends here, as it does after a delimiter, or the whole body.
fn ends_line(rest: &[u8]) -> bool {
    rest.starts_with(b"--") || rest.trim_ascii_start().len() < rest.len() || rest.is_empty()
}

fn read_part(part: &Bytes) -> Option<Part> {
    let (head, data) = if part.starts_with(b"\r\n") {
        (0, 2)
    } else {
        let end = memmem::find(part, b"\r\n\r\n")?;
        (end, end + 4)
    };
    let head = std::str::from_utf8(part.get(..head)?).ok()?;
    let header = |wanted: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition")?;
    let encoded = parameter(disposition, "filename*");
    let encoded = encoded.as_deref().and_then(|value| value.rsplit_once('\'')).map(|(_, text)| percent(text));
    Some(Part {
        name: parameter(disposition, "name")?,
        filename: encoded.or_else(|| parameter(disposition, "filename")),
        content_type: header("content-type").map(str::to_owned),
        data: part.slice(data..),
    })
}

/// A parameter of a header's value, quoted or not.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value;
    loop {
        let (_, after) = rest.split_once(';')?;
        let (name, text) = after.split_once('=')?;
        let (found, left) = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = text.find(';').unwrap_or(text.len());
                let (token, left) = text.split_at(end);
                (token.trim().to_owned(), left)
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
        rest = left;
    }
}

fn unquote(text: &str) -> (String, &str) {
    let mut found = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (found, text.get(at + 1..).unwrap_or_default()),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => found.push(escaped),
                Some((_, other)) => found.extend(['\\', other]),
                None => {}
            },
            c => found.push(c),
        }
    }
    (found, "")
}

/// Percent-decoding; browsers use it for quotes in file names, RFC 5987 for everything but ASCII.
pub(super) fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_bytes() {
        let body = Bytes::from_static(
            b"--x\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{}\r\n\
              --x\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a \\\"b\\\".bin\"\r\n\
              content-type: text/plain\r\n\r\n\r\n--y\r\n\r\n--x--\r\n",
        );
        let parts = parse("multipart/form-data; charset=utf-8; boundary=\"x\"", &body).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].name.as_str(), &parts[0].data[..]), ("payload_json", &b"{}"[..]));
        assert_eq!(parts[1].filename.as_deref(), Some("a \"b\".bin"));
        assert_eq!(parts[1].content_type.as_deref(), Some("text/plain"));
        assert_eq!(&parts[1].data[..], b"\r\n--y\r\n");
    }

    #[test]
    fn nonsense_is_refused() {
        let body = Bytes::from_static(b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb");
        assert_eq!(parse("multipart/form-data; boundary=x", &body), None);
        assert_eq!(parse("multipart/form-data", &body), None);
        assert_eq!(parse("multipart/form-data; boundary=x", &Bytes::from_static(b"")), None);
    }
}
