//! Names: from Rust's case to a table's, and what a table or column may be called.

/// The most characters a Discord channel's name has, and so a table's name and an index's.
///
/// <https://discord.com/developers/docs/resources/channel#channel-object>
pub(crate) const MAX_NAME: usize = 100;

/// `UserProfile` as `user_profile`, `HTTPServer` as `http_server`, `Utf8Text` as `utf8_text`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_uppercase() {
            let word_ended = before.is_some_and(|c: char| c != '_' && !c.is_uppercase());
            let acronym_ended = before.is_some_and(char::is_uppercase)
                && letters.peek().is_some_and(|&next| next.is_lowercase());
            if word_ended || acronym_ended {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
        before = Some(letter);
    }
    snake
}

/// The first character that a name must not have: Discord replaces or drops everything else in the name of a
/// text channel.
pub(crate) fn unsupported_char(name: &str) -> Option<char> {
    name.chars().find(|&letter| !(letter.is_alphanumeric() || letter == '_' || letter == '-'))
}

/// What Discord makes of the name of a text channel: lower case, runs of `-` collapsed.
pub(crate) fn channel_form(name: &str) -> String {
    let mut form = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter != '-' || !form.ends_with('-') {
            form.push(letter);
        }
    }
    form
}

/// The known name that `name` is most likely a slip of: at most a third of its letters away.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, closest) = known.iter().map(|known| (distance(name, known), *known)).min()?;
    (distance <= name.chars().count().max(closest.len()).div_ceil(3)).then_some(closest)
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`, at most once a letter.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_letter = None;
    for (row, from) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        let mut previous_to = None;
        for (column, &to) in b.iter().enumerate() {
            let replaced = at(&last, column) + usize::from(from != to);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(left + 1);
            if previous_letter == Some(to) && previous_to == Some(from) && column > 0 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            left = best;
            previous_to = Some(to);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_letter = Some(from);
    }
    last.last().copied().unwrap_or_default()
}

fn at(row: &[usize], column: usize) -> usize {
    row.get(column).copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case_keeps_acronyms_and_digits_together() {
        for (name, snake) in [
            ("UserProfile", "user_profile"),
            ("HTTPServer", "http_server"),
            ("MyHTTP", "my_http"),
            ("Utf8Text", "utf8_text"),
            ("A", "a"),
            ("ABTest", "ab_test"),
            ("Level2Boss", "level2_boss"),
            ("already_snake", "already_snake"),
            ("Snake_Camel", "snake_camel"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }

    #[test]
    fn slips_are_recognised() {
        let known = ["key", "unique", "index", "max_len", "default"];
        assert_eq!(closest("uniqe", &known), Some("unique"));
        assert_eq!(closest("unqiue", &known), Some("unique"));
        assert_eq!(closest("maxlen", &known), Some("max_len"));
        assert_eq!(closest("kye", &known), Some("key"));
        assert_eq!(closest("banana", &known), None);
    }
}
