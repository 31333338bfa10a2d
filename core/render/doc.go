// Package render renders templates: Jinja2 as Salt runs it, sandboxed, with
// Salt's filters and tags, undefined names being errors.
//
// gonja parses the document: text, comments, whitespace control and the structure
// of blocks. Two of its pieces could not be made right from outside and are
// replaced here. Its lexer ends strings in the wrong place, drops characters it
// does not know and takes a newline inside a tag for part of the next token; ours
// emits gonja's own tokens by Jinja2's rules. Its expression parser knows neither
// Jinja2's precedences nor tuples, slices or trailing commas; our lexer therefore
// hands every {{ }} to gonja's parser as a tag, whose arguments we parse. Values,
// scoping, statements, filters, tests and errors have nothing of gonja in them.
//
// An Engine is safe for concurrent use. A source is compiled once, found by its
// content and kept while the cache has room; a compiled template is never written
// to. A rendering costs one pass over the compiled statements, converts a caller's
// variables when they are first used, a level of a map at a time, and never
// writes to them.
//
// A rendering ends in text or in an *Error, never in a panic: nesting, output,
// loop steps and the size of single values are limited, and the context is
// watched in loops and calls.
//
// Regular expressions are those of Python's re, here and wherever CompileRegexp is
// used: RE2 runs what it matches the same way, regexp2 the rest, which is given up
// with an error when it takes too long. A template runs no command and
// writes nothing but what the functions its caller passes in do for it; it can look
// at the local machine with the filters Salt has for that (file_hashsum,
// list_files, which, get_uid, dns_check and their like).
package render
