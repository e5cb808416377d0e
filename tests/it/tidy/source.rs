//! Rust source as far as the walls need it: words without comments and strings, and the paths among them.

use std::collections::BTreeMap;

/// One token: a name, `::`, or a single sign. What stands in comments, strings and characters is none.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
    /// Within an item under `#[cfg(test)]`, or in a file of tests.
    pub(super) test: bool,
    /// Within `mod name { … }`, where `super` is the file's own module.
    pub(super) inline: bool,
}

/// A path as written, flattened: `use a::{b, c as d}` is `a::b` and `a::c` with the alias `d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) steps: Vec<String>,
    pub(super) line: usize,
    pub(super) test: bool,
    pub(super) inline: bool,
    /// The name under which a `use` brings it in; none for a path in an expression or type.
    pub(super) alias: Option<String>,
    /// A `use` that others can see.
    pub(super) public: bool,
}

impl Path {
    fn at(word: &Word, steps: Vec<String>, alias: Option<String>, public: bool) -> Self {
        Self { steps, line: word.line, test: word.test, inline: word.inline, alias, public }
    }
}

/// A name with its first and last line.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Cuts source into words.
pub(super) fn words(source: &str, all_test: bool) -> Vec<Word> {
    let (mut rest, mut line, mut words) = (source, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match token(rest, first) {
            Token::Skip(length) => (length, false),
            Token::Keep(length) => (length, true),
        };
        let (text, after) = rest.split_at(length);
        if kept {
            words.push(Word { text: text.trim_start_matches("r#").to_owned(), line, test: all_test, inline: false });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    mark_tests(&mut words);
    mark_inline(&mut words);
    words
}

enum Token {
    Skip(usize),
    Keep(usize),
}

fn token(rest: &str, first: char) -> Token {
    if rest.starts_with("//") {
        return Token::Skip(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Token::Skip(block_comment(rest));
    }
    if let Some(length) = string(rest) {
        return Token::Skip(length);
    }
    if rest.starts_with("::") {
        return Token::Keep(2);
    }
    match first {
        '\'' => Token::Skip(character_or_lifetime(rest)),
        c if c.is_whitespace() => Token::Skip(c.len_utf8()),
        c if is_name(c) => Token::Keep(
            rest.trim_start_matches("r#")
                .find(|c| !is_name(c))
                .map_or(rest.len(), |end| end + if rest.starts_with("r#") { 2 } else { 0 }),
        ),
        c => Token::Keep(c.len_utf8()),
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        match (here.starts_with(b"/*"), here.starts_with(b"*/")) {
            (true, _) => (depth, at) = (depth + 1, at + 2),
            (_, true) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a string at the start, of whatever kind: `"…"`, `b"…"`, `c"…"`, `r#"…"#`.
fn string(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - body.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inner = raw[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = inner.find(&close).map_or(inner.len(), |at| at + close.len());
        return Some(prefix + 1 + hashes + 1 + end);
    }
    let inner = body.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// `'a'` and `'\n'` are characters; `'a` is a lifetime, of which only the tick goes.
fn character_or_lifetime(rest: &str) -> usize {
    let mut letters = rest[1..].char_indices();
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some(_)) => {
            2 + rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        (Some(_), Some((at, '\''))) => 1 + at + 1,
        _ => 1,
    }
}

/// Marks what stands under `#[cfg(test)]`: to the end of the next block or statement.
fn mark_tests(words: &mut [Word]) {
    const CFG: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut at = 0;
    while at + CFG.len() < words.len() {
        if !CFG.iter().zip(&words[at..]).all(|(sign, word)| *sign == word.text) {
            at += 1;
            continue;
        }
        let end = item_end(words, at + CFG.len());
        words[at..end].iter_mut().for_each(|word| word.test = true);
        at = end;
    }
}

fn mark_inline(words: &mut [Word]) {
    for at in 2..words.len() {
        if words[at].text == "{" && words[at - 2].text == "mod" {
            let end = item_end(words, at);
            words[at..end].iter_mut().for_each(|word| word.inline = true);
        }
    }
}

/// One past the `;` or the closing brace that ends the item at `at`.
pub(super) fn item_end(words: &[Word], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, word) in words.iter().enumerate().skip(at) {
        match word.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    words.len()
}

/// Modules that the file declares.
pub(super) fn children(words: &[Word]) -> Vec<String> {
    words.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.clone()).collect()
}

/// Every path of the file: those of `use` items flattened, and all others with at least two steps. `pub(in …)` is none.
pub(super) fn paths(words: &[Word]) -> Vec<Path> {
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let word = &words[at];
        if word.text == "in" && at > 1 && words[at - 1].text == "(" && words[at - 2].text == "pub" {
            at = item_end_of_parenthesis(words, at);
        } else if word.text == "use" {
            let end = words[at..].iter().position(|word| word.text == ";").map_or(words.len(), |found| at + found);
            let public = is_public(words, at);
            flatten(&words[at + 1..end], &[], public, &mut paths);
            at = end;
        } else if word.text.starts_with(is_name) && (at == 0 || words[at - 1].text != ".") {
            let steps = steps(&words[at..]);
            let length = steps.len() * 2 - 1;
            if steps.len() > 1 {
                paths.push(Path::at(word, steps, None, false));
            }
            at += length;
        } else {
            at += 1;
        }
    }
    paths
}

fn item_end_of_parenthesis(words: &[Word], at: usize) -> usize {
    words[at..].iter().position(|word| word.text == ")").map_or(words.len(), |found| at + found)
}

fn is_public(words: &[Word], at: usize) -> bool {
    let before = words[..at].iter().rev().take_while(|word| ![";", "}", "{", "]"].contains(&word.text.as_str()));
    before.into_iter().any(|word| word.text == "pub")
}

/// The names at the start that `::` joins.
fn steps(words: &[Word]) -> Vec<String> {
    let mut steps = vec![words[0].text.clone()];
    for pair in words[1..].chunks(2) {
        match pair {
            [join, name] if join.text == "::" && name.text.starts_with(is_name) => steps.push(name.text.clone()),
            _ => break,
        }
    }
    steps
}

/// Flattens the tree of a `use`: what stands before a brace goes before each of what stands within it.
fn flatten(words: &[Word], before: &[String], public: bool, paths: &mut Vec<Path>) {
    for branch in branches(words) {
        let Some(first) = branch.first() else { continue };
        let mut steps = before.to_vec();
        let mut alias = None;
        let mut at = 0;
        while at < branch.len() {
            match branch[at].text.as_str() {
                "::" => {}
                "{" => {
                    flatten(&branch[at + 1..branch.len() - 1], &steps, public, paths);
                    steps.clear();
                    break;
                }
                "as" => {
                    alias = branch.get(at + 1).map(|word| word.text.clone());
                    break;
                }
                name => steps.push(name.to_owned()),
            }
            at += 1;
        }
        if steps.len() > 1 && steps.last().is_some_and(|last| last == "self") {
            steps.pop();
        }
        if let Some(last) = steps.last() {
            let alias = alias.or_else(|| Some(last.clone()));
            paths.push(Path::at(first, steps, alias, public));
        }
    }
}

/// Splits at the commas that stand outside inner braces.
fn branches(words: &[Word]) -> Vec<&[Word]> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, word) in words.iter().enumerate() {
        match word.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                found.push(&words[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&words[start..]);
    found
}

/// What each name that a `use` brings in stands for.
pub(super) fn aliases(paths: &[Path]) -> BTreeMap<String, Vec<String>> {
    paths.iter().filter_map(|path| Some((path.alias.clone()?, path.steps.clone()))).collect()
}

/// Functions with a body, and where it ends.
pub(super) fn functions(words: &[Word]) -> Vec<Function> {
    let named =
        words.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn" && pair[1].text.starts_with(is_name));
    named
        .map(|(at, pair)| {
            let end = item_end(words, at).saturating_sub(1);
            Function {
                name: pair[1].text.clone(),
                first: pair[0].line,
                last: words.get(end).map_or(pair[0].line, |word| word.line),
            }
        })
        .collect()
}
