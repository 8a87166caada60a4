//! Masks and zones as written: polygons in parts of the picture's width and height.

use toml_edit::Value;

use crate::config::section::{Fault, wrong_kind};
use crate::config::settings::{Motion, Polygon};

const EXAMPLE: &str = "[[0.2, 0.5], [0.8, 0.5], [0.5, 1.0]]";
const MOST_CORNERS: usize = Polygon::MOST_CORNERS;
const MOST_MASKS: usize = Motion::MOST_MASKS;

/// A list of polygons.
pub(super) fn polygons(value: &Value) -> Result<Vec<Polygon>, Fault> {
    let list = value.as_array().ok_or_else(|| wrong_kind(value, "a list of polygons", &format!("[{EXAMPLE}]")))?;
    let is_corner = |item: &Value| item.as_array().is_some_and(|corner| corner.iter().all(|part| !part.is_array()));
    if !list.is_empty() && list.iter().all(is_corner) {
        return Err("this is one polygon where a list of them is wanted; put one more pair of [ ] around it".into());
    }
    if list.len() > MOST_MASKS {
        return Err(format!("these are {} polygons; at most {MOST_MASKS} are allowed", list.len()).into());
    }
    list.iter()
        .map(|item| polygon(item).map_err(|fault| Fault { at: fault.at.or_else(|| item.span()), ..fault }))
        .collect()
}

/// At least three corners `[x, y]`, each from 0 to 1, that enclose something.
pub(super) fn polygon(value: &Value) -> Result<Polygon, Fault> {
    let list = value.as_array().ok_or_else(|| wrong_kind(value, "a list of corners", EXAMPLE))?;
    if !(3..=MOST_CORNERS).contains(&list.len()) {
        return Err(format!("a polygon has 3 to {MOST_CORNERS} corners, as {EXAMPLE}; this has {}", list.len()).into());
    }
    let mut corners = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let corner = corner(item).ok_or_else(|| Fault {
            at: item.span(),
            sentence: format!(
                "corner {} must be [x, y], each from 0 (left, top) to 1 (right, bottom), as [0.2, 0.5]",
                index + 1
            ),
        })?;
        corners.push(corner);
    }
    let polygon = Polygon(corners);
    if polygon.encloses_nothing() {
        return Err("this polygon encloses nothing; give its corners in order around the area".into());
    }
    Ok(polygon)
}

fn corner(value: &Value) -> Option<[f32; 2]> {
    let pair = value.as_array().filter(|pair| pair.len() == 2)?;
    let part = |index: usize| {
        let part = pair.get(index)?;
        #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 pass")]
        let number = part.as_float().or_else(|| part.as_integer().map(|whole| whole as f64))?;
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1, to a tiny part of a pixel")]
        (0.0..=1.0).contains(&number).then_some(number as f32)
    };
    Some([part(0)?, part(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Polygon, String> {
        polygon(&text.parse().expect("a TOML value")).map_err(|fault| fault.sentence)
    }

    #[test]
    fn a_polygon_encloses_something_within_the_picture() {
        assert_eq!(read("[[0, 0], [1, 0], [1, 1.0]]"), Ok(Polygon(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])));
        let point = "[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]";
        let line = "[[0, 0], [0.5, 0.5], [1, 1]]";
        let crossed = "[[0, 0], [1, 1], [1, 0], [0, 1]]";
        for (bad, part) in [
            ("[[0, 0], [1, 0]]", "3 to 64 corners"),
            ("[]", "this has 0"),
            (point, "encloses nothing"),
            (line, "encloses nothing"),
            (crossed, "encloses nothing"),
            ("[[0, 0], [1, 0], [1.1, 1]]", "corner 3"),
            ("[[0, 0], [nan, 0], [1, 1]]", "corner 2"),
            ("[[0, 0], [1], [1, 1]]", "corner 2"),
            ("[[0, 0], [1, 0, 1], [1, 1]]", "corner 2"),
            ("[[0, 0], 1, [1, 1]]", "corner 2"),
            ("[[-1, 0], [1, 0], [1, 1]]", "corner 1"),
            ("0.5", "a list of corners"),
        ] {
            let sentence = read(bad).expect_err(bad);
            assert!(sentence.contains(part), "{bad}: {sentence}");
        }
    }

    #[test]
    fn one_polygon_for_a_list_of_them_is_explained() {
        let one = "[[0, 0], [1, 0], [1, 1]]".parse().expect("a TOML value");
        let fault = polygons(&one).expect_err("a fault");
        assert!(fault.sentence.contains("one more pair"), "{}", fault.sentence);
        let many = "[[[0, 0], [1, 0], [1, 1]]]".parse().expect("a TOML value");
        assert_eq!(polygons(&many).ok().expect("polygons").len(), 1);
    }
}
