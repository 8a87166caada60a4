//! What somebody is told who speaks plain HTTP to the TLS port. Pure.

use crate::web::{texts, trust};

/// The longest beginning of a request that is read, in bytes.
pub const LONGEST_HEAD: usize = 8192;

/// The whole answer to the beginning of a request, as far as it was read.
///
/// A page asked for under one of the recorder's own names is sent on to `https://`, but for the one that helps a device to
/// trust the authority (PEM); anything else gets a sentence. No text of the request is repeated but such a name and the path.
pub fn answer(head: &[u8], authority: &str, answers_to: impl Fn(&str) -> bool) -> Vec<u8> {
    let Some((host, path)) = wanted(head, answers_to) else { return response("400 Bad Request", "").into_bytes() };
    let language = fields(head).find(|(name, _)| name.eq_ignore_ascii_case("accept-language"));
    let language = language.and_then(|(_, accepted)| texts::best(accepted));
    texts::said_in(language, || trust::over_plain_http(path, authority)).unwrap_or_else(|| {
        response("308 Permanent Redirect", &format!("Location: https://{host}{path}\r\n")).into_bytes()
    })
}

fn response(status: &str, header: &str) -> String {
    const SENTENCE: &str = "This port speaks HTTPS: write https:// before the address.\n";
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{SENTENCE}",
        SENTENCE.len()
    )
}

/// The fields of a head, as far as it is one.
fn fields(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let lines = std::str::from_utf8(head).unwrap_or_default().split("\r\n").skip(1);
    lines.map_while(|line| line.split_once(':')).map(|(name, value)| (name, value.trim_matches([' ', '\t'])))
}

/// Host and path of a page that may be asked for.
fn wanted(head: &[u8], answers_to: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    let head = std::str::from_utf8(head).ok()?;
    let (lines, _) = head.split_once("\r\n\r\n")?;
    let mut lines = lines.split("\r\n");
    let mut request = lines.next()?.split(' ');
    let method = request.next()?;
    let path = request.next()?;
    let is_page = matches!(method, "GET" | "HEAD") && request.next()?.starts_with("HTTP/1.");
    let plain = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(|c| c.is_ascii_graphic());
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim_matches([' ', '\t']))
    });
    let host = hosts.next()?;
    if !is_page || !plain || hosts.next().is_some() {
        return None;
    }
    let (name, port) = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => (&host[..colon], Some(&host[colon + 1..])),
        _ => (host, None),
    };
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|c| c.is_ascii_digit()));
    (port_is_one && answers_to(name)).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn answer(head: &[u8], answers_to: impl Fn(&str) -> bool) -> String {
        String::from_utf8(super::answer(head, "no authority", answers_to)).expect("text")
    }

    fn ours(host: &str) -> bool {
        matches!(host, "nvr.lan" | "192.168.1.5" | "[fd00::5]")
    }

    #[test]
    fn a_page_under_an_own_name_is_sent_on() {
        for (host, path) in
            [("nvr.lan:8443", "/"), ("192.168.1.5:8443", "/events?x=1"), ("[fd00::5]:8443", "/a"), ("nvr.lan", "/")]
        {
            let head = format!("GET {path} HTTP/1.1\r\nAccept: */*\r\nhost: {host}\r\n\r\n");
            let answer = answer(head.as_bytes(), ours);
            assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
            assert!(answer.contains(&format!("\r\nLocation: https://{host}{path}\r\n")), "{answer}");
        }
    }

    #[test]
    fn anything_else_gets_a_sentence() {
        for head in [
            "",
            "GET / HTTP/1.1\r\nHost: nvr.lan\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: nvr.lan\r\nHost: nvr.lan\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: nvr.lan:x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: nvr.lan:99999\r\n\r\n",
            "GET //evil.example/ HTTP/1.1\r\nHost: nvr.lan\r\n\r\n",
            "GET http://evil.example/ HTTP/1.1\r\nHost: nvr.lan\r\n\r\n",
            "POST /api/login HTTP/1.1\r\nHost: nvr.lan\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        ] {
            let answer = answer(head.as_bytes(), ours);
            assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("Location"), "{head:?}\n{answer}");
            assert!(answer.ends_with("write https:// before the address.\n"));
        }
    }

    proptest! {
        #[test]
        fn no_request_splits_the_answer_or_leads_elsewhere(head in "(GET|HEAD) [\\PC\r\n]{0,20} HTTP/1.1\r\nHost: (nvr.lan|[\\PC\r\n]{0,12})\r\n\r\n") {
            let answer = answer(head.as_bytes(), ours);
            prop_assert_eq!(answer.matches("\r\n\r\n").count(), 1);
            let location = answer.lines().find_map(|line| line.strip_prefix("Location: https://"));
            prop_assert!(location.is_none_or(|to| ours(to.split('/').next().unwrap_or_default().trim_end_matches(|c: char| c == ':' || c.is_ascii_digit()))), "{}", answer);
        }
    }
}
