//! Text as Discord keeps it: message contents, channel names and file names are not byte-exact.
//!
//! Callers: `state` on the way in. Pure functions.

/// What happens to the content of messages on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRules {
    /// Trim white space at both ends.
    pub trim: bool,
    /// Strip control characters, noncharacters and characters that turn the direction of text.
    pub strip: bool,
}

impl Default for ContentRules {
    fn default() -> Self {
        Self { trim: true, strip: true }
    }
}

/// A message's content as it is kept.
// Discord docs, "Message": Create Message, Limitations: Discord may strip certain characters from message
// content, like invalid Unicode characters or characters which cause unexpected message formatting. Which
// ones is not said; these are stripped here so that nobody relies on their survival.
pub(crate) fn content(text: &str, rules: ContentRules) -> String {
    let kept: String =
        if rules.strip { text.chars().filter(|&c| !is_stripped(c)).collect() } else { text.to_owned() };
    if rules.trim { kept.trim().to_owned() } else { kept }
}

fn is_stripped(c: char) -> bool {
    let noncharacter = u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c);
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    let turns_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    noncharacter || control || turns_direction
}

/// A text channel's name as it is kept: lower case, dashes for spaces, no runs of dashes, none at the ends.
// Not documented; observed on every text channel. Categories and voice channels keep their names.
pub(crate) fn channel_name(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        let c = if c.is_whitespace() { '-' } else { c };
        if c != '-' || !kept.ends_with('-') {
            kept.push(c);
        }
    }
    kept.trim_matches('-').to_owned()
}

/// A file's name as it is kept, and the title that keeps the original where the two differ.
// Discord docs, "Message": Attachment Object has `title`, the name without extension. That names lose
// everything but ASCII letters, digits, dashes, dots and underscores is observed, not documented.
pub(crate) fn file_name(name: &str) -> (String, Option<String>) {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let mut kept = String::with_capacity(base.len());
    for c in base.chars() {
        match c {
            ' ' => kept.push('_'),
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => kept.push(c),
            _ => {}
        }
    }
    if kept.is_empty() || kept.starts_with('.') {
        kept.insert_str(0, "unknown");
    }
    let title = (kept != name).then(|| match base.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => base.to_owned(),
    });
    (kept, title)
}

/// The media type Discord would guess from a name, if it is one of the few that matter.
pub(crate) fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "txt" | "log" | "md" => "text/plain; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "zst" => "application/zstd",
        "gz" => "application/gzip",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_normalised() {
        assert_eq!(channel_name("My  Cool -- Channel"), "my-cool-channel");
        assert_eq!(channel_name("-ÄÖ_x-"), "äö_x");
    }

    #[test]
    fn contents_lose_what_discord_strips() {
        assert_eq!(content("  a\u{0}b\r\n\u{202e}c\u{ffff} \n", ContentRules::default()), "ab\nc");
        assert_eq!(content(" a ", ContentRules { trim: false, strip: true }), " a ");
    }

    #[test]
    fn file_names_are_rewritten() {
        assert_eq!(file_name("plain-1.bin"), ("plain-1.bin".into(), None));
        assert_eq!(file_name("my file (ü).png"), ("my_file_.png".into(), Some("my file (ü)".into())));
        assert_eq!(file_name("データ.bin"), ("unknown.bin".into(), Some("データ".into())));
    }
}
