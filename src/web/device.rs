//! What a browser calls itself, in words that its owner knows it by. Pure.

use axum::http::{HeaderMap, header};

use crate::web::texts::{say, say_with};

/// As `Firefox on Linux`; `A browser` or `A program` where that is not known.
pub(crate) fn label(headers: &HeaderMap) -> String {
    in_words(headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default())
}

fn in_words(agent: &str) -> String {
    // In the order in which they must be looked for: the later ones' names stand in the earlier ones' too.
    let browsers =
        [("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome")];
    let more = [("Chrome/", "Chrome"), ("Safari/", "Safari"), ("Mozilla/", "A browser")];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Macintosh", "Mac"),
        ("Windows", "Windows"),
        ("Linux", "Linux"),
    ];
    let find =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = find(&browsers).or_else(|| find(&more)).unwrap_or("A program");
    find(&systems).map_or_else(|| browser.to_owned(), |system| format!("{browser} on {system}"))
}

/// The same in the reader's language.
pub(crate) fn translated(label: &str) -> String {
    let named = |browser| match browser {
        "" | "A browser" => say("A browser").to_owned(),
        "A program" => say("A program").to_owned(),
        other => other.to_owned(),
    };
    match label.split_once(" on ") {
        Some((browser, system)) => {
            say_with("{browser} on {system}", &[("browser", &named(browser)), ("system", &system)])
        }
        None => named(label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_as_its_owner_would() {
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.9", "A program"),
            ("<script>alert(1)</script>", "A program"),
            ("", "A program"),
        ] {
            assert_eq!(in_words(agent), words);
        }
    }
}
