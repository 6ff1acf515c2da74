//! The format of recipes: what is refused, and how it is told; and servers that answer nonsense.

use std::fs;
use std::path::Path;
use std::time::Duration;

use loadgen_core::migration::{Ending, RecipeOptions, RecipeTrigger, Trigger};
use loadgen_core::{Event, EventKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::{Api, Call, Fake, Reply};
use super::flights::{SECRET, fired, flown, names, reason, refusal, secret_in, until, while_not};

const HEAD: &str = "recipe = 1\nname = \"test\"\nservers.main.url = \"{url}\"\n\
                    parameters.url.about = \"where it is\"\n";
const START: &str = "[start]\nrequest = { post = \"/go\" }\n";
const POLL: &str = "[poll]\nrequest = { get = \"/look\" }\nsuccess = \"/done == true\"\n\
                    failure = \"/failed == true\"\nreason = [\"/why\"]\nstate = \"/state\"\n\
                    tolerate = [503]\n";

/// A recipe with these lines before its start.
fn usual(more: &str) -> String {
    format!("{HEAD}{more}\n{START}{POLL}")
}

fn written(folder: &TempDir, text: impl AsRef<[u8]>) -> RecipeOptions {
    let path = folder.path().join("recipe.toml");
    fs::write(&path, text).unwrap();
    let mut options = RecipeOptions::new(path);
    options.poll = Some(Duration::from_millis(10));
    options
}

/// Why a recipe is refused; nobody is asked before.
fn wrong(text: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let options = written(&folder, text).with("url", "unix:/nowhere/socket:");
    let error = RecipeTrigger::new(options).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("recipe.toml"), "it names the recipe: {error}");
    error
}

/// A server whose answers are the test's.
struct Told(Reply);

impl Fake for Told {
    fn answer(&mut self, call: &Call) -> Reply {
        match call.path.as_str() {
            "/go" => Reply::json(200, &json!({})),
            _ => self.0.clone(),
        }
    }
}

fn body(text: impl Into<String>) -> Reply {
    Reply::Answer(200, Vec::new(), text.into())
}

/// It answers so, and the recipe has these lines.
fn server(reply: Reply, more: &str) -> (Api<Told>, TempDir, RecipeOptions) {
    let (api, folder) = (Api::start(Told(reply)), tempfile::tempdir().unwrap());
    let options = written(&folder, usual(more)).with("url", api.url.as_str());
    (api, folder, options)
}

/// Why it does not come about with a server that answers so to the first request.
fn refused_by(reply: Reply) -> String {
    let look = "[[inspect]]\nwhat = \"looking\"\nrequest = { get = \"/a\" }\nexpect = \"/a == 1\"";
    let (_api, _folder, options) = server(reply, look);
    let error = refusal(options);
    assert!(error.chars().count() <= 700, "{} characters", error.chars().count());
    error
}

#[test]
fn unknown_keys_are_named() {
    let step = "what = \"x\"\nrequest = { get = \"/\" }";
    for (more, after, key) in [
        ("servres = 1", "", "servres"),
        ("[parameters.vm]\nabout = \"x\"\ndefualt = \"\"", "", "defualt"),
        ("[secrets.token]\nenv = \"T\"\nvar = \"\"", "", "var"),
        ("[servers.b]\nurl = \"http://h\"\ninsecure = true", "", "insecure"),
        (&format!("[[inspect]]\n{step}\nsaves = {{}}"), "", "saves"),
        (&format!("[[prepare]]\n{step}\nbackground = true"), "", "background"),
        ("[[inspect]]\nwhat = \"x\"\nrequest = { get = \"/\", body = \"\" }", "", "body"),
        ("", "gone = [404]", "gone"),
        ("", "[confirm]\nrequest = { get = \"/\" }\nsuccess = \"/a exists\"\nunmet = 1", "unmet"),
        ("", "[figures]\nrequest = { get = \"/\" }\ndowntime = \"/a\"", "downtime"),
        ("", "[cancel]\nrequest = { delete = \"/\" }\ntolerate = [1]", "tolerate"),
    ] {
        let error = wrong(format!("{}{after}\n", usual(more)));
        assert!(error.contains(&format!("unknown field `{key}`")), "{key}: {error}");
    }
    let start = START.replace("[start]", "[start]\nanswers = true");
    let error = wrong(format!("{HEAD}{start}{POLL}"));
    assert!(error.contains("unknown field `answers`"), "{error}");
}

#[test]
fn what_cannot_be_followed_is_told() {
    let with = |request: &str| {
        usual(&format!("[[inspect]]\nwhat = \"the look\"\nrequest = {{ {request} }}"))
    };
    let secret = "[secrets.token]\nenv = \"TOKEN\"\n";
    let header = |line: &str| usual(&format!("servers.main.headers = {{ {line} }}"));
    for (text, parts) in [
        (usual("").replace("recipe = 1", "recipe = 2"), ["recipe = 2", "version 1"]),
        (with("get = \"/a/{vm}\""), ["'the look'", "{vm} is not known there"]),
        (with("get = \"/\", json = { a = [{ b = \"{vm}\" }] }"), ["'the look'", "{vm} is not"]),
        (with("get = \"/\", post = \"/\""), ["'the look'", "one of get, post, put"]),
        (with("json = {}"), ["'the look'", "one of get, post, put"]),
        (with("get = \"/\", server = \"b\""), ["'the look'", "there is no [servers.b]"]),
        (with("post = \"/\", json = 1, form = {}"), ["'the look'", "json or form, not both"]),
        (with("get = \"/{\""), ["line 7", "a brace is written twice"]),
        (header("\"a b\" = \"c\""), ["[servers.main]", "'a b' is no name of a header"]),
        (header("a = \"{vm}\""), ["[servers.main]", "{vm} is not known there"]),
        (format!("{HEAD}{START}"), ["it has no [poll]", "answers-at-the-end"]),
        (
            usual("").replace("[start]", "[start]\nanswers-at-the-end = true"),
            ["answers-at-the-end", "leave [poll] out"],
        ),
        (
            usual(&format!("{secret}[[inspect]]\nwhat = \"x\"\nrequest.get = \"/{{token}}\"")),
            ["the secret {token}", "headers and bodies"],
        ),
        (
            usual(&format!("{secret}[servers.b]\nurl = \"http://{{token}}/\"")),
            ["[servers.b]", "the secret {token}"],
        ),
        (
            usual(&format!("{secret}[secrets.z]\nfile = \"{{token}}\"")),
            ["[secrets.z]", "the secret {token}"],
        ),
        (
            usual(&format!(
                "{secret}[[inspect]]\nwhat = \"x\"\nrequest.get = \"/\"\n\
                 expect = \"/a == {{token}}\""
            )),
            ["'x'", "{token} is not known there, or is a secret"],
        ),
        (usual("[secrets.z]"), ["[secrets.z]", "say env"]),
        (usual("[secrets.url]\nenv = \"U\""), ["[secrets.url]", "{url} is there twice"]),
        (usual("[parameters.poll]\nabout = \"x\""), ["poll", "all recipes have it"]),
        (usual("[parameters.A]\nabout = \"x\""), ["'A' names no value", "a letter first"]),
    ] {
        let error = wrong(&text);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}\nof\n{text}");
    }
}

#[test]
fn files_that_are_no_recipes() {
    for (text, part) in [
        ("recipe = 1\nname = \n", "line 2"),
        ("recipe = 1\nname = \"a\"\nname = \"b\"\n", "line 3"),
        ("recipe = 1\nname = \"a\"\n[start]\nrequest = {}\nsave = 3\n", "line 5"),
        ("recipe = \"1\"", "line 1"),
        ("", "missing field"),
    ] {
        let error = wrong(text);
        assert!(error.contains(part), "{error}");
    }
    assert!(wrong(b"recipe = 1\nname = \"\xff\"").contains("UTF-8"));
    let missing = RecipeOptions::new(Path::new("/nowhere/recipe.toml"));
    let error = RecipeTrigger::new(missing).unwrap().inspect().unwrap_err().to_string();
    assert!(error.contains("/nowhere/recipe.toml") && error.contains("os error 2"), "{error}");
}

#[test]
fn parameters_and_urls() {
    let folder = tempfile::tempdir().unwrap();
    let options = || written(&folder, usual("[parameters.vm]\nabout = \"its name\""));
    let url = "unix:/nowhere/socket:";
    assert!(refusal(options().with("url", url)).contains("it needs vm= (its name)"));
    let error = refusal(options().with("url", url).with("vm", "a").with("v\u{1b}m", "a"));
    assert!(error.contains(r"no parameter 'v\u{1b}m'; it has url, vm"), "{error}");
    let all = || options().with("vm", "a");
    let error = refusal(all().with("url", format!("https://root:{SECRET}@h/")));
    assert!(error.contains("do not belong into a URL"), "{error}");
    for url in ["", "ftp://h/", "http://h:99999/", "unix:"] {
        assert!(refusal(all().with("url", url)).contains("server 'main'"), "{url}");
    }
}

#[test]
fn secrets_are_found_or_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(Told(Reply::json(200, &json!({ "done": true }))));
    let with = |source: &str| {
        let text = "[parameters.token-file]\nabout = \"x\"\ndefault = \"\"\n[secrets.token]\n";
        let header = "servers.main.headers = { x-token = \"T {token}\" }";
        let text = usual(&format!("{header}\n{text}{source}"));
        written(&folder, text).with("url", api.url.as_str())
    };
    let sent = || api.calls().last().unwrap().header("x-token").unwrap().to_owned();
    let file = secret_in(&folder).display().to_string();
    let both = "env = \"LOADGEN_NOT_SET\"\nfile = \"{token-file}\"";
    flown(&mut fired(with(both).with("token-file", file.as_str())).unwrap());
    assert_eq!(sent(), format!("T {SECRET}"));
    // The environment comes first.
    let by_env = both.replace("LOADGEN_NOT_SET", "PATH");
    flown(&mut fired(with(&by_env).with("token-file", "/nowhere/secret")).unwrap());
    assert_eq!(sent(), format!("T {}", std::env::var("PATH").unwrap().trim()));
    let error = refusal(with(both));
    assert!(error.contains("set LOADGEN_NOT_SET, or give token-file=FILE"), "{error}");
    let error = refusal(with("env = \"LOADGEN_NOT_SET\""));
    assert!(error.contains("the secret 'token': set LOADGEN_NOT_SET"), "{error}");
    let error = refusal(with("file = \"/nowhere/secret\""));
    assert!(error.contains("'token' from /nowhere/secret") && error.contains("os error 2"));
    fs::write(&file, format!("{SECRET}\r\nx-other: {SECRET}")).unwrap();
    let error = refusal(with(both).with("token-file", file));
    assert!(error.contains("x-token") && error.contains("cannot stand in a header"), "{error}");
}

#[test]
fn answers_that_are_none() {
    for (text, part) in [
        ("<html>".to_owned(), "there is none"),
        (String::new(), "there is none"),
        ("[".repeat(100_000), "there is none"),
        ("{\"a\":".repeat(100_000), "there is none"),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)), "it is 'xxx"),
        ("x".repeat(20 << 20), "longer than 16 MiB"),
        (format!("{{\"a\":{}}}", "[".repeat(100) + &"]".repeat(100)), "it is '[[["),
    ] {
        let error = refused_by(body(text));
        assert!(error.contains(part), "{error}");
    }
    let far = Reply::empty(302).with("Location", "http://127.0.0.1:1/");
    assert!(refused_by(far).contains("HTTP 302 Found"));
    assert!(refused_by(Reply::Close).contains("closed before the answer was whole"));
    let long = refused_by(Reply::Answer(500, Vec::new(), "\u{e9}\u{1b}".repeat(9_999)));
    assert!(long.contains("HTTP 500 Internal Server Error: \u{e9}") && long.ends_with('…'));
    let error = refused_by(Reply::json(401, &json!("no")));
    assert!(error.contains("the credentials are wrong, or have expired"), "{error}");
}

#[test]
fn looks_that_bring_nonsense() {
    let (api, _folder, options) = server(body("<html>"), "");
    let mut trigger = fired(options).unwrap();
    // Each of these says nothing, and it is asked again.
    for reply in [body("[".repeat(100_000)), Reply::Close, Reply::json(503, &json!("later"))] {
        let seen = api.count("GET /look");
        let events = while_not(&mut trigger, || api.count("GET /look") > seen + 2);
        assert!(events.iter().all(|event| !event.kind.is_final()), "{events:?}");
        api.edit(|told| told.0 = reply);
    }
    // A state is told once for each change, however often it is looked at.
    for state in ["a", "b", "c", "b"] {
        api.edit(|told| told.0 = Reply::json(200, &json!({ "state": state })));
        until(&mut trigger, &format!("state {state}"));
        let seen = api.count("GET /look");
        let again = while_not(&mut trigger, || api.count("GET /look") > seen + 2);
        assert!(again.is_empty(), "{again:?}");
    }
    let why = format!("no\u{1b}[2J\nway {}", "x".repeat(9_999));
    api.edit(|told| told.0 = Reply::json(200, &json!({ "failed": true, "why": why })));
    let (events, settled) = flown(&mut trigger);
    assert_eq!((names(&events).len(), settled.ending), (1, Ending::Failed));
    assert!(reason(&settled).contains("way xxx") && !reason(&settled).contains('\n'));
    assert!(reason(&settled).chars().count() <= 301, "{}", reason(&settled).len());
}

#[test]
fn a_state_is_not_told_without_end() {
    let state = "x".repeat(1 << 20);
    let (_api, _folder, options) = server(Reply::json(200, &json!({ "state": state })), "");
    let mut trigger = fired(options).unwrap();
    let events = until_some(&mut trigger, |kind| matches!(kind, EventKind::State(_)));
    assert!(format!("{events:?}").len() < 5_000);
}

/// What comes up to an event of this kind.
fn until_some(trigger: &mut RecipeTrigger, is_it: impl Fn(&EventKind) -> bool) -> Vec<Event> {
    let mut events = Vec::new();
    while !events.last().is_some_and(|event: &Event| is_it(&event.kind)) {
        events.extend(trigger.next_event(Duration::from_millis(20)).unwrap());
    }
    events
}

/// What is settled with these figures.
fn figures(told: &Value) -> [Option<f64>; 3] {
    let mut reply = json!({ "done": true });
    reply.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
    let (api, folder) = (Api::start(Told(Reply::json(200, &reply))), tempfile::tempdir().unwrap());
    let figures = "[figures]\nrequest = { get = \"/figures\" }\ndowntime-ms = \"/down\"\n\
                   total-ms = { within = \"/log\", after = \"took \", before = \" ms\" }\n\
                   transferred-bytes = \"/sent\"\n";
    let options = written(&folder, format!("{}{figures}", usual("")));
    let (_, settled) = flown(&mut fired(options.with("url", api.url.as_str())).unwrap());
    assert_eq!(settled.ending, Ending::Completed);
    let millis = |of: Option<Duration>| of.map(|of| of.as_secs_f64() * 1e3);
    let sent = settled.transferred_bytes.map(|bytes| bytes as f64);
    [millis(settled.hypervisor_downtime), millis(settled.hypervisor_total), sent]
}

#[test]
fn figures_that_are_none() {
    let log = ["took 9 ms, first", "took 30 ms"];
    let told = json!({ "down": "12.5", "log": log, "sent": 4096 });
    assert_eq!(figures(&told), [Some(12.5), Some(30.0), Some(4096.0)]);
    for none in [json!(null), json!(-1), json!("NaN"), json!("inf"), json!([1]), json!("")] {
        let told = json!({ "down": none, "log": format!("took {none} ms"), "sent": none });
        assert_eq!(figures(&told), [None; 3], "{told}");
    }
    let told = json!({ "down": 1e300, "log": "took 1e300 ms" });
    assert_eq!(figures(&told), [None; 3]);
    assert_eq!(figures(&json!({ "log": "took 3 seconds" })), [None; 3]);
}

#[test]
fn bytes_that_cannot_be_are_none() {
    assert_eq!(figures(&json!({ "sent": 1e300 })), [None; 3]);
}

#[test]
fn values_stay_where_they_stand() {
    let text = "[parameters.vm]\nabout = \"x\"\n[[inspect]]\nwhat = \"x\"\nrequest = { \
                post = \"/vms/{vm}/info?a={vm}\", json = { vm = \"{vm}\", \"{vm}\" = 1 } }\n\
                [[inspect]]\nwhat = \"x\"\nrequest = { post = \"/f\", form = { vm = \"{vm}\" } }";
    for vm in
        ["../../x?y=1#z", "a\",\"admin\":true,\"b\":\"", "{url}", "a&b=c\r\nd: e", "\u{1b}é%2F"]
    {
        let (api, _folder, options) = server(Reply::json(200, &json!({})), text);
        RecipeTrigger::new(options.with("vm", vm)).unwrap().inspect().unwrap();
        let [asked, form] = api.calls().try_into().unwrap();
        assert_eq!(asked.path, format!("/vms/{vm}/info"));
        assert!(!asked.query["a=".len()..].contains(['&', '=', '?', '#', '/', ' ']), "{asked:?}");
        assert_eq!(asked.json(), json!({ "vm": vm, "{vm}": 1 }));
        assert_eq!(form.form("vm").unwrap(), vm);
        assert_eq!(form.body.matches(['&', '=']).count(), 1, "{form:?}");
    }
}
