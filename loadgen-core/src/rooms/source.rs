//! Which file imports from which, read from the sources: `use` declarations, and paths
//! in the code and in attributes. An import through a face (`pub use`) is one from where the name lives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each module imports from; modules by their path, such as `net/sys`, the crate's
/// face is empty.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// A path of names.
type Names = Vec<String>;

/// What of a file counts here.
struct Module {
    /// What is imported or named, from the crate's face on.
    named: BTreeSet<Names>,
    /// What the module lets others have by a name: where that lives.
    given: BTreeMap<String, Names>,
}

/// Reads all sources of the crate, without its tests.
pub(super) fn imports() -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    read(&root, &mut Vec::new(), &mut files);
    let tokens: BTreeMap<Names, Vec<Token>> =
        files.into_iter().map(|(module, text)| (module, tokens(&text))).collect();
    let mut tests = BTreeSet::new();
    let kept: BTreeMap<Names, Vec<Token>> = tokens
        .into_iter()
        .map(|(module, all)| {
            let kept = without_tests(&all, &module, &mut tests);
            (module, kept)
        })
        .collect();
    let is_test = |module: &Names| (1..=module.len()).any(|n| tests.contains(&module[..n]));
    let modules: BTreeSet<Names> = kept.keys().filter(|module| !is_test(module)).cloned().collect();
    let read: BTreeMap<Names, Module> = modules
        .iter()
        .map(|module| (module.clone(), Module::of(module, &kept[module], &modules)))
        .collect();
    let told = |module: &Names| module.join("/");
    read.iter()
        .map(|(module, content)| {
            let homes = content.named.iter().filter_map(|path| home(path, &read, 0));
            (told(module), homes.filter(|home| home != module).map(|home| told(&home)).collect())
        })
        .collect()
}

/// Reads the files of a folder and of those in it.
fn read(folder: &Path, at: &mut Names, files: &mut BTreeMap<Names, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            at.push(name);
            read(&path, at, files);
            at.pop();
        } else if path.extension().is_some_and(|end| end == "rs") {
            let mut module = at.clone();
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            files.insert(module, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The module in which that lives which a path names.
fn home(path: &[String], read: &BTreeMap<Names, Module>, hops: usize) -> Option<Names> {
    let depth = (0..=path.len()).rev().find(|n| read.contains_key(&path[..*n]))?;
    let (module, rest) = path.split_at(depth);
    if let Some((name, rest)) = rest.split_first()
        && let Some(elsewhere) = read[module].given.get(name)
        && hops < 8
    {
        let path = [elsewhere.as_slice(), rest].concat();
        return home(&path, read, hops + 1);
    }
    Some(module.to_vec())
}

impl Module {
    fn of(own: &Names, tokens: &[Token], modules: &BTreeSet<Names>) -> Self {
        let mut module = Self { named: BTreeSet::new(), given: BTreeMap::new() };
        let absolute = |path: &[String]| absolute(own, path, modules);
        let mut i = 0;
        while i < tokens.len() {
            let begins = !tokens[..i].ends_with(&[Token::Mark(':'), Token::Mark(':')]);
            match &tokens[i] {
                Token::Name(name) if name == "use" => {
                    let end = i + tokens[i..].iter().position(|t| *t == Token::Mark(';')).unwrap();
                    let mut trees = Vec::new();
                    tree(&tokens[i + 1..end], &[], &mut trees);
                    for (path, name) in trees {
                        let Some(path) = absolute(&path) else { continue };
                        module.named.insert(path.clone());
                        module.given.insert(name, path);
                    }
                    i = end;
                }
                Token::Name(_) if begins => {
                    let (path, end) = path(&tokens[i..]);
                    if path.len() > 1
                        && let Some(path) = absolute(&path)
                    {
                        module.named.insert(path);
                    }
                    i += end - 1;
                }
                _ => {}
            }
            i += 1;
        }
        module
    }
}

/// A path from the crate's face on; `None` if it leads out of the crate, or nowhere that
/// is known here.
fn absolute(own: &Names, path: &[String], modules: &BTreeSet<Names>) -> Option<Names> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let first = path.first()?;
    let (base, rest) = match first.as_str() {
        "crate" => (&[] as &[String], &path[1..]),
        "self" => (own.as_slice(), &path[1..]),
        "super" => (&own[..own.len().checked_sub(supers)?], &path[supers..]),
        _ => {
            let child = [own.as_slice(), std::slice::from_ref(first)].concat();
            modules.contains(&child).then_some((own.as_slice(), path))?
        }
    };
    Some([base, rest].concat())
}

/// The names with `::` between them at the start, and how many tokens they are.
fn path(tokens: &[Token]) -> (Names, usize) {
    let mut names = Vec::new();
    let mut i = 0;
    while let Some(Token::Name(name)) = tokens.get(i) {
        names.push(name.clone());
        i += 1;
        let goes_on = tokens.get(i..i + 2) == Some(&[Token::Mark(':'), Token::Mark(':')])
            && matches!(tokens.get(i + 2), Some(Token::Name(_)));
        if !goes_on {
            break;
        }
        i += 2;
    }
    (names, i)
}

/// The paths of a `use` declaration, and the names by which they are known.
fn tree(tokens: &[Token], before: &[String], found: &mut Vec<(Names, String)>) {
    let mut depth = 0;
    let at_comma = |token: &Token| {
        depth += match token {
            Token::Mark('{') => 1,
            Token::Mark('}') => -1,
            _ => 0,
        };
        depth == 0 && *token == Token::Mark(',')
    };
    let branches: Vec<&[Token]> = tokens.split(at_comma).collect();
    for branch in branches.into_iter().filter(|branch| !branch.is_empty()) {
        let (names, end) = path(branch);
        let path = [before, names.as_slice()].concat();
        let open = branch.iter().position(|token| *token == Token::Mark('{'));
        if let Some(open) = open {
            tree(&branch[open + 1..branch.len() - 1], &path, found);
            continue;
        }
        let Some(last) = path.last() else { continue };
        let (path, last) = if last == "self" {
            (path[..path.len() - 1].to_vec(), path[path.len() - 2].clone())
        } else {
            (path.clone(), last.clone())
        };
        let name = match branch.get(end..) {
            Some([Token::Name(word), Token::Name(name), ..]) if word == "as" => name.clone(),
            _ => last,
        };
        found.push((path, name));
    }
}

/// The tokens without what is compiled for tests only; the modules that are so are added
/// to `tests`.
fn without_tests(all: &[Token], own: &Names, tests: &mut BTreeSet<Names>) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < all.len() {
        if all[i] != Token::Mark('#') || all.get(i + 1) != Some(&Token::Mark('[')) {
            kept.push(all[i].clone());
            i += 1;
            continue;
        }
        let end = i + 1 + group(&all[i + 1..]);
        let has = |name: &str| all[i..end].contains(&Token::Name(name.to_owned()));
        if !(has("cfg") && has("test") && !has("not")) {
            kept.extend_from_slice(&all[i..end]);
            i = end;
            continue;
        }
        let item = end + item(&all[end..]);
        let declared = all[end..item].iter().position(|t| *t == Token::Name("mod".to_owned()));
        if let Some(at) = declared
            && let Some(Token::Name(name)) = all.get(end + at + 1)
        {
            tests.insert([own.as_slice(), std::slice::from_ref(name)].concat());
        }
        i = item;
    }
    kept
}

/// How many tokens the group in brackets is that begins here.
fn group(tokens: &[Token]) -> usize {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map_or(tokens.len(), |end| end + 1)
}

/// How many tokens an item is, a field, an arm or a statement, with its attributes.
fn item(tokens: &[Token]) -> usize {
    const ITEMS: [&str; 8] = ["fn", "impl", "mod", "struct", "enum", "trait", "type", "use"];
    let mut keyword = None;
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Name(name) if keyword.is_none() => {
                keyword = ITEMS.into_iter().find(|item| item == name);
            }
            Token::Mark(';') => return i + 1,
            Token::Mark(',') if keyword.is_none() => return i + 1,
            Token::Mark(')' | ']' | '}') => return i,
            Token::Mark('{') if keyword != Some("use") => return i + group(&tokens[i..]),
            Token::Mark('(' | '[' | '{') => i += group(&tokens[i..]) - 1,
            _ => {}
        }
        i += 1;
    }
    i
}

/// What a source consists of, without comments, literals and blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name, a keyword or a number.
    Name(String),
    Mark(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            // What an attribute names so, such as that of serde, is a path all the same.
            let text = rest[..length].trim_matches('"');
            if text.starts_with("crate::") {
                tokens.extend(self::tokens(text));
            }
            length
        } else if c.is_alphanumeric() || c == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = length.unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Mark(c));
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of a text or character at the start, be it raw or of bytes.
fn literal(text: &str) -> Option<usize> {
    let body = text.trim_start_matches('b');
    let prefix = text.len() - body.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = body.strip_prefix('r') {
        let marks = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(marks));
        let inner = raw[marks..].strip_prefix('"')?;
        let length = inner.find(&end)? + end.len();
        return Some(prefix + 1 + marks + 1 + length);
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let character = body.chars().nth(1)?;
    let is_lifetime = quote == '\'' && character != '\\' && body.chars().nth(2) != Some('\'');
    if is_lifetime {
        return None;
    }
    let mut characters = body.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == quote => return Some(prefix + at + 1),
            _ => {}
        }
    }
    None
}

#[test]
fn sources_are_read_as_the_compiler_reads_them() {
    let text = r##"
        use crate::a::{self, b::C as D, e::{F, g}}; // use crate::not;
        pub(crate) use super::h::I;
        /* use crate::nor; */
        #[cfg(test)]
        mod tests { use crate::this; }
        #[cfg(any(test, feature = "x"))]
        mod harness;
        #[cfg(not(test))]
        fn f<'a>(x: &'a str) -> char { child::run("no crate::no", r#"crate::"no"#, '"', b'\'', '\u{1b}'); '{' }
        fn g(n: crate::n::N) { std::mem::take(crate::k::l::<u8>()) }
        #[serde(with = "crate::w")]
        struct S { #[cfg(test)] t: crate::t::T, u: crate::u::U }
    "##;
    let own = vec!["x".to_owned(), "y".to_owned()];
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Names>();
    let modules = [own.clone(), path("x::y::child")].into();
    let mut tests = BTreeSet::new();
    let kept = without_tests(&tokens(text), &own, &mut tests);
    let module = Module::of(&own, &kept, &modules);
    let named: Vec<String> = module.named.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        named,
        [
            "a",
            "a::b::C",
            "a::e::F",
            "a::e::g",
            "k::l",
            "n::N",
            "u::U",
            "w",
            "x::h::I",
            "x::y::child::run",
        ]
    );
    assert_eq!(module.given["D"], path("a::b::C"));
    assert_eq!(module.given["I"], path("x::h::I"));
    assert_eq!(tests, [path("x::y::tests"), path("x::y::harness")].into());
}
