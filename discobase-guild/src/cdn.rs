//! The CDN's signed URLs: where attachments are downloaded, and for how long.
//!
//! Callers: `wire` writes URLs, `http` checks them. Pure: the key and the time are passed in.
//! Discord docs, "API Reference": Signed Attachment CDN URLs.

use crate::state::Snowflake;

/// Makes and checks the signatures of attachment URLs.
pub(crate) struct Signer {
    key: [u8; 32],
    base_url: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The query of a signed URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    /// `ex`: when it expires, hexadecimal seconds since the Unix epoch.
    pub(crate) expires: &'a str,
    /// `is`: when it was issued.
    pub(crate) issued: &'a str,
    /// `hm`: the signature.
    pub(crate) signature: &'a str,
}

impl Signer {
    /// A signer with a key.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key, base_url: String::new() }
    }

    pub(crate) fn serve_at(&mut self, base_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    /// The URL of an attachment, from now on for `lifetime_ms`.
    // Times are rounded down, so that reading a message twice gives one URL, as on Discord.
    pub(crate) fn url(
        &self,
        now_ms: u64,
        lifetime_ms: u64,
        channel: Snowflake,
        attachment: Snowflake,
        name: &str,
    ) -> String {
        let step = if lifetime_ms < 3_600_000 { 1 } else { 60 };
        let issued = now_ms / 1000 / step * step;
        let expires = issued + lifetime_ms / 1000;
        let (expires, issued) = (format!("{expires:x}"), format!("{issued:x}"));
        let signature = self.sign(channel, attachment, name, &expires, &issued);
        let base = &self.base_url;
        format!("{base}/attachments/{channel}/{attachment}/{name}?ex={expires}&is={issued}&hm={signature}&")
    }

    /// Whether a URL is one of ours and has not expired.
    pub(crate) fn is_valid(
        &self,
        now_ms: u64,
        channel: Snowflake,
        attachment: Snowflake,
        name: &str,
        signed: Signed<'_>,
    ) -> bool {
        let expected = self.sign(channel, attachment, name, signed.expires, signed.issued);
        let expires = u64::from_str_radix(signed.expires, 16).unwrap_or(0);
        expected == signed.signature && now_ms < expires.saturating_mul(1000)
    }

    fn sign(&self, channel: Snowflake, attachment: Snowflake, name: &str, ex: &str, is: &str) -> String {
        let text = format!("{channel}/{attachment}/{name}?{ex}&{is}");
        blake3::keyed_hash(&self.key, text.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_expires_and_cannot_be_forged() {
        let signer = Signer::new([7; 32]);
        let now = 1_700_000_000_000;
        let url = signer.url(now, 86_400_000, 1, 2, "a.bin");
        let query: Vec<&str> = url.split(['?', '&']).collect();
        let value = |n: usize| query[n].split_once('=').unwrap().1;
        let signed = Signed { expires: value(1), issued: value(2), signature: value(3) };
        assert!(signer.is_valid(now, 1, 2, "a.bin", signed));
        assert!(signer.is_valid(now + 86_000_000, 1, 2, "a.bin", signed));
        assert!(!signer.is_valid(now + 86_400_000, 1, 2, "a.bin", signed));
        assert!(!signer.is_valid(now, 1, 3, "a.bin", signed));
        assert!(!signer.is_valid(now, 1, 2, "a.bin", Signed { expires: "ffffffff", ..signed }));
    }
}
