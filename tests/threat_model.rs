//! `SECURITY.md` names a test for each answer: each of them must exist.

#![expect(clippy::disallowed_methods, reason = "a test reads the sources where they are")]

use std::path::Path;

#[test]
fn every_answer_to_a_threat_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("SECURITY.md")).expect("the page");
    let mut answers = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next().expect("cells").trim();
        if cell == "shown by" {
            continue;
        }
        let mut quoted = cell.split('`').skip(1).step_by(2);
        let file = quoted.next().unwrap_or_else(|| panic!("no test is named: {row}"));
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{file} is not there"));
        for name in quoted {
            let function = format!("fn {name}(");
            let at = source.find(&function).unwrap_or_else(|| panic!("{name} is not in {file}"));
            let before = source[..at].trim_end().trim_end_matches("async").trim_end();
            assert!(before.ends_with(']') && source[..at].contains("test"), "{name} in {file} is no test");
        }
        answers += 1;
    }
    assert!(answers > 35, "{answers}");
}
