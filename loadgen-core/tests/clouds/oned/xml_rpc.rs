//! XML-RPC as `oned` reads and writes it: by type. An `<i8>` is no `<int>`, and a string
//! that says 1 is no boolean.

use roxmltree::{Document, Node};

use super::Version;

/// The codes of OpenNebula, the third element of a reply.
pub(crate) const AUTHENTICATION: i32 = 0x100;
pub(crate) const AUTHORIZATION: i32 = 0x200;
pub(crate) const NO_EXISTS: i32 = 0x400;
pub(crate) const ACTION: i32 = 0x800;
pub(crate) const XML_RPC_API: i32 = 0x1000;
pub(crate) const INTERNAL: i32 = 0x2000;

/// The codes of the faults of the library under it, xmlrpc-c.
const TYPE_FAULT: i32 = -501;
pub(super) const METHOD_FAULT: i32 = -506;

/// A parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i32),
    I8(i64),
    Bool(bool),
    Text(String),
    /// Of another type, which this is, or not what its type promises.
    Other(String),
}

/// What a call that was accepted gives back.
pub(super) enum Answer {
    Id(i32),
    Text(String),
}

/// Why a call was not accepted.
pub(super) enum Refusal {
    /// `[false, text, code, ...]`; `id` is the object's that it is about, or -1.
    Api {
        code: i32,
        text: String,
        id: i32,
    },
    Fault(i32, String),
}

/// The arguments of a call, the session among them (the first).
pub(super) struct Args<'a>(pub(super) &'a [Value]);

impl Args<'_> {
    pub(super) fn has(&self, index: usize) -> bool {
        index < self.0.len()
    }

    pub(super) fn int(&self, index: usize) -> Result<i32, Refusal> {
        let Some(Value::Int(value)) = self.0.get(index) else { return self.not(index, "integer") };
        Ok(*value)
    }

    pub(super) fn boolean(&self, index: usize) -> Result<bool, Refusal> {
        let Some(Value::Bool(value)) = self.0.get(index) else { return self.not(index, "boolean") };
        Ok(*value)
    }

    pub(super) fn text(&self, index: usize) -> Result<&str, Refusal> {
        let Some(Value::Text(value)) = self.0.get(index) else { return self.not(index, "string") };
        Ok(value)
    }

    fn not<T>(&self, index: usize, wanted: &str) -> Result<T, Refusal> {
        let text = match self.has(index) {
            true => format!("Parameter that is supposed to be {wanted} is not"),
            false => "Not enough parameters".to_owned(),
        };
        Err(Refusal::Fault(TYPE_FAULT, text))
    }
}

/// The method and the parameters of a call. `None` if it is none.
pub(super) fn read(body: &[u8]) -> Option<(String, Vec<Value>)> {
    let document = Document::parse(str::from_utf8(body).ok()?).ok()?;
    let call = document.root_element();
    let method = child(call, "methodName").filter(|_| call.has_tag_name("methodCall"))?;
    let params = child(call, "params").into_iter().flat_map(|params| params.children());
    let values = params.filter(Node::is_element).map(|param| child(param, "value").map(value));
    Some((text_of(method), values.collect::<Option<_>>()?))
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text_of(node: Node) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

fn value(node: Node) -> Value {
    let Some(typed) = node.first_element_child() else { return Value::Text(text_of(node)) };
    let text = text_of(typed);
    let of_type = match typed.tag_name().name() {
        "int" | "i4" => text.parse().ok().map(Value::Int),
        "i8" => text.parse().ok().map(Value::I8),
        "boolean" if text == "1" || text == "0" => Some(Value::Bool(text == "1")),
        "string" => Some(Value::Text(text)),
        _ => None,
    };
    of_type.unwrap_or_else(|| Value::Other(typed.tag_name().name().to_owned()))
}

/// The reply, which has more elements the newer the version is, but only if refused.
pub(super) fn write(version: Version, result: &Result<Answer, Refusal>) -> String {
    let boolean = |value| format!("<boolean>{}</boolean>", i32::from(value));
    let int = |value: i32| format!("<i4>{value}</i4>");
    let string = |text: &str| format!("<string>{}</string>", escaped(text));
    let elements = match result {
        Ok(Answer::Id(id)) => vec![boolean(true), int(*id), int(0)],
        Ok(Answer::Text(text)) => vec![boolean(true), string(text), int(0)],
        Err(Refusal::Api { code, text, id }) => {
            // The last is the index of an entry that could not be replicated: none.
            let newer = [(Version::V5_6, int(*id)), (Version::V6_6, "<i8>-1</i8>".to_owned())];
            let newer = newer.into_iter().filter(|(since, _)| version >= *since);
            let old = [boolean(false), string(text), int(*code)];
            old.into_iter().chain(newer.map(|(_, element)| element)).collect()
        }
        Err(Refusal::Fault(code, text)) => {
            let (code, text) = (int(*code), string(text));
            return in_reply(&format!(
                "<fault>\r\n<value><struct>\r\n\
                 <member><name>faultCode</name>\r\n<value>{code}</value></member>\r\n\
                 <member><name>faultString</name>\r\n<value>{text}</value></member>\r\n\
                 </struct></value>\r\n</fault>"
            ));
        }
    };
    let values = elements.iter().map(|element| format!("<value>{element}</value>\r\n"));
    in_reply(&format!(
        "<params>\r\n<param><value><array><data>\r\n{}</data></array></value></param>\r\n</params>",
        values.collect::<String>()
    ))
}

fn in_reply(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <methodResponse>\r\n{inside}\r\n</methodResponse>\r\n"
    )
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
