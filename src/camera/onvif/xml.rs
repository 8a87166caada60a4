//! XML from strangers, as a small tree with bounds. Pure.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// The longest document, in bytes.
pub(crate) const LONGEST: usize = 256 * 1024;
/// The most elements in it.
const MOST_ELEMENTS: usize = 4096;
/// The deepest nesting.
const DEEPEST: usize = 32;
/// The most attributes of one element.
const MOST_ATTRIBUTES: usize = 16;
/// The most namespaces that one element declares: many devices declare every one that they know, some seventy, in each answer.
const MOST_NAMESPACES: usize = 128;
/// The longest text of one element, in characters; the rest is left out.
const LONGEST_TEXT: usize = 4096;

/// Why a document is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// More than [`LONGEST`] bytes, or more elements or nesting than any device needs.
    #[error("an answer that is larger than any camera's")]
    TooLarge,
    /// Not XML, or not in UTF-8.
    #[error("an answer that is not XML")]
    Malformed,
    /// It defines names of its own, which can make a small document a huge one.
    #[error("an answer with definitions of its own")]
    HasDefinitions,
}

/// One element. Names are without their namespace's prefix: devices disagree about namespaces, not about names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// The text directly in it, trimmed.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first element below this one, by the names on the way.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Self> {
        let (first, rest) = path.split_first()?;
        let mut there = self.children.iter().filter(|child| child.name == *first);
        if rest.is_empty() { there.next() } else { there.find_map(|child| child.find(rest)) }
    }

    /// The text of that element; `None` if it is not there or empty.
    pub(crate) fn text_of(&self, path: &[&str]) -> Option<&str> {
        self.find(path).map(|element| element.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Every child of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// An attribute's value.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a document; the result is an element without a name around its root.
pub(crate) fn read(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() > LONGEST {
        return Err(XmlError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Malformed)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(start) => {
                elements += 1;
                if elements > MOST_ELEMENTS || open.len() > DEEPEST {
                    return Err(XmlError::TooLarge);
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => {
                elements += 1;
                if elements > MOST_ELEMENTS {
                    return Err(XmlError::TooLarge);
                }
                let element = element(&start)?;
                open.last_mut().ok_or(XmlError::Malformed)?.children.push(element);
            }
            Event::End(_) => {
                let mut closed = open.pop().ok_or(XmlError::Malformed)?;
                closed.text = String::from(closed.text.trim());
                open.last_mut().ok_or(XmlError::Malformed)?.children.push(closed);
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let plain = match reference.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
                    Some(c) => c.to_string(),
                    None => resolve_predefined_entity(&reference).ok_or(XmlError::HasDefinitions)?.to_owned(),
                };
                add(&mut open, &plain);
            }
            Event::DocType(_) => return Err(XmlError::HasDefinitions),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let root = open.pop().ok_or(XmlError::Malformed)?;
    if open.is_empty() && !root.children.is_empty() { Ok(root) } else { Err(XmlError::Malformed) }
}

fn element(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    let mut namespaces = 0;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| XmlError::Malformed)?;
        if attribute.key.as_namespace_binding().is_some() {
            namespaces += 1;
            if namespaces > MOST_NAMESPACES {
                return Err(XmlError::TooLarge);
            }
            continue;
        }
        if attributes.len() == MOST_ATTRIBUTES {
            return Err(XmlError::TooLarge);
        }
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|_| XmlError::Malformed)?;
        let key: &str = attribute.key.local_name().into_inner();
        attributes.push((key.to_owned(), value.chars().take(LONGEST_TEXT).collect()));
    }
    let name: &str = start.local_name().into_inner();
    Ok(Element { name: name.to_owned(), attributes, ..Element::default() })
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        let room = LONGEST_TEXT.saturating_sub(element.text.len());
        element.text.extend(text.chars().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_texts_and_attributes_are_found_whatever_the_prefixes() {
        let text = "<?xml version=\"1.0\"?><s:Envelope xmlns:s='x'><a:Body><Item token=\"&lt;1&gt;\"> a &amp; b&#33; </Item>\
            <Item token='2'/></a:Body></s:Envelope>";
        let root = read(text.as_bytes()).expect("XML");
        let body = root.find(&["Envelope", "Body"]).expect("a body");
        let items: Vec<_> = body.all("Item").map(|item| (item.attribute("token"), item.text.as_str())).collect();
        assert_eq!(items, [(Some("<1>"), "a & b!"), (Some("2"), "")]);
        assert_eq!(root.text_of(&["Envelope", "Body", "Item"]), Some("a & b!"));
        assert_eq!(root.text_of(&["Envelope", "Nothing"]), None);
    }

    #[test]
    fn a_document_with_definitions_is_refused_before_they_are_looked_at() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><x>&b;</x>";
        assert_eq!(read(bomb.as_bytes()), Err(XmlError::HasDefinitions));
        assert_eq!(read(b"<x>&b;</x>"), Err(XmlError::HasDefinitions));
        assert_eq!(read(b"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>"), Err(XmlError::HasDefinitions));
    }

    #[test]
    fn what_is_too_large_too_deep_or_torn_is_refused() {
        assert_eq!(read(&vec![b' '; LONGEST + 1]), Err(XmlError::TooLarge));
        assert_eq!(read("<a>".repeat(40).as_bytes()), Err(XmlError::TooLarge));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS));
        assert_eq!(read(wide.as_bytes()), Err(XmlError::TooLarge));
        let many = (0..40).map(|n| format!(" a{n}=''")).collect::<Vec<_>>().concat();
        assert_eq!(read(format!("<a{many}/>").as_bytes()), Err(XmlError::TooLarge));
        for torn in ["", "text", "<a>", "<a></b>", "</a>", "<a", "<a x=1/>"] {
            assert_eq!(read(torn.as_bytes()), Err(XmlError::Malformed), "{torn}");
        }
        let declared = |count| (0..count).map(|n| format!(" xmlns:n{n}='{n}'")).collect::<Vec<_>>().concat();
        assert_eq!(read(format!("<a{}/>", declared(200)).as_bytes()), Err(XmlError::TooLarge));
        let all = read(format!("<a{} x='1'/>", declared(80)).as_bytes()).expect("as many as devices know");
        assert_eq!(all.find(&["a"]).and_then(|a| a.attribute("x")), Some("1"));
        let long = read(format!("<a>{}</a>", "x".repeat(9_000)).as_bytes()).expect("XML");
        assert_eq!(long.text_of(&["a"]).map(str::len), Some(LONGEST_TEXT));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_soup_of_tags_is_read_or_refused(soup in "(<[a-c]( x='[a-z&;]*')?/?>|</[a-c]>|&[a-z#0-9]*;|[ -~]){0,40}") {
            let _ = read(soup.as_bytes());
        }
    }
}
