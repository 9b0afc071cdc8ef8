//! Rust sources as the rules see them: a flat list of tokens with their lines, and which lines are test code.
//!
//! Tokens, not text: a word in a comment or a string is never mistaken for code, and code inside a macro call is seen.

use super::tree::{Source, Tree};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One token: an identifier, a literal, one punctuation character, or one bracket.
#[derive(Debug, Clone)]
pub struct Token {
    /// As written.
    pub text: String,
    /// Line, counted from 1.
    pub line: usize,
}

/// One Rust file, parsed.
pub struct RustFile<'a> {
    /// Path and text.
    pub source: &'a Source,
    /// Everything but comments; a doc comment appears as its `#[doc]` attribute.
    pub tokens: Vec<Token>,
    /// The functions with the lines from `fn` to the closing brace.
    pub functions: Vec<(String, RangeInclusive<usize>)>,
    /// Submodules in files of their own: name, `#[path]`, whether it is `#[cfg(test)]`.
    modules: Vec<(String, Option<String>, bool)>,
    test_lines: Vec<RangeInclusive<usize>>,
    all_test: bool,
}

impl RustFile<'_> {
    /// True when the line belongs to a test: inside `#[test]` or `#[cfg(test)]`, or in a file that only tests use.
    pub fn is_test(&self, line: usize) -> bool {
        self.all_test || self.test_lines.iter().any(|range| range.contains(&line))
    }

    /// The positions at which the tokens read exactly like `pattern`.
    pub fn find<'p>(&'p self, pattern: &'p [&'p str]) -> impl Iterator<Item = usize> + 'p {
        (0..self.tokens.len()).filter(move |start| self.reads(*start, pattern))
    }

    /// True when the tokens from `start` read exactly like `pattern`.
    pub fn reads(&self, start: usize, pattern: &[&str]) -> bool {
        self.tokens
            .get(start..start + pattern.len())
            .is_some_and(|tokens| tokens.iter().zip(pattern).all(|(token, text)| token.text == *text))
    }

    /// The position just behind the bracket that closes the one at `open`.
    pub fn behind_group(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for (position, token) in self.tokens.iter().enumerate().skip(open) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return position + 1;
            }
        }
        self.tokens.len()
    }
}

/// Parses every Rust file of the tree. A file that does not parse is left to the compiler to complain about.
pub fn parse(tree: &Tree) -> Vec<RustFile<'_>> {
    let mut files: Vec<RustFile<'_>> =
        tree.files.iter().filter(|file| file.path.ends_with(".rs")).filter_map(parse_file).collect();
    mark_test_files(&mut files);
    files
}

fn parse_file(source: &Source) -> Option<RustFile<'_>> {
    let syntax = syn::parse_file(&source.text).ok()?;
    let stream: TokenStream = source.text.parse().ok()?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    let mut seen = Seen::default();
    seen.visit_file(&syntax);
    let Seen { functions, modules, test_lines } = seen;
    Some(RustFile { source, tokens, functions, modules, test_lines, all_test: false })
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), into);
                into.push(Token { text: close.to_owned(), line: group.span_close().end().line });
            }
            other => into.push(Token { text: other.to_string(), line }),
        }
    }
}

/// What one walk over the syntax tree collects.
#[derive(Default)]
struct Seen {
    functions: Vec<(String, RangeInclusive<usize>)>,
    modules: Vec<(String, Option<String>, bool)>,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Seen {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = signature.fn_token.span.start().line..=block.brace_token.span.close().end().line;
        self.functions.push((signature.ident.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let test = is_test_only(&module.attrs);
        if module.content.is_none() {
            self.modules.push((module.ident.to_string(), path_attribute(&module.attrs), test));
        } else if test {
            self.test_lines.push(lines_of(module));
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        if is_test_only(&function.attrs) {
            self.test_lines.push(lines_of(function));
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        if is_test_only(&function.attrs) {
            self.test_lines.push(lines_of(function));
        }
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if is_test_only(&item.attrs) {
            self.test_lines.push(lines_of(item));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

fn lines_of(item: &impl Spanned) -> RangeInclusive<usize> {
    item.span().start().line..=item.span().end().line
}

/// `#[test]` and `#[cfg(test)]`. A condition that other builds can meet too (`any(test, …)`) is not a test's.
fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        match &attribute.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }),
                ..
            }) => Some(path.value()),
            _ => None,
        }
    })
}

/// Marks the files that are reached only through a `#[cfg(test)] mod name;`, and those below them.
fn mark_test_files(files: &mut [RustFile<'_>]) {
    let mut test_files = BTreeSet::new();
    loop {
        let known = test_files.len();
        for file in files.iter() {
            for (name, path, test) in &file.modules {
                if *test || test_files.contains(&file.source.path) {
                    test_files.extend(files_of_module(&file.source.path, name, path.as_deref()));
                }
            }
        }
        if test_files.len() == known {
            break;
        }
    }
    for file in files {
        file.all_test = test_files.contains(&file.source.path);
    }
}

/// Where the compiler looks for `mod name;` written in `parent`.
fn files_of_module(parent: &str, name: &str, path: Option<&str>) -> Vec<String> {
    let (folder, file) = parent.rsplit_once('/').unwrap_or(("", parent));
    if let Some(path) = path {
        return vec![format!("{folder}/{path}")];
    }
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]
}
