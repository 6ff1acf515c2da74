//! Recipes that nobody would write.

use std::fs;

use loadgen_core::migration::{RecipeOptions, RecipeTrigger, Trigger};
use proptest::prelude::*;

/// A place in a recipe, and what may stand there, fitting or not. Nothing of it can be reached, and
/// nothing of it waits.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "recipe",
        "name",
        "what",
        "request",
        "expect",
        "save",
        "save-secret",
        "memory",
        "pause",
        "memory-unit",
        "in-background",
        "url",
        "ca",
        "headers",
        "env",
        "file",
        "about",
        "default",
        "poll",
        "success",
        "failure",
        "state",
        "progress",
        "answers-at-the-end",
        "gone",
        "within",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "2",
        "-1",
        "1e300",
        "nan",
        "true",
        "[]",
        "{}",
        "[[]]",
        "\"\"",
        "\"{\"",
        "\"{{}}\"",
        "\"{vm}\"",
        "\"{run}\"",
        "\"/a == {vm}\"",
        "\"/a exists\"",
        "\"header: exists\"",
        "\"/~2 missing\"",
        "\"unix:/nowhere/socket:\"",
        "\"unix:/nowhere/{vm}:/a\"",
        "\"1ms\"",
        "{ get = \"/{vm}\" }",
        "{ get = \"{token}\", server = \"b\" }",
        "{ a = \"/b\" }",
        "{ post = \"/\", json = { a = [\"{vm}\", 1e9, 1979-05-27] } }",
        "{ put = \" \\r\\n\" }",
        "{ delete = \"\", headers = { \"\" = \"\", é = \"\\u001b\" }, accept = [99999] }",
        "{ within = \"/a\", after = \"\", before = \"\" }",
        "[\"status == 200\", \"/ contains  \"]",
    ]);
    let table = prop::sample::select(vec![
        "[parameters.vm]",
        "[secrets.token]",
        "[servers.main]",
        "[servers.b]",
        "[[inspect]]",
        "[[prepare]]",
        "[start]",
        "[poll]",
        "[confirm]",
        "[figures]",
        "[cancel]",
        "[\"\"]",
        "[",
    ]);
    prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        3 => table.prop_map(|table| format!("{table}\n")),
        1 => "\\PC{0,20}\n",
    ]
}

/// A recipe that can be read, but for what stands in it.
fn nearly() -> impl Strategy<Value = String> {
    let text =
        "[^\"\\\\\\p{C}]{0,12}|\\{vm\\}|/[a-z{}]{0,5}(/[0-9~]{0,3})? (==|!=|contains|exists)";
    (text, text, text, text).prop_map(|(path, expect, header, json)| {
        format!(
            "recipe = 1\nname = \"x\"\nservers.main.url = \"unix:/nowhere/{{vm}}:\"\n\
             servers.main.headers = {{ x-a = \"{header}\" }}\nparameters.vm = {{ about = \"\", \
             default = \"{header}\" }}\n[[inspect]]\nwhat = \"{json}\"\nrequest = {{ get = \
             \"{path}\", json = {{ a = \"{json}\" }} }}\nexpect = \"/a == {expect}\"\n[start]\n\
             request = {{ put = \"/{path}\" }}\n[poll]\nrequest = {{ get = \"/\" }}\n\
             success = \"/a contains {json}\"\n"
        )
    })
}

fn inspected(text: impl AsRef<[u8]>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    fs::write(&path, text).unwrap();
    let mut trigger = RecipeTrigger::new(RecipeOptions::new(path)).unwrap();
    if let Err(error) = trigger.inspect() {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        inspected(bytes);
    }

    #[test]
    fn lines(lines in prop::collection::vec(line(), 0..30), is_begun in any::<bool>()) {
        let head = if is_begun { "recipe = 1\nname = \"x\"\n" } else { "" };
        inspected(format!("{head}{}", lines.concat()));
    }

    #[test]
    fn recipes(text in nearly()) {
        inspected(text);
    }
}
